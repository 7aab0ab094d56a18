"""Names on pictures."""

import csv

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.align.sky_target import SkyGrid
from firstlight.pipeline.annotate import Annotate, annotate, marks_of
from firstlight.pipeline.overlay import draw
from firstlight.pipeline.sky_marks import Mark

NGC = """Name;Type;RA;Dec;Const;MajAx;MinAx;PosAng;B-Mag;V-Mag;M;NGC;IC;Identifiers;Common names
NGC1976;Cl+N;05:35:16.48;-05:23:22.8;Ori;90.0;60.0;;4.0;4.0;042;;;;Great Orion Nebula
NGC1982;HII;05:35:31.37;-05:16:03.1;Ori;20.0;15.0;;9.0;;043;;;;Mairan's Nebula
NGC1990;Neb;05:36:12.77;-01:12:06.9;Ori;;;;;;;;;;
NGC1999;RfN;05:36:25.33;-06:42:57.7;Ori;2.0;2.0;;;9.5;;;;;
"""
PLATE = SkyGrid.around(83.82, -6.0, 20.0, (360, 300)).plate


@pytest.fixture
def catalogs(tmp_path):
    folder = tmp_path / "catalogs"
    folder.mkdir()
    (folder / "NGC.csv").write_text(NGC)
    return folder


@pytest.fixture
def image():
    rng = np.random.default_rng(1)
    return Image(rng.normal(100, 3, (300, 360)), plate=PLATE)


def stretched(image):
    return image.replace(data=np.full_like(image.data, 0.2), unit=PixelUnit.NORMALISED, state=State.STRETCHED)


def test_objects_and_stars_of_the_field_are_named(catalogs):
    marks = marks_of(PLATE, (300, 360), Annotate(), [str(catalogs)])
    labels = [mark.label for mark in marks]
    assert labels[0] == "M 42 Great Orion Nebula"
    assert "M 43 Mairan's Nebula" in labels
    assert "Hatysa" in labels
    assert "NGC 1999" in labels
    assert "NGC 1990" not in labels  # four degrees north
    few = marks_of(PLATE, (300, 360), Annotate(stars=False, smallest=5.0, most=1), [str(catalogs)])
    assert [mark.label for mark in few] == ["M 42 Great Orion Nebula"]


def test_ink_is_where_the_mark_is():
    dark = np.zeros((1, 200, 300), np.float32)
    drawn = draw(dark, marks=[Mark("", 220.0, 60.0, "galaxy", 60.0, 30.0, 0.0)])
    assert drawn.shape == (3, 200, 300)
    ys, xs = np.nonzero(drawn.max(axis=0) > 0.2)
    assert abs(xs.mean() - 220) < 1.5
    assert abs(ys.mean() - 60) < 1.5
    assert abs(np.ptp(xs) - 60) < 4
    assert abs(np.ptp(ys) - 30) < 4
    flipped = draw(dark, marks=[Mark("", 220.0, 60.0, "galaxy", 60.0, 30.0, 0.0)], bottom_up=True)
    ys, xs = np.nonzero(flipped.max(axis=0) > 0.2)
    assert abs(ys.mean() - 60) < 1.5


def test_pixels_without_ink_stay():
    picture = np.random.default_rng(0).uniform(0, 1, (3, 120, 150)).astype(np.float32)
    assert np.abs(draw(picture) - picture).max() <= 1 / 255


def test_the_command(catalogs, image, tmp_path, capsys):
    source = write(tmp_path / "m42.fits", image)
    target, table = tmp_path / "m42.png", tmp_path / "m42.csv"
    argv = ["annotate", str(source), str(target), "--catalogs", str(catalogs), "--table", str(table), "--grid"]
    assert run(argv) == 0
    assert "M 42" in capsys.readouterr().out
    with open(table, newline="") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    assert float(rows["M 42 Great Orion Nebula"]["ra"]) == pytest.approx(83.8187, abs=1e-3)
    picture = read(target)
    assert picture.shape == (3, 300, 360)
    assert run(argv) == 2
    assert "exists already" in capsys.readouterr().err


def test_what_cannot_be_annotated_is_refused(image, catalogs, tmp_path, capsys):
    with pytest.raises(InputError, match="no plate"):
        annotate(stretched(image).replace(plate=None))
    with pytest.raises(InputError, match="stretch it first"):
        annotate(image)
    source = write(tmp_path / "x.fits", image)
    assert run(["annotate", str(source), str(tmp_path / "x.fits.fits")]) == 2
    assert run(["annotate", str(tmp_path / "none.fits"), str(tmp_path / "x.png")]) == 2
