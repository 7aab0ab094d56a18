"""`firstlight meta`: what is shown, and what is refused."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.cli.meta import command
from firstlight.io.fits_writer import write_raw_fits


@pytest.fixture
def session(tmp_path):
    def put(name, **cards):
        write_raw_fits(tmp_path / name, np.full((8, 9), 100), [(k.replace("_", "-"), v, "") for k, v in cards.items()])

    sky = {"SITELAT": 48.0, "SITELONG": 11.6, "RA": 83.8, "DEC": -5.4, "OBJECT": "M 42", "EXPTIME": 600.0}
    put("a.fits", IMAGETYP="LIGHT", DATE_OBS="2026-01-17T22:00:00", **sky)
    put("b.fits", IMAGETYP="LIGHT", DATE_OBS="2026-01-18T02:30:00", **sky)
    put("dark.fits", IMAGETYP="DARK", EXPTIME=60.0)
    return tmp_path


def test_show_tells_each_light_and_the_night(session, capsys):
    assert run(["meta", "show", str(session)]) == 0
    shown = capsys.readouterr().out
    rows = {line.split()[0]: line for line in shown.splitlines() if line.startswith(("a.fits", "b.fits"))}
    assert "M 42" in rows["a.fits"]
    assert "1.7" in rows["a.fits"]
    assert ">10" in rows["b.fits"]
    assert "1 calibration frames are not listed" in shown
    assert "Night of 2026-01-17 at 48.000, 11.600: Sun down 15:50 to 06:56, dark from 17:40 to 05:06" in shown


def test_show_for_programs(session, capsys):
    assert run(["meta", "show", "--csv", str(session)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["night"] for row in rows] == ["2026-01-17", "2026-01-17", ""]
    assert float(rows[0]["airmass_start"]) < float(rows[0]["airmass"]) < float(rows[0]["airmass_end"])
    assert rows[2]["airmass"] == ""
    assert run(["meta", "show", "--json", str(session / "a.fits")]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["bjd_tdb"] == pytest.approx(float(rows[0]["bjd_tdb"]))
    assert row["twilight"] == "night"


def test_what_is_missing_is_said(session, capsys):
    (session / "metadata.csv").write_text("NAME,RA!\nnobody.fits,1\n")
    assert run(["meta", "show", str(session / "dark.fits"), str(session / "none.fits")]) == 2
    assert "there is no such" in capsys.readouterr().err
    assert run(["meta", "show", str(session)]) == 0
    assert "no frame is called nobody.fits" in capsys.readouterr().err


def test_sites(capsys):
    assert run(["meta", "sites", "T31"]) == 0
    assert "Siding Spring" in capsys.readouterr().out
    assert run(["meta", "sites", "zzz"]) == 2
    assert run(["meta", "show", "x.fits", "--site", "Sidling Spring"]) == 2


@pytest.mark.parametrize("name", list(command.commands))
def test_every_part_has_help_for_every_option(name):
    import click

    for parameter in command.commands[name].params:
        assert isinstance(parameter, click.Argument) or parameter.help, f"{name}: {parameter.name} has no help"
