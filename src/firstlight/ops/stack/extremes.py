"""The lowest or the highest of all frames in each pixel, or how far they stand off the sky."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firstlight.ops.stack.factors import extreme_factors

if TYPE_CHECKING:
    from firstlight.ops.stack.combine import FrameTerms


def extreme(cube: np.ndarray, method: str, terms: FrameTerms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lowest, highest, or root mean square signal in sigma, of a cube (n, ...): value, variance, and samples behind it.

    >>> from firstlight.ops.stack.combine import FrameTerms
    >>> value, variance, kept = extreme(np.array([[1.0], [4.0]], np.float32), "max", FrameTerms.equal(2, noise=1.0))
    >>> float(value[0]), round(float(variance[0]), 2), int(kept[0])
    (4.0, 0.68, 2)
    """
    flat = cube.reshape(len(cube), -1)
    n, size = flat.shape
    result = np.full(size, np.float32(np.nan))
    kept = np.zeros(size, np.int32)
    for i in range(n):
        sample = flat[i] * terms.gain[i] + terms.zero[i]
        finite = np.isfinite(sample)
        kept += finite
        if method == "chi2":
            sample = (sample - np.float32(terms.level)) ** 2 / terms.noise[i]
            result = np.where(finite, np.where(kept > 1, result, np.float32(0.0)) + sample, result)
        else:
            sample[~finite] = np.nan
            (np.fmin if method == "min" else np.fmax)(result, sample, out=result)
    with np.errstate(invalid="ignore", divide="ignore"):
        if method == "chi2":
            result = np.sqrt(result / kept)
            # Of a noncentral chi of signal s in units of sigma: from 1 / 2n without a signal to 1 / n for a strong one.
            square = np.maximum(result**2 - 1, 0)
            variance = ((1 + 2 * square) / (2 * kept * (1 + square))).astype(np.float32)
        else:
            signal = np.maximum(result - np.float32(terms.level), 0)
            noise = np.mean(terms.noise) + np.mean(terms.photons) * signal
            variance = (noise * extreme_factors(n)[kept] ** 2).astype(np.float32)
    variance[kept == 0] = np.nan
    return result, variance, kept
