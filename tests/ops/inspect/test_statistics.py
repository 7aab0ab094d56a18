import numpy as np
import pytest

from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.inspect.statistics import statistics_of
from firstlight.ops.inspect.white_level import white_level_of
from firstlight.simulate.scene import random_field, render_stars


def test_numbers_are_those_of_numpy():
    values = np.random.default_rng(1).normal(100, 5, (80, 90)).astype(np.float32)
    bad = np.zeros(values.shape, bool)
    bad[3, 4], values[3, 4], values[7, 7] = True, 1e9, np.nan
    s = statistics_of(values, bad)
    kept = values[np.isfinite(values) & ~bad].astype(float)
    assert s.n == len(kept)
    assert s.mean == pytest.approx(kept.mean())
    assert s.std == pytest.approx(kept.std())
    assert s.percentiles == pytest.approx(np.percentile(kept, (1, 5, 25, 75, 95, 99)))
    assert s.mad == pytest.approx(5, rel=0.05)


def test_focus_falls_as_stars_widen_and_noise_does_not_raise_it():
    def focus(fwhm, noise):
        rng = np.random.default_rng(3)
        x, y, flux = random_field(rng, 100, (300, 300), (1e4, 1e5))
        return statistics_of((render_stars((300, 300), x, y, flux, fwhm) + rng.normal(50, noise, (300, 300))).astype(
            np.float32
        )).focus  # fmt: skip

    sharp, soft, noisy = focus(2.5, 2.0), focus(5.0, 2.0), focus(2.5, 8.0)
    assert sharp > 1.5 * soft
    assert noisy == pytest.approx(sharp, rel=0.1)


def test_entropy_counts_the_levels():
    assert statistics_of(np.full((9, 9), 3.0, np.float32)).entropy == 0
    assert statistics_of(np.tile(np.float32([0, 1, 2, 3]), (50, 1))).entropy == pytest.approx(2.0)


def test_nothing_in_nothing_out():
    s = statistics_of(np.full((5, 5), np.nan, np.float32))
    assert s.n == 0
    assert np.isnan(s.mean)


def test_the_white_level_is_the_lower_of_header_and_pixels():
    data = np.random.default_rng(1).normal(500, 20, (60, 60)).astype(np.float32)
    data[:4, :5] = 4095
    image = Image(data, meta=Meta(saturation=65535.0, sources={"saturation": "bit depth"}))
    found = white_level_of(image)
    assert (found.level, found.n_pixels) == (4095, 20)
    assert found.source == "20 pixels at the highest value"
    assert white_level_of(image, 550.0).source == "the settings"
    plain = Image(np.minimum(data, 700.0 + 0.001 * np.arange(60)), meta=Meta(saturation=65535.0))
    assert white_level_of(plain).level == 65535
