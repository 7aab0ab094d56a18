"""Extracts over the network, played by a fake VizieR: kept with date and query, found by every command, bounded."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

from firstlight.errors import InputError
from firstlight.io import online_catalogs
from firstlight.io.catalogs import cone, find_catalogs
from firstlight.io.online_catalogs import fetch

pytest.importorskip("astroquery")


@pytest.fixture
def vizier(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path))
    asked = []

    class Fake:
        answer = staticmethod(
            lambda: [Table({"RA_ICRS": [10.0, 10.1], "DE_ICRS": [20.0, 20.1], "pmRA": [5.0, np.nan], "pmDE": [1.0, 2.0],
                            "Gmag": [12.0, 13.0], "BPmag": [12.5, 13.5]})]
        )  # fmt: skip

        def __init__(self, **how):
            self.how = how

        def query_region(self, place, radius, catalog, cache):
            asked.append((self.how, place.ra.deg, radius.to_value("deg"), catalog))
            return type(self).answer()

    monkeypatch.setattr("astroquery.vizier.Vizier", Fake)
    return Fake, asked


def test_an_extract_is_kept_and_found(vizier):
    _, asked = vizier
    path, found = fetch("gaia", 10.0, 20.0, 0.5, faintest=15.0, seconds=7.0)
    assert found.epoch == 2016.0
    assert set(found.mags) == {"G", "BP"}
    assert asked[0][0]["timeout"] == 7.0
    assert asked[0][0]["column_filters"] == {"Gmag": "<15"}
    assert asked[0][3] == "I/355/gaiadr3"
    text = path.read_text()
    assert "fetched" in text
    assert "radius_deg: 0.5" in text
    assert fetch("gaia", 10.0, 20.0, 0.5, faintest=15.0)[0] == path
    assert len(asked) == 1
    fetch("gaia", 10.0, 20.0, 0.5, faintest=15.0, again=True)
    assert len(asked) == 2
    (name,) = [entry.name for entry in find_catalogs() if entry.kind == "table"]
    assert len(cone(name, 10.0, 20.0, 0.5)) == 2


def test_what_cannot_be_fetched_is_said(vizier):
    fake, _ = vizier
    with pytest.raises(InputError, match="apt-get install"):
        fetch("tycho2", 10.0, 20.0, 0.5)
    with pytest.raises(InputError, match="gaia, refcat2"):
        fetch("gaja", 10.0, 20.0, 0.5)
    fake.answer = staticmethod(list)
    with pytest.raises(InputError, match="no entries"):
        fetch("apass", 10.0, 20.0, 0.5)

    def broken():
        raise ConnectionError("no route\nto host")

    fake.answer = staticmethod(broken)
    with pytest.raises(InputError, match="cannot be reached: no route to host"):
        fetch("apass", 10.0, 20.0, 0.5)

    def unplugged():
        raise ConnectionError(
            "HTTPSConnectionPool(host='vizier'): Max retries exceeded (Caused by NameResolutionError("
        )

    fake.answer = staticmethod(unplugged)
    with pytest.raises(InputError, match="cannot be reached: there is no connection to its server; try again later"):
        fetch("apass", 10.0, 20.0, 0.5)


def test_too_many_rows_are_no_extract(vizier, monkeypatch):
    monkeypatch.setattr(online_catalogs, "MOST", 2)
    with pytest.raises(InputError, match="smaller radius"):
        fetch("gaia", 10.0, 20.0, 5.0)
