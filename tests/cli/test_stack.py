"""`firstlight stack` from the outside: what it refuses before any work."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from firstlight.cli.main import run


@pytest.fixture
def frames(tmp_path):
    rng = np.random.default_rng(5)
    paths = [tmp_path / "lights" / f"l{i}.fits" for i in range(3)]
    paths[0].parent.mkdir()
    for path in paths:
        fits.writeto(path, rng.normal(300, 8, (40, 50)).astype(np.float32))
    return paths


def test_a_frame_is_never_written_over_unasked(tmp_path, frames, capsys):
    before = frames[0].read_bytes()
    assert run(["stack", str(frames[0].parent), "-o", str(frames[0]), "-q"]) == 2
    assert "exists already; give another name, or --overwrite" in capsys.readouterr().err
    assert frames[0].read_bytes() == before
    out = tmp_path / "out.fits"
    assert run(["stack", *map(str, frames), "-o", str(out), "-q"]) == 0
    assert run(["stack", *map(str, frames), "-o", str(out), "-q"]) == 2
    assert run(["stack", *map(str, frames), "-o", str(out), "-q", "--overwrite"]) == 0


def test_a_frame_is_never_written_over_even_if_asked(tmp_path, frames, capsys):
    before = frames[0].read_bytes()
    for given in ([frames[0].parent], frames):
        assert run(["stack", *map(str, given), "-o", str(frames[0]), "-q", "--overwrite"]) == 2
        assert "this is an input, which is never replaced" in capsys.readouterr().err
    assert frames[0].read_bytes() == before


def test_a_stack_of_before_among_the_files_is_replaced_and_named(frames, capsys):
    out = frames[0].parent / "stack.fits"
    argv = ["stack", str(frames[0].parent), "-o", str(out), "-q"]
    assert run(argv) == 0
    assert run([*argv, "--overwrite"]) == 0
    assert "stack.fits: the result of before, which is replaced" in capsys.readouterr().out
    assert fits.getval(out, "NCOMBINE") == 3


def test_a_misspelt_name_is_no_stack_of_the_others(tmp_path, frames, capsys):
    assert run(["stack", *map(str, frames), str(tmp_path / "none.fits"), "-o", str(tmp_path / "o.fits"), "-q"]) == 2
    assert "none.fits: there is no such file" in capsys.readouterr().err
    assert not (tmp_path / "o.fits").exists()


def test_kinds_of_frames_are_not_combined_with_one_another(tmp_path, frames, capsys):
    """A whole session given to `stack` made one image of its lights, darks and flats."""
    header = fits.Header({"IMAGETYP": "DARK"})
    dark = tmp_path / "dark.fits"
    fits.writeto(dark, fits.getdata(frames[0]) - 200, header)
    fits.setval(frames[1], "IMAGETYP", value="LIGHT")
    argv = ["stack", *map(str, frames), str(dark), "-o", str(tmp_path / "o.fits"), "-q"]
    assert run(argv) == 2
    assert "3 lights, 1 dark: kinds of frames are not combined" in capsys.readouterr().err
    assert run([*argv, "--mix"]) == 0


@pytest.mark.parametrize("more", [["--registration-method", "stars"], ["--registration-framing", "mosaic"]])
def test_mosaics_are_not_moved(tmp_path, frames, capsys, more):
    for path in frames:
        fits.setval(path, "BAYERPAT", value="RGGB")
    argv = ["stack", *map(str, frames), "-o", str(tmp_path / "o.fits"), "-q"]
    assert run([*argv, *more]) == 2
    assert "a RGGB mosaic, whose colours would mix when it is moved; firstlight process" in capsys.readouterr().err
    assert run(argv) == 0
