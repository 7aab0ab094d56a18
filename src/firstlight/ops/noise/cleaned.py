"""One way for steps that clean planes: holes filled, noise known, the share asked for, holes put back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from firstlight.model.image import Image, PixelUnit
from firstlight.ops.contrast.inpaint import whole_plane
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.noise.strength import NoiseSource, sigma_plane, source_of, stabilised, unstabilised

Clean = Callable[[np.ndarray, np.ndarray, "np.ndarray | None"], np.ndarray]
"""(plane without holes, sigma of each pixel or (1, 1), holes) -> clean plane, float32."""


def cleaned(image: Image, p: NoiseSource, clean: Clean, step: str) -> Image:
    """The image with every channel cleaned; variance None.

    Raises
    ------
    InputError
        On a CFA mosaic; a noise source for which the image holds too little.
    """
    refuse_mosaic(step, image)
    source = source_of(image, p.noise, step)
    data = np.empty_like(image.data)
    for channel, given in enumerate(image.data):
        plane, holes = whole_plane(given, image.flags[channel])
        plane = np.ascontiguousarray(plane)
        if source == "anscombe":
            gain = image.meta.gain if image.unit == PixelUnit.ADU else 1.0
            counts = stabilised(plane, gain, image.meta.read_noise)
            clean_counts = clean(counts, np.ones((1, 1), np.float32), holes)
            # Below no light at all the transform is flat: there the plain picture is cleaned as it is.
            found = np.where(counts > 0, unstabilised(clean_counts, gain, image.meta.read_noise), plane)
        else:
            found = clean(plane, sigma_plane(image, channel, plane, holes, source), holes)
        if p.amount < 1:
            found = plane + np.float32(p.amount) * (found - plane)
        data[channel] = found
        if holes is not None:
            data[channel][holes] = given[holes]
    return image.replace(data=data, variance=None)
