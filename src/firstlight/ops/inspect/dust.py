"""Dust on flats: where its shadows are, how wide and how deep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError
from firstlight.kernels.surroundings import separable_median
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.calibrate.planes import colour_planes, filled
from firstlight.ops.inspect.background import measure_background
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px, Sigma, SubPx

SMALLEST = 12
"""px of one colour: smaller groups are bad pixels, not shadows."""


class Dust(Params):
    limit: Annotated[Sigma, Field(ge=1, le=100)] = 5.0
    """The rim of a shadow is steeper than the noise makes the flat, by this much."""
    fwhm: Annotated[SubPx, Field(gt=0, le=100)] = 6.0
    """Of the Gaussian that smooths the flat first, in pixels of one colour; smaller finds sharper dust, and noise;
    10 suits a master flat and wide, faint rings."""
    grow: Annotated[Px, Field(ge=0, le=100)] = 2
    """The mask reaches so much further."""


@dataclass(frozen=True)
class Shadow:
    """One dust shadow."""

    x: float
    y: float
    diameter: float
    """px, of the mask: of the circle of its area."""
    depth: float
    """Share of the light that it takes, at its darkest."""


@operation("inspect:dust", reach=Reach.FRAME, demands=State.LINEAR)
def dust(image: Image, p: Dust) -> Image:
    """The mask of dust shadows on a flat: 1 on dust, 0 elsewhere.

    The flat is smoothed and divided by its large structure; where its slope stands out, a shadow has its rim; rims are
    filled and grown. Masks of several flats are joined with `cal:arithmetic:do=add`.

    Flags and plate: kept. Variance: dropped, a mask has none. Unit: normalised.

    >>> y, x = np.mgrid[:200, :200]
    >>> flat = np.random.default_rng(1).normal(1, 0.004, (200, 200)) * (1 - 0.06 * (np.hypot(x - 120, y - 60) < 12))
    >>> mask = dust(Image(flat), Dust()).data[0]
    >>> float(mask[60, 120]), float(mask[150, 50])
    (1.0, 0.0)
    """
    mask = find_dust(image, p)
    return image.replace(data=mask.astype(np.float32), variance=None, unit=PixelUnit.NORMALISED)


def find_dust(image: Image, p: Dust) -> np.ndarray:
    """Boolean (channel, y, x): dust shadows."""
    mask = np.zeros(image.shape, bool)
    for place in colour_planes(image):
        relief = _relief(image.data[place], image.good[place], p.fwhm)
        if relief is not None:
            mask[place] = _shadows(relief, p)
    if image.meta.cfa:
        # A shadow is there in every colour.
        cells = mask[0, ::2, ::2].copy()
        for j in (0, 1):
            for i in (0, 1):
                part = mask[0, j::2, i::2]
                cells[: part.shape[0], : part.shape[1]] |= part
        for j in (0, 1):
            for i in (0, 1):
                part = mask[0, j::2, i::2]
                part[...] = cells[: part.shape[0], : part.shape[1]]
    return mask


def _relief(plane: np.ndarray, good: np.ndarray, fwhm: float) -> np.ndarray | None:
    """The flat divided by its large structure, without single pixels, smoothed; None where there is nothing to see."""
    from scipy.ndimage import gaussian_filter

    if not good.any() or min(plane.shape) < 8 * fwhm / 2.3548:
        return None
    data = filled(plane, good)
    try:
        large = measure_background(data, ~good, box=int(max(64, 12 * fwhm))).at()
    except FrameError:
        return None
    if not np.all(large > 0):
        return None
    relief = np.empty_like(data)
    separable_median(np.ascontiguousarray(data / large), 1, relief)
    return gaussian_filter(relief, fwhm / 2.3548, mode="nearest")


def _shadows(relief: np.ndarray, p: Dust) -> np.ndarray:
    from scipy.ndimage import binary_closing, binary_dilation, binary_fill_holes, label

    down, across = np.gradient(relief)
    slope = np.hypot(down, across)
    middle = float(np.median(slope))
    # Of Rayleigh's law, which noise gives the slope, the median is 1.18 and the scatter 0.66 of its parameter.
    steep = slope > middle / 1.1774 * (1.2533 + 0.6551 * p.limit)
    round_ = _disc(max(2, int(p.fwhm / 2)))
    closed = binary_fill_holes(binary_closing(np.pad(steep, p.grow + 8), round_))
    closed = closed[p.grow + 8 : closed.shape[0] - p.grow - 8, p.grow + 8 : closed.shape[1] - p.grow - 8]
    islands, n = label(closed)
    sizes = np.bincount(islands.ravel(), minlength=n + 1)
    large = sizes >= max(SMALLEST, p.fwhm**2)
    large[0] = False
    kept = large[islands]
    return binary_dilation(kept, _disc(p.grow)) if p.grow and kept.any() else kept


def _disc(radius: int) -> np.ndarray:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return x * x + y * y <= radius * radius


def measure_dust(image: Image, mask: np.ndarray) -> list[Shadow]:
    """Place, diameter and depth of the shadows of a mask (y, x) on the first channel of a flat, deepest first."""
    from scipy.ndimage import find_objects, label

    plane = image.data[0]
    islands, _ = label(mask)
    found = []
    for number, box in enumerate(find_objects(islands), 1):
        inside = islands[box] == number
        ys, xs = np.nonzero(inside)
        margin = 10
        wide = tuple(slice(max(s.start - margin, 0), s.stop + margin) for s in box)
        rim = plane[wide][(islands[wide] == 0) & image.good[0][wide]]
        values = plane[box][inside & image.good[0][box]]
        if rim.size and values.size and np.median(rim) > 0:
            depth = 1 - float(np.percentile(values, 10)) / float(np.median(rim))
            centre = (float(xs.mean()) + box[1].start, float(ys.mean()) + box[0].start)
            found.append(Shadow(*centre, 2 * float(np.sqrt(len(ys) / np.pi)), depth))
    return sorted(found, key=lambda shadow: -shadow.depth)
