"""``firstlight wb``: lists end with 0; calibration from the command line."""

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.model.plate import Plate
from firstlight.ops.align.plates import SkyMap

PLATE = Plate({
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 100.0, "CRPIX2": 100.0, "CRVAL1": 80.0, "CRVAL2": 10.0,
    "CD1_1": -4e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 4e-4,
})  # fmt: skip


@pytest.mark.parametrize("words", [["wb"], ["wb", "list"]])
def test_the_list_is_printed_and_that_is_all(words, capsys):
    assert run(words) == 0
    out = capsys.readouterr().out
    for word in ("cls-drizzle-perceptive", "zwoasi1600-lpro", "sho2hoo", "nikon-d5500", "average-spiral", "dichroic"):
        assert word in out


def test_curves(capsys):
    assert run(["wb", "curves"]) == 0
    assert "CMOS back-illuminated" in capsys.readouterr().out


def test_calibration_of_a_file(tmp_path, capsys):
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:200, :200]
    data = rng.normal(100, 2, (3, 200, 200))
    places, index = rng.uniform(20, 180, (25, 2)), rng.uniform(0, 1.5, 25)
    for (px, py), c in zip(places, index):
        spot = 3e3 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 4)
        data += np.array([10 ** (0.2 * (c - 0.8)) * 0.5, 1, 10 ** (-0.2 * (c - 0.8)) * 0.8])[:, None, None] * spot
    source, stars = tmp_path / "in.fits", tmp_path / "stars.csv"
    write(source, Image(data, plate=PLATE))
    sky = SkyMap.of(PLATE).sky(places)
    stars.write_text("ra,dec,BPmag,RPmag\n" + "\n".join(f"{a},{d},{11 + c},11" for (a, d), c in zip(sky, index)))
    target, report = tmp_path / "out.fits", tmp_path / "r.json"
    words = ["wb", "pcc", str(source), str(target), "--catalog", str(stars), "--white", "G2V", "--report", str(report)]
    assert run(words) == 0
    said = capsys.readouterr().out
    assert "photometric, BP-RP" in said
    assert report.is_file()
    entry = next(h for h in read(target).history if h.startswith("color:balance"))
    red = float(entry.split("red=")[1].split(",")[0])
    assert red == pytest.approx(2 / 10 ** (0.2 * 0.023), rel=0.02)
    assert run(words) == 2
    assert "exists already" in capsys.readouterr().err
    assert run(["wb", "spcc", str(source), str(tmp_path / "o.fits"), "--curves", "ocs"]) == 2
    assert "did you mean osc" in capsys.readouterr().err
