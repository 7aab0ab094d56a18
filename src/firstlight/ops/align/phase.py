"""Shift between two planes from the phases of their Fourier transforms."""

from __future__ import annotations

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.registration import Registration, Transform

CLEAR_PEAK = 1.6
"""The correlation peak must stand this factor above the next highest one."""
SHARPEST = 1.2
"""Sigma of the low pass, px: what is sharper (pixels, noise) takes no part."""


def phase_correlate(plane: np.ndarray, reference: np.ndarray) -> Registration:
    """Find the shift that takes positions of ``plane`` to those of ``reference``.

    The cross-power spectrum is normalised, weighted by a Gaussian low pass, and its peak located to a fraction of a
    pixel (Kuglin & Hines 1975; a Gaussian through the peak and its neighbours). Only a shift is found: no rotation or
    scale. Pixels that are not finite count as sky; single bright pixels are levelled first, so that hot pixels, which
    do not move with the sky, do not decide.

    Parameters
    ----------
    plane, reference : float32 (y, x) of equal shape; not changed.

    Raises
    ------
    FrameError
        The shapes differ, or no peak stands clearly above the others.

    >>> rng = np.random.default_rng(1)
    >>> sky = np.kron(rng.random((32, 32)) ** 20, np.ones((4, 4)))
    >>> registration = phase_correlate(sky, np.roll(sky, (3, -5), axis=(0, 1)))
    >>> registration.transform.matrix[:2, 2].round(1).tolist()
    [-5.0, 3.0]
    """
    from scipy import fft

    if plane.shape != reference.shape or plane.ndim != 2:
        raise FrameError(
            f"phase correlation: planes of shape {plane.shape} and {reference.shape}; both must be (y, x) and equal"
        )
    spectra = [fft.rfft2(_prepared(each)) for each in (reference, plane)]
    cross = spectra[0] * spectra[1].conj()
    strength = np.abs(cross)
    if not strength.max() > 0:
        raise FrameError("phase correlation: a plane is the same everywhere; it shows nothing to align")
    height, width = plane.shape
    fy = fft.fftfreq(height)[:, None]
    fx = fft.rfftfreq(width)[None, :]
    low_pass = np.exp(-2 * (np.pi * SHARPEST) ** 2 * (fx**2 + fy**2))
    # A floor keeps frequencies that hold only noise from counting in full.
    whitened = cross / (strength + 1e-3 * strength.max() * low_pass.mean() + 1e-30) * low_pass
    surface = fft.irfft2(whitened, s=plane.shape)
    row, column = np.unravel_index(int(np.argmax(surface)), surface.shape)
    peak = float(surface[row, column])
    around = (np.arange(-6, 7) + row) % height, (np.arange(-6, 7) + column) % width
    others = surface.copy()
    others[np.ix_(*around)] = -np.inf
    next_best = float(others.max())
    if not peak > CLEAR_PEAK * next_best:
        raise FrameError(
            f"phase correlation: the best shift stands {peak / max(next_best, 1e-30):.2f} times above the next; "
            f"{CLEAR_PEAK:g} times is needed to trust it"
        )
    dy = row + _vertex(surface[[row - 1, row, (row + 1) % height], column])
    dx = column + _vertex(surface[row, [column - 1, column, (column + 1) % width]])
    shift = [(d + n / 2) % n - n / 2 for d, n in ((dx, width), (dy, height))]
    return Registration(Transform.of_shift(*shift), 0, 0.0, "phase")


def _prepared(plane: np.ndarray) -> np.ndarray:
    """Sky at zero, outstanding pixels levelled, edges faded out; float32."""
    from scipy.ndimage import uniform_filter

    plane = np.asarray(plane, dtype=np.float32)
    finite = np.isfinite(plane)
    middle = float(np.median(plane[finite])) if finite.any() else 0.0
    plane = np.where(finite, plane, np.float32(middle))
    ring = [np.roll(plane, step, axis) for axis in (0, 1) for step in (-1, 1)]
    # A pixel far above the highest of its neighbours is no star.
    top = np.maximum.reduce(ring)
    spread = 1.4826 * float(np.median(np.abs(plane - middle)))
    plane = np.where(plane > top + 3 * spread, top, plane)
    plane = plane - uniform_filter(plane, size=[max(3, n // 8) for n in plane.shape], mode="nearest")
    # Stars differ in brightness more than the phases should feel.
    plane = np.arcsinh(plane / (3 * spread)) if spread > 0 else plane
    fade = [_taper(n) for n in plane.shape]
    return (plane * fade[0][:, None] * fade[1][None, :]).astype(np.float32)


def _taper(length: int) -> np.ndarray:
    """Flat in the middle, cosine over an eighth at each end."""
    distance = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(8 * distance / length, 0, 1))


def _vertex(samples: np.ndarray) -> float:
    """Offset of the maximum of a Gaussian through three samples; of a parabola where one is not positive."""
    before, centre, after = (float(v) for v in samples)
    if min(before, centre, after) > 0:
        before, centre, after = np.log([before, centre, after])
    curve = 2 * centre - before - after
    return 0.5 * (after - before) / curve if curve > 0 else 0.0
