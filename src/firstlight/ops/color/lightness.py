"""Lightness and colour taken apart and put together: CIE L*a*b*, HSV value, linear luminance. Arrays only."""

from __future__ import annotations

import numpy as np

TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""Linear sRGB to CIE XYZ, D65 (IEC 61966-2-1)."""
WHITE = TO_XYZ.sum(axis=1)
FROM_XYZ = np.linalg.inv(TO_XYZ)
LUMINANCE = TO_XYZ[1]
EDGE = 6 / 29


def lstar(y: np.ndarray) -> np.ndarray:
    """CIE L*, 0..100, of linear luminance 0..1; straight below 0.0089, and so for negative values too.

    >>> lstar(np.array([0.0, 0.18418652, 1.0])).round(3).tolist()
    [0.0, 50.0, 100.0]
    """
    return 116 * _f(y) - 16


def with_lstar(rgb: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """Linear colours (3, ...) with their a* and b* kept and their L* replaced."""
    xyz = np.tensordot(TO_XYZ, rgb, axes=1) / _column(WHITE, rgb)
    fx, fy, fz = _f(xyz[0]), _f(xyz[1]), _f(xyz[2])
    new = (lightness + 16) / 116
    moved = np.stack([new + (fx - fy), new, new - (fy - fz)])
    return np.tensordot(FROM_XYZ, _f_inverse(moved) * _column(WHITE, rgb), axes=1)


def luminance(rgb: np.ndarray) -> np.ndarray:
    """Linear luminance (CIE Y) of linear colours (3, ...)."""
    return np.tensordot(LUMINANCE, rgb, axes=1)


def value(rgb: np.ndarray) -> np.ndarray:
    """V of HSV: the largest channel."""
    return rgb.max(axis=0)


def with_value(rgb: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Colours with hue and saturation kept and V replaced: all channels in one ratio. Black turns grey."""
    old = rgb.max(axis=0)
    lit = old > 1e-9
    return np.where(lit, rgb * (new / np.where(lit, old, 1)), new)


def _column(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    return values.reshape(-1, *[1] * (like.ndim - 1))


def _f(t: np.ndarray) -> np.ndarray:
    return np.where(t > EDGE**3, np.cbrt(np.maximum(t, EDGE**3)), t / (3 * EDGE**2) + 4 / 29)


def _f_inverse(t: np.ndarray) -> np.ndarray:
    return np.where(t > EDGE, t**3, 3 * EDGE**2 * (t - 4 / 29))
