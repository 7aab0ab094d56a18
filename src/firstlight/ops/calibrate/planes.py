"""The planes of one colour that an image consists of: its channels, or the four samples of a CFA cell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from firstlight.model.image import Image

Place = tuple[int, slice, slice]


def colour_planes(image: Image) -> Iterator[Place]:
    """Indices into (channel, y, x) of planes whose neighbours are of one colour; empty ones are left out.

    >>> from firstlight.model.meta import Meta
    >>> len(list(colour_planes(Image(np.ones((4, 4)), meta=Meta(cfa="RGGB")))))
    4
    """
    step = 2 if image.meta.cfa else 1
    for channel in range(image.shape[0]):
        for j in range(step):
            for i in range(step):
                place = (channel, slice(j, None, step), slice(i, None, step))
                if image.data[place].size:
                    yield place


def filled(plane: np.ndarray, good: np.ndarray) -> np.ndarray:
    """The plane with the median of the good pixels in the others (0 without any): what they hold must not matter."""
    if good.all():
        return np.ascontiguousarray(plane, np.float32)
    level = np.median(plane[good]) if good.any() else 0.0
    return np.where(good, plane, np.float32(level)).astype(np.float32)


def spread_of(plane: np.ndarray, good: np.ndarray) -> float:
    """Robust noise of a pixel, from differences of neighbours: gradients and nebulae vanish. 0 of nothing."""
    pairs = good[:, 1:] & good[:, :-1]
    if not pairs.any():
        return 0.0
    steps = (plane[:, 1:] - plane[:, :-1])[pairs]
    return 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / 2**0.5
