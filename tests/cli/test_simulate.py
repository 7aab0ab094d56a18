"""`firstlight simulate`."""

import pytest

from firstlight import read
from firstlight.cli.main import run
from firstlight.cli.simulate import changed
from firstlight.errors import SpecError
from firstlight.simulate.settings import preset

SMALL = ["--set", "n_lights=2", "--set", "n_darks=1", "--set", "n_bias=1", "--set", "n_flats=1",
         "--set", "camera.width=80", "--set", "camera.height=64"]  # fmt: skip


def test_a_small_night_is_written_and_repeats(tmp_path, capsys):
    for name in ("one", "two"):
        assert run(["simulate", str(tmp_path / name), "--preset", "tiny", "--seed", "3", "-q", *SMALL]) == 0
        assert "2 light" in capsys.readouterr().out
    lights = [sorted((tmp_path / name / "Lights").rglob("*.fits")) for name in ("one", "two")]
    assert len(lights[0]) == 2
    assert read(lights[0][0]).shape == (1, 64, 80)
    assert [path.read_bytes() for path in lights[0]] == [path.read_bytes() for path in lights[1]]


def test_settings_by_name():
    night = changed(preset("tiny"), ("n_lights=3", "camera.cfa=RGGB", "filters=R,G", "exposures=10,20"))
    assert (night.n_lights, night.camera.cfa, night.filters, night.exposures) == (3, "RGGB", ("R", "G"), (10.0, 20.0))
    for text, words in (
        ("n_light=3", "did you mean n_lights?"),
        ("camera.widht=3", "did you mean width?"),
        ("optics.width=3", "there is no setting 'optics'"),
        ("n_lights=-1", "n_lights=-1"),
        ("n_lights", "write KEY=VALUE"),
    ):
        with pytest.raises(SpecError, match=words.replace("?", r"\?")):
            changed(preset("tiny"), (text,))


def test_panels_are_pairs():
    assert changed(preset("tiny"), ("panels=-80/0,80.5/3",)).panels == ((-80.0, 0.0), (80.5, 3.0))
    with pytest.raises(SpecError, match="panels"):
        changed(preset("tiny"), ("panels=4",))


def test_wrong_names_and_folders(tmp_path, capsys):
    assert run(["simulate", str(tmp_path / "x"), "--preset", "dmo"]) == 2
    assert "did you mean demo?" in capsys.readouterr().err
    (tmp_path / "precious.txt").write_text("x")
    assert run(["simulate", str(tmp_path), "--preset", "tiny"]) == 2
    assert "new or empty" in capsys.readouterr().err


def test_the_list_names_presets_and_settings(capsys):
    assert run(["simulate", "--list"]) == 0
    shown = capsys.readouterr().out
    assert "demo-cfa" in shown
    assert "camera.read_noise" in shown
