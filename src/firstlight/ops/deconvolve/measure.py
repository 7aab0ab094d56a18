"""What a deconvolution wants to know of a channel before it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError
from firstlight.kernels.sky import mesh_statistics
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.contrast.inpaint import whole_plane
from firstlight.ops.deconvolve.blur import Blur
from firstlight.ops.deconvolve.fourier import LEARNT, learnt_balance
from firstlight.ops.deconvolve.richardson_lucy import Manner, Noise, enough_iterations
from firstlight.ops.deconvolve.settings import Deconvolve
from firstlight.ops.inspect.background import FEWEST, Background, background_of_mesh, box_edges
from firstlight.ops.inspect.plane import FULL, white_of
from firstlight.ops.inspect.starlet import SAMPLE, largest_scale, smoothed
from firstlight.ops.noise.cleaned import pieces, samples_of
from firstlight.ops.noise.starlet import Starlet, clean_plane, find_thresholds, reach_of
from firstlight.ops.noise.strength import sigma_of_variance
from firstlight.ops.parts import each_part
from firstlight.ops.windows import Source

BOX = 128
FLOOR = 3.0
"""Sigma below the sky: light is not restored below it, and the sky's own noise is hardly cut."""
NEARLY = 0.02
"""Misfit (in variances of the noise) at which light without its noise is restored."""
WINDOWS, WINDOW = 9, 320
"""Squares of a large image on which it is tried out when to stop, and their side, px."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Of one channel."""

    sky: Background
    noise: Noise
    """Of a pixel against its light above the floor."""
    thresholds: np.ndarray | None
    """Of the starlets that set noise aside; None: nothing is set aside."""
    how: Manner
    balance: float

    @property
    def sigma(self) -> float:
        """Noise of the sky."""
        return self.sky.noise

    def floor(self, rows: slice, columns: slice, top: int) -> np.ndarray:
        """Of the pixels of a window of a band that begins at row ``top``."""
        found = self.sky.window(slice(rows.start + top, rows.stop + top), columns)
        found -= np.float32(FLOOR * self.sigma)
        return found

    def signal(self, plane: np.ndarray, holes: np.ndarray | None, image: Image, channel: int, top: int) -> np.ndarray:
        """The plane of a band without its noise; the plane itself where nothing is set aside."""
        if self.thresholds is None:
            return plane
        out = np.empty_like(plane)
        clean_plane(plane, self.sigma_of(plane, holes, image, channel, top), self.thresholds, ASIDE.law, out)
        return out

    def sigma_of(self, plane: np.ndarray, holes: np.ndarray | None, image: Image, channel: int, top: int) -> np.ndarray:
        """Noise of each pixel of a plane, or (1, 1)."""
        if image.variance is not None:
            return sigma_of_variance(image.variance[channel], holes)
        if self.noise.photons == 0:
            return np.full((1, 1), self.sigma, np.float32)
        noise = smoothed(plane, 0)

        def part(rows: slice) -> None:
            light = noise[rows] - self.floor(rows, slice(0, plane.shape[1]), top)
            np.maximum(light, 0, out=light)
            light *= np.float32(self.noise.photons)
            light += np.float32(self.noise.base)
            noise[rows] = np.sqrt(light, out=light)

        each_part(part, pieces(plane.shape))
        return noise


ASIDE = Starlet(rounds=3)
"""How noise is set aside, but for its threshold."""


def aside_reach() -> int:
    """px: how far setting noise aside looks."""
    return reach_of(ASIDE)


def measure(
    source: Source, channel: int, p: Deconvolve, blur_at: Callable[[float, float], Blur]
) -> tuple[Measured | None, float]:
    """What is known of a channel (None: it holds nothing but holes), and the level from which its cores are full."""
    mesh, noise, clear, full = _mesh(source, channel)
    first = source.band(0, 1)
    white = white_of(first)
    level = FULL * (white if np.isfinite(white) else full)
    _, height, width = source.shape
    try:
        sky = background_of_mesh(mesh, noise, (height, width))
    except FrameError:
        return None, level
    windows = _windows((height, width), clear)
    known = Measured(sky, _noise(source, channel, sky, windows), None, _manner(p, p.iterations, False), p.balance)
    if p.aside > 0 and sky.noise > 0:
        settings = ASIDE.model_copy(update={"threshold": p.aside})

        def whole(image: Image, top: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
            plane, holes = _plane(image, channel)
            return plane, known.sigma_of(plane, holes, image, channel, top), holes

        scales = min(settings.scales, largest_scale(source.shape))
        thresholds = find_thresholds(samples_of(source, whole, aside_reach()), settings, scales, height * width)
        known = Measured(sky, known.noise, thresholds, known.how, known.balance)
    if p.method == "rl" and p.stop:
        planes, blurs = [], []
        for rows, columns in windows:
            image = source.band(rows.start, rows.stop)
            plane, holes = _plane(image, channel)
            light = known.signal(plane, holes, image, channel, rows.start)[:, columns]
            planes.append(light - known.floor(slice(0, len(light)), columns, rows.start))
            blurs.append(blur_at(0.5 * (columns.start + columns.stop - 1), 0.5 * (rows.start + rows.stop - 1)))
        # Of what is free of noise, data and model could agree to any degree.
        how = _manner(p, p.iterations, True, 1.0 if known.thresholds is None else NEARLY)
        enough = enough_iterations(planes, blurs, known.noise, how)
        known = Measured(sky, known.noise, known.thresholds, _manner(p, enough, False), known.balance)
    if p.method == "unsupervised":
        rows, columns = (slice((n - min(n, LEARNT)) // 2, (n + min(n, LEARNT)) // 2) for n in (height, width))
        plane, _ = _plane(source.band(rows.start, rows.stop), channel)
        middle = plane[:, columns] - sky.window(rows, columns)
        balance = learnt_balance(middle, blur_at(0.5 * (width - 1), 0.5 * (height - 1)))
        known = Measured(sky, known.noise, known.thresholds, known.how, balance)
    return known, level


def _manner(p: Deconvolve, iterations: int, stop: bool, enough: float = 1.0) -> Manner:
    return Manner(iterations, stop, p.smoothness, p.damping, enough)


def _plane(image: Image, channel: int) -> tuple[np.ndarray, np.ndarray | None]:
    plane, holes = whole_plane(image.data[channel], image.flags[channel])
    return np.ascontiguousarray(plane), holes


def _mesh(source: Source, channel: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Level and noise of the boxes of a mesh, how many pixels of each are clear of the noise, and the highest value of
    pixels that are flagged as full (infinite: there are none)."""
    _, height, width = source.shape
    rows, columns = (box_edges(n, max(1, round(n / BOX))) for n in (height, width))
    shape = len(rows) - 1, len(columns) - 1
    level, noise, clear = (np.empty(shape, np.float32) for _ in range(3))

    def part(j: int) -> float:
        image = source.band(int(rows[j]), int(rows[j + 1]))
        plane, holes = _plane(image, channel)
        line = np.s_[j : j + 1]
        mask = np.empty((0, 0), bool) if holes is None else holes
        mesh_statistics(plane, mask, rows[j : j + 2] - rows[j], columns, FEWEST, level[line], noise[line])
        limit = np.repeat(level[j] + np.float32(3) * noise[j], np.diff(columns))
        clear[j] = np.add.reduceat(np.count_nonzero(plane[::3] > limit, axis=0), columns[:-1])
        full = has(image.flags[channel], Flag.SATURATED) & np.isfinite(image.data[channel])
        return float(image.data[channel][full].max()) if full.any() else -np.inf

    highest = max(each_part(part, range(shape[0])))
    return level, noise, clear, highest if np.isfinite(highest) else np.inf


def _windows(shape: tuple[int, int], clear: np.ndarray) -> list[tuple[slice, slice]]:
    """The whole of a small image; of a large one squares, the more where more light is clear of the noise."""
    height, width = shape
    if height * width <= 8 * SAMPLE:
        return [(slice(0, height), slice(0, width))]
    weight = np.cumsum(clear.astype(np.float64).ravel() + 1e-3)
    chosen = np.unique(np.searchsorted(weight, (np.arange(WINDOWS) + 0.5) / WINDOWS * weight[-1]))
    found = []
    for j, i in zip(*np.unravel_index(chosen, clear.shape)):
        middles = (j + 0.5) * height / clear.shape[0], (i + 0.5) * width / clear.shape[1]
        starts = [int(np.clip(m - WINDOW / 2, 0, max(n - WINDOW, 0))) for m, n in zip(middles, shape)]
        found.append(tuple(slice(start, min(start + WINDOW, n)) for start, n in zip(starts, shape)))
    return found


def _noise(source: Source, channel: int, sky: Background, windows: list[tuple[slice, slice]]) -> Noise:
    """Variance against light: from the variance plane, the gain, or the scatter of the sky alone."""
    image = source.band(0, 1)
    sigma = sky.noise
    if sigma == 0:
        spans = []
        for rows, columns in windows:
            plane, _ = _plane(source.band(rows.start, rows.stop), channel)
            spans.append(np.abs(plane[:, columns] - sky.window(rows, columns)).max())
        return Noise(1e-12 * max(float(max(spans)), 1e-12) ** 2, 0.0)
    if image.variance is not None:
        light, variance = [], []
        for rows, columns in windows:
            image = source.band(rows.start, rows.stop)
            plane, _ = _plane(image, channel)
            light.append((plane[:, columns] - sky.window(rows, columns)).ravel())
            variance.append(image.variance[channel][:, columns].ravel())
        x, y = np.concatenate(light), np.concatenate(variance)
        near = np.abs(x) < sigma
        base = float(np.median(y[near])) if near.any() else sigma**2
        bright = x > 10 * sigma
        slope = float(np.median((y[bright] - base) / x[bright])) if np.count_nonzero(bright) > 20 else 0.0
        return Noise(base if base > 0 else sigma**2, max(slope, 0.0))
    if image.unit == PixelUnit.ELECTRON:
        return Noise(sigma**2, 1.0)
    return Noise(sigma**2, 1.0 / image.meta.gain if image.meta.gain and image.unit == PixelUnit.ADU else 0.0)
