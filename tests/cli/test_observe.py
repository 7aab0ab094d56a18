"""``firstlight observe``: what it says without equipment, and its prompt."""

from __future__ import annotations

import json

import pytest

from firstlight.cli.main import run
from mock_indi import MockIndi


@pytest.fixture
def profile(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("FIRSTLIGHT_PROFILE", raising=False)
    # Nobody listens at port 9.
    assert run(["observe", "profile", "new", "roof", "--empty", "--server", "localhost:9"]) == 0
    return tmp_path / "config" / "firstlight" / "equipment" / "roof.toml"


def test_profiles_are_made_shown_and_listed(profile, capsys):
    assert run(["observe", "profile", "list"]) == 0
    assert "roof" in capsys.readouterr().out
    assert run(["observe", "profile", "show", "roof", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["result"]["profile"]["server"] == "localhost:9"
    assert run(["observe", "profile", "new", "roof", "--empty"]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_dry_run_needs_no_equipment(profile, tmp_path, capsys):
    plan = tmp_path / "plan.toml"
    plan.write_text('object = "M 27"\ntakes = ["L:120x20", "Ha:300x2"]\n', encoding="utf-8")
    assert run(["observe", "sequence", str(tmp_path / "night"), "--plan", str(plan), "--dry-run"]) == 0
    assert "0.83 h" in capsys.readouterr().out
    assert not (tmp_path / "night").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sequence", "night"], "nothing to take"),
        (["sequence", "night", "L:120"], "FILTER:SECONDSxCOUNT or SECONDSxCOUNT is allowed"),
        (["sequence", "night", "--plan", "none.toml"], "no such file"),
        (["darks", "night"], "nothing to take; say what, such as 300x20"),
        (["darks", "night", "L:300x20"], "darks have no filter"),
        (["darks", "night", "--for", "flats"], "holds no frames that need dark flats"),
        (["flats", "night"], "names no camera; write its device as imaging.camera"),
        (["goto", "no such thing"], "OpenNGC has none of this name"),
        (["focus"], "names no camera"),
        (["check", "--profile", "rof"], "did you mean roof"),
        (["devices", "--server", "localhost:9"], "connection was refused; start it there"),
    ],
)
def test_mistakes_are_told(profile, tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert run(["observe", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_profile_of_what_a_server_has(profile, capsys):
    with MockIndi() as mock:
        for device, interface in (("Main Cam", 2), ("Guide Cam", 6), ("EQ6", 5), ("EFW", 16), ("EAF", 8)):
            mock.device(device)
            mock.add(device, "DRIVER_INFO", "text", {"DRIVER_INTERFACE": str(interface)}, perm="ro")
        mock.add("EQ6", "TELESCOPE_INFO", "number", {"TELESCOPE_APERTURE": 200, "TELESCOPE_FOCAL_LENGTH": 800})
        assert run(["observe", "profile", "new", "found", "--server", mock.address, "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["result"]["profile"]
    assert (found["imaging"]["camera"], found["guiding"]["camera"]) == ("Main Cam", "Guide Cam")
    assert (found["mount"]["device"], found["wheel"]["device"], found["focuser"]["device"]) == ("EQ6", "EFW", "EAF")
    assert found["imaging"]["focal_length"] == 800


def test_the_prompt_goes_on_after_mistakes(profile, monkeypatch, capsys):
    lines = iter(
        ["foo", "", "# nothing", 'goto "M', "profile list", "firstlight observe profile list", "prompt", "exit"]
    )
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    assert run(["observe", "prompt"]) == 0
    done = capsys.readouterr()
    assert "no such command 'foo'" in done.err.lower()
    assert "no closing quotation" in done.err
    assert done.out.count("\nroof\n") == 2
    assert "the prompt already" in done.out
