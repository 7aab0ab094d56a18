"""The correction of non-linearity."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.linearity import Linearity, linearity
from firstlight.ops.inspect.linearity import Level, fit_correction


def bent(light):
    return light * (1 - 0.05 * light / 40000)


def test_what_was_measured_straightens_what_was_bent():
    exposures = np.array([1, 2, 4, 8, 12, 16, 20.0])
    levels = [Level(float(t), float(bent(2000 * t))) for t in exposures]
    found = fit_correction([levels])
    light = np.linspace(0, 40000, 50)[None]
    image = Image(bent(light) + 500, meta=Meta(saturation=float(bent(40000.0)) + 500))
    straight = linearity(image, Linearity(second=found.second, third=found.third, bias=500))
    np.testing.assert_allclose(straight.data[0] - 500, light, rtol=2e-4, atol=0.5)
    assert straight.meta.saturation == pytest.approx(40500, rel=1e-3)


def test_variance_follows_the_slope():
    image = Image([[10000.0]], variance=[[100.0]])
    p = Linearity(second=2e-6, third=1e-11)
    step = linearity(Image([[10001.0]]), p).data.item() - linearity(Image([[9999.0]]), p).data.item()
    assert linearity(image, p).variance.item() == pytest.approx(100 * (step / 2) ** 2, rel=1e-3)


def test_below_zero_nothing_bends_and_beyond_the_turn_it_goes_straight_on():
    p = Linearity(second=-1e-5)
    result = linearity(Image([[-50.0, 30000.0, 50000.0, 60000.0, 70000.0]]), p).data.ravel()
    assert result[0] == -50
    assert np.all(np.diff(result) > 0)
    assert result[4] - result[3] == pytest.approx(result[3] - result[2], rel=1e-4)


def test_after_the_dark_it_is_too_late():
    with pytest.raises(InputError, match="corrected for dark already"):
        linearity(Image([[1.0]], meta=Meta(calibrated=frozenset({"dark"}))), Linearity())
