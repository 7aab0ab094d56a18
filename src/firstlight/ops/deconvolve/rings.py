"""Dark rings around what was sharpened."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.blur import blur_rows
from firstlight.ops.deconvolve.blur import Blur

AROUND = 2.0
"""FWHM of the blur: so far rings lie from what they surround."""


def fill_rings(sharp: np.ndarray, light: np.ndarray, blur: Blur, share: float, slack: float) -> None:
    """Lift, in place, what lies below all that lay around it before, and lower what stands above by as much light.

    The lowest of the blurred light within two FWHM of the blur: further in it would be the skirts of a star, which
    ought to be gathered. What is less than ``slack`` below it is noise. The light that fills a ring is taken from what
    stands above that level within two FWHM of it, in proportion: from the star that took too much.
    """
    from scipy.ndimage import minimum_filter

    reach = ring_reach(blur)
    lowest = minimum_filter(blur(light), 2 * reach + 1, mode="nearest")
    lowest -= np.float32(slack)
    excess = sharp - lowest
    lacking = np.maximum(-excess, 0)
    if not lacking.any():
        return
    lacking *= np.float32(share)
    np.maximum(excess, 0, out=excess)
    around = np.full((1, 2 * reach + 1), 1 / (2 * reach + 1), np.float32)

    def spread(plane: np.ndarray) -> np.ndarray:
        out = np.empty_like(plane)
        blur_rows(plane, around, around, 0, len(plane), out)
        return out

    there = spread(excess)
    taken = np.divide(lacking, there, out=np.zeros_like(there), where=there > 0)
    taken = np.minimum(spread(taken), 1)
    sharp += lacking
    sharp -= np.multiply(excess, taken, out=taken)


def ring_reach(blur: Blur) -> int:
    """px."""
    return max(round(AROUND * fwhm_of(blur)), 1)


def fwhm_of(blur: Blur) -> float:
    """Diameter of a disc that holds the pixels above half of the peak, px."""
    return float(2 * np.sqrt(np.count_nonzero(blur.kernel >= 0.5 * blur.kernel.max()) / np.pi))
