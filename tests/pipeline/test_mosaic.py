"""The noise of debayered and resampled colours."""

import numpy as np
import pytest

from firstlight.model.registration import Transform
from firstlight.ops.align.resample import resample_tile
from firstlight.ops.calibrate.debayer import debayer_planes
from firstlight.pipeline.mosaic import Colours

COS, SIN = np.cos(np.radians(3.0)), np.sin(np.radians(3.0))
TURNED = Transform(np.array([[COS, -SIN, 30.0], [SIN, COS, -20.0], [0, 0, 1]]))


@pytest.mark.parametrize("method", ["bilinear", "superpixel", "vng"])
@pytest.mark.parametrize("forward", [Transform.of_shift(0.3, 0.7), Transform.of_shift(5.0, 2.0), TURNED])
@pytest.mark.parametrize("kernel", ["lanczos3", "bilinear"])
def test_noise_factor_is_what_noise_does(method, forward, kernel):
    mosaic = np.random.default_rng(3).standard_normal((1000, 1000), dtype=np.float32) + 100
    colours = Colours("RGGB", method)
    for channel, plane in enumerate(debayer_planes(mosaic, "RGGB", method)):
        out = np.empty_like(plane)
        resample_tile(plane, 0, plane.shape, forward, out, 0, 0, kernel=kernel)
        found = np.nanvar(out[80:-80, 80:-80], dtype=np.float64)
        assert colours.noise_factor(channel, forward, kernel, plane.shape) == pytest.approx(found, rel=0.02)
