"""Bright pixels brought back: what stays of hue and luminance."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import SpecError
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.color.saturation import hue_of
from firstlight.ops.spec import parse_step

PIXELS = np.random.default_rng(7).uniform(-0.2, 1.8, (3, 30, 40))
WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


def run(**settings):
    return step("color:clip", **settings)(Image(PIXELS, unit=PixelUnit.NORMALISED)).data.astype(float)


@pytest.mark.parametrize("mode", ["clip", "rescale", "rgbblend", "globalrescale"])
def test_all_comes_into_the_range(mode):
    result = run(mode=mode)
    assert result.min() >= 0
    assert result.max() <= 1
    inside = (PIXELS >= 0).all(axis=0) & (PIXELS <= 1).all(axis=0)
    factor = 1 / PIXELS.max() if mode == "globalrescale" else 1
    np.testing.assert_allclose(result[:, inside], PIXELS[:, inside] * factor, rtol=1e-5)


def test_hue_stays_but_by_plain_clipping():
    lit = (PIXELS > 0).all(axis=0) & (PIXELS > 1).any(axis=0)
    lit &= np.tensordot(WEIGHTS, PIXELS, axes=1) < 0.95
    before = hue_of(PIXELS)[lit]

    def moved(mode):
        away = np.abs(hue_of(run(mode=mode))[lit] - before)
        return np.minimum(away, 360 - away).max()

    assert moved("rescale") < 0.1
    assert moved("rgbblend") < 0.1
    assert moved("clip") > 5
    after = np.tensordot(WEIGHTS, run(mode="rgbblend"), axes=1)[lit]
    np.testing.assert_allclose(after, np.tensordot(WEIGHTS, PIXELS, axes=1)[lit], rtol=1e-4)


def test_ranges_and_earlier_spellings():
    result = run(low=0.2, high=0.7)
    np.testing.assert_allclose(result, np.clip(PIXELS, 0.2, 0.7), rtol=1e-5)
    assert parse_step("color:clip_range:low=0.1,high=0.9").operation.id == "color:clip"
    assert parse_step("color:clip_black:low=0.1").params.low == 0.1
    with pytest.raises(SpecError, match="low must be below high"):
        run(low=1, high=0.5)
