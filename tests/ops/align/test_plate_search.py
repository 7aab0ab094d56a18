"""Blind searches: every place, scale, turn and parity is found; what is no sky is not."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.model.catalog import separation
from firstlight.ops.align.plate_search import Bounds, search_index
from firstlight.ops.align.quad_index import build_index, smallest_level
from ops.align.sky_fields import SHAPE, field_of, invented_sky


@pytest.fixture(scope="module")
def sky():
    stars = invented_sky()
    return stars, build_index(stars, smallest_level(stars, 41253.0))


def first(field, index, bounds=Bounds()):
    found = []
    search_index(field.positions, SHAPE, index, bounds, lambda f: found.append(f) is None)
    return found[0] if found else None


PLACES = [(10.0, 5.0), (200.0, -60.0), (359.9, 0.05), (123.0, 89.7), (45.0, -89.9), (0.01, 40.0)]


@pytest.mark.parametrize(("ra", "dec"), PLACES)
@pytest.mark.parametrize("width", [5.0, 12.0, 30.0])
def test_fields_are_found_wherever_they_are(sky, ra, dec, width):
    stars, index = sky
    for seed, (angle, flipped) in enumerate([(0.0, False), (137.0, True)]):
        field = field_of(stars, ra, dec, width, angle=angle, flipped=flipped, seed=seed)
        found = first(field, index)
        assert found is not None
        assert separation(found.ra, found.dec, ra, dec) * 3600 / field.scale < 6
        cd = np.array(found.cd)
        assert np.sqrt(abs(np.linalg.det(cd))) * 3600 == pytest.approx(field.scale, rel=0.01)
        assert (np.linalg.det(cd) > 0) == flipped


def test_bounds_are_kept(sky):
    stars, index = sky
    field = field_of(stars, 80.0, 20.0, 8.0)
    assert first(field, index, Bounds(ra=80.5, dec=20.0, radius=2.0)) is not None
    assert first(field, index, Bounds(ra=90.0, dec=20.0, radius=2.0)) is None
    assert first(field, index, Bounds(smallest_scale=20.0, largest_scale=28.0)) is not None
    assert first(field, index, Bounds(smallest_scale=30.0, largest_scale=60.0)) is None
    assert first(field, index, Bounds(flipped=False)) is not None
    assert first(field, index, Bounds(flipped=True)) is None


def test_the_clock_ends_a_search(sky):
    _stars, index = sky
    rng = np.random.default_rng(5)
    asked = []
    done, _ = search_index(
        rng.uniform(0, 1, (60, 2)) * 1000, SHAPE, index, Bounds(), lambda f: True,
        lambda: asked.append(1) is None and len(asked) > 2,
    )  # fmt: skip
    assert not done
    assert len(asked) == 3


@pytest.mark.parametrize("n", [0, 1, 3])
def test_lists_too_short_for_a_quad_find_nothing(sky, n):
    assert search_index(np.ones((n, 2)), SHAPE, sky[1], Bounds(), lambda f: True) == (False, 0)
