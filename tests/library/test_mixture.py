"""Darks made of others: true to a dark current that grows as it should."""

import numpy as np
import pytest

from firstlight.library.mixture import dark_of_exposure, dark_of_temperature, line_factors, mix, temperature_factors
from firstlight.library.plans import MasterPlan
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.model.meta import Kind
from memory_frame import memory_frame

RNG = np.random.default_rng(0)
BIAS = 500 + RNG.normal(0, 3, (1, 20, 30))
RATE = RNG.gamma(2.0, 0.5, (1, 20, 30))


def dark(exposure, temperature=-10.0):
    frame = memory_frame(f"dark_{exposure:g}_{temperature:g}", kind=Kind.MASTER_DARK, exposure=exposure,
                         set_temperature=temperature, n_combined=10)  # fmt: skip
    return MasterPlan(Kind.DARK, (frame,), ready=True)


def image_of(plan, noise=2.0):
    meta = plan.like.meta
    data = BIAS + RATE * (meta.exposure or 0) * 2 ** ((meta.set_temperature + 10) / 6)
    flags = np.zeros(data.shape, np.uint16)
    flags[0, 0, int(meta.exposure or 0) % 30] = Flag.HOT
    return Image(data, flags, np.full(data.shape, noise**2, np.float32), meta=meta)


def test_factors_of_a_line_are_those_of_least_squares():
    exposures = [0.0, 10.0, 30.0, 60.0, 300.0]
    values = RNG.normal(100, 5, 5)
    for wanted in (0.0, 45.0, 400.0):
        slope, start = np.polyfit(exposures, values, 1)
        assert np.dot(line_factors(exposures, wanted), values) == pytest.approx(start + slope * wanted)


def test_a_dark_of_45_s_from_others():
    light = memory_frame("light", kind=Kind.LIGHT, exposure=45.0, set_temperature=-10.0)
    darks = [dark(e) for e in (10.0, 30.0, 60.0, 120.0)]
    bias = MasterPlan(
        Kind.BIAS, (memory_frame("bias", exposure=0.0, set_temperature=-10.0, n_combined=20),), ready=True
    )
    plan = dark_of_exposure(light, darks, bias)
    image = mix(plan, [image_of(part) for part, _ in plan.parts])
    np.testing.assert_allclose(image.data, BIAS + 45 * RATE, rtol=1e-5)
    factors = np.array([factor for _, factor in plan.parts])
    np.testing.assert_allclose(image.variance, 4 * np.sum(factors**2), rtol=1e-5)
    assert image.meta.exposure == 45.0
    assert image.meta.kind is Kind.MASTER_DARK
    assert has(image.flags[0, 0], Flag.HOT)[[0, 10]].all()
    assert "interpolated dark" in image.history[0]
    assert "from darks of 0, 10, 30, 60, 120 s" in plan.notes[0]
    assert "extrapolated" not in plan.notes[0]


def test_one_exposure_alone_gives_no_line():
    assert dark_of_exposure(memory_frame("light", exposure=45.0), [dark(60.0)], None) is None


def test_beyond_the_longest_it_says_so():
    plan = dark_of_exposure(memory_frame("light", exposure=600.0), [dark(60.0), dark(120.0)], None)
    assert "600 s lies outside: extrapolated" in plan.notes[0]


def test_a_dark_of_another_temperature():
    light = memory_frame("light", exposure=60.0, set_temperature=-6.0)
    plan = dark_of_temperature(light, [dark(60.0, t) for t in (-20.0, -10.0, 0.0, 10.0)])
    assert [part.like.meta.set_temperature for part, _ in plan.parts] == [-10.0, 0.0]
    image = mix(plan, [image_of(part) for part, _ in plan.parts])
    np.testing.assert_allclose(image.data, BIAS + 60 * RATE * 2 ** (4 / 6), rtol=1e-5)


def test_factors_of_temperatures_keep_the_bias():
    for at in (-30.0, -10.0, -3.0, 20.0):
        assert sum(temperature_factors(-10.0, 2.0, at)) == pytest.approx(1.0)


def test_one_temperature_alone_is_not_enough():
    assert dark_of_temperature(memory_frame("l", exposure=60.0, set_temperature=-6.0), [dark(60.0)]) is None
