"""Growth of rejections against a box filter."""

import numpy as np
import pytest
from scipy import ndimage

from firstlight.kernels import grow as kernels
from firstlight.ops.stack.grow import Verdict, unpacked


def packed(told):
    """Booleans (..., x) as words of 64 columns."""
    full = np.zeros((*told.shape[:-1], -(-told.shape[-1] // 64) * 64), bool)
    full[..., : told.shape[-1]] = told
    return np.packbits(full, axis=-1, bitorder="little").view(np.uint64)


@pytest.mark.parametrize("reach", [1, 2, 3, 7])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (17, 23), (40, 64), (9, 150), (6, 128)])
def test_equals_a_box_filter(shape, reach):
    rng = np.random.default_rng(reach)
    told = rng.choice([0, 1, 2], (4, *shape), p=[0.85, 0.05, 0.1])
    told[3] = 0
    told[3, 0, 0] = 2
    verdict = Verdict.blank(4, shape)
    verdict.samples[:] = packed(np.array([told == 1, told == 2]))
    pixels = verdict.grow(reach)
    box = np.ones((2 * reach + 1, 2 * reach + 1))
    many = np.array([ndimage.convolve((plane == 2) * 1, box, mode="constant") for plane in told]) >= 2 * reach
    np.testing.assert_array_equal(unpacked(verdict.grown, shape[1]), many)
    np.testing.assert_array_equal(verdict.grown, packed(many))
    np.testing.assert_array_equal(pixels, np.flatnonzero(many.any(axis=0)))


def test_crowds_are_counted():
    verdict = Verdict.blank(1, (15, 70))
    verdict.samples[1] = packed(np.ones((1, 15, 70), bool))
    verdict.grow(7)
    assert unpacked(verdict.grown, 70).all()


@pytest.mark.parametrize("order", ["=f4", ">f4"])
def test_samples_without_what_was_rejected(order):
    rng = np.random.default_rng(5)
    cube = rng.normal(0, 1, (6, 12, 80)).astype(order)
    cube[rng.random(cube.shape) < 0.1] = np.nan
    cube[2, 3, 4] = np.inf
    told = rng.choice([0, 1, 2], (6, 9, 70), p=[0.7, 0.1, 0.2])
    verdict = Verdict.blank(6, (9, 70))
    verdict.samples[:] = packed(np.array([told == 1, told == 2]))
    grown = rng.random(told.shape) < 0.3
    verdict.grown[:] = packed(grown)
    pixels = np.flatnonzero(rng.random((9, 70)) < 0.5)
    samples = np.empty((6, pixels.size), order)
    more, hits = np.zeros(pixels.size, np.int32), np.zeros(6, np.int64)
    swapped = not cube.dtype.isnative
    kernels.collect(cube.view(np.uint32).reshape(-1), np.arange(6) * 960, 80, swapped, 2, 5, verdict.samples,
                    verdict.grown, *np.divmod(pixels, 70), 3, samples.view(np.uint32), more, hits)  # fmt: skip
    inner = cube[:, 2:11, 5:75].astype(float)
    finite = np.isfinite(inner)
    beside = finite & (told == 0) & grown
    left = np.where((told != 0) | beside, np.nan, inner).reshape(6, -1)[:, pixels]
    np.testing.assert_array_equal(samples.astype(float), left)
    enough = np.isfinite(left).sum(axis=0) >= 3
    beside = beside.reshape(6, -1)[:, pixels]
    np.testing.assert_array_equal(more, np.where(enough, beside.sum(axis=0), -1))
    np.testing.assert_array_equal(hits, beside[:, enough].sum(axis=1))
