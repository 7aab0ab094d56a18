"""Which pixels the stars cover."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError
from firstlight.kernels.star_reach import local_contrast, paint_discs, star_reach
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.contrast.inpaint import inpainted
from firstlight.ops.inspect.background import measure_background
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px, Sigma, SubPx

MOST = 200_000
"""Stars that are looked after; the faintest of more stay in the picture."""
FULL = 0.95
"""Share of the saturation level from which a core counts as full."""
BOX = 32
"""px: of the mesh that tells the noise around a star."""
PASSES = 2
WINGS = 2.5
"""Exponent of the Moffat profile by which the reach of a star is bounded ..."""
FAINTEST = 0.25
"""... where it falls below this share of the noise."""
BURST = 20.0
"""Sigma above the background from which a spot without a star's profile may be one nevertheless."""
CORE = 12.0
"""... if so many squared FWHM at most hold half of its peak: knots of nebulae are wider."""
RIM = 2
"""px: saturated pixels and what bled out of them are taken so much wider."""


class StarSearch(Params):
    """What counts as a star."""

    star_size: Annotated[Px, Field(ge=4, le=512)] = 32
    """Diameter of usual stars with their halo. Bright ones may reach twice, saturated ones four times as far."""
    star_threshold: Annotated[Sigma, Field(ge=2, le=100)] = 4.0
    """Signal to noise from which something is a star."""


class StarMask(StarSearch):
    grow: Annotated[Px, Field(ge=0, le=64)] = 0
    """The stars are made so much wider."""
    soft: Annotated[SubPx, Field(ge=0, le=64)] = 0.0
    """Sigma of a Gaussian that makes the rims soft; 0: the mask holds 0 and 1 alone."""


@operation("extract:starmask", reach=Reach.FRAME)
def mark_stars(image: Image, p: StarMask) -> Image:
    """Mask of the stars: 1 where one is, 0 elsewhere; one channel.

    Stars are found and fitted on the mean of the channels; each is marked as far as rings around it fall.
    Bright spots that no profile fits (bled or burst cores) and saturated pixels with a rim are marked too.

    Flags: those of all channels together. Variance: dropped, for a mask has none. Plate: kept. Unit: normalised.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> y, x = np.mgrid[:64, :64]
    >>> sky = np.random.default_rng(1).normal(100, 1, (64, 64))
    >>> mask = mark_stars(Image(sky + 500 * np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 4)), StarMask())
    >>> mask.data[0, 20, 30].item(), mask.data[0, 50, 50].item()
    (1.0, 0.0)
    """
    refuse_mosaic("extract:starmask", image)
    mask = star_mask(image, p, p.grow).astype(np.float32)
    if p.soft > 0:
        from scipy.ndimage import gaussian_filter

        mask = gaussian_filter(mask, p.soft, mode="nearest")
    flags = np.bitwise_or.reduce(image.flags, axis=0)[None]
    return image.replace(data=mask[None], flags=flags, variance=None, unit=PixelUnit.NORMALISED)


def star_mask(image: Image, p: StarSearch = StarSearch(), grow: int = 0) -> np.ndarray:
    """Boolean (y, x): the stars as far as they reach, ``grow`` px further, of all channels together."""
    plane, unknown = luminance_of(image)
    plane = inpainted(plane, unknown) if unknown.any() else plane
    full = _full_level(image)
    mask = np.zeros(plane.shape, bool)
    left = plane
    for _ in range(PASSES):
        found = _stars_of(left, unknown, full, p)
        if not found.any():
            break
        mask |= found
        # Behind bright stars there are fainter ones, which show once those are gone.
        left = inpainted(left, found | unknown)
    cores = has(np.bitwise_or.reduce(image.flags, axis=0), Flag.SATURATED) | (plane >= full)
    if cores.any() or grow:
        from scipy.ndimage import binary_dilation

        mask |= binary_dilation(cores, iterations=RIM)
        mask = binary_dilation(mask, iterations=grow) if grow else mask
    return mask & ~unknown


def _stars_of(plane: np.ndarray, unknown: np.ndarray, full: float, p: StarSearch) -> np.ndarray:
    """Mask of the stars that one search finds."""
    mask = np.zeros(plane.shape, bool)
    known = ~unknown
    try:
        sky = measure_background(plane, unknown, BOX)
        stars, _ = find_stars(
            plane, FindStars(threshold=p.star_threshold, max_stars=MOST), excluded=unknown, saturation=full
        )
    except FrameError:
        return mask
    if not len(stars):
        return mask
    fwhm = float(np.median(stars.fwhm))
    level, noise = sky.sample(stars.x, stars.y)
    contrast = np.empty(len(stars))
    local_contrast(plane, known, stars.x, stars.y, np.full(len(stars), max(1.5 * fwhm, 3.0)), noise, contrast)
    # The error of the mean of nine pixels against the ring.
    clear = (contrast > p.star_threshold * noise * np.sqrt(1 / 9 + 0.2)) | (stars.saturated > 0)
    stars, level, noise = stars.take(clear), level[clear], noise[clear]
    wings = 0.5 * fwhm * (np.maximum(stars.peak, noise) / (FAINTEST * np.maximum(noise, 1e-30))) ** (1 / (2 * WINGS))
    usual, largest = p.star_size / 2, np.where(stars.saturated > 0, 2.0, 1.0) * p.star_size
    most = np.clip(2 * wings, min(2, usual), np.where(wings > usual, largest, usual)).astype(np.int64)
    reach = np.empty(len(stars))
    first = np.full(len(stars), max(int(np.ceil(0.8 * fwhm)), 2))
    low = level + np.maximum(0.02 * stars.peak, 5 * noise)
    star_reach(plane, known, stars.x, stars.y, first, most, low, noise, reach)
    paint_discs(mask, stars.x, stars.y, reach + 1.0)
    _paint_burst(plane, known, full, fwhm, p, mask)
    return mask


def _paint_burst(
    plane: np.ndarray, known: np.ndarray, full: float, fwhm: float, p: StarSearch, mask: np.ndarray
) -> None:
    """Add to the mask bright narrow spots that no profile fits: stars that bled, or burst in the core."""
    from scipy.ndimage import find_objects, label

    sky = measure_background(plane, ~known, BOX)
    if not sky.noise > 0:
        return
    bright = (plane > sky.at() + BURST * sky.noise_at()) & known
    islands, _ = label(bright, np.ones((3, 3), bool))
    found = []
    for number, box in enumerate(find_objects(islands), 1):
        side = max(each.stop - each.start for each in box)
        inside = islands[box] == number
        if side > 2 * p.star_size or mask[box][inside].mean() > 0.5:
            continue
        values = np.where(inside, plane[box], -np.inf)
        y, x = np.unravel_index(int(values.argmax()), values.shape)
        level, noise = (
            float(each[0]) for each in sky.sample(np.array([x + box[1].start]), np.array([y + box[0].start]))
        )
        core = np.count_nonzero(values > min(level + 0.5 * (values[y, x] - level), full))
        if core <= CORE * fwhm**2:
            found.append((x + box[1].start, y + box[0].start, values[y, x] - level, side / 2 + 1, level, noise))
    if found:
        x, y, peak, radius, level, noise = np.array(found).T
        reach = np.empty(len(x))
        most = np.full(len(x), 2 * p.star_size)
        low = level + np.maximum(0.02 * peak, 5 * noise)
        star_reach(plane, known, x, y, radius.astype(np.int64), most, low, noise, reach)
        paint_discs(mask, x, y, np.maximum(reach, radius) + 1.0)


def luminance_of(image: Image) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the good channels, float32 (y, x), and where none of them holds a number: there it means nothing."""
    if image.shape[0] == 1:
        return image.data[0], has(image.flags[0], EXCLUDED)
    good = image.good
    number = good.sum(axis=0)
    if number.min() == len(good):
        return image.data.mean(axis=0, dtype=np.float32), np.zeros(number.shape, bool)
    total = np.where(good, image.data, np.float32(0)).sum(axis=0, dtype=np.float32)
    return (total / np.maximum(number, 1)).astype(np.float32), number == 0


def _full_level(image: Image) -> float:
    if image.state == State.STRETCHED:
        return 0.99
    if image.meta.saturation and image.unit == "adu":
        return FULL * image.meta.saturation
    return np.inf
