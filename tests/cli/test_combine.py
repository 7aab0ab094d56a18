"""`firstlight combine` as a user runs it."""

import numpy as np
import pytest

from firstlight import read, write
from firstlight.cli.main import run
from firstlight.model.image import Image
from firstlight.model.meta import Meta


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(1)
    return [
        write(tmp_path / f"{name}.fits", Image(rng.normal(100, 3, (30, 40)), meta=Meta(filter=name))) for name in "RGB"
    ]


def test_files_in_a_file_out(files, tmp_path, capsys):
    out = tmp_path / "out.fits"
    assert run(["combine", str(out), *map(str, files), "--align", "none"]) == 0
    image = read(out)
    np.testing.assert_array_equal(image.data[1], read(files[1]).data[0])
    assert image.history == ("color:join@1",)
    assert "rgb of R.fits (R), G.fits (G), B.fits (B)" in capsys.readouterr().out
    picture = tmp_path / "out.png"
    steps = ["--color-steps", "color:neutralize", "--steps", "stretch:midtones color:saturation"]
    assert run(["combine", str(picture), *map(str, files), "--align", "none", *steps]) == 0
    assert read(picture).shape == (3, 30, 40)


def test_mistakes_are_told_before_anything_is_read(files, tmp_path, capsys):
    out = str(tmp_path / "out.fits")
    for arguments, words in (
        (["--mode", "rbg", out, *map(str, files)], "did you mean rgb?"),
        ([out, *map(str, files), "none.fits"], "none.fits: there is no such file"),
        ([out, str(files[0])], "1 image(s) given; it takes R G B or RGB"),
        ([out, *map(str, files), "--args", "nonsense"], "write KEY=VALUE"),
    ):
        assert run(["combine", *arguments]) == 2
        assert words in capsys.readouterr().err


def test_the_list(capsys):
    assert run(["combine", "--list"]) == 0
    assert "star_transplant" in capsys.readouterr().out
