"""One frame, looked at: level, stars, widths, and a picture for the eye."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.io.pictures import write_picture
from firstlight.io.read import open_frame
from firstlight.ops.align.bin import Mean, bin_mean
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.pipeline.products import make_picture
from firstlight.pipeline.settings import Output

PREVIEW = 1600
"""px: longest side of a picture, about."""


@dataclass(frozen=True)
class Snapshot:
    """What a frame shows."""

    median: float
    """adu."""
    largest: float
    stars: int
    fwhm: float | None
    """px; None without stars."""

    @property
    def words(self) -> str:
        """In a line."""
        width = "" if self.fwhm is None else f", FWHM {self.fwhm:.2f} px"
        return f"median {self.median:.0f} adu, largest {self.largest:.0f}, {self.stars} stars{width}"

    def as_record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def facts_of(path: Path) -> Snapshot:
    """Measure a frame as it lies, uncalibrated.

    Raises
    ------
    FrameError
        It cannot be read.
    """
    return facts_of_plane(open_frame(path).read().data[0])


def facts_of_plane(plane: np.ndarray) -> Snapshot:
    """The same of bare pixels."""
    _, quality = find_stars(np.ascontiguousarray(plane, np.float32), FindStars())
    fwhm = float(quality.fwhm) if np.isfinite(quality.fwhm) else None
    return Snapshot(float(np.median(plane)), float(plane.max()), quality.n_stars, fwhm)


def write_preview(path: Path) -> Path:
    """A stretched picture of a frame, PNG beside it."""
    image = open_frame(path).read()
    factor = max(1, max(image.shape[1:]) // PREVIEW)
    if image.meta.cfa:
        # Whole cells of the CFA: the picture is grey, and shows no chequers.
        factor += factor % 2
    if factor > 1:
        image = bin_mean(image.replace(variance=None), Mean(factor=factor))
    picture = make_picture(image.replace(meta=image.meta.replace(cfa=None)), Output().picture_steps)
    target = path.with_suffix(".png")
    write_picture(target, picture.data, bottom_up=picture.meta.bottom_up)
    return target
