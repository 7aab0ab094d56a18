"""Named matrices and single channels."""

import numpy as np
import pytest

from firstlight import step
from firstlight.model.image import Image
from firstlight.ops.color.matrix import MATRICES

PIXEL = np.array([3.0, 5.0, 7.0])
WANTED = {
    "cls": (3, 5, -0.56 * 5 + 1.96 * 7), "zworgb-o3-fix": (3, 5, 12), "sho-2-hso": (8, 1.5 + 7, 7),
    "sho-warm": (0.75 * 3 + 0.35 * 5, 0.65 * 5 + 0.35 * 7, 7), "hago": (3, 6, 7), "sho2hoo": (4, 7, 7),
    "sho2hso": (0.7 * 3 + 5, 1.5 + 4.9, 7), "rgb2hoo": (3, 12, 12),
}  # fmt: skip


@pytest.mark.parametrize("name", MATRICES)
def test_numbers_and_noise(name):
    image = Image(PIXEL[:, None, None], variance=np.ones((3, 1, 1)))
    result = step("color:matrix", name=name)(image)
    np.testing.assert_allclose(result.data.ravel(), WANTED[name], rtol=1e-6)
    np.testing.assert_allclose(result.variance.ravel(), (np.array(MATRICES[name]) ** 2).sum(axis=1), rtol=1e-6)


def test_extract_takes_a_channel_with_all_that_belongs_to_it():
    flags = np.array([1, 2, 4], np.uint16)[:, None, None]
    image = Image(PIXEL[:, None, None], flags, variance=PIXEL[:, None, None])
    for k, name in enumerate(("red", "green", "blue")):
        one = step("color:extract", channel=name)(image)
        assert (one.data.item(), one.flags.item(), one.variance.item(), one.meta.filter) == (
            PIXEL[k], 1 << k, PIXEL[k], name
        )  # fmt: skip
