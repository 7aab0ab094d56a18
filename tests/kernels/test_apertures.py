"""Shares of pixels, sums over circles and levels of rings, against photutils and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.kernels import apertures as kernels

NOTHING = np.zeros((0, 0), np.float32)
NO_FLAGS = np.zeros((0, 0), np.uint16)


def sums(plane, x, y, radii, flags=NO_FLAGS, variance=NOTHING, lost=0):
    x, y = np.atleast_1d(np.array(x, float)), np.atleast_1d(np.array(y, float))
    radii = np.array(np.broadcast_to(np.array(radii, float), (len(x), len(radii))), order="C")
    out, bits, peak = np.zeros((*radii.shape, kernels.N_SUMS)), np.zeros(radii.shape, np.uint16), np.zeros(len(x))
    kernels.sum_circles(plane, variance, flags, lost, x, y, radii, out, bits, peak)
    return out, bits, peak


def test_shares_are_those_of_photutils():
    from photutils.aperture import CircularAperture

    rng = np.random.default_rng(3)
    plane = rng.normal(50, 20, (90, 110)).astype(np.float32)
    x, y = rng.uniform(15, 90, (2, 60))
    y = np.minimum(y, 74)
    radii = [0.4, 1.0, 2.37, 5.0, 11.6]
    found, _, _ = sums(plane, x, y, radii)
    for k, radius in enumerate(radii):
        theirs, _ = CircularAperture(np.column_stack([x, y]), radius).do_photometry(plane.astype(float), method="exact")
        np.testing.assert_allclose(found[:, k, kernels.LIGHT], theirs, rtol=1e-11)


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.05, 12))
def test_shares_add_up_to_the_circle(dx, dy, radius):
    reach = int(radius) + 2
    total = sum(
        kernels.pixel_share(u - dx, v - dy, radius) for v in range(-reach, reach + 1) for u in range(-reach, reach + 1)
    )
    assert total == pytest.approx(np.pi * radius**2, rel=1e-9)


def test_the_variance_of_a_sum_has_squared_shares():
    rng = np.random.default_rng(5)
    runs = rng.normal(0, 3, (4000, 11, 11)).astype(np.float32)
    values = [sums(run, 5.3, 4.8, [3.2])[0][0, 0, kernels.LIGHT] for run in runs]
    found, _, _ = sums(runs[0], 5.3, 4.8, [3.2], variance=np.full((11, 11), 9, np.float32))
    assert found[0, 0, kernels.VARIANCE] == pytest.approx(np.var(values), rel=0.06)
    assert found[0, 0, kernels.VARIANCE] == pytest.approx(9 * found[0, 0, kernels.SQUARES])


def test_a_bad_pixel_is_taken_from_the_other_side_and_a_lost_pair_is_counted():
    y, x = np.mgrid[:21, :21]
    plane = (100 * np.exp(-((x - 10) ** 2 + (y - 10) ** 2) / 8)).astype(np.float32)
    whole, _, _ = sums(plane, 10, 10, [6.0])
    flags = np.zeros(plane.shape, np.uint16)
    flags[11, 12] = 2
    broken = plane.copy()
    broken[11, 12] = 1e6
    found, bits, peak = sums(broken, 10, 10, [6.0], flags, lost=2)
    assert found[0, 0, kernels.LIGHT] == pytest.approx(whole[0, 0, kernels.LIGHT], rel=1e-6)
    assert (found[0, 0, kernels.MENDED], bits[0, 0], peak[0]) == (1.0, 2, 100.0)
    flags[9, 8] = 2
    assert sums(broken, 10, 10, [6.0], flags, lost=2)[0][0, 0, kernels.LOST] == 2.0
    beyond = sums(plane, 1, 10, [3.0])[0]
    assert beyond[0, 0, kernels.LOST] + beyond[0, 0, kernels.AREA] == pytest.approx(np.pi * 9)


def test_rings_clip_stars_and_leave_out_what_is_excluded():
    rng = np.random.default_rng(8)
    plane = rng.normal(200, 4, (61, 61)).astype(np.float32)
    plane[40:43, 20:23] += 500
    excluded = np.zeros(plane.shape, bool)
    excluded[10:16, 20:40] = True
    plane[excluded] = 1e5
    place = np.array([30.0])
    out = np.zeros((1, kernels.N_RING))
    kernels.ring_levels(plane, excluded, place, place, np.array([8.0]), np.array([26.0]), out)
    mean, median, sigma, count = out[0]
    assert mean == pytest.approx(200, abs=4 * 4 / np.sqrt(count))
    assert median == pytest.approx(200, abs=5 * 4 / np.sqrt(count))
    assert sigma == pytest.approx(4, rel=0.06)
    assert count < np.pi * (26**2 - 8**2) - 100


def test_discs_are_those_of_the_distance():
    marked = np.zeros((30, 40), bool)
    kernels.mark_discs(np.array([12.4, 39.0]), np.array([8.8, 0.0]), np.array([5.2, 3.0]), marked)
    y, x = np.mgrid[:30, :40]
    expected = (np.hypot(x - 12.4, y - 8.8) <= 5.2) | (np.hypot(x - 39, y) <= 3)
    np.testing.assert_array_equal(marked, expected)
