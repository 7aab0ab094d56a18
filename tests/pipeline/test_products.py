"""Pictures of stacks."""

import numpy as np

from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.pipeline.products import make_picture


def test_four_planes_of_a_mosaic_are_shown_in_colour():
    rng = np.random.default_rng(6)
    data = rng.normal(500, 5, (4, 40, 50))
    data[[0, 1, 3], 20:24, 20:24] += np.array([4000.0, 1000.0, 3000.0])[:, None, None]
    flags = np.zeros(data.shape, np.uint16)
    flags[3, 0, 0] = Flag.NO_DATA
    picture = make_picture(Image(data, flags), "stretch:linear:white=0.6")
    assert picture.shape == (3, 40, 50)
    red, green, blue = picture.data[:, 21:23, 21:23].mean(axis=(1, 2))
    assert red == 1
    assert 0.8 < green < 1
    assert blue < 0.25
    assert picture.data[1, 0, 0] == 0
