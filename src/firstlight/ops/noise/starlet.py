"""Noise reduction by starlets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.kernels.starlet import GARROTE, HARD, SOFT, clean_rows, removed_rows
from firstlight.model.image import Image
from firstlight.ops.inspect.starlet import largest_scale, layer_factors, robust_sigma, smoothed, starlet_reach
from firstlight.ops.noise.cleaned import Clean, Sample, learn_cleaning
from firstlight.ops.noise.strength import SOFTENED, NoiseSource
from firstlight.ops.parts import each_part, row_parts
from firstlight.ops.registry import Reach, operation
from firstlight.ops.windows import BandWork, ImageSource, Source
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


def reach_of(p: Starlet) -> int:
    """px: how far it looks."""
    return p.rounds * starlet_reach(p.scales) + SOFTENED


def _learn(source: Source, p: Starlet) -> BandWork:
    scales = min(p.scales, largest_scale(source.shape))
    number = source.shape[1] * source.shape[2]

    def learn(samples: Callable[[int], list[Sample]]) -> Clean:
        thresholds = find_thresholds(samples(p.rounds * starlet_reach(scales)), p, scales, number)

        def clean(plane: np.ndarray, sigma: np.ndarray, holes: np.ndarray | None, out: np.ndarray) -> None:
            clean_plane(plane, sigma, thresholds, p.law, out)

        return clean

    return learn_cleaning(source, p, learn, "nr:starlet")


@operation("nr:starlet", version=2, reach=Reach.FRAME, margin=reach_of, learn=_learn)
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

    return _learn(ImageSource(image), p)(image, 0)


def clean_plane(plane: np.ndarray, sigma: np.ndarray, thresholds: np.ndarray, law: str, out: np.ndarray) -> None:
    """The plane without its noise into ``out``; thresholds by `find_thresholds`."""
    each_part(
        lambda rows: clean_rows(plane, sigma, thresholds, LAWS[law], *rows, out),
        row_parts(plane.shape),
    )


def find_thresholds(samples: Sequence[Sample], p: Starlet, scales: int, number: int) -> np.ndarray:
    """Threshold of each round and layer (rounds, scales), float32, in units of the noise of a pixel.

    ``number``: pixels of the whole plane.
    """
    factors = layer_factors(scales)
    found = np.zeros((p.rounds, scales), np.float32)
    planes = [sample.plane for sample in samples]
    for turn in range(p.rounds):
        # What was removed, cleaned itself, is noise alone: the rest is given back.
        removed, fine, shared = [np.zeros_like(plane) for plane in planes], planes, 1.0
        for scale in range(scales):
            coarse = [smoothed(plane, scale) for plane in fine]
            layer = np.concatenate([_layer(*each) for each in zip(fine, coarse, samples)])
            if scale < MEASURED:
                shared = float(np.clip(robust_sigma(layer) / factors[scale], *SHARED))
            found[turn, scale] = _threshold(layer, shared * factors[scale], number, p)
            for upper, lower, sample, out in zip(fine, coarse, samples, removed):
                removed_rows(upper, lower, sample.sigma, found[turn, scale], LAWS[p.law], 0, len(out), out)
            fine = coarse
        planes = removed
    return found


def _layer(fine: np.ndarray, coarse: np.ndarray, sample: Sample) -> np.ndarray:
    """Values of a layer inside a sample, in units of the noise of a pixel."""
    inside = sample.inside
    noise = sample.sigma[inside] if sample.sigma.size > 1 else sample.sigma
    good = np.broadcast_to(noise > 0, fine[inside].shape)
    if sample.holes is not None:
        good = good & ~sample.holes[inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        return ((fine[inside] - coarse[inside]) / noise)[good]


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
