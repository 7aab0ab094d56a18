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
