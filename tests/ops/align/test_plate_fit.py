"""Plates fitted to a catalogue: accuracy with distortion, orders chosen, odds of right and wrong ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firstlight.model.catalog import separation
from firstlight.ops.align.plate_fit import fit_plate, start_from
from firstlight.ops.align.plate_search import Found
from ops.align.sky_fields import SHAPE, field_of, invented_sky


@pytest.fixture(scope="module")
def sky():
    return invented_sky(400_000)


def fitted(sky, field, order=0, off=2.0):
    """From a start that is some px and 0.2 % off."""
    per_px = field.scale / 3600
    cd = np.array([[1.0 if field.flipped else -1.0, 0.0], [0.0, 1.0]]) * per_px * 1.002
    start = start_from(Found(field.ra, field.dec + off * per_px, tuple(map(tuple, cd)), 20.0), SHAPE)
    near = sky.within(field.ra, field.dec, field.scale / 3600 * 800)
    return fit_plate(field.positions, np.full(len(field.positions), 0.1), near.brightest(1500), start, SHAPE, order)


def truth_px(field, bend):
    """Pixels of the image in a grid and where they truly look: undone by iteration of the cubic."""
    from firstlight.model.catalog import places
    from firstlight.ops.align.plate_fit import axes_at

    height, width = SHAPE
    x, y = (c.ravel() for c in np.meshgrid(np.linspace(20, width - 20, 9), np.linspace(20, height - 20, 9)))
    middle, radius = np.array([(width - 1) / 2, (height - 1) / 2]), np.hypot(*SHAPE) / 2
    seen = np.column_stack([x, y]) - middle
    straight = seen.copy()
    for _ in range(60):
        straight = seen / (1 + bend / radius * ((straight**2).sum(axis=1) / radius**2)[:, None])
    plane = np.radians(straight * np.array([1.0 if field.flipped else -1.0, 1.0]) * field.scale / 3600)
    centre, east, north = axes_at(field.ra, field.dec)
    return np.column_stack([x, y]), places(centre + plane[:, :1] * east + plane[:, 1:] * north)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("bend", [0.0, 6.0, -25.0])
def test_the_plate_is_right_to_a_tenth_of_a_pixel_everywhere(sky, bend, flipped):
    field = field_of(sky, 150.0, 30.0, 4.0, flipped=flipped, bend=bend, most=400, noise=0.1, extra=0.3)
    fit = fitted(sky, field)
    positions, (ra, dec) = truth_px(field, bend)
    got_ra, got_dec = fit.sky(positions)
    error = np.hypot((got_ra - ra) * np.cos(np.radians(dec)), got_dec - dec) * 3600 / field.scale
    assert np.sqrt(np.mean(error**2)) < 0.1
    assert error.max() < 0.35
    assert fit.rms == pytest.approx(0.1, rel=0.2)
    assert (fit.order >= 3) == (bend != 0)


def test_an_order_can_be_asked_for(sky):
    field = field_of(sky, 150.0, 30.0, 4.0, bend=6.0, most=400)
    assert fitted(sky, field, order=1).order == 1
    assert fitted(sky, field, order=1).rms > 0.3
    assert fitted(sky, field, order=5).order == 5


def test_few_stars_get_no_distortion_they_cannot_carry(sky):
    field = field_of(sky, 150.0, 30.0, 4.0, most=14, missing=0.0, extra=0.0)
    fit = fitted(sky, field)
    assert fit.order <= 2
    assert len(fit.stars) >= 10


def test_odds_tell_a_right_plate_from_wrong_ones(sky):
    field = field_of(sky, 150.0, 30.0, 4.0, most=100)
    assert fitted(sky, field).odds > 200
    rng = np.random.default_rng(3)
    worst = 0.0
    for _ in range(60):
        wrong = replace(field, ra=rng.uniform(0, 360), dec=rng.uniform(-60, 60))
        worst = max(worst, fitted(sky, wrong).odds)
    assert worst < 12


def test_the_centre_is_found_near_the_pole(sky):
    field = field_of(sky, 40.0, 89.8, 4.0, most=200)
    fit = fitted(sky, field, off=0.0)
    ra, dec = fit.sky(np.array([[(SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2]]))
    assert separation(ra[0], dec[0], 40.0, 89.8) * 3600 / field.scale < 0.1


def test_nothing_to_match_gives_no_odds(sky):
    field = field_of(sky, 150.0, 30.0, 4.0)
    start = start_from(Found(150.0, 30.0, ((-0.001, 0.0), (0.0, 0.001)), 20.0), SHAPE)
    nobody = sky.take(np.zeros(len(sky), bool))
    fit = fit_plate(field.positions, np.full(len(field.positions), 0.1), nobody, start, SHAPE)
    assert fit.odds == 0.0
    assert len(fit.stars) == 0
