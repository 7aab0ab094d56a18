"""How noisy an image is: the standard deviation of a pixel, whatever is in the picture."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import Field

from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.ops.calibrate.planes import colour_planes
from firstlight.ops.inspect.background import Background, box_edges
from firstlight.ops.inspect.starlet import largest_scale, layer_factors, robust_sigma, smoothed
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px

Method = Literal["mrs", "ksigma", "fnnoise1", "fnnoise3", "mad", "ikss"]
METHODS: tuple[str, ...] = get_args(Method)
MEANING = {
    "mrs": "scatter of what no wavelet layer shows as structure (multiresolution support)",
    "ksigma": "scatter of the finest wavelet layer, cut at 3 sigma",
    "fnnoise1": "differences of neighbours (CFITSIO, order 1)",
    "fnnoise3": "second differences two pixels apart (CFITSIO, order 3): gradients vanish",
    "mad": "1.4826 times the median distance from the median: structure counts as noise",
    "ikss": "biweight scale, iterated: structure counts as noise",
}
SCALES = 4
"""Layers that are searched for structure: up to 8 px."""
SIGNIFICANT = 3.0
ROUNDS = 10


class NoiseMap(Params):
    method: Method = "mrs"
    """``mrs``: multiresolution support. ``ksigma``: finest wavelet layer. ``fnnoise1``, ``fnnoise3``: differences of
    neighbours. ``mad``, ``ikss``: spread of the pixels, in which structure counts as noise."""
    box: Annotated[Px, Field(ge=16, le=1024)] = 64
    """Side of the boxes of which each is measured."""


@operation("inspect:noise", reach=Reach.FRAME)
def map_noise(image: Image, p: NoiseMap) -> Image:
    """Map of the noise: the standard deviation of a pixel, measured in boxes and joined smoothly between them.

    Colours of a mosaic are measured on their own. Pixels without a number take no part, and the map goes on under them.
    After resampling neighbours share noise, and estimates from differences come out too small.

    Flags and plate: kept. Variance: dropped, for a map of noise has none of its own. Unit: kept (the noise has that of
    the data).

    >>> sky = np.random.default_rng(1).normal(100, 3, (128, 128))
    >>> bool(abs(np.median(map_noise(Image(sky), NoiseMap()).data) - 3) < 0.2)
    True
    """
    data = np.zeros_like(image.data)
    for place in colour_planes(image):
        plane, good = image.data[place], ~has(image.flags[place], EXCLUDED)
        rows, columns = (box_edges(n, max(1, round(n / p.box))) for n in plane.shape)
        mesh = np.full((len(rows) - 1, len(columns) - 1), np.nan, np.float32)
        for j, i in np.ndindex(mesh.shape):
            box = slice(rows[j], rows[j + 1]), slice(columns[i], columns[i + 1])
            if good[box].mean() > 0.25:
                mesh[j, i] = measure_noise(plane[box], good[box], p.method)
        known = np.isfinite(mesh)
        mesh[~known] = np.median(mesh[known]) if known.any() else 0.0
        data[place] = np.maximum(Background(mesh, mesh, plane.shape).at(), 0)
    return image.replace(data=data, variance=None)


def measure_noise(plane: np.ndarray, good: np.ndarray | None = None, method: str = "mrs") -> float:
    """Standard deviation of a pixel of a plane (float32, y, x); ``good`` is True where it holds a number.

    *mrs*: Starck & Murtagh 1998, PASP 110, 193; *fnnoise*: the CFITSIO manual, ``fits_img_stats``, after Stoehr et al.
    2007; *ikss*: iterated biweight midvariance. 0 where nothing can be measured.

    >>> sky = np.random.default_rng(1).normal(0, 5, (200, 200)).astype(np.float32)
    >>> all(abs(measure_noise(sky, method=method) - 5) < 0.15 for method in METHODS)
    True
    """
    plane = np.asarray(plane, np.float32)
    good = np.isfinite(plane) if good is None else good & np.isfinite(plane)
    if np.count_nonzero(good) < 2:
        return 0.0
    if method in ("mad", "ikss"):
        values = plane[good].astype(np.float64)
        return _mad(values) if method == "mad" else _ikss(values)
    if method in ("fnnoise1", "fnnoise3"):
        return _fn_noise(plane, good, 1 if method == "fnnoise1" else 3)
    level = np.float32(np.median(plane[good]))
    whole = plane if good.all() else np.where(good, plane, level)
    return _ksigma(whole, good) if method == "ksigma" else _mrs(whole, good)


def noise_of(image: Image, method: str = "mrs") -> list[float]:
    """Noise of each channel; of a mosaic, the root mean square over its colours."""
    squares: dict[int, list[float]] = {}
    for place in colour_planes(image):
        sigma = measure_noise(image.data[place], ~has(image.flags[place], EXCLUDED), method)
        squares.setdefault(place[0], []).append(sigma**2)
    return [float(np.sqrt(np.mean(each))) for each in squares.values()]


def _mad(values: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _ikss(values: np.ndarray) -> float:
    """Median and root of the biweight midvariance in turn, cut at 4 of it, until it rests; times 0.991."""
    before = np.inf
    scale = 0.0
    for _ in range(100):
        middle = np.median(values)
        mad = np.median(np.abs(values - middle))
        if mad == 0:
            return scale
        y = ((values - middle) / (9 * mad)) ** 2
        inside = y < 1
        away, y = values[inside] - middle, y[inside]
        below = abs(np.sum((1 - y) * (1 - 5 * y)))
        scale = float(np.sqrt(len(values) * np.sum(away**2 * (1 - y) ** 4)) / below)
        if abs(before - scale) < 1e-6 * scale:
            break
        before = scale
        values = values[np.abs(values - middle) <= 4 * scale]
    return 0.991 * scale


def _fn_noise(plane: np.ndarray, good: np.ndarray, order: int) -> float:
    """Of each row from differences of its pixels; the median over the rows."""
    if order == 1:
        steps, whole = plane[:, 1:] - plane[:, :-1], good[:, 1:] & good[:, :-1]
        factor = np.sqrt(0.5)
    else:
        steps = 2 * plane[:, 2:-2] - plane[:, :-4] - plane[:, 4:]
        whole = good[:, 2:-2] & good[:, :-4] & good[:, 4:]
        factor = 1.4826 / np.sqrt(6)
    found = []
    for row, known in zip(steps, whole):
        values = row[known].astype(np.float64)
        if len(values) < 3:
            continue
        if order == 3:
            found.append(float(np.median(np.abs(values))))
            continue
        spread = values.std()
        for _ in range(3):
            if spread == 0:
                break
            values = values[np.abs(values - values.mean()) < 5 * spread]
            spread = values.std()
        found.append(float(spread))
    return factor * float(np.median(found)) if found else 0.0


def _ksigma(plane: np.ndarray, good: np.ndarray) -> float:
    return robust_sigma((plane - smoothed(plane, 0))[good]) / layer_factors(1)[0]


def _mrs(plane: np.ndarray, good: np.ndarray) -> float:
    """Pixels in which no layer stands out, and what is left of them without the coarsest level."""
    scales = min(SCALES, largest_scale(plane.shape))
    factors = layer_factors(scales)
    significant, coarse = np.zeros(plane.shape, np.float32), plane
    sigma = 0.0
    for scale in range(scales):
        coarser = smoothed(coarse, scale)
        layer = np.abs(coarse - coarser)
        if scale == 0:
            sigma = robust_sigma((coarse - coarser)[good]) / factors[0]
        # In units of the noise of a layer of white noise: sigma may change afterwards, this need not.
        np.maximum(significant, layer / np.float32(factors[scale]), out=significant)
        coarse = coarser
    residual = plane - coarse
    white = float(np.sqrt(_rest_noise(scales)))
    for _ in range(ROUNDS):
        values = residual[good & (significant < SIGNIFICANT * sigma)]
        if len(values) < 16 or sigma == 0:
            break
        found = float(values.std()) / (white * _kept_share(scales))
        if abs(found - sigma) <= 1e-4 * sigma:
            return found
        sigma = found
    return sigma


def _rest_noise(scales: int) -> float:
    """Variance of white noise of sigma 1 less its smoothing to the coarsest level: exact."""
    taps = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    wide = np.ones(1)
    for scale in range(scales):
        spread = np.zeros(4 * 2**scale + 1)
        spread[:: 2**scale] = taps
        wide = np.convolve(wide, spread)
    return float(1 - 2 * wide.max() ** 2 + np.sum(wide**2) ** 2)


def _kept_share(scales: int) -> float:
    """Sigma of normal noise in which no layer stands out at 3 sigma, over its true one (measured on 16 Mpx)."""
    return {1: 0.9864, 2: 0.9836, 3: 0.9829, 4: 0.9827}[scales]
