"""What is known of the sky in a picture: objects, stars, lines of the grid, directions, all in pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from firstlight.model.plate import Plate
from firstlight.ops.align.sky_target import positions_of, scale_of, sky_of

NICE = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 18000, 36000, 72000, 108000)
"""arcsec: lengths of scale bars, and steps of the grid."""
STEPS = 96
"""Points along a line of the grid."""


@dataclass(frozen=True)
class Mark:
    """Something at a place of the picture."""

    label: str
    x: float
    y: float
    """px, 0-based, rows as in the image."""
    kind: str
    """``star``, or the kind of a deep-sky object."""
    major: float = 0.0
    """Longest diameter, px; 0 for points."""
    minor: float = 0.0
    angle: float = 0.0
    """Of the longest diameter, degrees from +x towards +y."""


@dataclass(frozen=True, eq=False)
class GridLine:
    """A line of constant right ascension or declination, in pieces within the picture."""

    label: str
    points: np.ndarray
    """(n, 2); NaN between pieces."""


def field_of(plate: Plate, shape: tuple[int, int]) -> tuple[float, float, float]:
    """Centre (ra, dec) and radius of a picture (height, width), degrees.

    >>> from firstlight.ops.align.sky_target import SkyGrid
    >>> [round(v, 3) for v in field_of(SkyGrid.around(10.0, 40.0, 3.6, (301, 401)).plate, (401, 301))]
    [10.0, 40.0, 0.25]
    """
    height, width = shape
    points = np.array([[(width - 1) / 2, (height - 1) / 2], [0, 0], [width - 1, 0], [0, height - 1],
                       [width - 1, height - 1]], float)  # fmt: skip
    sky = np.radians(sky_of(plate, points))
    vectors = np.column_stack([np.cos(sky[:, 1]) * np.cos(sky[:, 0]), np.cos(sky[:, 1]) * np.sin(sky[:, 0]),
                               np.sin(sky[:, 1])])  # fmt: skip
    radius = np.degrees(np.arccos(np.clip(vectors[1:] @ vectors[0], -1, 1))).max()
    ra, dec = np.degrees(sky[0])
    return float(ra) % 360.0, float(dec), float(radius)


def place(
    plate: Plate, shape: tuple[int, int], label: str, kind: str, ra: float, dec: float,
    major: float = 0.0, minor: float = 0.0, angle: float = 0.0,
) -> Mark | None:  # fmt: skip
    """A mark for something on the sky (sizes in arcmin, position angle in degrees), or None outside the picture."""
    height, width = shape
    ((x, y),) = positions_of(plate, np.array([[ra, dec]]))
    if not (np.isfinite(x) and -0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
        return None
    per_arcmin = 60.0 / scale_of(plate)
    return Mark(label, float(x), float(y), kind, major * per_arcmin, (minor or major) * per_arcmin,
                direction(plate, (ra, dec), angle))  # fmt: skip


def direction(plate: Plate, sky: tuple[float, float], position_angle: float) -> float:
    """Where a position angle (degrees from north through east) points on the image: degrees from +x towards +y."""
    ra, dec = sky
    step = 10.0 / 3600.0
    turn = np.radians(position_angle)
    there = [ra + step * np.sin(turn) / max(np.cos(np.radians(dec)), 1e-6), dec + step * np.cos(turn)]
    (x0, y0), (x1, y1) = positions_of(plate, np.array([[ra, dec], there]))
    return float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))


def length_of_bar(plate: Plate, width: int) -> tuple[float, str]:
    """A round length, px and in words, of about a sixth of the width.

    >>> from firstlight.ops.align.sky_target import SkyGrid
    >>> length, words = length_of_bar(SkyGrid.around(10.0, 40.0, 2.0, (1000, 800)).plate, 1000)
    >>> round(length), words
    (150, "5'")
    """
    scale = scale_of(plate)
    seconds = min(NICE, key=lambda length: abs(np.log(length / (scale * width / 6))))
    return seconds / scale, in_words(seconds)


def in_words(seconds: float) -> str:
    """An angle in arcsec as people write it: 30", 5', 2°."""
    for unit, sign in ((3600, "°"), (60, "'"), (1, '"')):
        if seconds % unit == 0:
            return f"{seconds / unit:g}{sign}"
    return f'{seconds:g}"'


def grid_lines(plate: Plate, shape: tuple[int, int], wanted: int = 5) -> Iterator[GridLine]:
    """Lines of right ascension and declination at round values, about ``wanted`` of each."""
    ra, dec, radius = field_of(plate, shape)
    height, width = shape
    span = 2 * radius * 3600.0
    step = min(NICE, key=lambda length: abs(np.log(length * wanted / span))) / 3600.0
    low, high = max(dec - 1.2 * radius, -90.0), min(dec + 1.2 * radius, 90.0)
    pole = high >= 90.0 or low <= -90.0
    half = 180.0 if pole else min(1.3 * radius / np.cos(np.radians(max(abs(low), abs(high)))), 180.0)
    # Meridians at whole parts of hours: 15 degrees are an hour.
    minutes = [m for m in (1 / 60, 1 / 30, 1 / 12, 1 / 6, 1 / 4, 1 / 2, 1, 2, 5, 10, 15, 20, 30, 60, 120, 180) if m > 0]
    across = min(minutes, key=lambda m: abs(np.log(m * 0.25 * wanted / (2 * half)))) * 0.25
    along = np.linspace(0.0, 1.0, STEPS)
    for value in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step:
        if abs(value) < 90:
            points = np.column_stack([ra - half + 2 * half * along, np.full(STEPS, value)])
            yield from _within(_degrees(value), plate, points, width, height)
    count = np.arange(np.ceil((ra - half) / across), np.floor((ra + half) / across) + 1)
    for value in (count * across)[: round(360 / across) if pole else None]:
        points = np.column_stack([np.full(STEPS, value % 360.0), low + (high - low) * along])
        yield from _within(_hours(value % 360.0), plate, points, width, height)


def _within(label: str, plate: Plate, sky: np.ndarray, width: int, height: int) -> Iterator[GridLine]:
    points = positions_of(plate, sky)
    with np.errstate(invalid="ignore"):
        inside = ((points > -1) & (points < [width, height])).all(axis=1)
    if inside.sum() > 1:
        near = inside | np.roll(inside, 1) | np.roll(inside, -1)
        yield GridLine(label, np.where(near[:, None], points, np.nan))


def _degrees(value: float) -> str:
    """+41°16' and the like.

    >>> _degrees(-0.5), _degrees(12.0)
    ("-0°30'", '+12°')
    """
    seconds = round(abs(value) * 3600)
    degrees, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{'-' if value < -1e-9 else '+'}{degrees}°"
    return text + (f"{minutes:02d}'" if minutes or seconds else "") + (f'{seconds:02d}"' if seconds else "")


def _hours(value: float) -> str:
    """5h35m and the like.

    >>> _hours(83.75), _hours(15.0)
    ('5h35m', '1h')
    """
    seconds = round(value / 15 * 3600) % 86400
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"{hours}h"
    return text + (f"{minutes:02d}m" if minutes or seconds else "") + (f"{seconds:02d}s" if seconds else "")


def by_size(marks: Sequence[Mark]) -> list[Mark]:
    """The largest first: whose labels come first."""
    return sorted(marks, key=lambda mark: (-mark.major, mark.label))
