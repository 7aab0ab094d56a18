"""Noise that the frames of a stack have in common: that of their masters, where the sky did not move over the sensor.

What is measured on a frame holds the noise of its dark and flat as if it were its own. Frames that are moved against
one another by a pixel or more bring the noise of one master from different pixels: it averages out like their own.
Frames that are not moved bring it from the same pixel, and the stack keeps all of it. Without dithering 6 darks add
4 % to the variance of 8 lights under a usual sky, and half as much again to that of 100.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels import shapes
from firstlight.model.registration import Transform
from firstlight.ops.align.resample import Kernel
from firstlight.pipeline.integrate import Engine

MOST = 400
"""Frames that are looked at, evenly chosen."""
PLACES = np.array([[0.5, 0.5], [0.2, 0.2], [0.8, 0.2], [0.2, 0.8], [0.8, 0.8]])
"""Of the result, as shares of its width and height, at which displacements are looked at."""
LEAST = 0.002
"""Shares of the variance below this are none."""


def common_noise(engine: Engine) -> np.ndarray | None:
    """Variance per channel (float64) that a stack has beyond what frames with noise of their own would leave it."""
    if engine.combine.method in ("min", "max", "chi2"):
        return None
    n = len(engine.contributions)
    chosen = np.unique(np.linspace(0, n - 1, min(MOST, n)).astype(int))
    parts = [engine.contributions[i] for i in chosen]
    if len(parts) < 2 or not any(p.calibration.offset_variance or p.calibration.flat_variance for p in parts):
        return None
    shared = _shared_pixels(engine, chosen)
    weights = np.array([p.weight for p in parts])
    forwards = engine.forwards()
    found, own = np.zeros(engine.channels), np.zeros(engine.channels)
    for channel in range(engine.channels):
        gains = np.array([p.gain[channel] for p in parts])
        noise = np.array([p.noise[channel] for p in parts])
        for plane, variance, scale in (
            ("offset", [p.calibration.offset_variance for p in parts], gains),
            ("gain", [p.calibration.flat_variance for p in parts], gains * [p.background[channel] for p in parts]),
        ):
            same = np.array([id(getattr(p.calibration, plane)) for p in parts])
            amplitude = weights * scale * np.sqrt(variance)
            pairs = np.where(same[:, None] == same, shared, 0.0)
            found[channel] += amplitude @ pairs @ amplitude
        smooth = np.mean([engine.smoothing(channel, forwards[i]) for i in chosen[:8]])
        found[channel] /= weights.sum() ** 2
        if engine.colours:
            # Debayered noise is smooth already.
            found[channel] *= engine.colours.noise_factor(channel, Transform.identity(), "nearest", engine.size)
        # All pairs of frames are as alike as those looked at; what is measured of each holds its own.
        found[channel] *= (1 - 1 / n) / (1 - 1 / len(parts))
        own[channel] = smooth * np.sum((weights * gains * noise) ** 2) / weights.sum() ** 2 * len(parts) / n
    if not (found > LEAST * own).any():
        return None
    return found * n**2 if engine.combine.method == "sum" else found


def _shared_pixels(engine: Engine, chosen: np.ndarray) -> np.ndarray:
    """Covariance of what each two frames make of one noise of the sensor, of variance 1, in a pixel of the result.

    The mean over the result; 0 of a frame and itself.
    """
    height, width = engine.size
    forwards = engine.forwards()
    # Whole pixels have the phase of a shift.
    places = np.floor(PLACES * [width - 1, height - 1])
    seen = np.array([forwards[i].inverse(places) for i in chosen])
    total = np.zeros((len(chosen), len(chosen)))
    for x, y in np.moveaxis(seen, 0, 2):
        total += _overlaps(engine.kernel, x) * _overlaps(engine.kernel, y)
    total /= len(PLACES)
    np.fill_diagonal(total, 0.0)
    return total


def _overlaps(kernel: Kernel, places: np.ndarray) -> np.ndarray:
    """Sum over samples of the products of their weights in the interpolation at each two of some places."""
    whole = np.floor(places + 1e-6)
    weights = shapes.weights(kernel, np.maximum(places - whole, 0.0))
    taps = whole[:, None].astype(int) + np.arange(weights.shape[1])
    samples, where = np.unique(taps, return_inverse=True)
    spread = np.zeros((len(places), len(samples)))
    np.put_along_axis(spread, where.reshape(taps.shape), weights, axis=1)
    return spread @ spread.T
