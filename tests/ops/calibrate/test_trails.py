"""Streaks on single frames, against trails whose place is known."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.trails import Trails, flag_trails
from firstlight.simulate.scene import trail, trail_mask

SHAPE = (700, 900)
NOISE = 10.0


def sky(seed, stars=150):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:41, :41] - 20
    light = np.full((SHAPE[0] + 40, SHAPE[1] + 40), 100.0)
    for _ in range(stars):
        cy, cx = rng.integers(0, SHAPE[0]), rng.integers(0, SHAPE[1])
        light[cy : cy + 41, cx : cx + 41] += 10 ** rng.uniform(2, 4.3) * np.exp(-(x**2 + y**2) / (2 * 1.7**2)) / 10
    return light[20:-20, 20:-20] + rng.normal(0, NOISE, SHAPE)


@pytest.mark.parametrize("seed", range(6))
def test_stars_alone_make_no_trail(seed):
    result = flag_trails(Image(sky(seed, stars=400)), Trails())
    assert not has(result.flags, Flag.TRAIL).any()
    assert ("NTRAILS", 0, "trails found") in result.meta.cards


def test_a_nebula_is_no_trail_but_a_trail_across_it_is():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    nebula = 60 * np.exp(-((x - 450) ** 2 / 70**2 + (y - 350) ** 2 / 45**2)) + 80 * (np.hypot(x - 200, y - 500) < 60)
    nebula = nebula * (1 + 0.3 * np.sin(x / 23.0) * np.sin(y / 31.0))
    assert not has(flag_trails(Image(sky(5) + nebula), Trails()).flags, Flag.TRAIL).any()
    light = trail(SHAPE, 450, 350, 35, 300, 3.0)
    found = has(flag_trails(Image(sky(5) + nebula + light), Trails()).flags, Flag.TRAIL)[0]
    assert found[trail_mask(SHAPE, 450, 350, 35, 1.0)].mean() > 0.8
    assert found[~trail_mask(SHAPE, 450, 350, 35, 14.0)].mean() < 1e-3


def test_real_frames_of_a_nebula_hold_no_trail(real_data):
    from firstlight.io.read import find_files, read

    lights = [path for path in find_files(real_data("m27_asi224mc_als")) if "ight" in path.name][:3]
    for path in lights:
        assert not has(flag_trails(read(path), Trails()).flags, Flag.TRAIL).any()


@pytest.mark.parametrize("angle", [0.0, 23.0, 45.0, 90.0, 117.0, 172.0])
@pytest.mark.parametrize("peak", [1.0, 3.0, 30.0])
def test_a_trail_is_found_whole_from_one_sigma_on(angle, peak):
    x, y = 470.0, 330.0
    light = trail(SHAPE, x, y, angle, peak * NOISE * 3.2, 3.0)
    assert light.max() == pytest.approx(peak * NOISE, rel=0.15)
    result = flag_trails(Image(sky(1) + light), Trails())
    found = has(result.flags, Flag.TRAIL)[0]
    assert found[trail_mask(SHAPE, x, y, angle, 1.0)].mean() > 0.9
    assert found[~trail_mask(SHAPE, x, y, angle, 12.0)].mean() < 1e-4


def test_two_trails_and_one_that_ends():
    crossing = trail(SHAPE, 300, 300, 30, 400, 3.0) + trail(SHAPE, 500, 400, 100, 200, 3.0)
    crossing[:, 600:] = 0
    result = flag_trails(Image(sky(2) + crossing), Trails())
    found = has(result.flags, Flag.TRAIL)[0]
    lit = crossing > 0.3 * NOISE
    assert found[lit].mean() > 0.85
    assert found[:, 680:].mean() < 0.01
    assert {k: v for k, v, _ in result.meta.cards}["NTRAILS"] == 2


def test_a_tumbling_satellite_is_one_trail():
    light = trail(SHAPE, 450, 350, 10, 300, 3.0, swing=0.7, period=150)
    found = has(flag_trails(Image(sky(3) + light), Trails()).flags, Flag.TRAIL)[0]
    assert found[trail_mask(SHAPE, 450, 350, 10, 1.0)].mean() > 0.9


def test_on_a_mosaic_and_beside_missing_pixels():
    data = (sky(4) + trail(SHAPE, 450, 350, 60, 300, 3.0)) * np.tile([[0.6, 1.0], [1.0, 0.8]], (350, 450))
    flags = np.zeros(SHAPE, np.uint16)
    data[100:140, 100:200] = np.nan
    flags[100:140, 100:200] = Flag.NO_DATA
    result = flag_trails(Image(data, flags, meta=Meta(cfa="RGGB")), Trails())
    found = has(result.flags, Flag.TRAIL)[0]
    assert found[trail_mask(SHAPE, 450, 350, 60, 1.0)].mean() > 0.9
    np.testing.assert_array_equal(result.data, Image(data).data)
