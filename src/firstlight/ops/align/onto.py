"""A whole image brought onto the pixels of another."""

from __future__ import annotations

import numpy as np

from firstlight.model.flags import EXCLUDED, FLAG_NAMES, Flag, has
from firstlight.model.image import Image
from firstlight.model.plate import Plate
from firstlight.model.registration import Transform
from firstlight.ops.align.resample import Kernel, noise_factor, resample_tile
from firstlight.ops.align.sky_target import AnyMap

TOUCHED = 0.02
"""Share of a flagged pixel in one of the result from which the flag is passed on."""


def brought_onto(
    image: Image,
    forward: Transform | AnyMap,
    size: tuple[int, int],
    *,
    plate: Plate | None = None,
    kernel: Kernel = "lanczos3",
    clamp: float | None = None,
    conserve_flux: bool = False,
) -> Image:
    """Resample all channels through a transform onto a grid of ``size`` (height, width).

    Values are surface brightness: a transform that enlarges does not dim. Images on a finer grid are averaged down
    first, so that nothing aliases. Flags go to every pixel that takes a fiftieth of a flagged one or more; what the
    image does not cover is NO_DATA. Variance: bilinear, times the mean of the squared weights (neighbours are
    correlated then). ``plate`` is that of the grid.

    Parameters
    ----------
    clamp : Lanczos may fall this far (in the unit of the image) below the lowest of the inner samples; None: 3 sigma
        where the variance is known, else any far.
    conserve_flux : multiply by the area of a grid pixel, so that sums over stars stay.
    """
    area = np.float32(forward.scale**-2 if conserve_flux else 1.0)
    image, forward = _binned(image, forward)
    channels, height, width = image.shape
    shape = (channels, *size)
    data, flags = np.empty(shape, np.float32), np.zeros(shape, np.uint16)
    variance = None if image.variance is None else np.empty(shape, np.float32)
    factor = np.float32(noise_factor(forward, (0, size[0], 0, size[1]), kernel))
    for c in range(channels):
        plane = _without_gaps(image.data[c], has(image.flags[c], EXCLUDED))
        floor = np.inf if clamp is None else clamp
        if clamp is None and image.variance is not None and image.good[c].any():
            floor = 3 * float(np.sqrt(np.median(image.variance[c][image.good[c]])))
        resample_tile(plane, 0, (height, width), forward, data[c], 0, 0, kernel=kernel, clamp=floor)
        if variance is not None:
            noise = _without_gaps(image.variance[c], has(image.flags[c], EXCLUDED))  # type: ignore[index]
            resample_tile(noise, 0, (height, width), forward, variance[c], 0, 0, kernel="bilinear")
            variance[c] = np.where(np.isfinite(variance[c]), variance[c] * factor, np.float32(0))
        for bit in FLAG_NAMES:
            marked = has(image.flags[c], bit)
            if marked.any():
                share = np.empty(size, np.float32)
                resample_tile(marked.astype(np.float32), 0, (height, width), forward, share, 0, 0, kernel="bilinear")
                flags[c][share > TOUCHED] |= np.uint16(bit)
        outside = ~np.isfinite(data[c])
        data[c][outside] = 0
        flags[c][outside] = np.uint16(Flag.NO_DATA)
    data *= area
    if variance is not None:
        variance *= area**2
    return image.replace(data=data, flags=flags, variance=variance, plate=plate)


def _binned(image: Image, forward: Transform | AnyMap) -> tuple[Image, Transform | AnyMap]:
    """Averaged over squares where the grid is so much coarser, and the transform of the averages."""
    side = round(1 / forward.scale) if forward.is_affine and forward.scale > 0 else 1
    if side < 2:
        return image, forward
    from firstlight.ops.spec import step

    middle = (side - 1) / 2
    small = step("bin:mean", factor=side)(image)
    return small, Transform(np.array([[side, 0.0, middle], [0.0, side, middle], [0.0, 0.0, 1.0]])).then(forward)


def _without_gaps(plane: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Pixels without a number take that of the nearest with one, or what the kernel reaches would all be lost."""
    if not gaps.any() or gaps.all():
        return np.where(gaps, np.float32(0), plane).astype(np.float32) if gaps.any() else plane
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(gaps, return_distances=False, return_indices=True)
    return np.ascontiguousarray(plane[tuple(nearest)])
