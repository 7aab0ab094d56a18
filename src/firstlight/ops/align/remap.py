"""What a change of the pixel grid by whole pixels does to plate, CFA pattern and sub-frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from firstlight.model.image import Image
from firstlight.model.pixel_map import PixelMap, plate_after
from firstlight.model.plate import Plate


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
