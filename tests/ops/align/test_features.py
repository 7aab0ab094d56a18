"""Transforms from textures, for what shows no stars."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from firstlight.errors import FrameError
from firstlight.ops.align.features import match_features

SHAPE = (360, 420)


def surface(seed=1):
    """Like the Moon: light and dark at all scales."""
    rng = np.random.default_rng(seed)
    big = sum(gaussian_filter(rng.normal(0, 1, (600, 700)), s) * s**1.3 for s in (1.5, 3, 6, 12, 24))
    return 1000 + 400 * big / big.std()


def view(degrees, scale, x, y, noise=5.0, seed=2):
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    matrix = np.array([[c, s], [-s, c]])
    offset = np.array([300 + y, 350 + x]) - matrix @ (np.array(SHAPE) / 2)
    plane = affine_transform(surface(), matrix, offset, SHAPE, order=3)
    return (plane + np.random.default_rng(seed).normal(0, noise, SHAPE)).astype(np.float32)


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (12, 1.0), (180, 1.0), (-70, 1.1)])
def test_finds_shift_turn_and_scale(degrees, scale):
    found = match_features(view(degrees, scale, 9.3, -14.6), view(0, 1.0, 0, 0, seed=3)).transform
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    corners = np.array([[50.0, 50.0], [370.0, 50.0], [50.0, 310.0], [370.0, 310.0]])
    middle = np.array(SHAPE[::-1]) / 2
    # affine_transform works on (row, column): the turn is the other way round for (x, y).
    expected = (corners - middle) @ np.array([[c, -s], [s, c]]).T + middle + [9.3, -14.6]
    assert np.hypot(*(found(corners) - expected).T).max() < 1.0


def test_noise_has_nothing_in_common():
    rng = np.random.default_rng(5)
    with pytest.raises(FrameError, match="features"):
        match_features(*(rng.normal(0, 1, SHAPE).astype(np.float32) for _ in range(2)))
