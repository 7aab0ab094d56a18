"""Colour spaces: from and to linear sRGB. Arrays (3, ...) only.

Negative values and values above white go through and come back: every curve is continued beyond its ends.

References: IEC 61966-2-1 (sRGB); CIE 15 (L*a*b*, L*C*h); Smith 1978 (HSV).
"""

from __future__ import annotations

import numpy as np

from firstlight.ops.color.lightness import FROM_XYZ, TO_XYZ, WHITE
from firstlight.ops.color.saturation import hue_of

EDGE = 6 / 29
SPACES = ("rgb", "srgb", "xyz", "lab", "lch", "hsv")
"""Three numbers a pixel. ``rgb`` is linear."""


def to_space(rgb: np.ndarray, space: str) -> np.ndarray:
    """Linear sRGB in another space. L* and C* come over 100, a* and b* over 100, hues over 360: all about 0..1."""
    if space == "rgb":
        return rgb
    if space == "srgb":
        return srgb_curve(rgb)
    if space == "hsv":
        return _to_hsv(srgb_curve(rgb))
    xyz = np.tensordot(TO_XYZ.astype(rgb.dtype), rgb, axes=1)
    if space == "xyz":
        return xyz
    fx, fy, fz = (_cube_root(part / np.asarray(white, rgb.dtype)) for part, white in zip(xyz, WHITE))
    lab = np.stack([1.16 * fy - 0.16, 5 * (fx - fy), 2 * (fy - fz)])
    return lab if space == "lab" else _polar(lab)


def from_space(values: np.ndarray, space: str) -> np.ndarray:
    """The inverse of `to_space`."""
    if space == "rgb":
        return values
    if space == "srgb":
        return srgb_curve_inverse(values)
    if space == "hsv":
        return srgb_curve_inverse(_from_hsv(values))
    if space == "lch":
        values = _rectangular(values)
    if space in ("lab", "lch"):
        fy = (values[0] + 0.16) / 1.16
        f = np.stack([fy + values[1] / 5, fy, fy - values[2] / 2])
        white = WHITE.astype(values.dtype).reshape(3, *[1] * (values.ndim - 1))
        values = np.where(f > EDGE, f**3, 3 * EDGE**2 * (f - 4 / 29)) * white
    return np.tensordot(FROM_XYZ.astype(values.dtype), values, axes=1)


def srgb_curve(x: np.ndarray) -> np.ndarray:
    """Linear to coded; odd: -x gives minus the code of x."""
    size = np.abs(x)
    return np.sign(x) * np.where(size > 0.0031308, 1.055 * np.maximum(size, 1e-9) ** (1 / 2.4) - 0.055, 12.92 * size)


def srgb_curve_inverse(y: np.ndarray) -> np.ndarray:
    size = np.abs(y)
    return np.sign(y) * np.where(size > 0.04045, (np.maximum(size + 0.055, 1e-9) / 1.055) ** 2.4, size / 12.92)


def _cube_root(t: np.ndarray) -> np.ndarray:
    return np.where(t > EDGE**3, np.cbrt(np.maximum(t, EDGE**3)), t / (3 * EDGE**2) + 4 / 29)


def _polar(lab: np.ndarray) -> np.ndarray:
    hue = np.arctan2(lab[2], lab[1]) / (2 * np.pi)
    return np.stack([lab[0], np.hypot(lab[1], lab[2]), hue % 1.0])


def _rectangular(lch: np.ndarray) -> np.ndarray:
    angle = 2 * np.pi * lch[2]
    return np.stack([lch[0], lch[1] * np.cos(angle), lch[1] * np.sin(angle)])


def _to_hsv(rgb: np.ndarray) -> np.ndarray:
    """Saturation is the spread over the largest value; where that is not above 0 the spread itself is kept, negative,
    so that such pixels come back too."""
    top = rgb.max(axis=0)
    spread = top - rgb.min(axis=0)
    lit = top > 1e-6
    saturation = np.where(lit, spread / np.where(lit, top, 1), -spread)
    return np.stack([np.nan_to_num(hue_of(rgb)) / 360, saturation, top])


def _from_hsv(hsv: np.ndarray) -> np.ndarray:
    hue, saturation, top = hsv
    spread = np.where(saturation >= 0, saturation * top, -saturation)
    sector = 6 * (hue % 1.0)
    parts = [np.clip(np.abs((sector + shift) % 6 - 3) - 1, 0, 1) for shift in (0, 4, 2)]
    return np.stack([top - spread * (1 - part) for part in parts]).astype(hsv.dtype)
