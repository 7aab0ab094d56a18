"""Star lists of invented images of a known piece of the sky, for the tests of plate solving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.model.catalog import Catalog
from firstlight.ops.align.plate_fit import on_tangent_plane

SHAPE = (800, 1200)


def invented_sky(n: int = 60_000, seed: int = 11) -> Catalog:
    """Stars all over the sky; fainter ones are more."""
    rng = np.random.default_rng(seed)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    mag = 10.0 + np.log10(rng.uniform(1e-4, 1, n)) / 0.5
    return Catalog(rng.uniform(0, 360, n), dec, epoch=2016.0, mags={"G": mag})


@dataclass(frozen=True)
class Field:
    positions: np.ndarray
    """Brightest first."""
    ra: float
    dec: float
    scale: float
    flipped: bool


def field_of(
    sky: Catalog,
    ra: float,
    dec: float,
    width: float,
    *,
    angle: float = 0.0,
    flipped: bool = False,
    noise: float = 0.1,
    missing: float = 0.1,
    extra: float = 0.15,
    most: int = 120,
    bend: float = 0.0,
    seed: int = 1,
) -> Field:
    """Where the brightest stars lie on an image ``width`` degrees wide, some missing, some that are none.

    ``bend``: displacement, px, of the corner by a cubic distortion.
    """
    rng = np.random.default_rng(seed)
    height, across = SHAPE
    near = sky.within(ra, dec, 0.75 * width)
    plane = on_tangent_plane(near.vectors, ra, dec) * across / width
    turn = np.radians(angle)
    # East is left with north up, x right and y up, unless flipped.
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    pixels = plane @ rotation.T * np.array([1.0 if flipped else -1.0, 1.0])
    radius = np.hypot(*SHAPE) / 2
    pixels *= 1 + bend / radius * ((pixels**2).sum(axis=1) / radius**2)[:, None]
    pixels += np.array([(across - 1) / 2, (height - 1) / 2])
    inside = ((pixels > 0) & (pixels < np.array([across - 1, height - 1]))).all(axis=1)
    pixels, mag = pixels[inside], near.mag[inside] + rng.normal(0, 0.2, inside.sum())
    order = np.argsort(mag)[:most]
    order = order[rng.uniform(size=len(order)) >= missing]
    pixels, mag = pixels[order] + rng.normal(0, noise, (len(order), 2)), mag[order]
    others = round(extra * len(order))
    pixels = np.vstack([pixels, rng.uniform(0, 1, (others, 2)) * np.array([across, height])])
    mag = np.concatenate([mag, rng.choice(mag, others)]) if others else mag
    return Field(pixels[np.argsort(mag, kind="stable")], ra, dec, width * 3600 / across, flipped)


class OneSky:
    """What a test knows of the sky: one catalogue and its index."""

    def __init__(self, catalog: Catalog, index) -> None:
        self.catalog, self.index = catalog, index

    def indexes(self, bounds, field):
        yield self.index

    def cone(self, ra, dec, radius, most):
        return self.catalog.within(ra, dec, radius).brightest(most)
