"""Drizzle in the streaming engine: every calibrated pixel is dropped once, none is resampled.

Two passes. The first is the ordinary stack at the scale of the reference; it knows what all frames agree on. The second
reads the frames again, holds each calibrated pixel (of a mosaic: in its own colour) against that stack, and drops those
that agree onto the grid of the result. Bad pixels are not dropped at all. Pixels that no drop reached take the value of
the first pass. As in the first pass a tile of the result depends on nothing but its place.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from firstlight.errors import InputError
from firstlight.kernels import drizzle as kernels
from firstlight.kernels import excess as judging
from firstlight.kernels.grow import HIGH
from firstlight.kernels.surface import add_lattice
from firstlight.model.flags import Flag, has
from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.align.resample import source_window, turns_little
from firstlight.ops.calibrate.debayer import pattern_of
from firstlight.ops.stack.combine import Combine
from firstlight.ops.stack.drizzle import MONO, Canvas, Drizzle, mesh_of
from firstlight.ops.stack.grow import Verdict, packed
from firstlight.pipeline.calibration import Band
from firstlight.pipeline.integrate import SQUARE, Contribution, Engine, Stacked
from firstlight.pipeline.local import SPACING
from firstlight.pipeline.uneven import uneven_on

MOST_ROWS = 128
FEWEST_ROWS = 16
FEWEST_WITNESSES = 3
"""Frames that must have seen a place for the stack to testify against one of them."""
SOFT, SOFT_MOSAIC = 1.0, 2.0
"""Share of the range of the clean stack around a pixel that it may differ by: a star 25 % sharper passes. At 0.6, stars
of 2 px FWHM came out 0.04 % off, at 0.4 0.1 %. Debayering makes the stack duller than its frames: at 1, peaks of bright
stars lost 5 %; at 2, no more than without rejection."""
SPARE = 0.5
"""This share, and what the width of a frame's stars explains, where that is more."""
TELLING = 0.75
"""Pixels above this share of the limit tell of a trail where they are many."""
BYTES = 3 * 8 + 5 * 2 + 30
"""Of a tile per pixel and channel: sums, counts, and the finished planes."""
BAND_BYTES = 24
"""Of a frame's rows that a tile sees, per pixel: raw, calibrated, variance, excess, states."""
NO_MEANS = ("sum", "min", "max", "chi2")
RESULT_BYTES = 16
"""Of the stack per pixel and channel."""


@dataclass(frozen=True, eq=False)
class Source:
    """A frame to be dropped. A calibrated value v counts as ``(v + surface) * gain + zero``."""

    shape: tuple[int, int, int]
    on_grid: Transform
    """Its pixel positions to those of the reference's grid."""
    band: Callable[[int, int], Band]
    """Its calibrated rows, from a first to before a last."""
    weight: float
    gain: np.ndarray
    """Per channel, as are the next four."""
    zero: np.ndarray
    noise: np.ndarray
    """Variance of its background after the factor."""
    photons: np.ndarray
    """Variance per adu of signal after the factor; 0: not known."""
    doubt: np.ndarray
    """What it may be where it is not known, else 0."""
    surface: np.ndarray | None = None
    """As `Contribution.surface`."""
    soft: float = SOFT
    """Share of the steepness of the image that excuses its pixels."""


@dataclass(frozen=True, eq=False)
class Drizzler:
    """A stack to be drizzled: frames, what the first pass made of them, and how pixels are dropped."""

    sources: tuple[Source, ...]
    first: Stacked
    grid: Grid
    level: np.ndarray
    """Per channel: background of the result."""
    drizzle: Drizzle
    pattern: np.ndarray = field(default_factory=lambda: MONO)
    """Channel of the pixels of each place in the CFA cell."""
    cell: Transform = field(default_factory=Transform.identity)
    """Positions on the grid to those on the planes of the first pass."""
    by_light: bool = False
    """As `Engine.by_light`."""
    grow: int = 0
    """px: as `Combine.grow`."""
    uneven: np.ndarray | None = None
    """As `Engine.uneven`, on the planes of the first pass."""

    @classmethod
    def of(cls, engine: Engine, first: Stacked, drizzle: Drizzle) -> Drizzler:
        """For what `Engine.run` made."""
        colours = engine.colours
        return cls(
            tuple(_source(c, engine) for c in engine.contributions), first, engine.grid,
            np.array([engine.sky(c) for c in range(engine.channels)]), drizzle,
            pattern_of(colours.cfa) if colours else MONO, colours.cell if colours else Transform.identity(),
            engine.by_light, engine.combine.grow if engine.combine.grows(len(engine.contributions)) else 0,
            engine.uneven,
        )  # fmt: skip

    @property
    def channels(self) -> int:
        return len(self.first.mean)

    @property
    def is_mosaic(self) -> bool:
        return bool(self.pattern.any())

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result."""
        return self.drizzle.size(self.grid.height, self.grid.width)

    @cached_property
    def forwards(self) -> tuple[Transform, ...]:
        """For each frame, pixel positions to positions in the result."""
        return tuple(source.on_grid.then(self.drizzle.zoom) for source in self.sources)

    @cached_property
    def uneven_here(self) -> np.ndarray | None:
        """`uneven` on the planes of the result."""
        if self.uneven is None:
            return None
        return uneven_on(self.uneven, self.size, self.drizzle.zoom.inverse.then(self.cell))

    def run(
        self, executor: Executor, workers: int, budget: int, done: Callable[[int], None] = lambda n: None
    ) -> Stacked:
        """Make the stack; ``budget`` is in bytes for all workers, ``done`` is told the finished pixels."""
        n, shape = len(self.sources), (self.channels, *self.size)
        planes = -(-n // 32) if self.drizzle.context else 0
        result = Stacked(
            np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.uint16),
            np.empty(shape, np.uint16), np.empty(shape, np.uint16), np.empty(shape, np.uint16), np.zeros(n),
            np.zeros((shape[0], planes, *shape[1:]), np.uint32) if planes else None,
        )  # fmt: skip
        clean, spread = self._testimony()
        tiles = self.tiles(workers, budget)
        futures = [executor.submit(self._tile, tile, clean, spread, result) for tile in tiles]
        tally = np.zeros((n, 2), np.int64)
        for tile, future in zip(tiles, futures):
            tally += future.result()
            done((tile[1] - tile[0]) * (tile[3] - tile[2]))
        result.rejected_fraction[:] = tally[:, 1] / np.maximum(tally[:, 0], 1)
        return result

    def tiles(self, workers: int, budget: int) -> list[tuple[int, int, int, int]]:
        """Tiles (top, bottom, left, right) that, with the planes of both passes, fit the budget if that is possible."""
        height, width = self.size
        upright = all(turns_little(source.on_grid) for source in self.sources)
        side = width if upright else min(SQUARE, width)
        context = 4 * -(-len(self.sources) // 32) if self.drizzle.context else 0
        planes = self.channels * (
            (RESULT_BYTES + context) * height * width + (RESULT_BYTES + 8) * self.grid.height * self.grid.width
        )
        frame_row = BAND_BYTES * max(source.shape[2] for source in self.sources) / self.drizzle.scale
        per_row = (BYTES + 2 * context) * side * self.channels + frame_row
        most = MOST_ROWS if upright else SQUARE
        rows = int(max(FEWEST_ROWS, min(most, 0.7 * (budget - planes) / workers / per_row)))
        return [
            (top, min(top + rows, height), left, min(left + side, width))
            for top in range(0, height, rows)
            for left in range(0, width, side)
        ]

    def _testimony(self) -> tuple[np.ndarray, np.ndarray]:
        """The first pass and its variance, NaN where too few frames saw to speak against one of them."""
        first = self.first
        seen = first.coverage + first.rejected_low + first.rejected_high
        silent = (seen < FEWEST_WITNESSES) | has(first.flags, Flag.NO_DATA | Flag.INTERPOLATED)
        return np.where(silent, np.float32(np.nan), first.mean), np.where(silent, np.float32(np.nan), first.variance)

    def _tile(
        self, tile: tuple[int, int, int, int], clean: np.ndarray, spread: np.ndarray, result: Stacked
    ) -> np.ndarray:
        canvas = Canvas(self.channels, tile, self.drizzle, len(self.sources))
        tally = np.zeros((len(self.sources), 2), np.int64)
        for i, (source, forward) in enumerate(zip(self.sources, self.forwards)):
            tally[i] = self._drop(source, forward, tile, clean, spread, canvas)
        drizzled = canvas.finish()
        if self.uneven_here is not None:
            for variance, factors in zip(drizzled.variance, self.uneven_here):
                factor = np.zeros_like(variance)
                add_lattice(factors, SPACING, tile[0], tile[2], factor)
                variance *= factor
        if self.drizzle.fill:
            self._fill(drizzled.mean, drizzled.variance, drizzled.flags, tile)
        where = np.s_[:, tile[0] : tile[1], tile[2] : tile[3]]
        result.mean[where] = drizzled.mean
        result.variance[where] = drizzled.variance
        result.flags[where] = drizzled.flags
        result.coverage[where] = drizzled.coverage
        result.rejected_low[where] = drizzled.rejected_low
        result.rejected_high[where] = drizzled.rejected_high
        if result.context is not None:
            result.context[:, :, tile[0] : tile[1], tile[2] : tile[3]] = drizzled.context
        return tally

    def _drop(
        self,
        source: Source,
        forward: Transform,
        tile: tuple[int, int, int, int],
        clean: np.ndarray,
        spread: np.ndarray,
        canvas: Canvas,
    ) -> np.ndarray:
        """Calibrate, judge and drop the part of a frame that the tile sees."""
        _, height, width = source.shape
        window = seen_by(forward, tile, (height, width))
        tally = np.zeros(2, np.int64)
        if window is None:
            canvas.skip()
            return tally
        # Outliers pull their neighbours along, and so do trails.
        rim = 1 + self.grow
        top, bottom = max(window[0] - rim, 0), min(window[1] + rim, height)
        left, right = max(window[2] - rim, 0), min(window[3] + rim, width)
        band = source.band(top, bottom)
        for channel, rows in enumerate(band.data):
            plane = np.ascontiguousarray(rows[:, left:right])
            states = np.zeros(plane.shape, np.uint8)
            for positions, state in ((band.saturated, kernels.SATURATED_BIT), (band.missing, kernels.MISSING)):
                ys, xs = positions[channel]
                near = (ys >= top) & (ys < bottom) & (xs >= left) & (xs < right)
                states[ys[near] - top, xs[near] - left] = state
            variances = self._judge(source, plane, top, left, channel, clean, spread, states)
            tally += canvas.add(
                plane, forward, variances=variances, states=states, weight=source.weight,
                sky=source.noise if self.by_light else None, first_row=top, first_column=left, pattern=self.pattern,
                channel=channel, same_frame=channel > 0,
            )  # fmt: skip
        return tally

    def _judge(
        self, source: Source, plane: np.ndarray, top: int, left: int, channel: int,
        clean: np.ndarray, spread: np.ndarray, states: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        """Normalise the plane in place, mark its outliers in ``states``; returns the variance of its pixels."""
        variances, excess = np.empty_like(plane), np.empty_like(plane)
        surface = np.empty((self.channels, 0, 0), np.float32) if source.surface is None else source.surface
        of_first_pass = source.on_grid.then(self.cell)
        judging.measure_excess(
            plane, top, left, self.pattern + channel, surface, SPACING, source.gain, source.zero, source.noise,
            source.photons, source.doubt, self.level, clean, spread, of_first_pass.matrix.copy(),
            mesh_of(of_first_pass, top, left, plane.shape), source.soft, 2 if self.is_mosaic else 1, variances, excess,
        )  # fmt: skip
        if self.drizzle.reject:
            judging.reject(excess, self.drizzle.reject, states)
            if self.grow:
                self._grow(excess, states)
        return variances

    def _grow(self, excess: np.ndarray, states: np.ndarray) -> None:
        """Reject what lies beside trails, as the first pass does."""
        high = (excess > TELLING * self.drizzle.reject) & (states != kernels.MISSING)
        if np.count_nonzero(high) < 2 * self.grow:
            return
        verdict = Verdict.blank(1, high.shape)
        verdict.samples[HIGH, 0] = packed(high)
        beside = verdict.grow(self.grow)
        flat = states.reshape(-1)
        flat[beside[flat[beside] != kernels.MISSING]] = kernels.TOO_HIGH

    def _fill(self, mean: np.ndarray, variance: np.ndarray, flags: np.ndarray, tile: tuple[int, int, int, int]) -> None:
        """Give pixels of a tile that no drop reached the value of the first pass, between its pixels linear."""
        first, to_first = self.first, self.drizzle.zoom.inverse.then(self.cell)
        height, width = first.mean.shape[1:]
        for c in range(self.channels):
            ys, xs = np.nonzero(has(flags[c], Flag.NO_DATA))
            if not len(ys):
                continue
            at = to_first(np.column_stack([xs + tile[2], ys + tile[0]]).astype(np.float64))
            x, y = np.clip(at[:, 0], 0, width - 1), np.clip(at[:, 1], 0, height - 1)
            i, j = np.minimum(x.astype(int), max(width - 2, 0)), np.minimum(y.astype(int), max(height - 2, 0))
            value, known = np.zeros(len(ys)), np.ones(len(ys), bool)
            for down, v in ((0, 1 - (y - j)), (1, y - j)):
                for along, u in ((0, 1 - (x - i)), (1, x - i)):
                    row, column = np.minimum(j + down, height - 1), np.minimum(i + along, width - 1)
                    value += u * v * first.mean[c][row, column]
                    known &= ~has(first.flags[c][row, column], Flag.NO_DATA) | (u * v == 0)
            nearest = (y + 0.5).astype(int)[known], (x + 0.5).astype(int)[known]
            ys, xs = ys[known], xs[known]
            mean[c][ys, xs] = value[known]
            variance[c][ys, xs] = first.variance[c][nearest]
            flags[c][ys, xs] = first.flags[c][nearest] | np.uint16(Flag.INTERPOLATED)


def check_first_pass(drizzle: Drizzle, combine: Combine) -> None:
    """Refuse methods whose result is no mean of the frames: nothing can be held against it.

    Raises
    ------
    InputError
    """
    if drizzle.scale and combine.method in NO_MEANS:
        raise InputError(
            f"drizzle: frames are held against their stack, and method {combine.method} makes no mean of them; "
            "take auto, mean, median or one that rejects"
        )


def _source(contribution: Contribution, engine: Engine) -> Source:
    n = engine.channels
    gain = contribution.gain[:n]
    electrons = contribution.electrons
    return Source(
        contribution.frame.shape,
        contribution.to_reference.then(engine.grid.from_reference),
        lambda top, bottom: contribution.calibration.band(contribution.frame, top, bottom),
        contribution.weight,
        gain,
        np.array([contribution.zero(c, engine.level) for c in range(n)]),
        (gain * contribution.noise[:n]) ** 2,
        gain / electrons if electrons > 0 else np.zeros(n),
        np.zeros(n) if electrons > 0 else gain * [contribution.photon_variance(c) for c in range(n)],
        contribution.surface,
        softness(contribution.fwhm, np.array([c.fwhm for c in engine.contributions]), engine.colours is not None),
    )


def softness(fwhm: float, of_all: np.ndarray, is_mosaic: bool) -> float:
    """Share of the steepness that excuses the pixels of a frame; the peaks of its stars go as 1 / FWHM squared."""
    soft = SOFT_MOSAIC if is_mosaic else SOFT
    sharper = (np.median(of_all) / fwhm) ** 2 - 1
    return float(max(soft, SPARE + sharper)) if np.isfinite(sharper) else soft


def seen_by(
    forward: Transform, tile: tuple[int, int, int, int], shape: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Rows and columns of a frame whose drops may reach a tile."""
    top, bottom, left, right = tile
    return source_window(forward, (top - 1, bottom + 1, left - 1, right + 1), shape, 2)
