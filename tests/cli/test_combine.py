"""`firstlight combine` as a user runs it."""

import numpy as np
import pytest

from firstlight import read, write
from firstlight.cli.main import run
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.pipeline import combine_channels


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


def test_an_input_is_never_replaced(files, capsys):
    before = files[0].read_bytes()
    assert run(["combine", str(files[0]), *map(str, files), "--align", "none", "--overwrite"]) == 2
    assert "this is an input, which is never replaced" in capsys.readouterr().err
    assert files[0].read_bytes() == before


def test_a_linear_picture_is_refused_before_the_work(files, tmp_path, capsys, monkeypatch):
    worked = []
    monkeypatch.setattr(combine_channels, "combine_channels", lambda *a, **k: worked.append(a))
    assert run(["combine", str(tmp_path / "out.png"), *map(str, files), "--align", "none"]) == 2
    assert "add a stretch as the last of --steps" in capsys.readouterr().err
    assert not worked


def test_stretched_images_become_a_picture(files, tmp_path, capsys):
    for path in files:
        assert run(["stretch:asinh", str(path), str(tmp_path / f"s_{path.name}")]) == 0
    pictures = [str(tmp_path / f"s_{path.name}") for path in files]
    assert run(["combine", str(tmp_path / "out.jpg"), *pictures, "--align", "none"]) == 0
    assert run(["combine", str(tmp_path / "l.png"), *map(str, files), "--align", "none", "--mode", "lupton"]) == 0


def test_the_list(capsys):
    assert run(["combine", "--list"]) == 0
    assert "star_transplant" in capsys.readouterr().out
