"""Stars and what a catalogue knows of them."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.catalogs import cone
from firstlight.model.catalog import Catalog
from firstlight.model.plate import Plate
from firstlight.ops.align.plates import SkyMap
from firstlight.pipeline.field_stars import Known, agrees, known_stars, named_place

SIZE = (600, 800)
PLATE = Plate({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 400.0, "CRPIX2": 300.0, "CRVAL1": 56.75,
               "CRVAL2": 24.12, "CD1_1": -0.003, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.003})  # fmt: skip


@pytest.fixture(scope="module")
def seen():
    catalog = cone("auto", 56.75, 24.12, 1.6)
    there = SkyMap.of(PLATE).positions(np.column_stack([catalog.ra, catalog.dec]))
    inside = ((there > 0) & (there < [799, 599])).all(axis=1)
    return there[inside][:200]


def test_a_plate_is_held_against_the_stars(seen):
    assert agrees(PLATE, seen, SIZE)
    assert not agrees(PLATE, seen + 25.0, SIZE)
    assert agrees(Plate({"CTYPE1": "GLON-CAR"}), seen, SIZE)


def test_stars_get_their_entries_and_a_zero_point(seen):
    sky = SkyMap.of(PLATE).sky(seen)
    known, words = known_stars(sky, "auto", 2016.0, SkyMap.of(PLATE), SIZE)
    assert (known.index >= 0).all()
    assert f"{len(seen)} of {len(seen)} stars" in words[0]
    band = known.of(known.catalog.mags["G"])
    stars = np.flatnonzero(np.isfinite(band))
    value, error, n, name = known.zero_point("V", "G", stars, band[stars] - 20.0)
    assert (value, n, name) == (pytest.approx(20.0), len(stars), "G")
    assert error < 1e-6
    with pytest.raises(InputError, match="has G"):
        known.zero_point("V", "J", stars, band[stars])


def test_names_of_stars():
    catalog = Catalog(np.array([150.0]), np.array([-20.5]), names=("Mine",))
    known = Known(catalog, np.array([0, -1]), np.array([[150.0, -20.5], [0.5, 0.26]]))
    assert [known.name_of(k) for k in (0, 1)] == ["Mine", "J000200+001536"]
    assert Known(None, np.array([-1]), None).name_of(0) == ""


def test_places_of_names():
    ra, dec = named_place("M 31", "auto")
    assert (ra, dec) == (pytest.approx(10.68, abs=0.02), pytest.approx(41.27, abs=0.02))
    assert named_place("nothing of the kind", "auto") is None
