"""Flats made ready."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.shape_flat import ShapeFlat, shape_flat

CELL = np.array([[0.5, 1.0], [1.0, 0.25]])


def lamp(cfa=None, noise=0.0, shape=(200, 240), seed=1):
    y, x = np.mgrid[: shape[0], : shape[1]]
    field = 20000 * (1 - 0.3 * ((x - 120) ** 2 + (y - 100) ** 2) / 140**2)
    field = field * (1 - 0.1 * np.exp(-((x - 60) ** 2 + (y - 60) ** 2) / (2 * 6**2)))
    if cfa:
        field = field * np.tile(CELL, (shape[0] // 2, shape[1] // 2))
    return field + noise * np.random.default_rng(seed).standard_normal(shape)


def test_each_colour_has_mean_one_or_all_together():
    image = Image(lamp("RGGB"), meta=Meta(cfa="RGGB"))
    colour = shape_flat(image, ShapeFlat())
    grey = shape_flat(image, ShapeFlat(mode="grey"))
    for j in (0, 1):
        for i in (0, 1):
            assert colour.data[0, j::2, i::2].mean() == pytest.approx(1, rel=1e-5)
            assert grey.data[0, j::2, i::2].mean() == pytest.approx(CELL[j, i] / CELL.mean(), rel=0.01)
    assert grey.data.mean() == pytest.approx(1, rel=1e-5)
    assert colour.unit == PixelUnit.NORMALISED


def test_a_pedestal_would_make_the_flat_too_weak():
    flat = shape_flat(Image(lamp() + 1000), ShapeFlat(pedestal=1000)).data
    np.testing.assert_allclose(flat, shape_flat(Image(lamp()), ShapeFlat()).data, rtol=1e-5)


def test_local_keeps_dust_and_drops_vignetting():
    flat = shape_flat(Image(lamp()), ShapeFlat(local=30)).data[0]
    assert flat[60, 60] < 0.95
    assert abs(flat[100, 120] / flat[20, 200] - 1) < 0.03
    assert abs(shape_flat(Image(lamp()), ShapeFlat()).data[0][100, 120] / flat[20, 200] - 1) > 0.1


def test_smoothing_drops_noise_and_says_so():
    quiet = lamp()
    variance = np.full(quiet.shape, 400.0**2)
    runs = [shape_flat(Image(lamp(noise=400, seed=seed), variance=variance), ShapeFlat(smooth=3)) for seed in range(40)]
    inner = np.s_[20:-20, 20:-20]
    scatter = np.std([run.data[0][inner] for run in runs], axis=0)
    assert np.sqrt(np.mean(scatter**2) / np.mean(runs[0].variance[0][inner])) == pytest.approx(1, abs=0.1)
    truth = shape_flat(Image(quiet), ShapeFlat()).data[0]
    assert np.std((runs[0].data[0] - truth)[inner]) < 0.2 * 400 / quiet.mean()


def test_dead_pixels_take_the_smallest_good_value():
    data = lamp()
    data[50, 50] = 3
    data[10, 10] = np.nan
    flat = shape_flat(Image(data), ShapeFlat())
    good = np.ones(data.shape, bool)
    good[50, 50] = good[10, 10] = False
    assert flat.data[0, 50, 50] == flat.data[0][good].min()
    assert flat.flags[0, 50, 50] == Flag.LOW_FLAT
    assert np.count_nonzero(flat.flags) == 2


def test_darkness_is_no_flat():
    with pytest.raises(InputError, match="must be above 0; is it a flat"):
        shape_flat(Image(np.full((8, 8), 100.0)), ShapeFlat(pedestal=200))
