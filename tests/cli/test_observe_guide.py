"""``firstlight observe guide``, ``calibrate`` and ``guide-log``, on what exists only in the computer."""

from __future__ import annotations

import json

import pytest

from firstlight.cli.main import run


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path / "data"))


def test_guide_writes_a_log_and_says_how_well(tmp_path, capsys):
    assert run(["observe", "guide", "--simulated", "--minutes", "3", "--logs", str(tmp_path), "--darks", "3"]) == 0
    said = capsys.readouterr()
    assert "frames, 0 lost. RMS RA 0." in said.out
    assert "calibration of 2026-01-01" in said.err
    (log,) = tmp_path.glob("firstlight_GuideLog_*.txt")
    assert log.with_suffix(".png").is_file()
    # A simulated calibration is not kept among the real ones.
    assert not (tmp_path / "data" / "guiding" / "calibrations.json").exists()
    assert run(["observe", "guide-log", str(log), "--json"]) == 0
    (session,) = json.loads(capsys.readouterr().out)["result"]["sessions"]
    assert session["frames"] > 70
    assert 0.2 < session["rms_px"]["total"] < 1.0


def test_without_a_profile_it_says_what_to_do(capsys):
    assert run(["observe", "guide"]) == 2
    assert "firstlight observe profile new" in capsys.readouterr().err


def test_settings_are_options(capsys):
    assert run(["observe", "guide", "--simulated", "--control-ra-aggressiveness", "3"]) == 2
    assert "--control-ra-aggressiveness" in capsys.readouterr().err


def test_phd2_that_is_not_there(capsys):
    assert run(["observe", "guide", "--phd2", "127.0.0.1:9"]) == 2
    assert "Enable Server" in capsys.readouterr().err
    assert run(["observe", "guide", "--phd2", "localhost:abc"]) == 2


def test_a_log_that_is_none(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("nothing\n")
    assert run(["observe", "guide-log", str(tmp_path / "a.txt")]) == 2
    assert "holds no guiding" in capsys.readouterr().err
