"""What is known of single pixels: one bit each, OR-ed together.

A pixel value says nothing of its own validity (0 is a number like any other); only flags do.
"""

from __future__ import annotations

import enum

import numpy as np


class Flag(enum.IntFlag):
    """Bits of the flags plane (uint16); written by name into the header of the DQ extension."""

    SATURATED = 1
    """The sensor was full; the true value is at least this."""
    HOT = 2
    """A pixel with far more dark current than its like."""
    COLD = 4
    """A pixel that answers too weakly, or not at all, to light."""
    COSMIC_RAY = 8
    TRAIL = 16
    """Crossed by a satellite, aeroplane or meteor."""
    INTERPOLATED = 32
    """The value was made from its neighbours."""
    NO_DATA = 64
    """Nothing was measured here; the value means nothing."""
    NOT_FINITE = 128
    """The input held NaN or infinity here."""
    LOW_FLAT = 256
    """The flat field is so low here that the value is mostly noise."""
    REJECTED = 512
    """At least one frame was rejected here when the stack was made."""


EXCLUDED = Flag.NO_DATA | Flag.NOT_FINITE
"""Pixels with any of these bits hold no number."""

FLAG_NAMES: dict[int, str] = {int(flag): flag.name for flag in Flag}  # type: ignore[misc]


def has(flags: np.ndarray, bits: int) -> np.ndarray:
    """Boolean array: where any of the bits is set.

    >>> has(np.array([0, 1, 64], np.uint16), Flag.NO_DATA).tolist()
    [False, False, True]
    """
    return (flags & np.uint16(bits)) != 0
