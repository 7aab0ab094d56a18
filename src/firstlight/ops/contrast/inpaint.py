"""Holes filled with what lies around them, for the eye and for filters; nothing is measured on it."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.fill import halve, refine, relax
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image

ROUNDS = 12
"""Sweeps that make the seam of a filling smooth."""


def inpainted(plane: np.ndarray, holes: np.ndarray, rounds: int = ROUNDS) -> np.ndarray:
    """A copy of the plane (float32) with its holes (bool, True where filled) closed smoothly; zeros if all is hole.

    Means of known pixels, of ever coarser levels the further the rim is away; then a membrane is let come to rest, so
    that no seam shows. What the holes held does not matter.

    >>> plane = np.add.outer(np.arange(9.0), np.arange(9.0)); holes = np.zeros((9, 9), bool); holes[3:6, 3:6] = True
    >>> bool(np.abs(inpainted(np.where(holes, 99, plane), holes) - plane).max() < 0.5)
    True
    """
    filled = np.where(holes, np.float32(0), plane).astype(np.float32)
    if not holes.any() or holes.all():
        return filled
    levels = [(filled, (~holes).astype(np.float32))]
    while max(levels[-1][0].shape) > 1 and levels[-1][1].min() < 1:
        finer, known = levels[-1]
        shape = ((finer.shape[0] + 1) // 2, (finer.shape[1] + 1) // 2)
        coarser, share = np.empty(shape, np.float32), np.empty(shape, np.float32)
        halve(finer, known, coarser, share)
        levels.append((coarser, share))
    for (finer, known), (coarser, _) in zip(levels[-2::-1], levels[:0:-1]):
        refine(finer, known, coarser)
    ys, xs = np.nonzero(holes)
    relax(filled, ys, xs, rounds)
    return filled


def whole_plane(data: np.ndarray, flags: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """A plane without pixels that hold no number, and where those were; the plane itself and None if there are none."""
    holes = has(flags, EXCLUDED)
    if not holes.any():
        return data, None
    return inpainted(data, holes), holes


def without_holes(image: Image) -> Image:
    """The image with pixels that hold no number filled, for steps that look at all pixels; the flags stay."""
    if not has(image.flags, EXCLUDED).any():
        return image
    return image.replace(data=np.stack([whole_plane(*each)[0] for each in zip(image.data, image.flags)]))


def grain(plane: np.ndarray, holes: np.ndarray, taboo: np.ndarray) -> None:
    """Give the smooth filling of holes the noise of its surroundings, in place: that mirrored in the nearest rim.

    ``taboo`` (bool, includes the holes): pixels whose noise is not to be taken; there the filling stays smooth.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    whole = inpainted(plane, taboo & ~holes)
    detail = whole - gaussian_filter(whole, 1.5, mode="mirror")
    detail[taboo] = 0
    rim = distance_transform_edt(taboo, return_distances=False, return_indices=True)
    ys, xs = np.nonzero(holes)
    height, width = plane.shape
    y = np.clip(2 * rim[0][ys, xs] - ys, 0, height - 1)
    x = np.clip(2 * rim[1][ys, xs] - xs, 0, width - 1)
    found = detail[y, x]
    missing = taboo[y, x]
    if missing.any() and not taboo.all():
        # Mirrored into another hole: from anywhere, but the same on every run.
        anywhere = np.random.default_rng(1).choice(detail[~taboo], int(missing.sum()))
        limit = 4 * 1.4826 * np.median(np.abs(anywhere))
        found[missing] = np.clip(anywhere, -limit, limit)
    plane[ys, xs] += found
