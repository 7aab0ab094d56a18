"""How much of a pixel is noise, for steps that take noise off: one number or one for each pixel."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.contrast.inpaint import inpainted, whole_plane
from firstlight.ops.inspect.noise import measure_noise
from firstlight.ops.inspect.starlet import SAMPLE, smoothed
from firstlight.ops.registry import Params
from firstlight.ops.windows import Source

Kind = Literal["auto", "variance", "anscombe", "measured"]


class NoiseSource(Params):
    """Where a step learns how strong the noise is."""

    noise: Kind = "auto"
    """``variance``: from the variance plane, pixel by pixel. ``anscombe``: from gain and read noise; the picture is
    made to have the same noise everywhere, and turned back without bias. ``measured``: one number for each channel.
    ``auto``: the first of them for which the image holds what is needed."""
    amount: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the noise reduction that is applied."""


def source_of(image: Image, wanted: Kind, step: str) -> str:
    """Which source serves this image.

    Raises
    ------
    InputError
        It does not hold what the source needs.
    """
    countable = (
        image.state == State.LINEAR
        and image.meta.read_noise is not None
        and (image.unit == PixelUnit.ELECTRON or (image.unit == PixelUnit.ADU and image.meta.gain))
    )
    if wanted == "auto":
        return "variance" if image.variance is not None else "anscombe" if countable else "measured"
    if wanted == "variance" and image.variance is None:
        raise InputError(f"{step}: the image has no variance plane; use noise=anscombe or noise=measured")
    if wanted == "anscombe" and not countable:
        raise InputError(
            f"{step}: noise=anscombe needs a linear image in adu or electrons with gain and read noise; "
            "use noise=measured, or give them in the header (GAIN, RDNOISE)"
        )
    return wanted


def sigma_of_variance(variance: np.ndarray, holes: np.ndarray | None) -> np.ndarray:
    """Standard deviation of each pixel, float32 (y, x), from a variance plane.

    The plane is smoothed by the spline of the second starlet scale: where it was taken from the scatter of a few frames
    it is noisy itself. Where the noise found in the picture differs from it (neighbours share noise after resampling),
    that is for the step to find out.
    """
    if holes is not None:
        variance = inpainted(variance, holes)
    soft = smoothed(smoothed(np.ascontiguousarray(variance), 0), 1)
    return np.sqrt(np.maximum(soft, 0, out=soft), out=soft)


SOFTENED = 6
"""px: how far `sigma_of_variance` looks."""


def measured_sigma(source: Source, channel: int) -> float:
    """One number for the noise of a channel, from bands of whole rows spread over a large one."""
    _, height, width = source.shape
    starts, rows = [0], height
    if height * width > 8 * SAMPLE:
        rows, number = min(32, height), max(4 * SAMPLE // (32 * width), 4)
        starts = np.linspace(0, height - rows, number).astype(int).tolist()
    planes, good = [], []
    for start in starts:
        band = source.band(start, start + rows)
        plane, holes = whole_plane(band.data[channel], band.flags[channel])
        planes.append(plane)
        good.append(np.ones(plane.shape, bool) if holes is None else ~holes)
    return measure_noise(np.concatenate(planes), np.concatenate(good))


def stabilised(plane: np.ndarray, gain: float, read_noise: float) -> np.ndarray:
    """Generalised Anscombe transform of adu (``gain`` e-/adu, ``read_noise`` e-): noise of sigma 1 everywhere.

    Murtagh, Starck & Bijaoui 1995, A&AS 112, 179.
    """
    inside = np.maximum(np.float32(gain) * plane + np.float32(0.375 + read_noise**2), np.float32(0))
    return np.float32(2) * np.sqrt(inside)


def unstabilised(plane: np.ndarray, gain: float, read_noise: float) -> np.ndarray:
    """Undo `stabilised` for means of noisy values, without the bias of the plain inverse.

    Closed form of the exact unbiased inverse: Makitalo & Foi 2013, IEEE TIP 22, 91.
    """
    d = np.maximum(plane, np.float32(0.5)).astype(np.float64)
    root = np.sqrt(1.5)
    counts = d**2 / 4 + root / (4 * d) - 11 / (8 * d**2) + 5 * root / (8 * d**3) - 1 / 8 - read_noise**2
    return (counts / gain).astype(np.float32)
