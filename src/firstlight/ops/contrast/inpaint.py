"""Holes filled with what lies around them, for the eye and for filters; nothing is measured on it."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.fill import halve, halve_known, refine, refine_pixels, relax
from firstlight.kernels.grain import WHOLE, mirrored_noise
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image

ROUNDS = 12
"""Sweeps that make the seam of a filling smooth."""
LOUDEST = 4.0
"""Sigma at which noise that is put into a hole is cut."""


def inpainted(plane: np.ndarray, holes: np.ndarray, rounds: int = ROUNDS) -> np.ndarray:
    """A copy of the plane (float32) with its holes (bool, True where filled) closed smoothly; zeros if all is hole.

    Means of known pixels, of ever coarser levels the further the rim is away; then a membrane is let come to rest, so
    that no seam shows. What the holes held does not matter.

    >>> plane = np.add.outer(np.arange(9.0), np.arange(9.0)); holes = np.zeros((9, 9), bool); holes[3:6, 3:6] = True
    >>> bool(np.abs(inpainted(np.where(holes, 99, plane), holes) - plane).max() < 0.5)
    True
    """
    filled = np.array(plane, np.float32)
    fill(filled, holes, rounds)
    return filled


def fill(
    plane: np.ndarray, holes: np.ndarray, rounds: int = ROUNDS, places: tuple[np.ndarray, np.ndarray] | None = None
) -> None:
    """As `inpainted`, in place; ``places``: rows and columns of the holes, if they are known."""
    ys, xs = np.nonzero(holes) if places is None else places
    plane[ys, xs] = 0
    if not 0 < len(ys) < holes.size:
        return
    levels: list[tuple[np.ndarray, np.ndarray]] = []
    while not levels or (max(levels[-1][0].shape) > 1 and levels[-1][1].min() < 1):
        finer = levels[-1][0] if levels else plane
        shape = ((finer.shape[0] + 1) // 2, (finer.shape[1] + 1) // 2)
        # One piece of memory: the system gets it back, where it would keep two halves for the thread.
        coarser, share = np.empty((2, *shape), np.float32)
        if levels:
            halve(*levels[-1], coarser, share)
        else:
            halve_known(plane, holes, coarser, share)
        levels.append((coarser, share))
    for (finer, known), (coarser, _) in zip(levels[-2::-1], levels[:0:-1]):
        refine(finer, known, coarser)
    refine_pixels(plane, ys, xs, levels[0][0])
    relax(plane, ys, xs, rounds)


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


def grain(plane: np.ndarray, ys: np.ndarray, xs: np.ndarray, taboo: np.ndarray) -> None:
    """Give the smooth filling of holes the noise of its surroundings, in place: that mirrored in the nearest rim.

    ``ys``, ``xs``: their pixels, at least one; ``taboo`` (bool, includes them): those whose noise is not to be taken.
    """
    found = np.empty(len(ys), np.float32)
    mirrored_noise(plane, taboo, ys, xs, found)
    # The skirt of a star is no noise.
    limit = np.float32(LOUDEST * 1.4826 * np.median(np.abs(found)))
    plane[ys, xs] += np.float32(WHOLE) * np.clip(found, -limit, limit)
