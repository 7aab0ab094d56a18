"""Red, green and blue from a CFA mosaic."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.errors import InputError, nearest
from firstlight.kernels import debayer as kernels
from firstlight.model.image import Image
from firstlight.model.pixel_map import PixelMap
from firstlight.ops.align.remap import moved
from firstlight.ops.registry import Params, Reach, operation

Method = Literal["bilinear", "edge", "superpixel"]

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")

REACH: dict[str, int] = {"bilinear": 1, "edge": 4, "superpixel": 1}
"""Mosaic pixels that a colour looks away from its position."""


class Debayer(Params):
    method: Method = "bilinear"
    """``bilinear``: means of the nearest samples of a colour. ``edge``: green along the direction in which the
    picture changes least, red and blue by their difference to green: sharper. ``superpixel``: one pixel per cell of
    four, nothing is invented, half the size."""


@operation("cal:debayer", reach=Reach.FRAME)
def debayer(image: Image, p: Debayer) -> Image:
    """Make red, green and blue channels from a CFA mosaic (one channel, its pattern in the header).

    Flags: those of all samples that may enter a colour (edge: within 3 px); INTERPOLATED is left to repaired pixels.
    Variance: squared weights of the samples; for ``edge`` the chosen directions are taken as fixed. Neighbours are
    correlated afterwards. Plate: kept; rescaled for ``superpixel``, which also doubles binning and pixel size and drops
    an odd last row or column. Unit: kept. The result has no CFA pattern.

    References
    ----------
    Hamilton & Adams 1997 (US patent 5,629,734, expired) for the directional estimate of green; here both directions
    are mixed by their gradients instead of choosing one.

    Raises
    ------
    InputError
        If the image has more than one channel, no CFA pattern, or fewer than 2 x 2 pixels.

    >>> from firstlight.model.meta import Meta
    >>> mosaic = Image(np.tile([[4.0, 2.0], [2.0, 1.0]], (4, 4)), meta=Meta(cfa="RGGB"))
    >>> [float(c.mean()) for c in debayer(mosaic, Debayer()).data]
    [4.0, 2.0, 1.0]
    """
    _check(image)
    cfa = image.meta.cfa
    data = debayer_planes(image.data[0], cfa, p.method)
    variance = None if image.variance is None else _variances(image.data[0], image.variance[0], cfa, p.method)
    flags = _flags(image.flags[0], cfa, p.method)
    result = image.replace(data=data, variance=variance, flags=flags, meta=image.meta.replace(cfa=None))
    return moved(result, PixelMap.binned(2), data.shape[1:]) if p.method == "superpixel" else result


def _check(image: Image) -> None:
    channels, height, width = image.shape
    if image.meta.cfa is None:
        known = "it has three channels already" if channels == 3 else "its header names no BAYERPAT"
        raise InputError(f"cal:debayer: the image has no CFA pattern; {known}; set the pattern if it is a mosaic")
    if channels != 1 or height < 2 or width < 2:
        raise InputError(
            f"cal:debayer: the image is {channels} x {height} x {width}; one channel of at least 2 x 2 pixels is needed"
        )


def pattern_of(cfa: str) -> np.ndarray:
    """Colours of the cell, int64 (2, 2): 0 = red, 1 = green, 2 = blue.

    Raises
    ------
    InputError
        If it is no Bayer pattern.

    >>> pattern_of("GBRG").tolist()
    [[1, 2], [0, 1]]
    """
    if cfa not in PATTERNS:
        raise InputError(f"CFA pattern {cfa!r}; one of {', '.join(PATTERNS)} is allowed{nearest(cfa, PATTERNS)}")
    return np.array(["RGB".index(c) for c in cfa], np.int64).reshape(2, 2)


def debayer_planes(mosaic: np.ndarray, cfa: str, method: Method) -> np.ndarray:
    """Colour planes of a mosaic, or of a band of it that begins on an even row and column.

    Parameters
    ----------
    mosaic : ndarray
        float32 (rows, x).
    cfa : str
        Colours of the cell in array order, as ``Meta.cfa``.
    method : str
        As in `Debayer`. A band gives the same as the whole from ``REACH[method]`` rows off its ends.

    Returns
    -------
    ndarray
        float32 (3, rows, x); half as many rows and columns for ``superpixel``.
    """
    pattern = pattern_of(cfa)
    rows, width = mosaic.shape
    if method == "superpixel":
        out = np.empty((3, rows // 2, width // 2), np.float32)
        kernels.superpixel(mosaic, pattern, np.float32(0.5), out)
        return out
    out = np.empty((3, rows, width), np.float32)
    wide = _bordered(mosaic)
    if method == "edge":
        kernels.edge_aware(wide, pattern, _directions(wide, pattern), out)
    else:
        kernels.bilinear(wide, pattern, np.float32(0.5), np.float32(0.25), out)
    return out


def _variances(mosaic: np.ndarray, variance: np.ndarray, cfa: str, method: Method) -> np.ndarray:
    pattern = pattern_of(cfa)
    rows, width = mosaic.shape
    if method == "superpixel":
        out = np.empty((3, rows // 2, width // 2), np.float32)
        kernels.superpixel(variance, pattern, np.float32(0.25), out)
        return out
    out = np.empty((3, rows, width), np.float32)
    if method == "edge":
        wide = _bordered(mosaic)
        kernels.edge_aware_variance(_bordered(variance), pattern, _directions(wide, pattern), out)
    else:
        kernels.bilinear(_bordered(variance), pattern, np.float32(0.25), np.float32(0.0625), out)
    return out


def _directions(wide: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    along = np.zeros_like(wide)
    kernels.directions(wide, pattern, along)
    return along


def _bordered(plane: np.ndarray) -> np.ndarray:
    """With a border that mirrors the plane without repeating its edge: colours stay in order."""
    return np.ascontiguousarray(np.pad(plane, kernels.BORDER, mode="reflect"), dtype=np.float32)


def _flags(flags: np.ndarray, cfa: str, method: Method) -> np.ndarray:
    if method == "superpixel":
        even = flags[: flags.shape[0] // 2 * 2, : flags.shape[1] // 2 * 2]
        pattern = pattern_of(cfa)
        out = np.zeros((3, even.shape[0] // 2, even.shape[1] // 2), np.uint16)
        for (j, i), colour in np.ndenumerate(pattern):
            out[colour] |= even[j::2, i::2]
        return out
    out = np.zeros((3, *flags.shape), np.uint16)
    if not flags.any():
        return out
    own = pattern_of(cfa)[np.arange(flags.shape[0])[:, None] % 2, np.arange(flags.shape[1]) % 2]
    for colour in range(3):
        if method == "edge":
            around = _spread(flags, 3)
        else:
            around = _spread(np.where(own == colour, flags, np.uint16(0)), 1)
        out[colour] = np.where(own == colour, flags, around)
    return out


def _spread(flags: np.ndarray, reach: int) -> np.ndarray:
    """Each pixel gets the bits of all pixels up to ``reach`` rows and columns away."""
    height, width = flags.shape
    for axis in (0, 1):
        margins = [(reach, reach) if a == axis else (0, 0) for a in (0, 1)]
        wide = np.pad(flags, margins)
        flags = np.zeros((height, width), np.uint16)
        for shift in range(2 * reach + 1):
            flags |= wide[shift : shift + height] if axis == 0 else wide[:, shift : shift + width]
    return flags
