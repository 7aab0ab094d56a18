"""Copies of a file among frames."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from firstlight import process
from firstlight.io.copies import pictured, without_copies
from firstlight.io.read import open_frames
from firstlight.library.store import Library
from firstlight.pipeline.detector_frames import gather
from firstlight.pipeline.library_build import build_library
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.settings import Settings
from firstlight.pipeline.stack import StackSettings, stack_files


def frame(path, seed, kind="Light Frame", **cards):
    path.parent.mkdir(exist_ok=True, parents=True)
    header = fits.Header({"IMAGETYP": kind, "EXPTIME": 60.0, "INSTRUME": "Cam", "CCD-TEMP": -10.0, **cards})
    data = np.random.default_rng(seed).normal(300, 9, (60, 80)).astype(np.uint16)
    fits.writeto(path, data, header)
    return path


@pytest.mark.parametrize("cards", [{}, {"DATE-OBS": "2026-01-17T20:00:00"}])
def test_only_copies_are_left_out(tmp_path, cards):
    paths = [frame(tmp_path / f"{i}.fits", i, **cards) for i in range(3)]
    paths.append(tmp_path / "backup" / "0.fits")
    paths[-1].parent.mkdir()
    shutil.copy(paths[0], paths[-1])
    paths.append(tmp_path / "again.fits")
    paths[-1].symlink_to(paths[1])
    # One pixel that differs makes it another frame.
    paths.append(tmp_path / "other.fits")
    content = bytearray(paths[2].read_bytes())
    content[2880 + 7] ^= 1
    paths[-1].write_bytes(content)
    kept, copies = without_copies([f for path in paths for f in open_frames(path)])
    assert [f.path for f in kept] == [*paths[:3], paths[5]]
    assert dict(copies) == {
        paths[3]: f"0.fits: the same file as {paths[0]}, byte for byte; an exposure counts once; remove the copy",
        paths[4]: "again.fits: the same file as 1.fits, byte for byte; an exposure counts once; remove the copy",
    }


def test_pictures_beside_frames_are_no_frames(tmp_path):
    frames = [frame(tmp_path / f"IMG_000{i}.fits", i) for i in range(2)]
    names = ("IMG_0000.JPG", "img_0001_thn.jpg", "IMG_0007.jpg", "other/IMG_0000.JPG")
    for seed, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 99, (60, 80), np.uint8)).save(tmp_path / name)
    paths = [*frames, *(tmp_path / name for name in names)]
    kept, left = without_copies([f for path in paths for f in open_frames(path)])
    # A picture that stands for itself stays: photographs are stacked too.
    assert [f.path for f in kept] == [*frames, *paths[4:]]
    assert [pictured(open_frames(path)[0]) for path in paths] == [None, None, *frames, None, None]
    assert dict(left) == {
        paths[2]: "IMG_0000.JPG: a picture of IMG_0000.fits, which is taken; no frame of its own",
        paths[3]: "img_0001_thn.jpg: a picture of IMG_0001.fits, which is taken; no frame of its own",
    }


def test_no_light_no_dark_and_no_bias_counts_twice(tmp_path):
    """Of lights that count twice the exposure is wrong; of two copies of a bias the read noise would be 0."""
    for i in range(4):
        frame(tmp_path / "lights" / f"{i}.fits", i)
        frame(tmp_path / "bias" / f"b{i}.fits", 10 + i, "Bias Frame", EXPTIME=0.0)
    for kind, name in (("lights", "0.fits"), ("bias", "b0.fits")):
        shutil.copy(tmp_path / kind / name, tmp_path / kind / "copy.fits")
    result = process(
        tmp_path, Settings(library="none", registration={"method": "none"}, output={"pictures": False}),
        output=tmp_path / "out",
    )  # fmt: skip
    assert result.stacks[0].n_frames == 4
    assert result.stacks[0].image.meta.exposure == 240.0
    assert sum("byte for byte" in reason for reason in result.set_aside.values()) == 2
    assert "copy.fits" in (tmp_path / "out" / "frames.csv").read_text(encoding="utf-8")
    (found,) = gather([tmp_path / "bias"], Progress())
    assert found.n_frames["bias"] == 4
    library = Library(tmp_path / "lib")
    build_library(library, [tmp_path / "bias"])
    assert [entry.n_frames for _, entry in library.shelf()] == [4]
    stack = stack_files([tmp_path / "lights"], tmp_path / "s.fits", StackSettings())
    assert stack.n_files == 4
    assert "byte for byte" in next(iter(stack.set_aside.values()))
