"""What the seeing of a frame may do to its samples, so that no rejection takes it for an outlier.

Where the image is flat, a sample differs from the others by noise alone. On a star the frames differ by their seeing,
guiding and registration too: at the core of a star a frame of 2.5 px FWHM stands 70 % above one of 3.25 px, hundreds
of sigma. Limits that do not know this eat star cores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.kernels import steep

FWHM_PER_SIGMA = 2.3548
BEND = 1.5
"""Share of what a Gaussian's core predicts for the seeing of a frame that is tolerated."""
SWAY = 0.25
"""Part of the step to a neighbouring pixel that any frame may be off: registration, guiding. Twice as much would save
the last 0.1 % of stars where frames are 0.1 px off, but hide trails up to a third as bright as the star they cross."""
SWAY_UNSEEN = 0.6
"""The same for limits that do not grow with the scatter of the samples."""
WING = 10.0
"""Weight of the slope beside the Laplacian outside of cores, over the width (sigma, px) of the stars."""
MEAN_OF_GROUPS = 1.435
"""Variance of the median of five means over that of the mean of all."""


@dataclass(frozen=True, eq=False)
class Guard:
    """Tolerances of a cube: frame i may be off by ``bend[i] * curve`` to one side and ``sway[i] * slope`` to both."""

    bend: np.ndarray
    """float32 (n,), px^2."""
    sway: np.ndarray
    """float32 (n,), px."""
    slope: np.ndarray
    """float32 (m,): largest step to a neighbouring pixel."""
    curve: np.ndarray
    """float32 (m,): Laplacian, unit per px^2."""

    @classmethod
    def none(cls, n: int, size: int) -> Guard:
        """Nothing is tolerated beyond the limits."""
        return cls(*(np.zeros(k, np.float32) for k in (n, n, size, size)))


def guard_stars(
    cube: np.ndarray,
    seeing: np.ndarray,
    gain: np.ndarray,
    zero: np.ndarray,
    model: tuple[float, float, float],
    inner: tuple[slice, slice],
    bend: float = BEND,
    sway: float = SWAY,
) -> Guard:
    """Tolerances for the stars of a cube.

    Parameters
    ----------
    cube : ndarray
        float32 (n, y, x), C-contiguous; a pixel around ``inner`` makes the result independent of how a stack is cut.
    seeing : ndarray
        (n,) FWHM of the stars of each frame, px; NaN where it is not known (taken for the median).
    model : (noise, photons, level)
        The variance of one sample after ``gain`` and ``zero`` is ``noise + photons * (sample - level)``.
    inner : tuple of slices
        Rows and columns to make tolerances for.
    bend, sway : float
        See the constants.

    Notes
    -----
    A frame whose PSF is wider by d in variance differs from the others by ``d / 2`` times the Laplacian of the image
    (a Gaussian obeys the heat equation). With ``d / 2 = s0^2 / 2 * (1 - s0^2 / s^2)`` this is exact at the core of a
    Gaussian star for any s. The image that it is taken from is a median of five means of frames, and only what
    stands above its noise counts.
    """
    n = len(cube)
    plane = np.empty(cube.shape[1:], np.float32)
    steep.median_of_means(cube.reshape(n, -1), gain, zero, plane.reshape(-1))
    share = MEAN_OF_GROUPS / n
    noise, photons, level = model
    bends, sways, wing = tolerances(seeing, bend, sway)
    slope, curve = np.empty_like(plane), np.empty_like(plane)
    steep.steepness(plane, *map(np.float32, (share * noise, share * photons, level, wing)), slope, curve)
    return Guard(
        bends,
        sways,
        np.ascontiguousarray(slope[inner]).reshape(-1),
        np.ascontiguousarray(curve[inner]).reshape(-1),
    )


def tolerances(seeing: np.ndarray, bend: float = BEND, sway: float = SWAY) -> tuple[np.ndarray, np.ndarray, float]:
    """``bend`` and ``sway`` of each frame (see `Guard`), and the weight of the slope beside the Laplacian."""
    variance = (np.asarray(seeing, np.float64) / FWHM_PER_SIGMA) ** 2
    usual = float(np.nanmedian(variance)) if np.isfinite(variance).any() else 1.0
    ratio = np.clip(usual / np.where(np.isfinite(variance), variance, usual), 0.05, 20.0)
    bends = (bend * 0.5 * usual * (1.0 - ratio)).astype(np.float32)
    return bends, np.full(len(bends), sway, np.float32), WING / np.sqrt(usual)
