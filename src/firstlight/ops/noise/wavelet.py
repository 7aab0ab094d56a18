"""Noise reduction by orthogonal wavelets."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.inspect.starlet import robust_sigma
from firstlight.ops.noise.cleaned import cleaned
from firstlight.ops.noise.strength import NoiseSource
from firstlight.ops.registry import Reach, operation
from firstlight.units import Sigma


class Wavelet(NoiseSource):
    wavelet: Literal["coif1", "haar", "db4", "sym8", "bior4.4"] = "coif1"
    """Name of the wavelet in PyWavelets."""
    rule: Literal["visu", "bayes", "ksigma"] = "visu"
    """``visu``: sqrt(2 ln n) sigma (VisuShrink). ``bayes``: noise^2 / signal of each band (BayesShrink).
    ``ksigma``: ``threshold`` times the noise."""
    law: Literal["soft", "hard", "garrote"] = "soft"
    """``soft``: what stays is lowered by the threshold. ``hard``: it stays as it is. ``garrote``: lowered the less,
    the stronger it is."""
    sigma: Annotated[Sigma, Field(gt=0, le=10)] = 2.0
    """The noise is taken for so many times what it is, in ``visu`` and ``bayes``."""
    threshold: Annotated[Sigma, Field(gt=0, le=20)] = 3.0
    """Of ``ksigma``."""
    shifts: Annotated[int, Field(ge=1, le=8)] = 1
    """Mean over so many shifts of the grid, along both axes: 1 shows the blocks of the wavelet, 4 hardly any more."""


@operation("nr:wavelet", reach=Reach.FRAME)
def reduce_noise_by_wavelets(image: Image, p: Wavelet) -> Image:
    """Take noise off in an orthogonal wavelet basis, with cvastrophoto's settings as defaults.

    VisuShrink: Donoho & Johnstone 1994; BayesShrink: Chang et al. 2000; shifts: Coifman & Donoho 1995; by PyWavelets.
    ``nr:starlet`` is faster, and better for stars, which are round.

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    where noise was taken off errors are no longer random.

    Raises
    ------
    InputError
        On a CFA mosaic; a noise source for which the image holds too little.

    >>> noisy = np.random.default_rng(1).normal(100, 5, (64, 64))
    >>> bool(reduce_noise_by_wavelets(Image(noisy), Wavelet()).data.std() < 1.5)
    True
    """

    def clean(plane: np.ndarray, sigma: np.ndarray, holes: np.ndarray | None, out: np.ndarray) -> None:
        noise = np.maximum(sigma, sigma[sigma > 0].min()) if np.any(sigma > 0) else None
        if noise is None or min(plane.shape) < 2:
            out[:] = plane
            return
        level = np.float32(np.median(plane))
        scaled = (plane - level) / noise
        found = np.zeros_like(scaled)
        for k in range(p.shifts):
            moved = np.roll(np.roll(scaled, k, 0), k, 1) if k else scaled
            moved = _shrunk(moved, p)
            found += np.roll(np.roll(moved, -k, 0), -k, 1) if k else moved
        np.add(found / np.float32(p.shifts) * noise, level, out=out, casting="same_kind")

    return cleaned(image, p, lambda samples: clean, "nr:wavelet")


def _shrunk(plane: np.ndarray, p: Wavelet) -> np.ndarray:
    """A plane of noise 1, cleaned."""
    import pywt

    wavelet = pywt.Wavelet(p.wavelet)
    depth = min(pywt.dwt_max_level(min(plane.shape), wavelet.dec_len), 6)
    if depth < 1:
        return plane
    bands = pywt.wavedec2(plane, wavelet, mode="symmetric", level=depth)
    # Neighbours may share noise: the finest diagonal band tells how much there is of it in this basis.
    shared = float(np.clip(robust_sigma(bands[-1][2]), 0.2, 5.0))
    for number in range(1, len(bands)):
        bands[number] = tuple(_band(band, shared, plane.size, p) for band in bands[number])
    height, width = plane.shape
    return pywt.waverec2(bands, wavelet, mode="symmetric")[:height, :width].astype(np.float32)


def _band(band: np.ndarray, noise: float, number: int, p: Wavelet) -> np.ndarray:
    import pywt

    if p.rule == "visu":
        threshold = p.sigma * noise * np.sqrt(2 * np.log(number))
    elif p.rule == "ksigma":
        threshold = p.threshold * noise
    else:
        square = (p.sigma * noise) ** 2
        signal = np.sqrt(max(float(np.mean(band.astype(np.float64) ** 2)) - square, 0.0))
        largest = float(np.abs(band).max())
        threshold = min(square / signal, largest) if signal > 0 else largest
    return pywt.threshold(band, max(threshold, 1e-30), mode=p.law)
