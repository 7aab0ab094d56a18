"""Banding against truth."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.noise.banding import Banding, level_banding


def scene(seed=1, cfa=None):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:400, :500]
    light = 300 + 0.1 * x + 0.2 * y + 3000 * np.exp(-((x - 200) ** 2 + (y - 150) ** 2) / (2 * 25**2))
    for _ in range(60):
        cx, cy = rng.uniform(0, 500), rng.uniform(0, 400)
        light += 10 ** rng.uniform(2, 4) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 1.8**2))
    if cfa:
        light *= np.tile([[0.5, 1.0], [1.0, 0.7]], (200, 250))
    return light, rng.normal(0, 4, light.shape), rng


@pytest.mark.parametrize("cfa", [None, "RGGB"])
@pytest.mark.parametrize("direction", ["rows", "columns"])
def test_banding_goes_and_light_stays(cfa, direction):
    light, noise, rng = scene(cfa=cfa)
    lines = rng.normal(0, 3, 400 if direction == "rows" else 500)
    bands = lines[:, None] if direction == "rows" else lines[None, :]
    level = level_banding(Image(light + noise + bands, meta=Meta(cfa=cfa)), Banding(direction=direction))
    axis = 1 if direction == "rows" else 0
    left = np.median(level.data[0] - light, axis=axis)
    # The common level of the lines is no banding; the floor is the noise of a median.
    assert np.std(left - np.median(left)) < 0.25 * np.std(lines)
    galaxy = np.s_[100:200, 150:250]
    assert np.mean((level.data[0] - light)[galaxy]) == pytest.approx(np.mean(noise[galaxy]), abs=1.0)


def test_both_directions():
    light, noise, rng = scene(2)
    rows, columns = rng.normal(0, 3, (400, 1)), rng.normal(0, 3, (1, 500))
    level = level_banding(Image(light + noise + rows + columns), Banding(direction="both"))
    assert np.std(level.data[0] - light) < 1.05 * np.std(noise)


def test_without_banding_hardly_anything_changes():
    light, noise, _ = scene(3)
    level = level_banding(Image(light + noise), Banding())
    assert np.std(level.data[0] - light - noise) < 0.15 * 4


def test_half_the_amount():
    light, noise, rng = scene(4)
    rows = rng.normal(0, 6, (400, 1))
    image = Image(light + noise + rows)
    whole, half = (level_banding(image, Banding(amount=a)).data - image.data for a in (1.0, 0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-3)
