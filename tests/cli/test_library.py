import pytest
from click import Abort

from calibration_frames import write_frames
from firstlight.cli.main import run


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTLIGHT_LIBRARY", str(tmp_path / "library"))
    write_frames(tmp_path / "raw" / "bias", "bias", 5)
    write_frames(tmp_path / "raw" / "dark", "dark", 5, level=520, EXPTIME=60.0)
    return tmp_path


def test_a_library_that_is_not_there_is_not_sound(tmp_path, capsys):
    assert run(["library", "verify", "--path", str(tmp_path / "unplugged")]) == 2
    assert "there is no library here; --path FOLDER names one" in capsys.readouterr().err


def test_build_list_show_verify_remove(place, capsys):
    build = ["library", "build", "-s", str(place / "raw"), "-q", "--threads", "2"]
    assert run(build) == 0
    text = capsys.readouterr().out
    assert "Made (2):" in text
    assert "2 made, 0 were there already." in text
    assert run(["library", "list"]) == 0
    text = capsys.readouterr().out
    assert "60 s, -10 C, gain 26, offset 10, 64 x 48" in text
    assert "1 bias, 1 dark" in text
    assert run(["library", "show", "dark_60s"]) == 0
    text = capsys.readouterr().out
    assert "bias inside" in text
    assert text.count("dark_00") == 5
    assert run(["library", "verify"]) == 0
    assert "2 masters, 0 problems" in capsys.readouterr().out
    assert run(["library", "remove", "dark_60s", "--yes"]) == 0
    assert run(["library", "list", "--kind", "dark"]) == 0
    assert "1 bias; 0 listed" in capsys.readouterr().out
    assert run(build) == 0
    assert "1 made, 1 were there already." in capsys.readouterr().out


def test_remove_asks(place, capsys, monkeypatch):
    assert run(["library", "build", "-s", str(place / "raw"), "-q"]) == 0
    monkeypatch.setattr("click.confirm", lambda text, abort: (_ for _ in ()).throw(Abort()))
    assert run(["library", "remove", "dark_60s"]) == 130
    assert len(list((place / "library").rglob("*.fits"))) == 2


def test_update_looks_where_it_was_told_to(place, capsys):
    assert run(["library", "update"]) == 2
    assert "no sources are remembered" in capsys.readouterr().err
    assert run(["library", "build", "-s", str(place / "raw"), "-q"]) == 0
    write_frames(place / "raw" / "more", "dark", 4, level=520, EXPTIME=60.0, seed=8, days=1)
    capsys.readouterr()
    assert run(["library", "update", "-q"]) == 0
    assert "9 frames" in capsys.readouterr().out


def test_a_wrong_name_is_answered_with_the_nearest(place, capsys):
    assert run(["library", "build", "-s", str(place / "raw"), "-q"]) == 0
    assert run(["library", "show", "master_dork_60s"]) == 2
    assert "there is no such master" in capsys.readouterr().err


def test_classify_makes_nothing(place, capsys):
    assert run(["library", "classify", str(place / "raw"), "-q"]) == 0
    assert "darks of 60 s at -10 C, gain 26, offset 10: 5 frames" in capsys.readouterr().out
    assert not list((place / "library").rglob("*.fits"))
