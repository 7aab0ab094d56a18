"""Each exposure counts once, through combinations of combinations."""

import numpy as np
import pytest

from firstlight import read, write
from firstlight.cli.main import run
from firstlight.io.content import QUICK_HASH
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.pipeline.exposures import exposures_of


def stack(path, number, name, frames=4, exposure=60.0, shared=()):
    contents = [*shared, *(f"{name}{k}" for k in range(frames - len(shared)))]
    story = {"made_by": "process", "inputs": [{"file": f"{c}.fits", QUICK_HASH: c} for c in contents]}
    data = np.random.default_rng(number).normal(100 + number, 2, (40, 50))
    return write(
        path, Image(data, meta=Meta(filter=name, exposure=frames * exposure, n_combined=frames)), provenance=story
    )


@pytest.fixture
def stacks(tmp_path):
    return {name: stack(tmp_path / f"{name}.fits", number, name) for number, name in enumerate("LRGB")}


def combined(tmp_path, mode, name, *files):
    target = tmp_path / name
    assert run(["combine", "--mode", mode, "--align", "none", str(target), *map(str, files)]) == 0
    return target


def test_a_luminance_of_all_and_their_colours_count_each_frame_once(stacks, tmp_path, capsys):
    bright = combined(tmp_path, "slum", "slum.fits", *(stacks[n] for n in "LRGB"))
    colours = combined(tmp_path, "rgb", "rgb.fits", *(stacks[n] for n in "RGB"))
    assert (read(colours).meta.exposure, read(colours).meta.n_combined) == (720.0, 12)
    capsys.readouterr()
    both = read(combined(tmp_path, "lrgb", "lrgb.fits", bright, colours)).meta
    assert (both.exposure, both.n_combined) == (960.0, 16)
    assert "12 exposures are in more than one image: counted once" in capsys.readouterr().out


def test_steps_in_between_do_not_hide_it(stacks, tmp_path):
    treated = tmp_path / "treated.fits"
    assert run(["apply", str(stacks["R"]), str(treated), "nr:gaussian"]) == 0
    image = read(combined(tmp_path, "rgb", "rgb.fits", stacks["R"], treated, stacks["B"]))
    assert (image.meta.exposure, image.meta.n_combined) == (480.0, 8)


def test_stacks_that_share_some_frames(tmp_path):
    one = stack(tmp_path / "a.fits", 1, "a")
    other = stack(tmp_path / "b.fits", 2, "b", shared=("a0", "a1"))
    assert read(combined(tmp_path, "add", "sum.fits", one, other)).meta.n_combined == 6


def test_files_that_tell_nothing_stand_for_themselves(tmp_path):
    plain = write(tmp_path / "plain.fits", Image(np.ones((20, 20)), meta=Meta(exposure=30.0)))
    assert list(exposures_of(plain, read(plain).meta).values()) == [(30.0, 1)]
    assert exposures_of("image 1", Meta(exposure=5.0)) == {"image 1": (5.0, 1)}
    meta = read(combined(tmp_path, "rgb", "rgb.fits", plain, plain, plain)).meta
    assert (meta.exposure, meta.n_combined) == (30.0, 1)
