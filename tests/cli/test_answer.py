"""``--json``, ``--log`` and ``--verbose``: of every command, with one mechanism; exit codes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from firstlight.cli.answer import plain
from firstlight.cli.main import COMMANDS, run
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.simulate.night import preset, simulate


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "tiny"
    simulate(folder, preset("tiny").model_copy(update={"n_lights": 4}))
    return folder


def answer_of(capfd, *arguments):
    code = run(arguments)
    return code, json.loads(capfd.readouterr().out)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_them(name, capsys):
    assert run([name, "--help"]) == 0
    text = capsys.readouterr().out
    if "Commands:" not in text:
        for flag in ("--json", "--log", "--verbose"):
            assert flag in text, f"{name} --help does not tell {flag}"


def test_a_result_is_an_object(night, tmp_path, capfd):
    out = tmp_path / "run"
    code, answer = answer_of(capfd, "process", str(night), "-o", str(out), "--json", "-q")
    assert (code, answer["exit_code"], answer["command"]) == (0, 0, "process")
    assert answer["result"]["stacks"][0]["name"] == "Tiny_field_L_60s"
    assert answer["result"]["output"] == str(out)
    assert answer["text"]
    code, answer = answer_of(capfd, "process", str(night), "-o", str(out), "--json", "-q")
    assert answer["result"]["unchanged"]
    code, answer = answer_of(capfd, "plan", str(night), "-o", str(out), "--json", "-q")
    assert len(answer["result"]["lights"]) == 4
    code, answer = answer_of(capfd, "runs", str(tmp_path), "--json")
    assert answer["result"][0]["state"] == "whole"
    code, answer = answer_of(capfd, "clean", str(tmp_path), "--json", "--dry-run")
    assert answer["result"]["removed"] is False
    code, answer = answer_of(capfd, "recipe", "list", "--json")
    assert {row["name"] for row in answer["result"]} >= {"astrophoto-osc", "livestack"}
    code, answer = answer_of(capfd, "ops", "--json")
    assert any(row["operation"] == "stretch:midtones" for table in answer["tables"] for row in table)


def test_an_error_is_an_object_too(tmp_path, capfd):
    code, answer = answer_of(capfd, "process", str(tmp_path / "nowhere"), "--json")
    assert (code, answer["exit_code"], answer["result"]) == (2, 2, None)
    assert "no such file or folder" in answer["error"]
    code, answer = answer_of(capfd, "process", str(tmp_path), "--json", "--stack-metho", "mean")
    assert code == 2
    assert "no such option" in answer["error"]


def test_the_exit_codes(tmp_path, capfd, monkeypatch):
    """0 done, 1 nothing came of it, 2 the user can put it right, 130 interrupted."""
    assert run(["ops"]) == 0
    (tmp_path / "session").mkdir()
    write(tmp_path / "session" / "light.fits", Image(np.full((30, 40), np.nan)))
    assert run(["process", str(tmp_path / "session"), "-q"]) == 1
    assert run(["process", str(tmp_path / "nowhere")]) == 2
    assert run(["proces"]) == 2

    def stop(*more, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("firstlight.pipeline.process.process", stop)
    assert run(["process", str(tmp_path / "session"), "-q"]) == 130
    assert "go on" in capfd.readouterr().err

    def fail(*more, **options):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("firstlight.pipeline.process.process", fail)
    assert run(["process", str(tmp_path / "session"), "-q"]) == 1
    assert "bug in firstlight" in capfd.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_ends_the_log_and_not_the_work(night, tmp_path, capfd):
    assert run(["process", str(night), "-o", str(tmp_path / "run"), "-q", "--log", "/dev/full"]) == 0
    shown = capfd.readouterr()
    assert "--log /dev/full: ends here: no space left on device" in shown.err
    assert shown.err.count("ends here") == 1
    assert "Traceback" not in shown.err
    assert "Products: " in shown.out


def test_a_log_holds_all_that_is_said_and_every_step(night, tmp_path, capfd):
    log = tmp_path / "logs" / "night.log"
    out = str(tmp_path / "run")
    assert run(["process", str(night), "-o", out, "-q", "--log", str(log)]) == 0
    said = capfd.readouterr().out
    lines = log.read_text().splitlines()
    assert all(line in lines for line in said.splitlines())
    assert any(re.fullmatch(r"\S+Z measure .*light_L_60s_0002.fits: done in .* s", line) for line in lines)
    assert re.search(r"Z ended with 0 after", lines[-1])
    assert run(["process", str(night), "-o", out, "-q", "--log", str(log), "--again", "--first", "x"]) == 2
    assert "is not a valid integer" in log.read_text()
    assert run(["ops", "--log", str(tmp_path)]) == 2


def test_verbose_tells_the_steps(night, tmp_path, capfd):
    out = str(tmp_path / "run")
    assert run(["process", str(night), "-o", out, "-q", "--verbose"]) == 0
    assert "stack Tiny_field_L_60s: done in" in capfd.readouterr().err
    assert run(["process", str(night), "-o", out, "-q", "--verbose", "--output-picture-steps", "stretch:linear"]) == 0
    said = capfd.readouterr().err
    assert "stack Tiny_field_L_60s: stands from an earlier run" in said
    assert "picture Tiny_field_L_60s: done in" in said


def test_anything_becomes_what_json_can_hold():
    assert plain({"a": np.float32(np.nan), 1: (np.arange(3), {"b"})}) == {"a": None, "1": [[0, 1, 2], ["b"]]}
    assert plain(np.zeros((200, 200))) == {"shape": [200, 200], "dtype": "float64"}
