"""Changes of the pixel grid by whole pixels, and plates on the new grid."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

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

    @classmethod
    def upside_down(cls, height: int) -> PixelMap:
        """The last of so many rows becomes the first."""
        return cls(yy=-1, y0=height - 1)

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        return (
            self.scale * (self.xx * x + self.xy * y) + self.x0,
            self.scale * (self.yx * x + self.yy * y) + self.y0,
        )


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
