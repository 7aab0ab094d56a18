"""From hints to plates: attempts, positions as people write them, verification, offsets from a target."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import FrameError, InputError
from firstlight.model.catalog import separation
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.model.plate import Plate
from firstlight.ops.align.plate_solve import (
    SolvePlate,
    attempts_for,
    centre_on,
    off_target,
    position_given,
    solve_stars,
    stars_for_plate,
)
from firstlight.ops.align.plates import positions_of, sky_of
from firstlight.ops.align.quad_index import build_index, smallest_level
from ops.align.sky_fields import SHAPE, OneSky, field_of, invented_sky


@pytest.fixture(scope="module")
def sky():
    stars = invented_sky(30_000)
    return OneSky(stars, build_index(stars, smallest_level(stars, 41253.0)))


def solved(field, sky, p=SolvePlate(), **known):
    attempts = attempts_for(Meta(**known), None, SHAPE, p)
    return solve_stars(field.positions, np.full(len(field.positions), 0.2), SHAPE, attempts, sky, p)


def plate_at(ra=80.0, dec=20.0, scale=24.0):
    per_px = scale / 3600
    return Plate({
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": ra, "CRVAL2": dec, "CRPIX1": 600.5, "CRPIX2": 400.5,
        "CD1_1": -per_px, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": per_px,
    })  # fmt: skip


def test_a_field_is_solved_blind(sky):
    field = field_of(sky.catalog, 80.0, 20.0, 10.0, angle=33.0, flipped=True)
    fit, source, looked = solved(field, sky)
    assert source == "blind"
    assert looked > 0
    assert separation(fit.ra, fit.dec, 80.0, 20.0) * 3600 < 0.5 * field.scale
    assert fit.scale == pytest.approx(field.scale, rel=1e-3)
    assert fit.flipped


def test_a_wrong_header_is_overcome_and_a_right_one_used(sky):
    field = field_of(sky.catalog, 80.0, 20.0, 10.0)
    assert solved(field, sky, ra=81.0, dec=21.0)[1] == "position of the header"
    assert solved(field, sky, ra=200.0, dec=-20.0)[1] == "blind"
    assert (
        solved(field, sky, ra=80.0, dec=20.0, focal_length=51.6, pixel_size=7.5)[1]
        == "position and scale of the header"
    )


def test_what_was_asked_for_is_not_given_up(sky):
    field = field_of(sky.catalog, 80.0, 20.0, 10.0)
    assert solved(field, sky, SolvePlate(ra="80.5", dec="20", radius=2))[1] == "position given"
    for wrong in ({"ra": "90", "dec": "20", "radius": 2.0}, {"scale": 12.0}, {"parity": "flipped"}):
        with pytest.raises(FrameError, match="no place on the sky fits"):
            solved(field, sky, SolvePlate(**wrong), ra=80.0, dec=20.0)


@pytest.mark.parametrize("seed", range(12))
def test_stars_in_no_order_are_not_solved(sky, seed):
    rng = np.random.default_rng(seed)
    field = field_of(sky.catalog, 80.0, 20.0, 10.0, seed=seed)
    positions = np.column_stack([field.positions[:, 0], rng.permutation(field.positions[:, 1])])
    with pytest.raises(FrameError, match="hypotheses"):
        solve_stars(
            positions, np.full(len(positions), 0.2), SHAPE, attempts_for(Meta(), None, SHAPE, SolvePlate()), sky,
            SolvePlate(),
        )  # fmt: skip


def test_time_that_is_over_is_said(sky):
    rng = np.random.default_rng(1)
    with pytest.raises(FrameError, match="the time of 30 s is over"):
        solve_stars(
            rng.uniform(0, 800, (50, 2)), np.ones(50), SHAPE, attempts_for(Meta(), None, SHAPE, SolvePlate()), sky,
            SolvePlate(), lambda: 2.0,
        )  # fmt: skip


def test_attempts_go_from_narrow_to_wide():
    meta = Meta(ra=80.0, dec=20.0, focal_length=400.0, pixel_size=3.76)
    found = attempts_for(meta, plate_at(), SHAPE, SolvePlate(), previous=plate_at(81.0))
    assert [a.source for a in found] == [
        "plate of the frame before", "plate of the header", "position and scale of the header", "blind",
    ]  # fmt: skip
    assert found[0].bounds.ra == pytest.approx(81.0)
    assert found[1].bounds.smallest_scale == pytest.approx(24.0 / 1.05, rel=1e-6)
    assert found[2].bounds.largest_scale == pytest.approx(206.265 * 3.76 / 400 * 1.25, rel=1e-4)
    assert found[3].bounds.radius == 180
    broken = Plate({"CTYPE1": "RA---XYZ", "CTYPE2": "DEC--XYZ", "CRVAL1": 1.0, "CRPIX1": 1.0, "CD1_1": 1.0})
    assert [a.source for a in attempts_for(Meta(), broken, SHAPE, SolvePlate())] == ["blind"]


def test_positions_as_people_write_them():
    def named(name):
        return {"M27": (299.9, 22.72)}[name]

    assert position_given(SolvePlate(target="M27"), named).ra == "299.9"
    given = position_given(SolvePlate(ra="19:59:36.3", dec="-22 43 16"), named)
    assert float(given.ra) == pytest.approx(299.90125)
    assert float(given.dec) == pytest.approx(-22.72111, abs=1e-4)
    for wrong in (
        {"ra": "10"},
        {"ra": "ten", "dec": "5"},
        {"ra": "10", "dec": "95"},
        {"target": "M27", "ra": "1", "dec": "1"},
    ):
        with pytest.raises(InputError, match="solve:"):
            position_given(SolvePlate(**wrong), named)


@pytest.mark.parametrize("channels", [1, 3])
def test_stars_of_mono_and_colour_images(channels):
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:200, :300]
    plane = rng.normal(100, 3, (200, 300))
    places = rng.uniform(15, 185, (20, 2))
    for px, py in places:
        plane += 400 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 4.0)
    stars, errors = stars_for_plate(Image(np.repeat(plane[None], channels, axis=0)), SolvePlate())
    nearest = np.hypot(*(places[:, None] - stars.positions[None]).T).min(axis=0)
    assert np.median(nearest) < 0.1
    assert (errors > 0).all()


@pytest.mark.parametrize("content", [np.full((50, 60), 7.0), np.full((50, 60), np.nan)])
def test_an_image_without_stars_says_so(content):
    with pytest.raises(FrameError, match=r"solve: (0 stars|background)"):
        stars_for_plate(Image(content), SolvePlate())


def test_a_target_is_brought_into_the_middle():
    """A mount that moves 3 % too far and started 1.5 degrees off."""
    target, pointing = (85.0, 60.0), [86.5, 60.8]

    def look():
        return plate_at(*pointing), SHAPE

    def move(east, north):
        pointing[0] += 1.03 * east / 3600 / np.cos(np.radians(pointing[1]))
        pointing[1] += 1.03 * north / 3600

    seen = list(centre_on(target, look, move, tolerance=5.0))
    sizes = [np.hypot(*offset) for offset in seen]
    assert sizes[0] == pytest.approx(separation(86.5, 60.8, *target) * 3600, rel=1e-6)
    assert sizes[-1] < 5.0
    assert len(seen) <= 5
    stuck = list(centre_on(target, look, lambda east, north: None, tolerance=1e-9, rounds=3))
    assert len(stuck) == 3


def test_offsets_are_those_of_the_plate():
    plate = plate_at(10.0, 85.0)
    east, north = off_target(plate, SHAPE, 12.0, 85.1)
    (there,) = positions_of(plate, np.array([[12.0, 85.1]]))
    # On the plane east is to the left: pixels and offsets agree but for the curvature of the plane.
    assert (599.5 - there[0]) * 24.0 == pytest.approx(east, rel=1e-4)
    assert (there[1] - 399.5) * 24.0 == pytest.approx(north, rel=1e-2)
    assert off_target(plate, SHAPE, *sky_of(plate, np.array([[599.5, 399.5]]))[0]) == pytest.approx(
        (0.0, 0.0), abs=1e-6
    )
