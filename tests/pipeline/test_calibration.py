"""The fast path of calibration: A1, and pixel for pixel the slow one."""

import numpy as np
import pytest

from firstlight.library.build import Master
from firstlight.library.plans import Assignment, MasterPlan
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Kind
from firstlight.pipeline.calibration import compile_calibration
from memory_frame import memory_frame

SHAPE = (60, 70)


def truth():
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    sky = 500 + 2.0 * xx + 4000 * np.exp(-((xx - 30) ** 2 + (yy - 25) ** 2) / 8)
    bias = 1000 + rng.normal(0, 4, SHAPE)
    dark = np.abs(rng.normal(20, 5, SHAPE))
    flat = 1 - 0.2 * ((xx - 35) ** 2 + (yy - 30) ** 2) / 2000
    flat /= flat.mean()
    return sky, bias, dark, flat


def master(kind, data, flags=None):
    plan = MasterPlan(kind, (memory_frame(f"{kind}", kind=kind),))
    return plan, Master(plan, Image(data, flags=None if flags is None else flags[None]))


def calibration(light, bias=None, dark=None, flat=None, scale=1.0):
    given = {m[0].kind: m for m in (bias, dark, flat) if m is not None}
    table = {id(plan): built for plan, built in given.values()}
    assignment = Assignment(
        light,
        *(given[k][0] if k in given else None for k in (Kind.BIAS, Kind.DARK, Kind.FLAT)),
        dark_scale=scale,
    )
    return compile_calibration(assignment, lambda plan: table[id(plan)])


def test_true_masters_give_back_the_sky():
    sky, bias, dark, flat = truth()
    frame = memory_frame("light", (sky * flat + dark + bias).astype(np.float32))
    fast = calibration(frame, dark=master(Kind.DARK, bias + dark), flat=master(Kind.FLAT, flat))
    result = fast.band(frame, 0, SHAPE[0]).data[0]
    np.testing.assert_allclose(result, sky, rtol=1e-5)


def test_a_scaled_dark_loses_its_bias_first():
    sky, bias, dark, flat = truth()
    frame = memory_frame("light", (sky * flat + 3 * dark + bias).astype(np.float32))
    fast = calibration(
        frame,
        bias=master(Kind.BIAS, bias),
        dark=master(Kind.DARK, bias + dark),
        flat=master(Kind.FLAT, flat),
        scale=3.0,
    )
    np.testing.assert_allclose(fast.band(frame, 0, SHAPE[0]).data[0], sky, rtol=1e-5)


def test_a_dark_field_keeps_its_negative_half():
    _, bias, dark, _ = truth()
    rng = np.random.default_rng(4)
    frame = memory_frame("light", np.round(bias + dark + rng.normal(0, 8, SHAPE)).astype(np.uint16))
    result = calibration(frame, dark=master(Kind.DARK, bias + dark)).band(frame, 0, SHAPE[0]).data[0]
    assert abs(result.mean()) < 0.5
    assert 0.4 < (result < 0).mean() < 0.6


def flags_with(*where):
    flags = np.zeros(SHAPE, np.uint16)
    for y, x in where:
        flags[y, x] = Flag.HOT
    return flags


def test_bands_equal_the_whole_with_bad_pixels_at_their_borders():
    sky, bias, dark, flat = truth()
    rng = np.random.default_rng(1)
    frame = memory_frame("light", np.round(rng.poisson(sky * flat) + dark + bias).astype(np.uint16), saturation=5500.0)
    hot = [(0, 0), (9, 5), (10, 5), (11, 60), (59, 69), (30, 30)]
    fast = calibration(frame, dark=master(Kind.DARK, bias + dark, flags_with(*hot)), flat=master(Kind.FLAT, flat))
    whole = fast.band(frame, 0, SHAPE[0])
    for top, bottom in ((0, 10), (10, 11), (11, 37), (37, 60)):
        part = fast.band(frame, top, bottom)
        np.testing.assert_array_equal(part.data, whole.data[:, top:bottom])
    assert set(hot) <= set(zip(*whole.missing[0]))
    assert len(whole.saturated[0][0]) > 0


def test_not_finite_pixels_are_missing_and_do_not_spread():
    pixels = np.full(SHAPE, 100.0, np.float32)
    pixels[20, 20] = np.nan
    pixels[40, 41] = np.inf
    frame = memory_frame("light", pixels)
    band = calibration(frame).band(frame, 0, SHAPE[0])
    assert sorted(zip(*band.missing[0])) == [(20, 20), (40, 41)]
    assert (band.data == 100).all()


def test_zero_flat_is_a_bad_pixel_not_an_infinity():
    sky, bias, _dark, flat = truth()
    flat = flat.copy()
    flat[7, 8] = 0
    frame = memory_frame("light", (sky * flat + bias).astype(np.float32))
    band = calibration(frame, bias=master(Kind.BIAS, bias), flat=master(Kind.FLAT, flat)).band(frame, 0, SHAPE[0])
    assert np.isfinite(band.data).all()
    assert (7, 8) in list(zip(*band.missing[0]))


def test_fast_path_equals_the_operations():
    pytest.importorskip("firstlight.ops.calibrate.dark")
    from firstlight.ops.spec import step

    sky, bias, dark, flat = truth()
    rng = np.random.default_rng(2)
    raw = np.round(rng.poisson(sky * flat) + dark + bias).astype(np.uint16)
    frame = memory_frame("light", raw)
    hot = flags_with((12, 13), (13, 13), (40, 5), (0, 33))
    fast = calibration(frame, dark=master(Kind.DARK, bias + dark, hot), flat=master(Kind.FLAT, flat))
    image = step("cal:subtractdark")(Image(raw), Image(bias + dark, flags=hot[None]))
    image = step("cal:repair")(step("cal:divideflat")(image, Image(flat)))
    np.testing.assert_allclose(fast.band(frame, 0, SHAPE[0]).data, image.data, rtol=2e-6, atol=1e-3)
