"""The Prefect flow; run for real with the server that Prefect brings, in a process of its own."""

import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from firstlight import process
from firstlight.cli.main import run
from firstlight.errors import InputError
from firstlight.pipeline.cron import Cron
from firstlight.pipeline.flow import at_times, every, serve_sweep, sessions_to_do, slug, summary_text
from firstlight.pipeline.graph import code_version
from firstlight.pipeline.prefect_home import WANTED, prefect_home, prepare_prefect
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import preset


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sessions")
    simulate(folder / "night 1", preset("tiny").model_copy(update={"n_lights": 4}))
    return folder


def test_only_sessions_that_are_complete_and_new_are_due(sessions, tmp_path):
    night = sessions / "night 1"
    assert sessions_to_do(sessions, quiet_minutes=10) == []
    assert sessions_to_do(sessions, quiet_minutes=0) == [night]
    assert sessions_to_do(night, quiet_minutes=0) == [night]
    run_file = night / "firstlight" / "run.json"
    run_file.parent.mkdir()
    run_file.write_text("{}")
    assert sessions_to_do(sessions, quiet_minutes=0) == []
    old = time.time() - 3600
    os.utime(run_file, (old, old))
    assert sessions_to_do(sessions, quiet_minutes=0) == [night]
    run_file.unlink()
    run_file.parent.rmdir()
    assert sessions_to_do(tmp_path) == []
    with pytest.raises(InputError, match="no such folder"):
        sessions_to_do(tmp_path / "none")


def test_prefect_stays_in_its_place(monkeypatch):
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    home = prefect_home()
    assert home.parts[-2:] == ("firstlight", "prefect")
    for name in WANTED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    # Recorded, so that they are taken back.
    for name in ("PREFECT_HOME", *WANTED):
        monkeypatch.setenv(name, os.environ.get(name, WANTED.get(name, str(home))))
    prepare_prefect()
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert os.environ["PREFECT_LOGGING_LEVEL"] == "DEBUG", "what the user has set stays"


def test_without_prefect_one_is_told_what_to_install(monkeypatch, sessions, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("firstlight.pipeline.flow._flows", lambda: prepare_prefect())
    assert run(["flow", "run", str(sessions / "night 1")]) == 2
    assert "pip install 'firstlight[prefect]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nowhere"], "no such file or folder"),
        (["schedule", ".", "--cron", "soon"], "five are needed"),
        (["serve", "nowhere"], "no such file or folder"),
    ],
)
def test_mistakes_are_told_before_a_server_is_started(arguments, words, capsys):
    assert run(["flow", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_the_summary_holds_stacks_pictures_and_reasons(sessions, tmp_path):
    result = process(sessions / "night 1", output=tmp_path / "run")
    done = {
        "stacks": result.record["stacks"], "output": str(tmp_path / "run"),
        "set_aside": {"/n/light_3.fits": "FWHM 3.1 px above 3.0 px"},
    }  # fmt: skip
    text = summary_text({"session": str(sessions / "night 1")}, done)
    assert text.startswith("# night 1\n")
    assert "| Tiny_field_L_60s | 4 | 240 s |" in text
    assert "](data:image/jpeg;base64," in text
    assert "- `light_3.fits`: FWHM 3.1 px above 3.0 px" in text


def test_a_folder_is_looked_into_when_it_is_due_and_only_then_swept(sessions, monkeypatch):
    swept, waited, told = [], [], []

    outcome = {"night 1": "done"}

    def sweep(folder, settings, quiet_minutes, skip):
        swept.append((folder, settings))
        return outcome

    monkeypatch.setattr("firstlight.pipeline.flow._flows", lambda: {"sweep": sweep})
    now = datetime.now(UTC)
    due = iter([now, now + timedelta(hours=1)])
    serve_sweep(sessions, {"first": 2}, due, 0.0, told.append, waited.append)
    assert swept == [(str(sessions), {"first": 2})] * 2
    assert told == ["night 1: done"] * 2
    assert len(waited) == 1
    assert 3500 < waited[0] <= 3600
    serve_sweep(sessions, None, iter([now]), 1e6)
    assert len(swept) == 2
    # What failed is not tried again and again.
    outcome["night 1"] = "failed: no lights"
    serve_sweep(sessions, None, iter([now, now, now]), 0.0)
    assert len(swept) == 3


def test_times_go_on():
    times = every(60.0)
    first, second = next(times), next(times)
    assert 59 < (second - first).total_seconds() < 61
    assert next(at_times(Cron.parse("* * * * *"))) > datetime.now().astimezone()


def test_names_of_artifacts_are_what_prefect_wants():
    assert slug("M 31 (Andromeda), L") == "m-31-andromeda-l"


def test_a_server_that_does_not_start_is_told_without_a_traceback(sessions, monkeypatch, capsys):
    def start(*arguments):
        raise RuntimeError("Timed out while attempting to connect to ephemeral Prefect API server.")

    monkeypatch.setattr("firstlight.pipeline.flow._flows", lambda: {"process_session": start})
    assert run(["flow", "run", str(sessions / "night 1")]) == 2
    assert "PREFECT_API_URL" in capsys.readouterr().err


@pytest.mark.slow
def test_a_flow_runs_for_real_and_a_second_time_from_its_cache(sessions, tmp_path):
    pytest.importorskip("prefect")
    night = sessions / "night 1"
    environment = os.environ | {"PREFECT_HOME": str(tmp_path / "prefect")}
    command = [sys.executable, "-m", "firstlight", "flow", "run", str(night), "-o", str(tmp_path / "flow")]
    kept = dict.fromkeys(("masters", "measure", "stack"), "Cached")
    runs: list[dict[str, str]] = []
    # The sources are part of what a task is known by.
    code = code_version.__wrapped__()
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr
        assert "Tiny_field_L_60s: 4 frames" in done.stdout
        assert "telemetry" not in done.stderr
        with sqlite3.connect(tmp_path / "prefect" / "prefect.db") as base:
            artifacts = dict(base.execute("select key, data from artifact"))
            states = list(base.execute("select name, state_name from task_run order by start_time"))
        base.close()
        runs.append({name.rpartition("-")[0]: state for name, state in states[-5:]})
    if code_version.__wrapped__() != code:
        pytest.skip("the sources were changed between the two runs")
    assert {"night-1-frames", "night-1-lights", "night-1-summary", "night-1-report"} <= artifacts.keys()
    assert len(json.loads(json.loads(artifacts["night-1-lights"]))) == 4
    assert runs[0] == dict.fromkeys(("plan", "masters", "measure", "stack", "finish"), "Completed")
    assert runs[-1] == runs[0] | kept
    process(night, output=tmp_path / "plain")
    for part in ("stacks", "masters", "pictures"):
        for path in (tmp_path / "plain" / part).iterdir():
            assert (tmp_path / "flow" / part / path.name).read_bytes() == path.read_bytes(), path.name
