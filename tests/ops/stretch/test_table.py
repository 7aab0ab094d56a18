"""Curves in straight pieces: right to a millionth, rising where the curve rises, the same wherever a pixel lies."""

import numpy as np
import pytest

from firstlight.ops.stretch import curves, gamma, ghs, srgb
from firstlight.ops.stretch.bends import Direct, Tabled, bend_of
from firstlight.ops.stretch.table import tabulated

NOTHING = np.empty(0, np.float32)
CURVES = [
    *((gamma.curve, gamma.Gamma(gamma=g), float(g < 1)) for g in (0.05, 0.5, 2.2, 20)),
    *((gamma.inverse, gamma.Gamma(gamma=g), float(g > 1)) for g in (0.5, 2.2)),
    *((srgb.bent, srgb.Srgb(inverse=back), 0.0) for back in (False, True)),
    *(
        (ghs.curve, ghs.Ghs(stretch=s, focus=b, symmetry=sp), sp)
        for s in (0.0, 3.0, 10.0)
        for b in (-5.0, 0.0, 15.0)
        for sp in (0.0, 0.02, 0.6)
    ),
    (ghs.inverse, ghs.Ghs(stretch=3, focus=5, symmetry=0.1), 1.0),
    (curves.curve, curves.Curves(), 0.0),
    (curves.curve, curves.Curves(points="0/0.2/0.5/0.21/1/0.9"), 0.0),
]


def bent(bend, levels, noise=NOTHING):
    out, spread = np.empty_like(levels), np.empty(noise.shape, np.float32)
    bend.on(levels, np.float32(1), noise, out, spread)
    return out, spread


def levels_of(centre):
    """Levels at all distances from the centre, evenly and in powers of two, and beyond both ends."""
    near = np.concatenate([np.geomspace(1e-12, 1, 100_000), np.linspace(0, 1, 100_000)])
    return np.sort(np.concatenate([centre + near, centre - near, [-5, 5]])).astype(np.float32)


@pytest.mark.parametrize(("curve", "p", "centre"), CURVES, ids=lambda value: getattr(value, "__qualname__", str(value)))
def test_right_to_a_millionth_and_rising(curve, p, centre):
    bend = bend_of(curve, p, centre=centre)
    assert isinstance(bend, Tabled)
    levels = levels_of(centre)
    shown, _ = bent(bend, levels)
    true = curve(np.clip(levels.astype(np.float64), 0, 1), p)
    assert np.abs(shown - true).max() < 1e-6
    assert np.diff(shown).min() >= 0


def test_a_pixel_has_the_same_bits_wherever_it_lies():
    bend = bend_of(ghs.curve, ghs.Ghs(stretch=5, focus=2, symmetry=0.1), centre=0.1)
    levels = np.random.default_rng(1).random(5000).astype(np.float32)
    noise = np.full(5000, 1e-4, np.float32)
    whole, spread = bent(bend, levels, noise)
    for first, last in ((0, 1), (17, 1041), (1500, 1523), (4990, 5000)):
        part, of_part = bent(bend, levels[first:last], noise[first:last])
        np.testing.assert_array_equal(part, whole[first:last])
        np.testing.assert_array_equal(of_part, spread[first:last])


def test_the_variance_is_that_of_half_the_step_over_two_sigma():
    p = ghs.Ghs(stretch=4, focus=1, symmetry=0.2)
    levels = np.linspace(0, 1, 3000, dtype=np.float32)
    noise = np.full(3000, 1e-4, np.float32)
    _, spread = bent(bend_of(ghs.curve, p, centre=0.2), levels, noise)
    step = 0.5 * (ghs.curve(levels.astype(float) + 0.01, p) - ghs.curve(levels.astype(float) - 0.01, p))
    np.testing.assert_allclose(np.sqrt(spread), step, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_reads_nothing_outside_the_table(value):
    levels = np.full(40, value, np.float32)
    shown, _ = bent(bend_of(gamma.curve, gamma.Gamma()), levels)
    if np.isnan(value):
        assert np.isnan(shown).all()
    else:
        assert (shown == (value > 0)).all()


def test_a_curve_too_steep_for_a_table_is_computed():
    p = curves.Curves(points="0.1/0/0.11/0.9/1/1")
    bend = bend_of(curves.inverse, p, 0.0, 1.0, 0.0)
    assert isinstance(bend, Direct)
    levels = np.linspace(0, 1, 60_000, dtype=np.float32)
    shown, spread = bent(bend, levels, np.full(60_000, 1e-6, np.float32))
    np.testing.assert_allclose(shown, curves.inverse(levels, p), atol=1e-7)
    assert spread.min() >= 0


def test_of_a_relative_table_small_values_have_as_many_digits():
    table = tabulated(lambda x: 1 / (1 + x * x), 0.0, 1000.0, 0.0, relative=True)
    from firstlight.kernels.lookup import look_up

    distances = np.geomspace(1e-6, 1000, 4096).astype(np.float32)
    found = distances.copy()
    look_up(found, len(found), *table.grid)
    np.testing.assert_allclose(found, 1 / (1 + distances.astype(float) ** 2), rtol=5e-7)
