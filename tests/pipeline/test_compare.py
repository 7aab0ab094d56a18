import numpy as np
import pytest

from firstlight.pipeline.compare import _response, diagonal_noise
from firstlight.pipeline.mosaic import Colours


def test_gradients_and_stars_do_not_count():
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[:300, :300]
    plane = rng.normal(0, 5, (300, 300)) + 0.5 * xx - 0.2 * yy + 200 * np.sin(xx / 60) * np.cos(yy / 70)
    for _ in range(15):
        y, x = rng.uniform(0, 300, 2)
        plane += 3000 * np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / 4)
    assert diagonal_noise(plane) == pytest.approx(5, rel=0.05)


def test_too_small_a_plane_gives_no_number():
    assert np.isnan(diagonal_noise(np.zeros((5, 5))))


def test_smoothing_is_known():
    assert _response(None, "nearest", (0.0, 0.0))[1][0] == pytest.approx(1, rel=0.02)
    # A bilinear half-pixel shift leaves half of the differences along x.
    assert _response(None, "bilinear", (0.5, 0.0))[0][0] == pytest.approx(0.25, rel=0.03)
    assert _response(None, "lanczos3", (0.5, 0.5))[0][0] < 0.9
    assert len(_response(Colours("RGGB", "bilinear"), "lanczos3", (0.3, 0.1))[0]) == 3
