"""Holes filled with something that looks like their surroundings."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, State
from firstlight.ops.calibrate.planes import colour_planes
from firstlight.ops.registry import Params, Reach, operation

FEWEST = 20
"""Good pixels that a filling is made of."""
SHARE = 2.0
"""... and so many for each pixel of the hole."""
LARGEST = 60_000
"""px: larger holes would take minutes to fill smoothly."""


class FillHoles(Params):
    method: Literal["noise", "smooth"] = "noise"
    """``noise``: random numbers of the level and scatter around the hole. ``smooth``: the surface of least bending
    through its rim (biharmonic), without noise."""
    zeros: bool = False
    """Pixels of exactly 0 are holes too, as some programs mark them."""
    seed: Annotated[int, Field(ge=0)] = 1
    """The same seed gives the same noise."""


@operation("cal:fillholes", reach=Reach.FRAME, demands=State.LINEAR)
def fill_holes(image: Image, p: FillHoles) -> Image:
    """Fill pixels without a number, for programs that cannot take holes; what is filled in is no measurement.

    A box around each hole grows until it holds 20 good pixels and twice as many as bad ones.

    Flags: filled pixels gain INTERPOLATED and keep NO_DATA or NOT_FINITE: stacks and measurements still leave them out.
    Variance: that of the surroundings. Plate and unit: kept.

    Raises
    ------
    InputError
        A hole of more than 60,000 pixels with ``smooth``.

    >>> sky = np.random.default_rng(1).normal(100, 3, (40, 40)); sky[10:14, 10:14] = np.nan
    >>> full = fill_holes(Image(sky), FillHoles())
    >>> bool(np.isfinite(full.data).all()), round(float(full.data[0, 10:14, 10:14].mean()), -1)
    (True, 100.0)
    """
    from scipy.ndimage import find_objects, label

    holes = has(image.flags, EXCLUDED)
    if p.zeros:
        holes |= image.data == 0
    if not holes.any():
        return image
    data, flags = image.data.copy(), image.flags.copy()
    variance = None if image.variance is None else image.variance.copy()
    rng = np.random.default_rng(p.seed)
    for place in colour_planes(image):
        plane, bad = data[place], holes[place]
        spread = None if variance is None else variance[place]
        islands, _ = label(bad, np.ones((3, 3), bool))
        for number, box in enumerate(find_objects(islands), 1):
            around = _grown(box, bad)
            inside = islands[around] == number
            values = image.data[place][around][~bad[around]]
            if not len(values):
                continue
            level = float(np.median(values))
            sigma = 1.4826 * float(np.median(np.abs(values - level)))
            if p.method == "noise":
                plane[around][inside] = level + sigma * rng.standard_normal(int(inside.sum()))
            else:
                plane[around][inside] = _smooth(image.data[place], bad, islands == number, around, level)
            if spread is not None:
                spread[around][inside] = sigma**2
            flags[place][around][inside] |= np.uint16(Flag.INTERPOLATED | Flag.NO_DATA)
    return image.replace(data=data, flags=flags, variance=variance)


def _grown(box: tuple[slice, slice], bad: np.ndarray) -> tuple[slice, slice]:
    """The box grown until it holds enough good pixels, or all."""
    height, width = bad.shape
    (top, bottom), (left, right) = ((s.start, s.stop) for s in box)
    while True:
        top, bottom = max(top - 2, 0), min(bottom + 2, height)
        left, right = max(left - 2, 0), min(right + 2, width)
        n_bad = int(np.count_nonzero(bad[top:bottom, left:right]))
        n_good = (bottom - top) * (right - left) - n_bad
        if (n_good >= FEWEST and n_good >= SHARE * n_bad) or (bottom - top, right - left) == (height, width):
            return slice(top, bottom), slice(left, right)


def _smooth(
    plane: np.ndarray, bad: np.ndarray, hole: np.ndarray, around: tuple[slice, slice], level: float
) -> np.ndarray:
    """Values of the hole that bend least: the sum of squared Laplacians over hole and rim is smallest."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import spsolve

    inside = hole[around]
    n = int(inside.sum())
    if n > LARGEST:
        raise InputError(f"cal:fillholes: a hole of {n} px; method=smooth fills up to {LARGEST}; use method=noise")
    known = np.where(bad[around], np.float64(level), plane[around].astype(np.float64))
    height, width = inside.shape
    index = np.full(inside.shape, -1)
    index[inside] = np.arange(n)
    rows, columns, weights, target = [], [], [], []
    ys, xs = np.nonzero(_touching(inside))
    for row, (y, x) in enumerate(zip(ys, xs)):
        neighbours = [(y + dy, x + dx) for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1))]
        neighbours = [(j, i) for j, i in neighbours if 0 <= j < height and 0 <= i < width]
        rest = 0.0
        for j, i, weight in [(y, x, -float(len(neighbours))), *((j, i, 1.0) for j, i in neighbours)]:
            if index[j, i] >= 0:
                rows.append(row)
                columns.append(index[j, i])
                weights.append(weight)
            else:
                rest -= weight * known[j, i]
        target.append(rest)
    matrix = csr_matrix((weights, (rows, columns)), shape=(len(ys), n))
    square = (matrix.T @ matrix).tocsc()
    return np.atleast_1d(spsolve(square, matrix.T @ np.array(target))).astype(np.float32)


def _touching(inside: np.ndarray) -> np.ndarray:
    from scipy.ndimage import binary_dilation

    return binary_dilation(inside)
