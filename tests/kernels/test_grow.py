"""Growth of rejections against a box filter."""

import numpy as np
import pytest
from scipy import ndimage

from firstlight.ops.stack.grow import Verdict


@pytest.mark.parametrize("reach", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (17, 23), (40, 64)])
def test_equals_a_box_filter(shape, reach):
    rng = np.random.default_rng(reach)
    told = rng.choice([0, 1, 2], (4, *shape), p=[0.85, 0.05, 0.1]).astype(np.uint8)
    told[3] = 0
    told[3, 0, 0] = 2
    verdict = Verdict.blank(4, shape)
    verdict.samples[:, : told[0].size] = told.reshape(4, -1)
    within = (slice(1, 4), slice(0, 2))
    pixels, hits = verdict.grow(reach, within)
    box = np.ones((2 * reach + 1, 2 * reach + 1))
    many = np.array([ndimage.convolve((plane == 2) * 1, box, mode="constant") for plane in told]) >= 2 * reach
    found = verdict.samples[:, : told[0].size].reshape(told.shape)
    np.testing.assert_array_equal(found & 4 != 0, many)
    np.testing.assert_array_equal(found & 3, told)
    np.testing.assert_array_equal(pixels, np.flatnonzero(many.any(axis=0)))
    np.testing.assert_array_equal(hits, (told != 0)[:, *within].sum(axis=(1, 2)))
    assert (verdict.samples[:, told[0].size :] == 0).all()
