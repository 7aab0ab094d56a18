"""Where the programs of others and their files are looked for."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import FrameError, InputError
from firstlight.io import solvers

FREE = {"smallest_scale": 1.0, "largest_scale": 100.0, "ra": None, "dec": None, "radius": 180.0, "flipped": None}


def test_index_files_are_found_in_folders_of_catalogues(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTLIGHT_CATALOGS", str(tmp_path))
    before = len(solvers.index_files(deeper=True))
    for name in (
        "index-4107.fits",
        "index-tycho2-99.littleendian.fits",
        "index-tycho2-99.bigendian.fits",
        "other.fits",
    ):
        (tmp_path / name).write_bytes(b"")
    found = [path.name for path in solvers.index_files() if path.parent == tmp_path]
    assert len(found) == 2
    assert "index-4107.fits" in found
    assert len(solvers.index_files(deeper=True)) == before + 1


def test_without_index_files_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(solvers, "index_files", lambda **how: [])
    for engine in (solvers.with_astrometry, solvers.with_solve_field):
        with pytest.raises(InputError, match=r"astrometry|not installed"):
            engine(np.ones((9, 2)), (100, 100), FREE, 5.0)


def test_databases_of_astap(tmp_path, monkeypatch):
    monkeypatch.setattr(solvers, "ASTAP_FOLDERS", (str(tmp_path),))
    monkeypatch.setenv("PATH", "")
    assert solvers.astap_database() is None
    (tmp_path / "d05_0101.1476").write_bytes(b"")
    assert solvers.astap_database() == tmp_path


def test_a_list_that_is_no_sky_is_not_solved():
    if solvers.SOLVE_FIELD.find() is None or not solvers.index_files():
        pytest.skip("solve-field or its index files are not here (Debian: astrometry.net, astrometry-data-tycho2)")
    rng = np.random.default_rng(1)
    bounds = {**FREE, "ra": 10.0, "dec": 10.0, "radius": 1.0, "smallest_scale": 20.0, "largest_scale": 25.0}
    with pytest.raises(FrameError, match="solve-field"):
        solvers.with_solve_field(rng.uniform(0, 1000, (30, 2)), (1000, 1000), bounds, 20.0)
