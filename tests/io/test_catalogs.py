"""Catalogues found, opened and searched: the stars that come along, tables of users, real ones."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

from firstlight.errors import InputError
from firstlight.io.catalogs import cone, find_catalogs, index_folders, open_catalog, whole_sky
from firstlight.model.catalog import Catalog


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTLIGHT_CATALOGS", str(tmp_path))
    return tmp_path


def needs_tycho():
    found = [entry for entry in find_catalogs() if entry.kind == "tycho2"]
    if not found:
        pytest.skip("Tycho-2 is not here (Debian: astrometry-data-tycho2)")
    return open_catalog("tycho2")


def test_gaia_comes_along_with_colours_at_2016():
    gaia = open_catalog("gaia")
    assert len(gaia) > 480_000
    assert gaia.epoch == 2016.0
    sirius = gaia.brightest(1)
    assert sirius.ra[0] == pytest.approx(101.2846, abs=1e-3)
    assert sirius.dec[0] == pytest.approx(-16.7215, abs=1e-3)
    # 61 Cyg A (K5): red; Vega's neighbours, blue stars, have BP - RP near 0.
    star = gaia.within(316.7485, 38.7639, 0.01, faintest=6.0)
    assert star.mags["BP"][0] - star.mags["RP"][0] == pytest.approx(1.46, abs=0.05)
    assert np.nanmedian(gaia.mags["BP"] - gaia.mags["RP"]) == pytest.approx(0.9, abs=0.3)


def test_tycho_of_the_index_files_is_where_gaia_was_in_2000():
    tycho = needs_tycho()
    gaia = open_catalog("gaia")
    index, distance = gaia.match(tycho.ra, tycho.dec, 2.0)
    assert (index >= 0).sum() > 0.9 * len(gaia)
    assert np.median(distance[index >= 0]) < 0.4
    colour = tycho.mags["VT"][index >= 0] - gaia.mags["G"][index[index >= 0]]
    assert 0.1 < np.median(colour) < 0.6


def test_whole_sky_knows_motions_and_is_kept(monkeypatch):
    needs_tycho()
    first = whole_sky()
    assert np.isfinite(first.pm_ra).sum() > 450_000
    assert len(first) > 1_850_000
    # 16 Cyg A: -147.8, -159.0 mas/yr (Gaia DR3); Tycho's errors over 16 years are
    # some mas/yr.
    star = first.within(295.4530, 50.5252, 0.003).brightest(1)
    assert star.pm_ra[0] == pytest.approx(-147.8, abs=12)
    assert star.pm_dec[0] == pytest.approx(-159.0, abs=12)
    assert len(cone("auto", 299.9, 22.7, 1.0)) == len(first.within(299.9, 22.7, 1.0))


TABLE = "ra,dec,phot_g_mean_mag,bp_rp,pmra,pmdec,ref_epoch\n10.5,20.5,12.25,0.8,5,-6,2016.0\n10.6,20.4,,0.8,,,2016.0\n"


def test_a_gaia_extract_is_a_catalogue(folder):
    (folder / "m31_gaia.csv").write_text(TABLE)
    assert [e.name for e in find_catalogs() if e.kind == "table"] == ["m31_gaia"]
    found = open_catalog("m31_gaia")
    assert found.epoch == 2016.0
    assert found.pm_dec[0] == -6.0
    assert np.isnan(found.pm_ra[1])
    assert found.mags["G"][0] == 12.25
    assert np.isnan(found.mags["G"][1])
    assert "bp_rp" not in found.mags
    assert len(cone("m31_gaia", 10.5, 20.5, 0.5)) == 2
    assert len(cone("m31_gaia", 10.5, 20.5, 0.5, faintest=13)) == 1


@pytest.mark.parametrize(
    ("columns", "bands", "epoch"),
    [
        ({"RAJ2000": [10.0], "DEJ2000": [20.0], "Vmag": [11.0], "e_Vmag": [0.1], "g'mag": [11.2]}, {"V", "g"}, 2000.0),
        ({"RA": [10.0], "Dec": [20.0], "Gaia": [11.0], "dGaia": [0.01], "r": [10.9], "dr": [0.1]}, {"G", "r"}, 2015.5),
        ({"RA_ICRS": [10.0], "DE_ICRS": [20.0], "Gmag": [11.0], "BPmag": [11.5]}, {"G", "BP"}, 2000.0),
    ],
    ids=["apass", "refcat2", "vizier"],
)
@pytest.mark.parametrize("ending", ["csv", "ecsv", "fits"])
def test_extracts_are_read_in_every_format(folder, columns, bands, epoch, ending):
    path = folder / f"extract.{ending}"
    Table(columns).write(path, format={"csv": "ascii.csv", "ecsv": "ascii.ecsv", "fits": "fits"}[ending])
    found = open_catalog(path)
    assert set(found.mags) == bands
    assert found.epoch == epoch
    assert found.ra[0] == 10.0
    assert found.dec[0] == 20.0


def test_sexagesimal_positions_are_hours_and_degrees(folder):
    (folder / "own.txt").write_text("name ra dec V\nA 01:30:00 -00:30:00 9.5\n")
    found = open_catalog("own")
    assert found.ra[0] == 22.5
    assert found.dec[0] == -0.5
    assert found.names == ("A",)


def test_the_fullest_table_is_taken_of_a_place(folder):
    here = cone("gaia", 150.0, 20.0, 0.5)
    rng = np.random.default_rng(1)
    Table(
        {"ra": 150 + rng.normal(0, 0.1, 9000), "dec": 20 + rng.normal(0, 0.1, 9000), "G": rng.uniform(9, 15, 9000)}
    ).write(folder / "deep.fits")
    assert cone("auto", 150.0, 20.0, 0.5).source == "deep"
    assert cone("auto", 50.0, 20.0, 0.5).source == "auto"
    assert len(here) > 3


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "\x00\x01garbage"])
def test_a_file_that_is_none_is_refused_by_name(folder, content):
    (folder / "odd.csv").write_text(content)
    with pytest.raises(InputError, match=r"odd\.csv"):
        open_catalog("odd")


def test_an_unknown_name_lists_those_that_are_here():
    with pytest.raises(InputError, match="did you mean gaia"):
        open_catalog("gaja")
    with pytest.raises(InputError, match="no such folder"):
        find_catalogs(["nowhere-at-all"])
    with pytest.raises(InputError, match="degrees"):
        cone("gaia", 10.0, 95.0, 1.0)
    assert index_folders()


def test_real_catalogues_agree_with_gaia(real_data, monkeypatch):
    folder = real_data("catalogs")
    monkeypatch.setenv("FIRSTLIGHT_CATALOGS", str(folder))
    gaia: Catalog = open_catalog("gaia")
    bright = open_catalog("tycho2_vt_lt9")
    assert len(bright) == 119_289
    index, _ = gaia.match(bright.ra, bright.dec, 3.0)
    assert (index >= 0).mean() > 0.9
    assert len(cone("tycho2_patch_hatp32", 31.04, 46.69, 0.5)) > 20
    for name in ("iraf_landolt", "iraf_nlandolt"):
        standards = open_catalog(name)
        close = standards.take((standards.mags["V"] < 9.5) & (standards.mags["V"] > 5))
        index, distance = gaia.match(close.ra, close.dec, 40.0)
        # Positions are given to a second of time (15 arcsec).
        assert (index >= 0).mean() > 0.85
        assert np.median(distance[index >= 0]) < 12
        colour = close.mags["V"][index >= 0] - gaia.mags["G"][index[index >= 0]]
        assert abs(np.median(colour)) < 0.4
