"""``firstlight solve``: what it says, writes and ends with."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from firstlight.cli.main import cli
from firstlight.io.fits_writer import write_raw_fits
from pipeline.sky_images import SHAPE, write_image


def run(*words):
    return CliRunner().invoke(cli, ["solve", *map(str, words), "--catalog", "gaia"], standalone_mode=False)


@pytest.fixture
def light(tmp_path):
    return write_image(tmp_path / "light.fits", 84.0, -2.0, [("RA", 84.3, ""), ("DEC", -2.2, "")])


def test_a_file_is_solved_and_told(light, tmp_path):
    done = run(light, "-o", tmp_path / "out", "--stars", "csv", "--regions")
    assert done.return_value == 0, done.output
    assert "30 arcsec/px" in done.output or "29.99" in done.output or "30.00" in done.output
    assert "position of the header" in done.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["light.fits", "light.reg", "light.stars.csv"]


def test_json_and_nothing_written(light):
    done = run(light, "--json", "--no-write")
    record = json.loads(done.stdout)
    assert record["solved"]
    assert record["ra"] == pytest.approx(84.0, abs=1e-3)
    assert record["written"] == []
    assert [p.name for p in light.parent.iterdir()] == ["light.fits"]


def test_an_unsolvable_file_gives_one_and_the_others_are_solved(light):
    rng = np.random.default_rng(2)
    write_raw_fits(light.parent / "noise.fits", rng.integers(900, 1100, SHAPE).astype(np.uint16))
    before = (light.parent / "noise.fits").read_bytes()
    done = run(light.parent, "--in-place", "--json")
    assert done.return_value == 1
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["solved"] for r in records] == [True, False]
    assert "stars" in records[1]["reason"]
    assert (light.parent / "noise.fits").read_bytes() == before


def test_mistakes_are_named(light):
    from firstlight.errors import InputError

    mistakes = [
        (["--in-place", "--sidecar"], "take one"),
        (["--ra", "5"], "--dec"),
        (["--target", "Nowhere 12"], "none of this name"),
    ]
    for words, told in mistakes:
        done = run(light, *words)
        assert isinstance(done.exception, InputError), done.output
        assert told in str(done.exception)
