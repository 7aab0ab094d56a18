"""Which part of the reference frame registration looks at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.read import read
from firstlight.pipeline.measure import Light

if TYPE_CHECKING:
    from firstlight.pipeline.shared_settings import Register


def parse_region(text: str) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a region, px; right and bottom are the last column and row in it.

    >>> parse_region("100, 50, 899,649")
    (100, 50, 899, 649)
    """
    try:
        left, top, right, bottom = (int(part) for part in text.split(","))
    except ValueError:
        raise ValueError("a region is four whole numbers: left,top,right,bottom, px from 0") from None
    if not (0 <= left < right and 0 <= top < bottom):
        raise ValueError("a region is left,top,right,bottom with left < right and top < bottom, px from 0")
    return left, top, right, bottom


def looked_at(shape: tuple[int, int], rule: Register) -> np.ndarray | None:
    """Boolean (y, x): the pixels of the reference that registration may use; None: all of them.

    Raises
    ------
    InputError
        The region lies beyond the frame; the mask cannot be read or has another size.
    """
    if not rule.region and not rule.mask:
        return None
    height, width = shape
    plane = np.ones(shape, bool)
    if rule.region:
        left, top, right, bottom = parse_region(rule.region)
        if right >= width or bottom >= height:
            raise InputError(
                f"--registration-region: {rule.region}: the reference is {width} x {height} px, so that at most "
                f"0,0,{width - 1},{height - 1} is allowed"
            )
        plane[:] = False
        plane[top : bottom + 1, left : right + 1] = True
    if rule.mask:
        path = Path(rule.mask)
        try:
            mask = read(path)
        except (FrameError, InputError) as error:
            raise InputError(f"--registration-mask: {error}") from error
        if mask.shape[1:] != shape:
            raise InputError(
                f"--registration-mask: {path.name} is {mask.shape[2]} x {mask.shape[1]} px, the reference "
                f"{width} x {height} px; the mask must lie on the reference pixel for pixel"
            )
        plane &= ~(mask.data > 0).any(axis=0)
    return plane


def attended(light: Light, rule: Register) -> Light:
    """The reference with the stars that registration may use.

    Raises
    ------
    InputError
        As `looked_at`; none of its stars is left.
    """
    plane = looked_at(light.frame.shape[1:], rule)
    if plane is None:
        return light
    x, y = np.rint(light.stars.positions).astype(int).T
    height, width = plane.shape
    kept = plane[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    if rule.method == "stars" and not kept.any():
        raise InputError(
            f"registration: {light.name}: none of its {len(light.stars)} stars lies in the region or outside of the "
            f"mask; choose a larger one"
        )
    return replace(light, stars=light.stars.take(kept))
