"""Dust on flats."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.inspect.dust import Dust, find_dust, measure_dust

SPOTS = ((80, 90, 20, 0.06), (250, 300, 35, 0.04), (150, 400, 14, 0.10))


def flat(noise=0.004, cfa=None, seed=1):
    """Shadows are rings, as those of a telescope with a central obstruction."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:360, :480]
    field = 1 - 0.25 * ((x - 240) ** 2 + (y - 180) ** 2) / 300**2
    for cy, cx, radius, depth in SPOTS:
        r = np.hypot(x - cx, y - cy)
        ring = 0.5 * (np.tanh((radius - r) / 2) - np.tanh((0.4 * radius - r) / 2))
        field = field * (1 - depth * ring)
    if cfa:
        field = field * np.tile([[0.5, 1.0], [1.0, 0.25]], (180, 240))
    return field * (1 + noise * rng.standard_normal(field.shape))


@pytest.mark.parametrize("cfa", [None, "RGGB"])
def test_every_shadow_is_found_and_nothing_else(cfa):
    image = Image(flat(cfa=cfa), meta=Meta(cfa=cfa))
    mask = find_dust(image, Dust(fwhm=6 if cfa is None else 4))[0]
    near = np.zeros(mask.shape, bool)
    y, x = np.mgrid[:360, :480]
    for cy, cx, radius, _ in SPOTS:
        r = np.hypot(x - cx, y - cy)
        assert mask[(r > 0.5 * radius) & (r < 0.9 * radius)].mean() > 0.95
        near |= r < radius + 18
    assert mask[~near].mean() < 2e-3


def test_shadows_are_measured():
    image = Image(flat())
    shadows = measure_dust(image, find_dust(image, Dust())[0])
    assert len(shadows) == 3
    assert [round(s.y, -1) for s in shadows] == [150, 80, 250]
    for shadow, (_, _, radius, depth) in zip(shadows, (SPOTS[2], SPOTS[0], SPOTS[1])):
        assert shadow.depth == pytest.approx(depth, rel=0.4)
        assert 2 * radius < shadow.diameter < 2 * radius + 26


def test_a_clean_flat_has_none():
    y, x = np.mgrid[:300, :300]
    field = (1 - 0.3 * ((x - 150) ** 2 + (y - 150) ** 2) / 210**2) * np.random.default_rng(2).normal(
        1, 0.01, (300, 300)
    )
    assert find_dust(Image(field), Dust()).mean() < 1e-3


def test_a_real_flat_has_donuts(real_data):
    from firstlight.io.read import read

    folder = real_data("sbig_stl1001_2017_crop512")
    frames = [read(path) for path in sorted(folder.glob("flat*"))]
    mask = find_dust(frames[0].replace(data=np.mean([f.data for f in frames], axis=0)), Dust(fwhm=10, limit=4))[0]
    assert 0.02 < mask.mean() < 0.3
    # The deep one at the left edge, the rim of a wide one in the middle, and none in the clean corner.
    assert mask[440:480, 5:20].mean() > 0.9
    assert mask[180:200, 270:330].mean() > 0.2
    assert mask[20:160, 220:500].mean() < 0.05
