"""What a change of the pixel grid by whole pixels does to plate, CFA pattern and sub-frame."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firstlight.model.image import Image
from firstlight.model.plate import Plate

_TABLES = re.compile(r"(CPDIS|CQDIS|D2IMDIS|DP|DQ|D2IM)\d")
_SIP = re.compile(r"(A|B|AP|BP)_(\d+)_(\d+)$")
_LINEAR = re.compile(r"(CRPIX|CDELT|CROTA)[12]$|(CD|PC)[12]_[12]$")


@dataclass(frozen=True)
class PixelMap:
    """New 0-based position = ``scale * (xx x + xy y) + x0`` and the same for y; the 2 x 2 part is a signed permutation.

    >>> PixelMap.binned(2)(0.5, 0.5)
    (0.0, 0.0)
    """

    xx: int = 1
    xy: int = 0
    yx: int = 0
    yy: int = 1
    scale: float = 1.0
    x0: float = 0.0
    y0: float = 0.0

    @classmethod
    def binned(cls, factor: int) -> PixelMap:
        """Blocks of factor x factor pixels become one."""
        return cls(scale=1 / factor, x0=-(factor - 1) / (2 * factor), y0=-(factor - 1) / (2 * factor))

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        return (
            self.scale * (self.xx * x + self.xy * y) + self.x0,
            self.scale * (self.yx * x + self.yy * y) + self.y0,
        )


def taken(image: Image, take: Callable[[np.ndarray], np.ndarray], map: PixelMap) -> Image:
    """The image whose planes (channel, y, x) are what ``take`` makes of them, its record moved along."""
    data, flags = np.ascontiguousarray(take(image.data)), np.ascontiguousarray(take(image.flags))
    variance = None if image.variance is None else np.ascontiguousarray(take(image.variance))
    return moved(image.replace(data=data, flags=flags, variance=variance), map, data.shape[1:])


def moved(image: Image, map: PixelMap, shape: tuple[int, int]) -> Image:
    """The record of an image whose arrays were just moved by ``map`` onto ``shape`` (height, width).

    The plate follows (SIP polynomials too; one with distortion tables is dropped, for they cannot); a CFA pattern is
    turned with the pixels; binning, pixel size and sub-frame are brought up to date.
    """
    meta = image.meta
    factor = round(1 / map.scale)
    changes: dict[str, object] = {}
    if factor > 1:
        changes["binning"] = (meta.binning[0] * factor, meta.binning[1] * factor)
        changes["origin"] = (meta.origin[0] // factor, meta.origin[1] // factor)
        if meta.pixel_size is not None:
            changes["pixel_size"] = meta.pixel_size * factor
    elif (map.xx, map.yy) == (1, 1):
        changes["origin"] = (meta.origin[0] - round(map.x0), meta.origin[1] - round(map.y0))
    elif map.xy:
        changes["binning"] = meta.binning[::-1]
    if meta.cfa is not None and factor == 1:
        changes["cfa"] = _pattern_after(meta.cfa, map)
    plate = None if image.plate is None else plate_after(image.plate, map)
    if plate is not None and "NAXIS1" in plate.cards:
        plate = Plate({**plate.cards, "NAXIS1": shape[1], "NAXIS2": shape[0]}, plate.n_matched, plate.rms)
    return image.replace(meta=meta.replace(**changes), plate=plate)


def _pattern_after(cfa: str, map: PixelMap) -> str:
    cell = [""] * 4
    for y in (0, 1):
        for x in (0, 1):
            new_x, new_y = map(x, y)
            cell[2 * (round(new_y) % 2) + round(new_x) % 2] = cfa[2 * y + x]
    return "".join(cell)


def plate_after(plate: Plate, map: PixelMap) -> Plate | None:
    """The plate on the new grid, or None where its distortion is held in tables.

    The matrix is written as CD. SIP coefficients are those of the moved polynomial: exact.
    """
    cards = plate.cards
    if any(_TABLES.match(key) for key in cards):
        return None
    turn = np.array([[map.xx, map.xy], [map.yx, map.yy]], np.float64)
    new = {key: value for key, value in cards.items() if not (_LINEAR.match(key) or _SIP.match(key))}
    x, y = map(float(cards.get("CRPIX1", 0.0)) - 1, float(cards.get("CRPIX2", 0.0)) - 1)
    new["CRPIX1"], new["CRPIX2"] = x + 1, y + 1
    matrix = cd_matrix(plate) @ turn.T / map.scale
    for j in (0, 1):
        for i in (0, 1):
            new[f"CD{j + 1}_{i + 1}"] = float(matrix[j, i])
    if map.xy:
        for a, b in (("A", "B"), ("AP", "BP")):
            orders = {f"{b}_ORDER": cards.get(f"{a}_ORDER"), f"{a}_ORDER": cards.get(f"{b}_ORDER")}
            new.update({key: order for key, order in orders.items() if order is not None})
    for key, value in cards.items():
        if found := _SIP.match(key):
            new.update([_sip_after(found[1], int(found[2]), int(found[3]), float(value), map)])
    return Plate(new, plate.n_matched, plate.rms)


def cd_matrix(plate: Plate) -> np.ndarray:
    """Degrees per px, (2, 2), from CD, or PC and CDELT, or CDELT and CROTA2."""
    cards = plate.cards
    if any(re.match(r"CD[12]_[12]$", key) for key in cards):
        return np.array([[float(cards.get(f"CD{j}_{i}", 0.0)) for i in (1, 2)] for j in (1, 2)])
    delta = np.array([float(cards.get("CDELT1", 1.0)), float(cards.get("CDELT2", 1.0))])
    if any(re.match(r"PC[12]_[12]$", key) for key in cards):
        pc = np.array([[float(cards.get(f"PC{j}_{i}", float(i == j))) for i in (1, 2)] for j in (1, 2)])
    else:
        angle = math.radians(float(cards.get("CROTA2", 0.0)))
        ratio = delta[1] / delta[0]
        pc = np.array(
            [[math.cos(angle), -math.sin(angle) * ratio], [math.sin(angle) / ratio, math.cos(angle)]], np.float64
        )
    return delta[:, None] * pc


def _sip_after(name: str, i: int, j: int, value: float, map: PixelMap) -> tuple[str, float]:
    """One coefficient of u^i v^j: the polynomial is turned and scaled with the pixels it counts."""
    value *= map.scale ** (1 - i - j)
    first = name.startswith("A")
    if map.xy == 0:
        value *= map.xx**i * map.yy**j * (map.xx if first else map.yy)
        return f"{name}_{i}_{j}", value
    # u' = xy v and v' = yx u: powers change places, and so do the two polynomials.
    value *= map.yx**i * map.xy**j * (map.yx if first else map.xy)
    other = {"A": "B", "B": "A", "AP": "BP", "BP": "AP"}[name]
    return f"{other}_{j}_{i}", value
