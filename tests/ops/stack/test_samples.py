"""Frames that lie anywhere are combined like those of a cube."""

import numpy as np
import pytest

from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube
from firstlight.ops.stack.samples import BIG_ENDIAN, Samples

METHODS = ("mean", "median", "sigma", "winsorized", "linear", "esd", "averaged", "weighted-median", "adaptive", "max")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ["=f4", BIG_ENDIAN])
def test_scattered_frames(method, order):
    rng = np.random.default_rng(3)
    cube = rng.normal(500, 10, (9, 12, 75)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.01] += 400
    terms = FrameTerms.equal(9, 100.0)
    memory = np.zeros(20_000, order)
    starts = rng.permutation(9) * 2000 + rng.integers(0, 1000, 9)
    for start, frame in zip(starts, cube):
        memory[start : start + frame.size] = frame.reshape(-1)
    samples = Samples(memory.view(np.uint32), starts, (12, 75), not memory.dtype.isnative)
    np.testing.assert_array_equal(samples.cube(), cube)
    np.testing.assert_array_equal(samples.row(4), cube[:, 4])
    one, other = (combine_cube(each, Combine(method=method), terms) for each in (cube, samples))
    for name in ("mean", "variance", "kept", "rejected_low", "rejected_high", "hits"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
