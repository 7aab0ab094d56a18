"""Frames as the quality filter sees them: their stars, sky, shapes and streaks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.model.plate import Plate
from firstlight.model.stars import Quality, Stars
from firstlight.ops.inspect.faults import Line
from firstlight.ops.inspect.plane import plane_of
from firstlight.ops.inspect.star_shapes import Shapes, shapes_of
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.inspect.streaks import find_streaks
from firstlight.ops.inspect.white_level import white_level_of
from firstlight.pipeline.measure import Light, channel_statistics, refuse_blank
from firstlight.pipeline.register import luminance


@dataclass(frozen=True, eq=False)
class Seen:
    """One frame, measured."""

    path: Path
    name: str
    meta: Meta
    plate: Plate | None
    stars: Stars
    quality: Quality
    shapes: Shapes
    lines: tuple[Line, ...]
    level: float
    """Mean background of the channels."""
    noise: float

    def numbers(self) -> dict[str, float | None]:
        """What tables and formulas call by name."""
        quality, shapes, meta = self.quality, self.shapes, self.meta
        return {
            "stars": float(quality.n_stars),
            "fwhm": quality.fwhm,
            "hfr": quality.hfr,
            "eccentricity": quality.eccentricity,
            "snr": quality.snr,
            "background": self.level,
            "gradient": quality.gradient,
            "noise": self.noise,
            "exposure": meta.exposure,
            "airmass": meta.airmass,
            "temperature": meta.temperature,
            "elongation": shapes.elongation,
            "angle": shapes.angle,
            "short_fwhm": shapes.short_fwhm,
            "halo": shapes.halo,
            "streaks": float(len(self.lines)),
        }


def seen_of_light(light: Light, *, streaks: bool = True) -> Seen:
    """A light of a session, calibrated in memory."""
    plane = luminance(light)
    frame = light.frame
    return Seen(
        frame.path, frame.name, frame.meta, frame.plate, light.stars, light.quality,
        shapes_of(plane, light.stars, frame.meta.gain), lines_of(plane) if streaks else (),
        float(light.level.mean()), float(light.noise.mean()),
    )  # fmt: skip


def seen_of_image(path: Path, image: Image, settings: FindStars, *, streaks: bool = True) -> Seen:
    """An image as it lies in its file.

    Raises
    ------
    FrameError
        It shows nothing.
    """
    refuse_blank(path.name, image.data)
    plane = plane_of(image, saturation=white_level_of(image).level)
    try:
        stars, quality = find_stars(
            plane.data, settings, excluded=plane.excluded, saturation=plane.saturation, gain=plane.gain
        )
    except FrameError as error:
        raise FrameError(f"{path.name}: {error}") from error
    level, noise = channel_statistics(image.data, image.meta.cfa if image.shape[0] == 1 else None)
    return Seen(
        path, path.name, image.meta, image.plate, stars, quality, shapes_of(plane.data, stars, plane.gain),
        lines_of(plane.data, plane.excluded) if streaks else (), float(level.mean()), float(noise.mean()),
    )  # fmt: skip


def lines_of(plane: np.ndarray, excluded: np.ndarray | None = None) -> tuple[Line, ...]:
    """The streaks of a plane."""
    lines = []
    for s in find_streaks(plane, excluded):
        angle = math.degrees(math.atan2(s.y1 - s.y0, s.x1 - s.x0)) % 180.0
        away = s.x0 * math.sin(math.radians(angle)) - s.y0 * math.cos(math.radians(angle))
        lines.append(Line(angle, s.length, s.half_width, away))
    return tuple(lines)


def facts_of(meta: Meta) -> dict[str, Any]:
    """What the header says, for tables."""
    return {
        "target": meta.target,
        "filter": meta.filter,
        "start": meta.start.isoformat() if meta.start else None,
        "exposure": meta.exposure,
        "gain_setting": meta.gain_setting,
        "airmass": meta.airmass,
        "temperature": meta.temperature,
    }
