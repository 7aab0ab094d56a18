"""Noise reduction by starlets."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.kernels.starlet import GARROTE, HARD, SOFT, shrink_rows
from firstlight.model.image import Image
from firstlight.ops.inspect.starlet import largest_scale, layer_factors, robust_sigma, sample_rows, smoothed
from firstlight.ops.noise.cleaned import cleaned
from firstlight.ops.noise.strength import NoiseSource
from firstlight.ops.parts import each_part, row_parts
from firstlight.ops.registry import Reach, operation
from firstlight.units import Sigma

LAWS = {"soft": SOFT, "hard": HARD, "garrote": GARROTE}
SHARED = (0.2, 5.0)
"""Bounds of how far the noise of a layer may differ from that of white noise because neighbours share it."""
MEASURED = 3
"""Layers whose noise is measured; in coarser ones there is more structure than noise."""


class Starlet(NoiseSource):
    scales: Annotated[int, Field(ge=1, le=8)] = 5
    """Layers that are cleaned: structure of 1, 2, 4 ... px."""
    threshold: Annotated[Sigma, Field(gt=0, le=20)] = 3.0
    """Structure weaker than this times the noise of its layer goes; used by ``ksigma``."""
    rule: Literal["ksigma", "bayes", "visu"] = "ksigma"
    """``ksigma``: the threshold given. ``bayes``: noise^2 / signal of each layer (BayesShrink). ``visu``: sqrt(2 ln n)
    sigma, so that no noise is left at all (VisuShrink)."""
    law: Literal["soft", "hard", "garrote"] = "garrote"
    """``soft``: what stays is lowered by the threshold. ``hard``: it stays as it is. ``garrote``: lowered the less, the
    stronger it is."""
    rounds: Annotated[int, Field(ge=1, le=10)] = 2
    """What was taken off is searched for structure again: the skirts of stars come back, no discs stay around them."""


@operation("nr:starlet", reach=Reach.FRAME)
def reduce_noise_by_starlets(image: Image, p: Starlet) -> Image:
    """Take noise off layer by layer: in each scale what is not clearly more than noise goes, stars and edges stay.

    Undecimated wavelets (starlets; Starck & Murtagh 2006), which know no blocks and no directions. The noise of the
    three finest layers is measured against what the noise source says: in resampled images it differs from white
    noise. BayesShrink: Chang et al. 2000; VisuShrink: Donoho & Johnstone 1994; garrote: Gao 1998.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    where noise was taken off errors are no longer random.

    Raises
    ------
    InputError
        On a CFA mosaic; a noise source for which the image holds too little.

    >>> noisy = np.random.default_rng(1).normal(100, 5, (128, 128))
    >>> bool(reduce_noise_by_starlets(Image(noisy), Starlet()).data.std() < 0.5)
    True
    """

    def clean(plane: np.ndarray, sigma: np.ndarray, holes: np.ndarray | None) -> np.ndarray:
        out = np.empty_like(plane)
        clean_plane(plane, sigma, holes, p, out)
        return out

    return cleaned(image, p, clean, "nr:starlet")


def clean_plane(plane: np.ndarray, sigma: np.ndarray, holes: np.ndarray | None, p: Starlet, out: np.ndarray) -> None:
    """The plane without its noise into ``out``."""
    scales = min(p.scales, largest_scale(plane.shape))
    factors = layer_factors(scales)
    np.copyto(out, plane)
    if not np.any(sigma > 0):
        return
    spare = [np.empty_like(plane), np.empty_like(plane)]
    _take_off(plane, spare, sigma, holes, p, factors, out)
    for _ in range(1, p.rounds):
        # What was removed, cleaned itself, is noise alone: the rest is given back.
        removed = plane - out
        np.copyto(out, plane)
        _take_off(removed, spare, sigma, holes, p, factors, out)


def _take_off(
    plane: np.ndarray, spare: list[np.ndarray], sigma: np.ndarray, holes: np.ndarray | None, p: Starlet,
    factors: tuple[float, ...], out: np.ndarray,
) -> None:  # fmt: skip
    """Subtract from ``out`` what shrinking the layers of the plane removes; ``spare`` is room for two planes."""
    fine, shared = plane, 1.0
    scales = len(factors)
    for scale in range(scales):
        coarse = smoothed(fine, scale, spare[scale % 2])
        layer = _sample(fine, coarse, sigma, holes)
        if scale < MEASURED:
            shared = float(np.clip(robust_sigma(layer) / factors[scale], *SHARED))
        noise = shared * factors[scale]
        threshold = np.float32(_threshold(layer, noise, plane.size, p))
        each_part(
            lambda rows, fine=fine, coarse=coarse, t=threshold: shrink_rows(
                fine, coarse, sigma, t, LAWS[p.law], *rows, out
            ),
            row_parts(plane.shape),
        )
        fine = coarse


def _sample(fine: np.ndarray, coarse: np.ndarray, sigma: np.ndarray, holes: np.ndarray | None) -> np.ndarray:
    """Some values of a layer in units of the noise of a pixel."""
    rows = sample_rows(fine.shape)
    noise = sigma[rows] if sigma.size > 1 else sigma
    good = np.broadcast_to(noise > 0, fine[rows].shape)
    if holes is not None:
        good = good & ~holes[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        return ((fine[rows] - coarse[rows]) / noise)[good]


def _threshold(layer: np.ndarray, noise: float, number: int, p: Starlet) -> float:
    """In units of the noise of a pixel."""
    if p.rule == "visu":
        return noise * float(np.sqrt(2 * np.log(max(number, 2))))
    if p.rule == "bayes":
        signal = float(np.sqrt(max(np.mean(layer.astype(np.float64) ** 2) - noise**2, 0.0))) if layer.size else 0.0
        # A layer of noise alone has no signal: everything goes.
        largest = float(np.abs(layer).max()) if layer.size else 0.0
        return min(noise**2 / signal, largest) if signal > 0 else largest
    return p.threshold * noise
