"""Planes of texture, seen through displacements that are known."""

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

MARGIN = 30


def surface(shape, seed=1):
    """Like the Moon: light and dark at all scales; B-spline coefficients for `seen`."""
    rng = np.random.default_rng(seed)
    size = [n + 2 * MARGIN for n in shape]
    big = sum(gaussian_filter(rng.normal(0, 1, size), s) * s**1.3 for s in (1.3, 2.5, 5, 10, 20))
    return spline_filter(1000 + 150 * big / big.std(), order=3)


def smooth_field(shape, length, rms, seed=1):
    """Random displacements: (positions) -> (n, 2), px, correlated over ``length`` px."""
    rng = np.random.default_rng(seed)
    size = [n + 2 * MARGIN for n in shape]
    planes = [gaussian_filter(rng.normal(0, 1, size), length / 2**0.5) for _ in range(2)]
    planes = [spline_filter(p * rms / 2**0.5 / p.std(), order=3) for p in planes]

    def shifts(positions):
        places = positions[:, ::-1].T + MARGIN
        return np.stack([map_coordinates(p, places, order=3, prefilter=False) for p in planes], axis=-1)

    return shifts


def seen(scene, shape, shifts=None, noise=10.0, seed=2, gain=1.0, level=0.0):
    """A frame that shows at x what the scene holds at x + shifts(x); float32."""
    ys, xs = np.indices(shape)
    positions = np.column_stack([xs.ravel(), ys.ravel()]).astype(float)
    moved = positions + (0 if shifts is None else shifts(positions))
    plane = map_coordinates(scene, moved[:, ::-1].T + MARGIN, order=3, prefilter=False).reshape(shape)
    return (gain * plane + level + np.random.default_rng(seed).normal(0, noise, shape)).astype(np.float32)


def distances(transform, shifts, shape, margin=30):
    """How far (n,) a transform puts places of the reference's grid from where the frame shows them, frame px."""
    ys, xs = np.mgrid[margin : shape[0] - margin : 7, margin : shape[1] - margin : 7]
    target = np.column_stack([xs.ravel(), ys.ravel()]).astype(float)
    source = target.copy()
    for _ in range(40):
        source = target - shifts(source)
    return np.hypot(*(transform.inverse(target) - source).T)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))
