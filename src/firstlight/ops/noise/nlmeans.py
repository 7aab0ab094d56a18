"""Noise reduction by non-local means."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.noise.cleaned import cleaned
from firstlight.ops.noise.strength import NoiseSource
from firstlight.ops.registry import Reach, operation
from firstlight.units import Px, Sigma


class NonLocalMeans(NoiseSource):
    patch: Annotated[Px, Field(ge=3, le=15)] = 5
    """Side of the patches that are compared."""
    distance: Annotated[Px, Field(ge=1, le=30)] = 7
    """How far like patches are looked for."""
    strength: Annotated[Sigma, Field(gt=0, le=10)] = 0.6
    """Patches that differ by more than about this, beyond their noise, count little."""


@operation("nr:nlmeans", reach=Reach.FRAME)
def non_local_means(image: Image, p: NonLocalMeans) -> Image:
    """Average each pixel with those whose surroundings look alike: textures and threads repeat, noise does not.

    Buades, Coll & Morel 2005, by scikit-image, on the picture in units of its noise.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    where noise was taken off errors are no longer random.

    Raises
    ------
    InputError
        On a CFA mosaic; a noise source for which the image holds too little.

    >>> noisy = np.random.default_rng(1).normal(100, 5, (48, 48)); noisy[:, 24:] += 100
    >>> clean = non_local_means(Image(noisy), NonLocalMeans()).data[0]
    >>> bool(clean[:, :20].std() < 2.5), bool(clean[:, 28:].mean() - clean[:, :20].mean() > 95)
    (True, True)
    """

    def clean(plane: np.ndarray, sigma: np.ndarray, holes: np.ndarray | None, out: np.ndarray) -> None:
        from skimage.restoration import denoise_nl_means

        if min(plane.shape) < p.patch + 2 or not np.any(sigma > 0):
            out[:] = plane
            return
        noise = np.maximum(sigma, sigma[sigma > 0].min())
        level = np.float32(np.median(plane))
        # About the middle level, so that a noise that follows the light does not tilt the sky.
        scaled = denoise_nl_means(
            (plane - level) / noise, patch_size=p.patch, patch_distance=p.distance, h=p.strength, sigma=1.0,
            fast_mode=True, preserve_range=True,
        )  # fmt: skip
        np.add(scaled * noise, level, out=out, casting="same_kind")

    return cleaned(image, p, lambda samples: clean, "nr:nlmeans")
