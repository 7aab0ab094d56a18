"""`firstlight info`: what is understood, and from where."""

import json

import numpy as np
import pytest
from astropy.io import fits

from firstlight.cli.main import run


@pytest.fixture
def light(tmp_path):
    data = np.random.default_rng(1).normal(1000, 10, (20, 30))
    data[0, 0] = 65535
    header = fits.Header([("OBJECT", "M 31"), ("EXPTIME", 120.0), ("FILTER", "Ha"), ("IMAGETYP", "Light Frame"),
                          ("CCD-TEMP", -9.9)])  # fmt: skip
    path = tmp_path / "light_001.fits"
    fits.writeto(path, data.round().astype(np.uint16), header)
    return path


def test_text_names_value_unit_and_source(light, capsys):
    assert run(["info", str(light)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == str(light)
    assert lines[1].startswith("30 x 20 px, uint16, in adu, linear") or "30 x 20 px" in lines[1]
    assert any(line.startswith("exposure 120 s from EXPTIME") for line in lines)
    assert any(line.startswith("target M 31 from OBJECT") for line in lines)
    assert any(line.startswith("kind light from") for line in lines)


def test_json_is_one_object_a_line(light, capsys):
    assert run(["info", "--json", "--header", str(light), str(light)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    facts = json.loads(lines[0])
    assert facts["shape"] == [1, 20, 30]
    assert facts["understood"]["exposure"] == {"value": 120.0, "unit": "s", "from": "EXPTIME"}
    assert ["OBJECT", "M 31", ""] in facts["header"]


def test_statistics_read_the_pixels(light, capsys):
    assert run(["info", "--json", "--statistics", str(light)]) == 0
    (row,) = json.loads(capsys.readouterr().out)["statistics"]
    assert row["median"] == pytest.approx(1000, abs=2)
    assert row["noise"] == pytest.approx(10, rel=0.15)
    assert row["maximum"] == 65535
    assert run(["info", "--statistics", str(light)]) == 0
    assert "median 1000" in capsys.readouterr().out


def test_a_broken_file_among_good_ones(light, tmp_path, capsys):
    bad = tmp_path / "bad.fits"
    bad.write_bytes(light.read_bytes()[:3000])
    assert run(["info", str(bad), str(light)]) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("error: bad.fits") or "bad.fits" in shown.err
    assert "M 31" in shown.out
    assert run(["info", "--json", str(bad)]) == 2
    assert "bad.fits" in json.loads(capsys.readouterr().out)["file"]


def test_a_folder_is_all_its_frames(light, capsys):
    assert run(["info", str(light.parent)]) == 0
    assert str(light) in capsys.readouterr().out
    assert run(["info", str(light.parent / "none.fits")]) == 2


@pytest.mark.parametrize("zoo", ["zoo_public", "zoo_reencoded"])
def test_real_files_are_told_or_refused_in_one_paragraph(zoo, real_data, capsys):
    folder = real_data(zoo)
    assert run(["info", "--json", "--header", str(folder)]) in (0, 2)
    shown = capsys.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert sum("error" not in line for line in lines) > 0.5 * len(lines) > 0
    for line in lines:
        assert line.get("understood") or "error" in line or line["notes"] or line["shape"]
