"""The four colours of a mosaic as planes of their own."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.model.pixel_map import PixelMap
from firstlight.ops.align.remap import taken
from firstlight.ops.calibrate.debayer import pattern_of
from firstlight.ops.registry import Params, Reach, operation

PLANES = {"red": "R", "green1": "G1", "blue": "B", "green2": "G2"}
"""Planes in the order of the channels, and what they are called in files."""


class SplitCfa(Params):
    plane: Literal["all", "red", "green1", "blue", "green2"] = "all"
    """All four as channels in this order, or one of them. ``green1`` lies in the rows of red, ``green2`` in those of
    blue."""


@operation("cal:splitcfa", reach=Reach.FRAME)
def split_cfa(image: Image, p: SplitCfa) -> Image:
    """Take a CFA mosaic apart into its planes R, G1, B and G2 of half the size; no value is changed or invented.

    Pixel (x, y) of a plane is pixel (2 x + i, 2 y + j) of the mosaic, (i, j) being the place of its colour in the cell:
    in RGGB R (0, 0), G1 (1, 0), G2 (0, 1), B (1, 1). A sparse plane of the full size holds it there and no data
    elsewhere. An odd last row or column is dropped.

    Flags and variance: taken apart alike. Plate: rescaled; exact for one plane, for ``all`` that of the middle of the
    cell, from which each plane lies a quarter of its pixels away in x and y. Unit: kept. Binning and pixel size double,
    though a pixel gathers the light of one pixel of the sensor: gain and read noise stay. The result has no CFA
    pattern; the card CFAPLANE names the planes, and a single one is added to the filter's name, so that planes of
    different colours are never stacked together.

    Raises
    ------
    InputError
        If the image is no mosaic of at least 2 x 2 pixels.

    >>> from firstlight.model.meta import Meta
    >>> mosaic = Image([[1.0, 2.0], [3.0, 4.0]], meta=Meta(cfa="RGGB"))
    >>> split_cfa(mosaic, SplitCfa()).data.ravel().tolist()
    [1.0, 2.0, 4.0, 3.0]
    """
    channels, height, width = image.shape
    meta = image.meta
    if channels != 1 or meta.cfa is None or height < 2 or width < 2:
        raise InputError(
            f"cal:splitcfa: the image is {channels} x {height} x {width} with "
            f"{'no CFA pattern' if meta.cfa is None else 'the pattern ' + meta.cfa}; a mosaic of at least 2 x 2 pixels "
            "is needed; give it the frame before it is debayered"
        )
    places = plane_places(meta.cfa)
    names = list(PLANES) if p.plane == "all" else [p.plane]
    rows, columns = height // 2 * 2, width // 2 * 2

    def take(planes: np.ndarray) -> np.ndarray:
        return np.stack([planes[0, j:rows:2, i:columns:2] for j, i in (places[name] for name in names)])

    onto = PixelMap.binned(2)
    changes: dict[str, object] = {"cfa": None}
    if p.plane != "all":
        j, i = places[p.plane]
        onto = PixelMap(scale=0.5, x0=-i / 2, y0=-j / 2)
        changes["filter"] = f"{meta.filter or ''} {PLANES[p.plane]}".lstrip()
    card = ("CFAPLANE", ",".join(PLANES[name] for name in names), "colours of the channels, from a mosaic")
    changes["cards"] = (*(c for c in meta.cards if c[0] != card[0]), card)
    result = taken(image, take, onto)
    return result.replace(meta=result.meta.replace(**changes))


def plane_places(cfa: str) -> dict[str, tuple[int, int]]:
    """Row and column of each plane in the cell.

    >>> plane_places("GBRG")
    {'red': (1, 0), 'green1': (1, 1), 'blue': (0, 1), 'green2': (0, 0)}
    """
    cell = pattern_of(cfa)
    red, blue = (tuple(map(int, np.argwhere(cell == colour)[0])) for colour in (0, 2))
    return {"red": red, "green1": (red[0], 1 - red[1]), "blue": blue, "green2": (blue[0], 1 - blue[1])}
