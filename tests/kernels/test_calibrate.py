import numpy as np
import pytest

from firstlight.kernels import calibrate


@pytest.mark.parametrize("stored", [">u2", "<u2"])
def test_decodes_either_byte_order(stored):
    values = np.array([[0, 1, 255, 256, 40000, 65535]], np.uint16)
    raw = values.astype(stored)
    out = np.empty(raw.shape, np.float32)
    swapped = not raw.dtype.isnative
    calibrate.decode_uint16(raw.view(np.uint16), swapped, np.uint16(0), np.float32(1), np.float32(0), out)
    np.testing.assert_array_equal(out, values)


def test_decodes_unsigned_numbers_kept_as_signed():
    values = np.array([[0, 1, 32767, 32768, 65535]], np.int64)
    raw = (values - 32768).astype(">i2")
    out = np.empty(raw.shape, np.float32)
    calibrate.decode_uint16(raw.view(np.uint16), True, np.uint16(0x8000), np.float32(1), np.float32(0), out)
    np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize("has_offset", [True, False])
@pytest.mark.parametrize("has_gain", [True, False])
def test_correct_follows_its_formula(has_offset, has_gain):
    rng = np.random.default_rng(0)
    adu, offset, gain = (rng.normal(100, 5, (3, 40)).astype(np.float32) for _ in range(3))
    out = np.empty_like(adu)
    calibrate.correct(adu, offset, has_offset, gain, has_gain, out)
    expected = (adu - offset * has_offset) * (gain if has_gain else 1)
    np.testing.assert_allclose(out, expected, rtol=1e-6)


def test_extremes_are_found():
    adu = np.zeros((5, 70), np.float32)
    adu[1, 3] = 200
    adu[2, 69] = np.nan
    adu[4, 0] = np.inf
    assert calibrate.any_at_or_above(adu, np.float32(100))
    assert not calibrate.any_at_or_above(np.zeros((5, 70), np.float32), np.float32(100))
    ys, xs, finite = np.empty(2, np.int64), np.empty(2, np.int64), np.empty(2, np.bool_)
    assert calibrate.find_at_or_above(adu, np.float32(100), ys, xs, finite) == 3
    assert (ys.tolist(), xs.tolist(), finite.tolist()) == ([1, 2], [3, 69], [True, False])


def test_repair_takes_good_pixels_of_the_same_colour():
    mosaic = np.tile(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), (5, 5))
    mosaic[4, 4] = 900
    mosaic[4, 6] = 800
    bad = np.zeros(mosaic.shape, np.uint8)
    bad[4, 4] = bad[4, 6] = 1
    out = np.empty(2, np.float32)
    n = calibrate.repair(mosaic, bad, np.array([4, 4]), np.array([4, 6]), 2, 2, 4, out)
    assert (n, out.tolist()) == (2, [1.0, 1.0])


def test_repair_without_neighbours_keeps_the_value():
    plane = np.full((3, 3), 7.0, np.float32)
    bad = np.ones((3, 3), np.uint8)
    out = np.empty(1, np.float32)
    assert calibrate.repair(plane, bad, np.array([1]), np.array([1]), 1, 2, 4, out) == 0
    assert out[0] == 7.0


def test_luminance_of_a_mosaic_does_not_see_the_pattern():
    mosaic = np.tile(np.array([[100.0, 50.0], [50.0, 20.0]], np.float32), (10, 12))
    out = np.empty_like(mosaic)
    calibrate.smooth_mosaic(mosaic, out)
    np.testing.assert_allclose(out, 0.5 * 50 + 0.25 * 100 + 0.25 * 20, rtol=1e-6)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("has_offset", "has_gain"), [(True, True), (True, False), (False, True), (False, False)])
def test_one_pass_equals_its_parts(swapped, has_offset, has_gain):
    rng = np.random.default_rng(3)
    raw = rng.integers(0, 65536, (5, 77)).astype(np.uint16)
    offset, gain = rng.normal(1000, 5, raw.shape).astype(np.float32), rng.normal(1, 0.1, raw.shape).astype(np.float32)
    coding = (swapped, np.uint16(0x8000), np.float32(1.0), np.float32(0.0))
    adu, expected, out = (np.empty(raw.shape, np.float32) for _ in range(3))
    calibrate.decode_uint16(raw, *coding, adu)
    calibrate.correct(adu, offset, has_offset, gain, has_gain, expected)
    ys, xs = np.empty(400, np.int64), np.empty(400, np.int64)
    white = np.float32(60000)
    n = calibrate.calibrate_uint16(raw, *coding, white, offset, has_offset, gain, has_gain, out, ys, xs)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(np.column_stack([ys, xs])[:n], np.argwhere(adu >= white))
    few = np.empty(2, np.int64)
    assert calibrate.calibrate_uint16(raw, *coding, white, offset, has_offset, gain, has_gain, out, few, few) == n > 2
