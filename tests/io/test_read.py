"""Opening real files of every format: equal values across encodings, one clear paragraph for what cannot be used."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from firstlight.errors import FrameError, InputError
from firstlight.io.fits_writer import write_raw_fits
from firstlight.io.read import find_files, format_of, open_frame, open_frames, read
from firstlight.model.flags import Flag
from firstlight.model.image import State

SAME = (
    "u16.fits.gz",
    "u16_rice.fits.fz",
    "u16_gzip2.fits.fz",
    "u16_hcomp.fits.fz",
    "f32.fits",
    "f64.fits",
    "i32.fits",
    "mef_ext1.fits",
    "no_date_no_exp.fits",
    "noexptime_exposure.fits",
    "u16.xisf",
    "u16_zlib.xisf",
    "u16.png",
    "u16.tif",
    "u16_rggb.dng",
    "u16_rggb_3frames.ser",
)


@pytest.mark.parametrize("name", SAME)
def test_the_same_pixels_in_every_encoding(real_data, name):
    folder = real_data("zoo_reencoded")
    reference = read(folder / "u16.fits")
    image = read(folder / name)
    np.testing.assert_array_equal(image.data, reference.data)
    assert not image.flags.any()
    frame = open_frame(folder / name)
    rows = frame.rows(100, 103).astype(np.float64) * frame.scale + frame.zero
    np.testing.assert_array_equal(rows, reference.data[:, 100:103])
    assert frame.rows(5, 6).dtype == frame.dtype


def test_other_encodings(real_data):
    folder = real_data("zoo_reencoded")
    reference = read(folder / "u16.fits").data
    np.testing.assert_array_equal(read(folder / "i16_nobzero.fits").data, np.floor(reference / 2))
    np.testing.assert_array_equal(read(folder / "u8.fits").data, np.floor(reference / 256))
    cube = read(folder / "rgb_cube.fits")
    assert cube.shape == (3, 128, 128)
    np.testing.assert_array_equal(cube.data[0], reference[0, ::2, ::2])
    np.testing.assert_array_equal(cube.data[2], reference[0, 1::2, 1::2])
    holes = read(folder / "f32_nan_inf.fits")
    marked = np.zeros((256, 256), bool)
    marked[10:14, 20:30] = True
    marked[100, 100] = True
    np.testing.assert_array_equal(holes.flags[0], np.where(marked, Flag.NOT_FINITE, 0))


@pytest.mark.parametrize("name", ["u16.fits", "u16.xisf", "u16_rggb.dng", "u16_rggb_3frames.ser"])
def test_colour_pattern_of_the_same_camera(real_data, name):
    assert open_frame(real_data("zoo_reencoded") / name).meta.cfa == "RGGB"


def test_every_exposure_of_a_series(real_data):
    path = real_data("zoo_reencoded") / "u16_rggb_3frames.ser"
    frames = open_frames(path)
    assert [frame.name for frame in frames] == [f"{path.name}#000{n}" for n in (1, 2, 3)]
    assert frames[1].meta.start is not None
    again = open_frame(f"{path}#0003")
    np.testing.assert_array_equal(again.read().data, frames[2].read().data)
    with pytest.raises(InputError, match="has 1 to 3"):
        open_frame(f"{path}#0004")


def test_every_real_file_is_read_or_refused_in_one_paragraph(real_data):
    refused = {}
    for path in sorted(real_data().rglob("*")):
        relative = path.relative_to(real_data())
        if not path.is_file() or relative.parts[0] in ("_truth", "catalogs") or len(relative.parts) == 1:
            continue
        if path.suffix in (".txt", ".json"):
            continue
        try:
            image = read(path)
        except FrameError as error:
            refused[path.name] = str(error)
        else:
            assert image.data.dtype == np.float32
    expected = {
        "arange.fits": "11 x 10 x 7",
        "blank.fits": "single pixel",
        "compressed_float_bzero.fits": "1-D array",
        "group.fits": "random groups",
        "history_header.fits": "no data",
        "lzw.fits.Z": "gunzip",
        "memtest.fits": "table",
        "verify.fits": "no data",
        "zerowidth.fits": "table",
    }
    assert set(refused) == set(expected)
    for name, words in expected.items():
        assert refused[name].startswith(name)
        assert "\n" not in refused[name]
        assert words in refused[name]


def test_astropy_agrees_on_real_fits(real_data):
    fits = pytest.importorskip("astropy.io.fits")
    for name in ("hatp32_microobs", "stargate_ssdsi2", "panoptes_dslr", "sbig_stl1001_2017_crop512"):
        path = find_files(real_data(name))[0]
        with fits.open(path) as units:
            expected = next(unit.data for unit in units if unit.data is not None and unit.data.ndim == 2)
        np.testing.assert_array_equal(read(path).data[0], expected.astype(np.float32))


def test_find_files(tmp_path):
    for name in (
        "b/light.fits",
        "b/.hidden.fits",
        "b/notes.txt",
        ".cache/x.fits",
        "firstlight/stacks/s.fits",
        "a.FIT.gz",
        "w.csv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "c").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "dangling.fits").symlink_to(tmp_path / "nowhere.fits")
    found = [path.relative_to(tmp_path).as_posix() for path in find_files(tmp_path)]
    assert found == ["a.FIT.gz", "b/light.fits"]
    assert find_files(tmp_path / "w.csv") == [tmp_path / "w.csv"]
    with pytest.raises(InputError, match="no such folder"):
        find_files(tmp_path / "none")


def test_a_folder_or_file_that_may_not_be_read(tmp_path, monkeypatch):
    """A folder passed over in silence would be frames missing without a word; a file costs that file."""
    import os

    (tmp_path / "Darks").mkdir()
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "a.fits").write_bytes(b"SIMPLE")
    scan, denied = os.scandir, {"lost+found"}

    def guarded(path):
        if os.path.basename(path) in denied:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert [path.name for path in find_files(tmp_path)] == ["a.fits"]
    denied.add("Darks")
    with pytest.raises(InputError, match="Darks: this folder cannot be read: Permission denied"):
        find_files(tmp_path)

    def refused(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(args[0]))

    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(FrameError, match=r"a.fits: cannot be read: Permission denied"):
        open_frames(tmp_path / "a.fits")


def test_how_short_a_file_is_cut(tmp_path):
    header = "".join(f"{line:80}" for line in (
        "SIMPLE  =                    T", "BITPIX  =                   16", "NAXIS   =                    2",
        "NAXIS1  =                   50", "NAXIS2  =                   20", "END",
    )).ljust(2880)  # fmt: skip
    for kept, words in ((0, "2000 of 2000 bytes of pixels are missing (100 %)"), (500, "1500 of 2000 bytes")):
        (tmp_path / "a.fits").write_bytes((header.encode() + bytes(2000))[: 2880 + kept])
        with pytest.raises(FrameError, match=re.escape(words)):
            open_frames(tmp_path / "a.fits")
    (tmp_path / "a.fits").write_bytes(b"garbage")
    with pytest.raises(FrameError, match="cut short: only 7 bytes, no header"):
        open_frames(tmp_path / "a.fits")


def test_format_by_content_when_the_name_lies(real_data, tmp_path):
    folder = real_data("zoo_reencoded")
    for name, wrong in (("u16.xisf", "x.fits"), ("u16.tif", "y.fits"), ("u16.fits", "z.tif"), ("u16.png", "p.jpg")):
        (tmp_path / wrong).write_bytes((folder / name).read_bytes())
        np.testing.assert_array_equal(read(tmp_path / wrong).data, read(folder / name).data)


@pytest.mark.parametrize(
    "suffix", [".fits", ".tif", ".png", ".jpg", ".xisf", ".ser", ".cr2", ".fits.gz", ".fits.xz", ".csv"]
)
@pytest.mark.parametrize("content", [b"", b"nonsense " * 1000], ids=["empty", "nonsense"])
def test_rubbish_of_every_name(tmp_path, suffix, content):
    path = tmp_path / f"frame{suffix}"
    path.write_bytes(content)
    with pytest.raises(FrameError, match=r"^frame"):
        read(path)


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_frame(tmp_path / "a.fits")
    with pytest.raises(InputError, match="folder"):
        open_frame(tmp_path)


def test_names():
    assert format_of(Path("x.fits.bz2")) == "fits"
    assert format_of(Path("IMG_1.CR2")) == "raw"
    assert format_of(Path("x.tar.gz")) is None


def test_a_jpeg_is_stretched(real_data):
    assert open_frame(real_data("widefield_solve") / "apod2.jpg").state is State.STRETCHED


@pytest.mark.skipif(sys.platform == "win32", reason="limits of open files are set by POSIX calls")
def test_many_frames_with_few_open_files(tmp_path):
    for number in range(200):
        write_raw_fits(tmp_path / f"{number:04d}.fits", np.full((8, 9), number, np.uint16))
    script = (
        "import sys\nfrom firstlight.io.read import find_files, open_frame\n"
        "frames = [open_frame(p) for p in find_files(sys.argv[1])] * 5\n"
        "bands = [f.rows(2, 4) for f in frames]\n"
        "print(len(bands), sum(int(b[0, 0, 0]) + 32768 for b in bands))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
        env=os.environ,
    )
    assert done.stdout.split() == ["1000", str(5 * sum(range(200)))]


def test_damaged_files_never_raise_anything_else(real_data, tmp_path):
    """Bytes changed or cut at random (the same ones every time): an image or a FrameError, no other end."""
    generator = np.random.default_rng(11)
    outcomes = {"read": 0, "refused": 0}
    for path in [*find_files(real_data("zoo_reencoded")), *find_files(real_data("zoo_public"))]:
        whole = path.read_bytes()
        for how in range(3):
            damaged = bytearray(whole)
            if how == 0:
                damaged = damaged[: generator.integers(0, len(whole))]
            for place in generator.integers(0, len(whole) if how == 1 else min(3000, len(whole)), 8 if how else 0):
                damaged[place] = generator.integers(0, 256)
            target = tmp_path / path.name
            target.write_bytes(damaged)
            try:
                read(target)
                outcomes["read"] += 1
            except FrameError:
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 20
