"""Stars put back without the noise around them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from firstlight.model.image import Image
from firstlight.ops.inspect.noise import noise_of


def faded_where_noise(image: Image) -> Callable[[Image], Image]:
    """A step for the stars of an image that fades what of them is no more than its noise.

    The rest of a star's mask holds the noise of the sky; put back on a clean sky it would be a speckled disc.
    """
    sigma = noise_of(image, "ksigma")

    def fade(stars: Image) -> Image:
        from scipy.ndimage import gaussian_filter

        data = np.empty_like(stars.data)
        for channel, plane in enumerate(stars.data):
            strength = gaussian_filter(plane, 1.0) / np.float32(max(sigma[channel], 1e-30))
            data[channel] = plane * np.clip((strength - 2) / 3, 0, 1)
        return stars.replace(data=data)

    return fade
