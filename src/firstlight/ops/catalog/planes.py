"""The light of one colour as a plane that stars can be measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from firstlight.errors import InputError

Channel = Literal["auto", "red", "green", "blue", "luminance"]
LETTERS = {"red": "R", "green": "G", "blue": "B"}


@dataclass(frozen=True, eq=False)
class ColourPlane:
    """Pixels of one colour, and how they lie in the frame."""

    data: np.ndarray
    flags: np.ndarray | None
    variance: np.ndarray | None
    shrink: int
    """2 where four pixels of a mosaic became one."""
    samples: int
    """Pixels of the frame whose mean each pixel is."""
    name: str
    """``mono``, ``R``, ``G``, ``B`` or ``RGB``."""

    def positions(self, frame: np.ndarray) -> np.ndarray:
        """Positions (n, 2) of the frame as those of the plane."""
        return np.asarray(frame, np.float64) if self.shrink == 1 else (np.asarray(frame, np.float64) - 0.5) / 2.0

    def on_frame(self, positions: np.ndarray) -> np.ndarray:
        """Positions (n, 2) of the plane as those of the frame."""
        return np.asarray(positions, np.float64) * self.shrink + (0.5 if self.shrink == 2 else 0.0)

    def gain(self, gain: float | None) -> float | None:
        """e- per unit of this plane, from that of a pixel of the frame."""
        return gain * self.samples if gain else None


def colour_plane(
    data: np.ndarray,
    cfa: str | None,
    channel: Channel = "auto",
    flags: np.ndarray | None = None,
    variance: np.ndarray | None = None,
) -> ColourPlane:
    """One colour of a frame (channels, y, x).

    ``auto``: green of a colour frame or a mosaic, which is nearest to V. Of a mosaic the pixels of a colour in each
    cell of 2 x 2 are averaged, nothing is interpolated: half the size, and noise that is still that of single pixels.
    Flags are OR-ed; variances are those of the means.

    Raises
    ------
    InputError
        A mono frame has no red, green or blue.

    >>> cell = np.array([[[1.0, 2.0], [4.0, 8.0]]], np.float32)
    >>> colour_plane(cell, "RGGB").data.tolist(), colour_plane(cell, "RGGB", "blue").data.tolist()
    ([[3.0]], [[8.0]])
    """
    if cfa is None and data.shape[0] == 1:
        if channel in LETTERS:
            raise InputError(f"channel {channel}: the frame is mono; leave it out")
        flags, variance = (None if each is None else each[0] for each in (flags, variance))
        return ColourPlane(data[0], flags, variance, 1, 1, "mono")
    wanted = "green" if channel == "auto" else channel
    if cfa is None:
        chosen = range(3) if wanted == "luminance" else [list(LETTERS).index(wanted)]
        parts = [(c, slice(None), slice(None)) for c in chosen]
        shrink = 1
    else:
        height, width = (2 * (n // 2) for n in data.shape[1:])
        parts = [
            (0, slice(k // 2, height, 2), slice(k % 2, width, 2))
            for k in range(4)
            if wanted == "luminance" or cfa[k] == LETTERS[wanted]
        ]
        shrink = 2
        if not parts:
            raise InputError(f"channel {channel}: the mosaic {cfa} has no such pixels; choose another")
    n = len(parts)

    def mean(planes: np.ndarray, divisor: float) -> np.ndarray:
        return sum((planes[part] for part in parts[1:]), planes[parts[0]].astype(np.float32)) / np.float32(divisor)

    return ColourPlane(
        mean(data, n),
        None if flags is None else np.bitwise_or.reduce([flags[part] for part in parts]),
        None if variance is None else mean(variance, n * n),
        shrink, n, "RGB" if wanted == "luminance" else LETTERS[wanted],
    )  # fmt: skip
