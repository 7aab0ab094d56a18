"""The stars of a plane that are to be taken out, and how far each of them reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError
from firstlight.kernels.star_reach import local_contrast, paint_discs, star_reach
from firstlight.kernels.starlet import smooth_rows
from firstlight.model.stars import Stars
from firstlight.ops.inspect.background import Background, measure_background
from firstlight.ops.inspect.noise import measure_noise
from firstlight.ops.inspect.starlet import largest_scale, sample_rows, starlet_reach
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.parts import each_part
from firstlight.ops.registry import Params
from firstlight.units import Px, Sigma

FWHM_PER_SIGMA = 2.3548
MOST = 200_000
"""Stars that are looked after; the faintest of more stay in the picture."""
BOX = 32
"""px: of the mesh that tells the noise around a star."""
WINGS = 2.5
"""Exponent of the Moffat profile by which the reach of a star is bounded ..."""
FAINTEST = 0.25
"""... where it falls below this share of the noise."""
BURST = 20.0
"""Sigma above the background from which a spot without a star's profile may be one nevertheless."""
CORE = 12.0
"""... if so many squared FWHM at most hold half of its peak: knots of nebulae are wider."""

BESIDE = 1.0
"""FWHM at which a star must have come down to its surroundings on all sides: threads go on there."""
WIDEST = 2.5
"""FWHM of the widest star over that of most."""
LIKE, ROUND = 1.2, 0.8
"""FWHM, over that of most stars, and eccentricity above which faint spots are knots and threads."""
WIDER = 1.5
"""FWHM of what a plane is laid flat to, over that of its stars ..."""
CUT, CUTS = 3.0, 3
"""... after what stands out by more than this (sigma) has been cut off, so many times."""
STRIP = 128
"""Rows that are laid flat at once."""


class StarSearch(Params):
    """What counts as a star."""

    star_size: Annotated[Px, Field(ge=4, le=512)] = 32
    """Diameter of usual stars with their halo. Bright ones may reach twice, saturated ones four times as far."""
    star_threshold: Annotated[Sigma, Field(ge=2, le=100)] = 4.0
    """Signal to noise from which something is a star."""


@dataclass(frozen=True, eq=False)
class Found:
    """Stars, brightest first, and bright spots that no profile fits."""

    stars: Stars
    reach: np.ndarray
    """px from each star's centre to where its light ends."""
    spots: np.ndarray
    """(n, 3): x, y and reach of the spots."""

    @property
    def fwhm(self) -> float:
        """px, of most stars."""
        return float(np.median(self.stars.fwhm))

    def __len__(self) -> int:
        return len(self.stars) + len(self.spots)

    def paint(self, mask: np.ndarray) -> None:
        """Set the pixels of all of them in a mask (y, x)."""
        paint_discs(mask, self.stars.x, self.stars.y, self.reach)
        x, y, reach = np.ascontiguousarray(self.spots.T)
        paint_discs(mask, x, y, reach)


NOTHING = Found(Stars.empty(), np.empty(0), np.empty((0, 3)))


def search_stars(
    plane: np.ndarray, unknown: np.ndarray, full: float, p: StarSearch, fwhm: float | None = None
) -> Found:
    """Search a plane (float32, no holes); ``unknown`` (bool): pixels whose value was invented; ``full``: saturation.

    With the ``fwhm`` (px) of its stars known, the plane is first laid flat, in place, to little more than that, so that
    nebulae do not hide faint stars as noise would.
    """
    if fwhm is not None:
        _lay_flat(plane, fwhm)
    known = ~unknown
    try:
        sky = measure_background(plane, unknown, BOX)
        stars, _ = find_stars(
            plane,
            FindStars(threshold=p.star_threshold, fwhm=fwhm or 0.0, max_stars=MOST),
            excluded=unknown,
            saturation=full,
        )
    except FrameError:
        return NOTHING
    if not len(stars):
        return NOTHING
    width = float(np.median(stars.fwhm))
    level, noise = sky.sample(stars.x, stars.y)
    contrast = np.empty(len(stars))
    around = np.maximum(BESIDE * np.clip(stars.fwhm, width, WIDEST * width if fwhm is None else width), 2.0)
    local_contrast(plane, known, stars.x, stars.y, around, noise, contrast)
    # The error of the mean of nine pixels against the ring.
    clear = (contrast > p.star_threshold * noise * np.sqrt(1 / 9 + 0.2)) | (stars.saturated > 0)
    if fwhm is not None:
        clear &= (stars.fwhm < LIKE * fwhm) & (stars.eccentricity < ROUND)
    stars, level, noise = stars.take(clear), level[clear], noise[clear]
    wings = 0.5 * width * (np.maximum(stars.peak, noise) / (FAINTEST * np.maximum(noise, 1e-30))) ** (1 / (2 * WINGS))
    usual, largest = p.star_size / 2, np.where(stars.saturated > 0, 2.0, 1.0) * p.star_size
    most = np.clip(2 * wings, min(2, usual), np.where(wings > usual, largest, usual)).astype(np.int64)
    reach = np.empty(len(stars))
    first = np.full(len(stars), max(int(np.ceil(0.8 * width)), 2))
    low = level + np.maximum(0.02 * stars.peak, 5 * noise)
    star_reach(plane, known, stars.x, stars.y, first, most, low, noise, reach)
    found = Found(stars, reach + 1.0, np.empty((0, 3)))
    return found if fwhm else Found(stars, found.reach, _spots(plane, known, sky, full, width, p, found))


def _lay_flat(plane: np.ndarray, fwhm: float) -> None:
    """Subtract what is wider than the stars, in place: smoothings of it in which what stands out was cut off before."""
    noise = measure_noise(plane[sample_rows(plane.shape)])
    scales = 1
    while FWHM_PER_SIGMA * np.sqrt((4**scales - 1) / 3) < WIDER * fwhm:
        scales += 1
    scales = min(scales, largest_scale(plane.shape))
    height, margin = len(plane), (CUTS + 1) * starlet_reach(scales)
    rows = max(STRIP, 2 * margin)
    tops = range(0, height, rows)
    # A strip is overwritten while its neighbours still look at its rim.
    rims = {top: plane[top - margin : top + margin].copy() for top in tops[1:]}

    def lay(top: int) -> None:
        above, below = (rims[top][:margin] if top else plane[:0]), rims.get(top + rows, plane[:0])[margin:]
        own = np.concatenate([above, plane[top : top + rows], below])
        flat = _flat(own, np.float32(CUT * noise), scales)
        plane[top : top + rows] = flat[len(above) : len(flat) - len(below)]

    each_part(lay, list(tops))


def _flat(plane: np.ndarray, cut: np.float32, scales: int) -> np.ndarray:
    low, spare, smooth = plane.copy(), np.empty_like(plane), np.empty_like(plane)
    for turn in range(CUTS + 1):
        for scale in range(scales):
            # In turns: the last lands in `smooth`, whichever array the first came from.
            smooth_rows(low if scale == 0 else smooth, 2**scale, 0, len(plane), spare)
            smooth, spare = spare, smooth
        if turn < CUTS:
            np.add(smooth, cut, out=smooth)
            np.minimum(plane, smooth, out=low)
    return np.subtract(plane, smooth, out=low)


def _spots(
    plane: np.ndarray, known: np.ndarray, sky: Background, full: float, fwhm: float, p: StarSearch, found: Found
) -> np.ndarray:
    """Bright narrow spots that no profile fits: stars that bled, or burst in the core; (n, 3) x, y, reach."""
    from scipy.ndimage import find_objects, label

    nothing = np.empty((0, 3))
    if not sky.noise > 0:
        return nothing
    covered = ~known
    found.paint(covered)
    bright = _well_above(plane, sky, full) & ~covered
    if not bright.any():
        return nothing
    islands, _ = label(bright, np.ones((3, 3), bool))
    spots = []
    for number, box in enumerate(find_objects(islands), 1):
        side = max(each.stop - each.start for each in box)
        if side > 2 * p.star_size:
            continue
        values = np.where(islands[box] == number, plane[box], -np.inf)
        y, x = np.unravel_index(int(values.argmax()), values.shape)
        peak, x, y = values[y, x], x + box[1].start, y + box[0].start
        level, noise = (float(each[0]) for each in sky.sample(np.array([x]), np.array([y])))
        core = np.count_nonzero(values > min(level + 0.5 * (peak - level), full))
        if core <= CORE * fwhm**2:
            ring = max(1.5 * fwhm, 1.5 * np.sqrt(core / np.pi))
            spots.append((x, y, peak - level, side / 2 + 1, level, noise, peak >= full, ring))
    if not spots:
        return nothing
    x, y, peak, radius, level, noise, burst, ring = np.ascontiguousarray(np.array(spots, float).T)
    contrast = np.empty(len(x))
    local_contrast(plane, known, x, y, ring, noise, contrast)
    # Charge that bled out of a full core runs on as a thread does.
    kept = (contrast > 0) | (burst > 0)
    x, y, peak, radius, level, noise = (each[kept] for each in (x, y, peak, radius, level, noise))
    reach = np.empty(len(x))
    most = np.full(len(x), 2 * p.star_size)
    low = level + np.maximum(0.02 * peak, 5 * noise)
    star_reach(plane, known, x, y, radius.astype(np.int64), most, low, noise, reach)
    return np.column_stack([x, y, np.maximum(reach, radius) + 1.0])


def _well_above(plane: np.ndarray, sky: Background, full: float) -> np.ndarray:
    """Pixels that are full or `BURST` sigma above the background: box by box, for neither needs to be known well."""
    bright = np.empty(plane.shape, bool)
    limits = np.minimum(sky.mesh + np.float32(BURST) * sky.mesh_noise, np.nextafter(np.float32(full), np.float32(0)))
    rows, columns = (np.rint(np.linspace(0, n, m + 1)).astype(int) for n, m in zip(plane.shape, limits.shape))
    for first, last, line in zip(rows[:-1], rows[1:], limits):
        np.greater(plane[first:last], np.repeat(line, np.diff(columns)), out=bright[first:last])
    return bright
