"""What bias, dark and flat share: whether a master fits, and what of it passes to the frame."""

from __future__ import annotations

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Kind

WORTHLESS = Flag.HOT | Flag.COLD | Flag.LOW_FLAT | Flag.NO_DATA | Flag.NOT_FINITE
"""Flags of a master that make the frame's own pixel worthless: they pass to the frame."""


def check_master(step: str, image: Image, master: Image, name: str, kinds: set[Kind]) -> None:
    """Whether a master may be applied.

    Raises
    ------
    InputError
        Another shape, binning, CFA pattern or kind of frame, or that correction was made already.
    """
    if image.shape != master.shape:
        raise InputError(
            f"{step}: the image is {_size(image)}, the {name} is {_size(master)}; they must be equal; "
            f"take a {name} of the same camera, binning and sub-frame"
        )
    if name in image.meta.calibrated:
        raise InputError(f"{step}: the {name} of this image is corrected already; doing it twice would spoil it")
    for what, ours, theirs in (
        ("binning", image.meta.binning, master.meta.binning),
        ("CFA pattern", image.meta.cfa, master.meta.cfa),
    ):
        if ours and theirs and ours != theirs:
            raise InputError(f"{step}: the image has {what} {ours}, the {name} {theirs}; they must be equal")
    if master.meta.kind not in kinds | {Kind.UNKNOWN}:
        raise InputError(f"{step}: the frame given as {name} is a {master.meta.kind}")


def check_unit(step: str, image: Image, master: Image, name: str) -> None:
    """Whether both count the same."""
    if image.unit != master.unit:
        raise InputError(f"{step}: the image is in {image.unit}, the {name} in {master.unit}; they must be equal")


def passed_flags(image: Image, master: Image) -> np.ndarray:
    """Flags of the image with those of the master that spoil its pixels."""
    return image.flags | (master.flags & np.uint16(WORTHLESS))


def saturation_above(image: Image, level: float) -> float | None:
    """Saturation level (adu) of the image once ``level`` (in its unit) has been subtracted."""
    saturation = image.meta.saturation
    if saturation is None:
        return None
    if image.unit == PixelUnit.ELECTRON:
        level = level / image.meta.gain if image.meta.gain else 0.0
    return saturation - level


def typical(master: Image) -> float:
    """Median of the good pixels."""
    return float(np.median(master.data[master.good])) if master.good.any() else 0.0


def _size(image: Image) -> str:
    return " x ".join(map(str, image.shape))
