"""Displacements between two planes of texture, in patches on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIDE = 48
"""px of a patch. Its window (Hann) counts little more than the inner half."""
STEP = 24
"""px between patches; windows half over each other share a tenth of their noise."""
REACH = SIDE // 4
"""px: displacements beyond this are not believed."""
LIKENESS = 0.3
"""Correlation below which two patches show nothing in common: noise alone reaches 0.15."""
OUTLIER = 3.0
"""A displacement this many times as far from the median of its neighbours as they are themselves is left out."""
SCATTER = 0.1
"""px of scatter that neighbours may have at any rate."""


@dataclass(frozen=True, eq=False)
class Displacements:
    """What each patch of a grid shows."""

    positions: np.ndarray
    """Middles (rows, columns, 2) of the patches, px (x, y) of the planes."""
    shifts: np.ndarray
    """How much further on (rows, columns, 2) the other plane shows the same, px; NaN where it shows nothing."""
    sigma: np.ndarray
    """Error (rows, columns) of a shift along the axis of which the texture tells less, px."""

    @property
    def found(self) -> np.ndarray:
        """Boolean (rows, columns)."""
        return np.isfinite(self.shifts[..., 0])


def compare_patches(reference: np.ndarray, other: np.ndarray) -> Displacements:
    """Displacements of ``other`` against ``reference``: what lies at q on the one lies at q + shift on the other.

    Each pair of patches is correlated, and the peak found to a fraction of a pixel by a surface of second degree. Its
    error follows from the texture (the smaller eigenvalue of its structure tensor) and from what of the patches
    differs. Shifts that stray from their neighbours' are left out (Westerweel & Scarano 2005). The windows pull shifts
    towards 0 by some hundredths of themselves, which comparing anew after a correction puts right.

    Parameters
    ----------
    reference, other : float32 (y, x) of equal shape, without structure wider than a patch (`firstlight.ops.align.
        texture.texture_of`); NaN where they show nothing.
    """
    height, width = reference.shape
    tops, lefts = (np.arange(0, length - SIDE + 1, STEP) for length in (height, width))
    shape = len(tops), len(lefts)
    shifts, sigma = np.full((*shape, 2), np.nan), np.full(shape, np.inf)
    for row, top in enumerate(tops):
        strips = [plane[top : top + SIDE] for plane in (reference, other)]
        shifts[row], sigma[row] = _compare_row(*strips)
    xs, ys = np.meshgrid(lefts + (SIDE - 1) / 2, tops + (SIDE - 1) / 2)
    shifts[_strays(shifts, sigma)] = np.nan
    return Displacements(np.stack([xs, ys], axis=-1), shifts, sigma)


def _window() -> np.ndarray:
    line = np.sin(np.pi * (np.arange(SIDE) + 0.5) / SIDE) ** 2
    return np.outer(line, line).astype(np.float32)


def _compare_row(reference: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shifts (n, 2) and errors (n,) of the patches of a strip (SIDE, x)."""
    from scipy import fft

    window = _window()
    mine, theirs = _patches(reference, window), _patches(other, window)
    tensor = _least_texture(mine, window)
    mine, theirs = mine * window, theirs * window
    spectra = fft.rfft2(theirs) * fft.rfft2(mine).conj()
    rows = np.arange(-REACH - 1, REACH + 2)
    surface = fft.irfft2(spectra, s=(SIDE, SIDE))[:, rows[:, None], rows]
    shifts, peak = _peaks(surface)
    power = [np.einsum("nij,nij->n", each, each, dtype=np.float64) for each in (mine, theirs)]
    squares = float((window**2).sum())
    rest = np.maximum(power[0] + power[1] - 2 * peak, 0.0) / squares
    # Noise has gradients too: half of the variance of a plane along each axis.
    texture = tensor - 0.25 * rest * squares
    like = peak > LIKENESS * np.sqrt(power[0] * power[1])
    good = like & (texture > 0) & np.isfinite(shifts[:, 0])
    spread = float((window**4).sum()) / squares
    sigma = np.full(len(shifts), np.inf)
    sigma[good] = np.sqrt(spread * rest[good] / texture[good])
    shifts[~good] = np.nan
    return shifts, sigma


def _patches(strip: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Patches (n, SIDE, SIDE) without their mean; all 0 where a pixel is missing."""
    from numpy.lib.stride_tricks import sliding_window_view

    patches = sliding_window_view(strip, SIDE, axis=1)[:, ::STEP].transpose(1, 0, 2)
    mean = np.einsum("nij,ij->n", patches, window / window.sum())
    return np.where(np.isfinite(mean)[:, None, None], patches - mean[:, None, None], np.float32(0))


def _least_texture(patches: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The smaller eigenvalue (n,) of the summed products of the gradients."""
    down = 0.5 * (patches[:, 2:, 1:-1] - patches[:, :-2, 1:-1])
    across = 0.5 * (patches[:, 1:-1, 2:] - patches[:, 1:-1, :-2])
    weights = window[1:-1, 1:-1] ** 2
    xx, yy, xy = (
        np.einsum("nij,nij,ij->n", a, b, weights) for a, b in ((across, across), (down, down), (across, down))
    )
    return 0.5 * (xx + yy) - np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)


def _peaks(surface: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, 2) of the peaks of correlations (n, lags, lags), px, and their heights; NaN at the border."""
    n, lags, _ = surface.shape
    highest = surface.reshape(n, -1).argmax(axis=1)
    y, x = highest // lags, highest % lags
    inner = (y > 0) & (x > 0) & (y < lags - 1) & (x < lags - 1)
    y, x, each = y.clip(1, lags - 2), x.clip(1, lags - 2), np.arange(n)
    near = {(j, i): surface[each, y + j, x + i].astype(np.float64) for j in (-1, 0, 1) for i in (-1, 0, 1)}
    dx, dy = 0.5 * (near[0, 1] - near[0, -1]), 0.5 * (near[1, 0] - near[-1, 0])
    dxx, dyy = near[0, 1] + near[0, -1] - 2 * near[0, 0], near[1, 0] + near[-1, 0] - 2 * near[0, 0]
    dxy = 0.25 * (near[1, 1] + near[-1, -1] - near[1, -1] - near[-1, 1])
    curve = dxx * dyy - dxy**2
    round_top = inner & (dxx < 0) & (curve > 0)
    curve = np.where(round_top, curve, np.nan)
    offset = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1) / curve[:, None]
    offset[(np.abs(offset) > 1).any(axis=1)] = np.nan
    height = near[0, 0] + 0.5 * np.nan_to_num(offset[:, 0] * dx + offset[:, 1] * dy)
    middle = lags // 2
    return np.stack([x, y], axis=-1) - middle + offset, height


def _strays(shifts: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Boolean (rows, columns): shifts unlike those of their neighbours, and those that have none."""
    wide = np.pad(shifts, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    rows, columns, _ = shifts.shape
    around = np.stack([
        wide[j : j + rows, i : i + columns] for j in range(3) for i in range(3) if (j, i) != (1, 1)
    ])  # fmt: skip
    alone = np.isfinite(around[..., 0]).sum(axis=0) < 2
    around[:, alone] = 0.0
    middle = np.nanmedian(around, axis=0)
    apart = np.nanmedian(np.hypot(*np.moveaxis(around - middle, -1, 0)), axis=0)
    away = np.hypot(*np.moveaxis(shifts - middle, -1, 0))
    with np.errstate(invalid="ignore"):
        return alone | (away > OUTLIER * (apart + np.maximum(SCATTER, sigma)))
