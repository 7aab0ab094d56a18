"""Hot and cold pixels of a single frame."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.cosmetic import Cosmetic, cosmetic


def field(cfa, fwhm, seed=1):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:200, :240]
    light = 200.0 + 0.3 * x
    for _ in range(40):
        cx, cy, flux = rng.uniform(5, 235), rng.uniform(5, 195), 10 ** rng.uniform(3, 5)
        s = fwhm / 2.3548
        light += flux / (2 * np.pi * s * s) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * s * s))
    if cfa:
        light *= np.tile([[0.5, 1.0], [1.0, 0.7]], (100, 120))
    data = rng.poisson(light) + rng.normal(0, 3, light.shape)
    return data, light, rng


@pytest.mark.parametrize(("cfa", "fwhm"), [(None, 2.2), (None, 4.0), ("RGGB", 3.5), ("RGGB", 6.0)])
def test_hot_and_cold_are_found_and_stars_stay(cfa, fwhm):
    data, light, rng = field(cfa, fwhm)
    spots = rng.permutation(data.size)[:80]
    dark = light.flat[spots] < 1.3 * np.median(light)
    hot, cold = spots[:40][dark[:40]], spots[40:][dark[40:]]
    data.flat[hot] += rng.uniform(400, 3000, len(hot))
    data.flat[cold] *= 0.1
    result = cosmetic(Image(data, meta=Meta(cfa=cfa)), Cosmetic())
    found_hot, found_cold = (has(result.flags, flag)[0] for flag in (Flag.HOT, Flag.COLD))
    assert found_hot.flat[hot].mean() > 0.9
    assert found_cold.flat[cold].mean() > 0.85
    planted = np.zeros(data.size, bool)
    planted[spots] = True
    wrong = (found_hot | found_cold).ravel() & ~planted
    assert np.count_nonzero(wrong) <= 8
    off = np.abs(result.data[0].flat[hot] - light.flat[hot]) / np.sqrt(light.flat[hot] + 9)
    assert np.median(off) < 2
    counts = {keyword: value for keyword, value, _ in result.meta.cards}
    assert counts["BPIXNBAD"] == np.count_nonzero(found_hot | found_cold)
    assert counts["BPIXNFIX"] + counts["BPIXNREM"] == counts["BPIXNBAD"]


def test_each_side_can_be_switched_off():
    data, *_ = field(None, 4.0)
    data[50, 50], data[60, 60] = 9000, 0
    only_cold = cosmetic(Image(data), Cosmetic(hot=0))
    assert not has(only_cold.flags, Flag.HOT).any()
    assert has(only_cold.flags, Flag.COLD)[0, 60, 60]
    assert not has(cosmetic(Image(data), Cosmetic(cold=0)).flags, Flag.COLD).any()
