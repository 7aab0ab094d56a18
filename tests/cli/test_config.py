"""``firstlight config``: files, and which of them wins."""

import pytest

from firstlight.cli.main import run
from firstlight.pipeline.configuration import configuration
from firstlight.pipeline.live_settings import LiveSettings
from firstlight.pipeline.settings import Settings
from firstlight.simulate.night import preset, simulate


@pytest.fixture
def own(tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    monkeypatch.setenv("FIRSTLIGHT_CONFIG", str(path))
    return path


@pytest.fixture
def session(tmp_path):
    simulate(tmp_path / "night", preset("tiny").model_copy(update={"n_lights": 3}))
    return tmp_path / "night"


def test_the_nearer_file_wins_and_the_command_line_before_all(own, session, capsys):
    own.write_text('[stacking]\nrejection = "sigma"\nlow = 4\n[session]\nlibrary = "none"\nevery = 2.0\n')
    (session / "firstlight.toml").write_text("[stacking]\nlow = 5\n")
    found = configuration(session)
    assert (found.settings(Settings).stack.method, found.settings(Settings).stack.low) == ("sigma", 5)
    assert found.settings(Settings).library == "none"
    assert found.settings(LiveSettings).every == 2
    assert run(["config", str(session)]) == 0
    shown = capsys.readouterr().out
    assert f"{session / 'firstlight.toml'}, line 2" in shown
    assert f"4 ({own}, line 3); 0.0 (default)" in shown
    for more, words in (([], "stack.low=5"), (["--stack-low", "2.5"], "stack.low=2.5"),
                        (["--set", "stack.low=3.5"], "stack.low=3.5")):  # fmt: skip
        assert run(["process", str(session), "-q", "--set", "output.pictures=no", *more]) == 0
        assert f"sigma:{words.replace('stack.', '').replace('=', '=')}" in told(session), words
    recipe = session.parent / "mine.toml"
    recipe.write_text("[stacking]\nlow = 4.5\n[output]\npictures = false\n")
    assert run(["process", str(session), "-q", "--recipe", str(recipe)]) == 0
    assert "sigma:low=4.5" in told(session)


def told(session):
    import json

    return json.loads((session / "firstlight" / "run.json").read_text())["stacks"][0]["method"]


def test_what_is_wrong_is_told_with_its_line(own, session, capsys):
    for text, words in (
        ("\n[stacking]\nlowe = 4", "line 3: [stacking] has no option 'lowe'; did you mean low?"),
        ("[stackin]\nlow = 4", "line 1: no section 'stackin'; did you mean"),
        ("[stacking]\nlow = 400", "line 2: stack.low = 400: input should be less than or equal to 100"),
        ("stacking = 3", "line 1: stacking is a section"),
        ("[stacking", "a configuration is TOML"),
    ):
        own.write_text(text)
        assert run(["process", str(session), "-q"]) == 2
        assert words in capsys.readouterr().err
        assert not (session / "firstlight").exists()


def test_a_file_to_begin_with_changes_nothing(own, capsys):
    assert run(["config", "--init"]) == 0
    assert own.is_file()
    assert configuration().settings(Settings) == Settings()
    assert run(["config", "--init"]) == 2
    assert run(["config"]) == 0
    assert "all are at their defaults" in capsys.readouterr().out
