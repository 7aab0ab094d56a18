"""Tables of the Earth's rotation from the cache."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.utils import iers

from firstlight.io import earth_rotation as module
from firstlight.io.earth_rotation import UNITS, earth_rotation


@pytest.fixture
def nothing_known(tmp_path, monkeypatch):
    """As in a new process, with an empty cache."""
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(iers.IERS_Auto, "iers_table", None)
    earth_rotation.cache_clear()
    yield tmp_path
    earth_rotation.cache_clear()


def times(table):
    mjd = table["MJD"].value
    return 2400000.5 + np.concatenate([np.linspace(mjd[1], mjd[-2], 997), [57753.99999, 57754.0, 57754.00001]])


@pytest.mark.filterwarnings("ignore:.*polar motions:")
def test_the_same_as_astropys_tables(nothing_known, monkeypatch):
    (nothing_known / "earth-of-older-tables.npy").write_bytes(b"old")
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        earth_rotation()
        whole = iers.IERS_Auto.iers_table
        assert [path.suffix for path in nothing_known.iterdir()] == [".npy"]
        assert not (nothing_known / "earth-of-older-tables.npy").exists()
        monkeypatch.setattr(iers.IERS_Auto, "iers_table", None)
        earth_rotation.cache_clear()
        table = earth_rotation()
        assert iers.IERS_Auto.iers_table is None, "the text was read once more"
        jd = times(whole)
        for ask in ("ut1_utc", "pm_xy", "dcip_xy"):
            ours, theirs = (np.array(getattr(each, ask)(jd)) for each in (table, whole))
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("content", [b"", b"no numbers"])
def test_a_damaged_cache_is_made_anew(nothing_known, content):
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        earth_rotation()
        (kept,) = nothing_known.iterdir()
        kept.write_bytes(content)
        iers.IERS_Auto.iers_table = None
        earth_rotation.cache_clear()
        assert len(earth_rotation()) > 10000
    assert np.load(kept).shape[0] == len(UNITS)
