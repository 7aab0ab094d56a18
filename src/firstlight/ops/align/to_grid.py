"""An image onto another grid of pixels: every plane of it."""

from __future__ import annotations

import numpy as np

from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image
from firstlight.model.plate import Plate
from firstlight.model.registration import Transform
from firstlight.ops.align.remap import PixelMap
from firstlight.ops.align.resample import Kernel, mark_near, noise_factor, resample_tile


def to_grid(
    image: Image,
    forward: Transform,
    size: tuple[int, int],
    plate: Plate | None,
    *,
    kernel: Kernel = "lanczos3",
    clamp: float = np.inf,
    conserve_flux: bool = False,
) -> Image:
    """Resample an image through a map of its positions onto a grid of ``size`` (height, width).

    Pixels that the image does not cover, or whose samples hold no number, are flagged ``NO_DATA`` and 0; all other
    flags of the pixels around a position are OR-ed. Variance: that of the pixels around, times the mean sum of squared
    weights (neighbouring pixels are correlated afterwards). Unit: kept. Plate: the one given.

    Parameters
    ----------
    forward : positions of the image to positions on the grid.
    clamp : Lanczos may fall this far (in the unit of the image) below the lowest of the inner samples.
    conserve_flux : multiply by the area of a grid pixel, so that sums of stars stay; else surface brightness stays.
    """
    height, width = size
    channels = image.shape[0]
    data = np.empty((channels, height, width), np.float32)
    flags = np.zeros((channels, height, width), np.uint16)
    variance = None if image.variance is None else np.empty_like(data)
    area = np.float32(forward.scale**-2 if conserve_flux else 1.0)
    factor = np.float32(noise_factor(forward, (0, height, 0, width), kernel))
    for channel in range(channels):
        good = ~has(image.flags[channel], EXCLUDED)
        plane = np.where(good, image.data[channel], np.float32(np.nan))
        resample_tile(plane, 0, plane.shape, forward, data[channel], 0, 0, kernel=kernel, clamp=clamp)
        missing = ~np.isfinite(data[channel])
        for bit in Flag:
            if bit & EXCLUDED:
                continue
            ys, xs = np.nonzero(has(image.flags[channel], bit))
            if len(ys):
                marked = np.zeros((height, width), np.uint16)
                mark_near(ys, xs, forward, 0, 0, np.uint16(bit), marked)
                flags[channel] |= marked
        flags[channel][missing] = np.uint16(Flag.NO_DATA)
        data[channel][missing] = 0.0
        data[channel] *= area
        if variance is not None and image.variance is not None:
            noisy = np.where(good, image.variance[channel], np.float32(np.nan))
            # Around missing pixels the kernel of the data reaches further than this: what is left out is the nearest.
            resample_tile(noisy, 0, noisy.shape, forward, variance[channel], 0, 0, kernel="bilinear")
            nearest = np.empty((height, width), np.float32)
            unknown = ~np.isfinite(variance[channel])
            if unknown.any():
                resample_tile(image.variance[channel], 0, noisy.shape, forward, nearest, 0, 0, kernel="nearest")
                variance[channel][unknown] = nearest[unknown]
            variance[channel] *= factor * area**2
            variance[channel][missing | ~np.isfinite(variance[channel])] = 0.0
    meta = image.meta.replace(origin=(0, 0))
    if meta.pixel_size is not None:
        meta = meta.replace(pixel_size=meta.pixel_size / forward.scale)
    return image.replace(data=data, flags=flags, variance=variance, plate=plate, meta=meta)


def cut_out(image: Image, box: tuple[int, int, int, int]) -> Image:
    """A part of an image, its pixels untouched: (left, top, right, bottom), 0-based, right and bottom not included.

    Plate, CFA pattern and sub-frame move along; what lies outside the image is left off.
    """
    from firstlight.ops.align.remap import taken

    left, top, right, bottom = box
    height, width = image.shape[1:]
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    return taken(image, lambda planes: planes[:, top:bottom, left:right], PixelMap(x0=-left, y0=-top))
