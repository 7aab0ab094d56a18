import json
import re
import shutil

import pytest
from astropy.io import fits

from firstlight.cli.main import run
from firstlight.simulate.night import preset, simulate


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "tiny"
    simulate(folder, preset("tiny").model_copy(update={"n_lights": 5}))
    return folder


def test_process_ends_with_a_summary_a_person_can_read(night, tmp_path, capsys):
    out = tmp_path / "out with spaces"
    assert run(["process", str(night), "-o", str(out), "-q"]) == 0
    text = capsys.readouterr().out
    for words in ("Tiny_field_L_60s: 5 frames", "times lower", "FWHM", "5 of 5 lights are in the stacks", str(out)):
        assert words in text
    assert run(["process", str(night), "-o", str(out), "-q"]) == 0
    assert "Nothing has changed since the last run" in capsys.readouterr().out


def test_what_all_stacks_share_is_said_once(night, tmp_path, capsys):
    options = ["--group-frames", "2", "--no-output-pictures", "--no-output-report", "--library", "none"]
    shutil.copytree(night / "Lights", tmp_path / "lights")
    for path in (tmp_path / "lights").iterdir():
        with fits.open(path, mode="update") as hdus:
            hdus[0].header.remove("GAIN", ignore_missing=True)
            hdus[0].header.remove("EGAIN", ignore_missing=True)
    assert run(["process", str(tmp_path / "lights"), "-o", str(tmp_path / "out"), "-q", *options]) == 0
    text = capsys.readouterr().out
    assert text.count(": 2 frames, 120 s in all") == 2
    assert text.count("gain (e-/adu) is not known") == 1
    assert "All stacks: gain (e-/adu) is not known" in text
    assert "report.html" not in text
    (alone,) = re.findall(r"^Tiny_field_L_60s_003: 1 frame, 60 s in all\n  noise  [\d.]+ adu\n", text, re.MULTILINE)
    assert "single frame" not in alone


def test_options_reach_the_settings(night, tmp_path):
    out = tmp_path / "median"
    arguments = ["--stack-method", "median", "--no-output-pictures", "--threads", "1", "--stars-threshold", "8"]
    assert run(["process", str(night), "-o", str(out), "-q", *arguments]) == 0
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert settings["stack"]["method"] == "median"
    assert settings["stars"]["threshold"] == 8
    # Options that were not given keep the values of a run, not those of the bare operation.
    assert settings["stars"]["max_stars"] == 600
    assert not (out / "pictures").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stack-low", "-1"], "--stack-low"),
        (["--stack-method", "avrage"], "avrage"),
        (["--registration-reference", "nobody.fits"], "no light of this name"),
        (["--stack-metod", "mean"], "--stack-method"),
        (["--comet-first", "150,100"], "error: --comet: two clicks are needed: first and last; or a drift, or a rate"),
        (["--comet-first", "abc", "--comet-last", "1,2"], "error: --comet-first: 'abc': x,y (px from 0) is needed"),
    ],
)
def test_wrong_options_are_said_in_one_paragraph(night, tmp_path, capsys, arguments, words):
    assert run(["process", str(night), "-o", str(tmp_path / "x"), "-q", *arguments]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "Traceback" not in told
    assert not (tmp_path / "x").exists()


def test_a_missing_session_is_an_error_of_the_user(tmp_path, capsys):
    assert run(["process", str(tmp_path / "nowhere")]) == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_lights_that_come_to_nothing_end_with_1(tmp_path, capsys):
    import numpy as np

    from firstlight.io.fits_writer import write_raw_fits

    folder = tmp_path / "noise" / "Lights"
    folder.mkdir(parents=True)
    for i in range(4):
        pixels = np.random.default_rng(i).normal(1000, 10, (120, 160)).astype(np.uint16)
        write_raw_fits(folder / f"light_{i}.fits", pixels, [("IMAGETYP", "Light Frame", "")])
    assert run(["process", str(folder.parent), "-q"]) == 1
    assert "Set aside" in capsys.readouterr().out


def test_help_lists_the_settings_by_section(capsys):
    assert run(["process", "--help"]) == 0
    shown = capsys.readouterr().out
    heads = [line.split(":")[0] for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert heads[0] == "Options"
    assert {"Calibrate", "Stars", "Select", "Stack", "Output"} <= set(heads)
    part = shown.partition("\nSelect:")[2].partition("\nNormalize:")[0]
    assert "--select-fwhm" in part
    assert "--stack-low" not in part
    assert "``" not in shown


def test_options_that_exclude_one_another_are_told_without_a_broken_name(tmp_path, capsys):
    argv = ["process", str(tmp_path), "--drizzle-scale", "2", "--registration-framing", "mosaic"]
    assert run(argv) == 2
    assert capsys.readouterr().err.startswith("error: a mosaic is not drizzled")
