"""Fringes of thinned sensors."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError, InputError
from firstlight.model.image import Image, State
from firstlight.ops.calibrate.masters import check_unit, passed_flags
from firstlight.ops.calibrate.planes import colour_planes, filled
from firstlight.ops.inspect.background import measure_background
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px, Sigma

ROUNDS = 6


class Fringe(Params):
    scale: Annotated[float, Field(ge=0)] = 0.0
    """How strong the fringes of the master are in the image; 0: fitted, for each colour."""
    clip: Annotated[Sigma, Field(ge=2, le=10)] = 3.0
    """Pixels further off than this (stars, nebulae, cosmic rays) take no part in the fit."""
    box: Annotated[Px, Field(ge=16, le=1024)] = 64
    """Smooth light of boxes of this size is taken off both first; larger than the fringes."""


@operation("cal:fringe", reach=Reach.FRAME, demands=State.LINEAR)
def subtract_fringe(image: Image, p: Fringe, fringe: Image) -> Image:
    """Subtract the fringe pattern of a master, as strong as the sky made it in this image.

    Apply it after the flat. The master is a stack of dithered sky frames without their stars; its smooth part is left
    out, so that the level of the image stays. The strength is a least-squares fit to sky pixels.

    Flags: hot, cold and missing pixels of the master are added. Variance: that of the master times the square of the
    strength is added where it is known; none stays none. Plate and unit: kept.

    Raises
    ------
    InputError
        Size, CFA pattern or unit differ.

    >>> pattern = np.sin(np.mgrid[:256, :256][1] / 3)
    >>> sky = 50 + 4 * pattern + np.random.default_rng(1).normal(0, 1, (256, 256))
    >>> round(float(np.std(subtract_fringe(Image(sky), Fringe(), Image(pattern)).data)), 1)
    1.0
    """
    if image.shape != fringe.shape or (image.meta.cfa and fringe.meta.cfa and image.meta.cfa != fringe.meta.cfa):
        raise InputError("cal:fringe: the fringe master has another size or CFA pattern; they must be equal")
    check_unit("cal:fringe", image, fringe, "fringe master")
    data = image.data.copy()
    variance = None if image.variance is None else image.variance.copy()
    for place in colour_planes(image):
        good = image.good[place] & fringe.good[place]
        pattern = _detail(filled(fringe.data[place], good), ~good, p.box)
        scale = p.scale or _strength(_detail(filled(image.data[place], good), ~good, p.box), pattern, good, p.clip)
        data[place] -= np.float32(scale) * np.where(good, pattern, np.float32(0))
        if variance is not None and fringe.variance is not None:
            variance[place] += np.where(good, np.float32(scale) ** 2 * fringe.variance[place], np.float32(0))
    return image.replace(data=data, variance=variance, flags=passed_flags(image, fringe))


def _detail(plane: np.ndarray, excluded: np.ndarray, box: int) -> np.ndarray:
    try:
        return plane - measure_background(plane, excluded, box).at()
    except FrameError:
        return np.zeros_like(plane)


def _strength(detail: np.ndarray, pattern: np.ndarray, good: np.ndarray, clip: float) -> float:
    """Least squares with outliers left out; 0 where the master has no pattern."""
    kept, scale = good, 0.0
    for _ in range(ROUNDS):
        f = pattern[kept].astype(np.float64)
        power = float(np.sum(f * f))
        if power == 0:
            return 0.0
        scale = float(np.sum(f * detail[kept])) / power
        left = detail - np.float32(scale) * pattern
        middle = np.median(left[kept])
        sigma = 1.4826 * np.median(np.abs(left[kept] - middle))
        kept = good & (np.abs(left - middle) <= clip * sigma)
        if not kept.any():
            break
    return scale
