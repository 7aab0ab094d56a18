"""How much of a dark is in a light: found in the pixels, for cameras whose temperature wanders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

WINDOW = 1024
"""Px: side of the central window that is looked at, at most."""
MOST = 4.0
"""Greatest scale, in units of the one that the exposures give: 12 C of warming."""
TOLERANCE = 1e-3
"""Of the scale that the exposures give."""
KEPT = 0.98
"""Part of the pixels that counts for the noise: what stands out most is stars, not dark current."""
GOLDEN = (np.sqrt(5.0) - 1) / 2


def find_dark_scale(
    light: np.ndarray, thermal: np.ndarray, start: float, step: int, method: Literal["noise", "entropy"]
) -> float:
    """The factor k for which ``light - k thermal`` is smoothest.

    Parameters
    ----------
    light : array (channels, y, x), adu, bias subtracted
    thermal : array of the same shape: the dark without its bias
    start : float
        The factor that the exposures give; k is looked for between 0 and four times this.
    step : int
        Distance of pixels of one colour.
    method : str
        ``noise``: the scatter of each pixel against its neighbours, without what stands out most (stars). ``entropy``:
        Shannon's entropy of the same differences (Goesele et al. 2001, "Entropy-based dark frame subtraction").

    Returns
    -------
    float
        To a thousandth of ``start``. ``start`` itself where the dark holds no pattern to judge by.

    Notes
    -----
    Both look at differences between neighbours: stars, nebulae and gradients are smooth there, hot pixels are not.
    Wrong for sensors with amplifier glow, which does not grow as dark current does.
    """
    d_light, d_thermal = _differences(light, step), _differences(thermal, step)
    usable = np.isfinite(d_light) & np.isfinite(d_thermal)
    d_light, d_thermal = d_light[usable], d_thermal[usable]
    # Where the dark is even, a pixel says nothing of the scale and only adds noise.
    spread = 1.4826 * np.median(np.abs(d_thermal)) if d_thermal.size else 0.0
    telling = np.abs(d_thermal) > 4 * spread
    if np.count_nonzero(telling) < 50:
        return start
    d_light, d_thermal = d_light[telling], d_thermal[telling]
    cost = _noise if method == "noise" else _entropy
    return _golden(lambda k: cost(d_light - k * d_thermal), 0.0, MOST * start, TOLERANCE * start)


def central(shape: tuple[int, int, int]) -> tuple[slice, slice]:
    """Rows and columns of the window in the middle, beginning at an even pixel."""
    return tuple(  # type: ignore[return-value]
        slice(first := max((size - WINDOW) // 2, 0) // 2 * 2, first + min(size, WINDOW)) for size in shape[1:]
    )


def _differences(planes: np.ndarray, step: int) -> np.ndarray:
    """Each pixel against the mean of its neighbours of the same colour in the row."""
    values = planes.astype(np.float64)
    inner = values[:, :, step:-step]
    return inner - 0.5 * (values[:, :, : -2 * step] + values[:, :, 2 * step :])


def _noise(values: np.ndarray) -> float:
    size = np.sort(np.abs(values))[: max(int(KEPT * values.size), 1)]
    return float(np.sqrt(np.mean(size**2)))


def _entropy(values: np.ndarray) -> float:
    middle = np.median(values)
    # Bins a fifth of the interquartile range of the best case would depend on k: 256 bins over a fixed range do not.
    low, high = middle - 400.0, middle + 400.0
    counts, _ = np.histogram(np.clip(values, low, high), bins=256, range=(low, high))
    share = counts[counts > 0] / values.size
    return float(-np.sum(share * np.log(share)))


def _golden(cost: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Minimum by a coarse look and then golden section: the entropy has ripples."""
    grid = np.linspace(low, high, 33)
    best = int(np.argmin([cost(float(k)) for k in grid]))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, 32)])
    one, two = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    f_one, f_two = cost(one), cost(two)
    while high - low > tolerance:
        if f_one < f_two:
            high, two, f_two = two, one, f_one
            one = high - GOLDEN * (high - low)
            f_one = cost(one)
        else:
            low, one, f_one = one, two, f_two
            two = low + GOLDEN * (high - low)
            f_two = cost(two)
    return 0.5 * (low + high)
