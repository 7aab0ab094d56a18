"""Cut-outs keep pixels, plate and mosaic."""

import numpy as np

from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.align.cut_out import cut_out
from firstlight.ops.align.sky_target import SkyGrid, sky_of

PLAIN = SkyGrid.around(150.0, 60.0, 2.0, (120, 90), rotation=25.0).plate


def test_cut_out_moves_plate_and_mosaic():
    image = Image(np.random.default_rng(0).normal(0, 1, (90, 120)), plate=PLAIN, meta=Meta(cfa="RGGB"))
    part = cut_out(image, (31, 20, 61, 500))
    assert part.shape == (1, 70, 30)
    assert np.array_equal(part.data, image.data[:, 20:, 31:61])
    assert part.meta.cfa == "GRBG"
    assert np.allclose(sky_of(part.plate, np.array([[0.0, 0.0]])), sky_of(PLAIN, np.array([[31.0, 20.0]])))
