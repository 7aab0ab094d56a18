"""The streaming engine: raw frames to one stack, one tile of the result at a time.

For each tile the rows of each raw frame that it sees are read, calibrated, (debayered,) resampled, normalised; then
outliers are rejected and the rest combined. No calibrated or registered frame ever exists as a whole, on disk or in
memory. A tile depends on nothing but its place, so the bytes of the result do not depend on the number of threads or
on the budget of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from firstlight.io.frame import Frame
from firstlight.kernels.census import count_finite
from firstlight.kernels.surface import add_lattice
from firstlight.model.buffers import Buffers
from firstlight.model.flags import Flag
from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.align.resample import (
    Kernel,
    half_width,
    mark_near,
    noise_factor,
    resample_tile,
    source_window,
    turns_little,
    withdraw_near,
)
from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.crew import Crew
from firstlight.pipeline.layer import Layer
from firstlight.pipeline.local import SPACING
from firstlight.pipeline.mosaic import Colours

SQUARE = 512
"""Side of a tile (px) where frames are turned: a wide band would see whole frames."""
MOST_ROWS = 128
"""Of a tile where frames are not turned. Rows around it, which a small rotation asks for, are calibrated for it too."""
TILES_EACH = 8
FEWEST_ROWS, NARROWEST = 8, 64
Tile = tuple[int, int, int, int]
"""Top, bottom, left, right."""


@dataclass(frozen=True, eq=False)
class Contribution:
    """One frame's part in a stack."""

    frame: Frame
    calibration: Calibration
    to_reference: Transform
    gain: np.ndarray
    """Per channel: factor that brings its signal to that of the reference."""
    background: np.ndarray
    """Per channel: its background, adu, before the factor."""
    noise: np.ndarray
    """Per channel: standard deviation of its background, adu, before the factor."""
    weight: float
    electrons: float
    """e-/adu of its calibrated pixels; 0: not known."""
    summand: np.ndarray | None = None
    """Per channel: added after the factor; None: what takes its background to the level of the stack."""
    surface: np.ndarray | None = None
    """float32 (channels, nodes down, nodes across): added before the factor, bilinear between nodes 32 px apart on the
    planes of the stack (see `firstlight.pipeline.local`)."""
    fwhm: float = np.nan
    """Of its stars, px of the stack; NaN: not known."""
    minus: Layer | None = None
    """Taken off after resampling (see `firstlight.pipeline.layers`)."""

    def zero(self, channel: int, level: np.ndarray) -> float:
        """A resampled value v of this frame counts as ``v * gain + zero``; ``level`` is that of the stack."""
        if self.summand is not None:
            return float(self.summand[channel])
        return float(level[channel]) - float(self.gain[channel]) * float(self.background[channel])

    def photon_share(self, channel: int) -> float:
        """Share of the variance of its background that photons make; without a gain as if they made all of it."""
        if not self.electrons > 0:
            return 1.0
        return float(min(max(self.background[channel] / self.electrons / self.noise[channel] ** 2, 0.0), 1.0))

    def photon_variance(self, channel: int) -> float:
        """Variance per adu of signal; without a gain as if the sky's own light made all of its noise."""
        if self.electrons > 0:
            return 1.0 / self.electrons
        return float(self.noise[channel] ** 2 / max(self.background[channel], 1.0))


@dataclass(frozen=True, eq=False)
class Stacked:
    """Planes of a stack, all (channels, y, x)."""

    mean: np.ndarray
    variance: np.ndarray
    flags: np.ndarray
    coverage: np.ndarray
    """uint16, or uint32 where more than 65535 frames are behind it: frames that went into each pixel."""
    rejected_low: np.ndarray
    """uint16 like `rejected_high`: samples that were too low; of no rows where nobody asked for them."""
    rejected_high: np.ndarray
    rejected_fraction: np.ndarray
    """float64 (frames,): share of a frame's samples that were rejected."""
    context: np.ndarray | None = None
    """uint32 (channels, planes, y, x): bit ``i % 32`` of plane ``i // 32`` says that frame i is in the pixel."""

    @classmethod
    def blank(cls, engine: Engine, rows: int | None = None) -> Stacked:
        """Room for what an engine makes: for all of its rows, or so many of them."""
        height, width = engine.size
        shape = (engine.channels, height if rows is None else rows, width)
        return cls(
            np.empty(shape, np.float32),
            np.empty(shape, np.float32),
            np.zeros(shape, np.uint16),
            np.empty(shape, np.uint16),
            np.empty(shape, np.uint16),
            np.empty(shape, np.uint16),
            np.zeros(len(engine.contributions)),
        )

    def beside(self) -> dict[str, np.ndarray]:
        """Planes for extensions of their own, by name."""
        if self.context is None:
            return {}
        return {"CONTEXT": self.context[0] if len(self.context) == 1 else self.context}


@dataclass(frozen=True, eq=False)
class Engine:
    """What one stack is made of, and how."""

    contributions: tuple[Contribution, ...]
    grid: Grid
    level: np.ndarray
    """Per channel: background of the result, adu."""
    combine: Combine
    kernel: Kernel
    clamp: float
    """In sigma of each frame's noise; 0 switches it off."""
    colours: Colours | None = None
    """How a CFA mosaic becomes colour planes; None for data that are planes already."""
    by_light: bool = False
    """Weights fall, pixel by pixel, with the photon noise of the light: worth it where exposures or gains differ."""
    uneven: np.ndarray | None = None
    """Variance of the sky over its typical one (`firstlight.pipeline.uneven`); None: the same everywhere."""
    common: np.ndarray | None = None
    """Per channel: variance that frames share, of their masters (`firstlight.pipeline.common_noise`); None: none."""

    @property
    def channels(self) -> int:
        return 3 if self.colours else self.contributions[0].frame.shape[0]

    def forwards(self) -> list[Transform]:
        """For each frame, source plane positions to grid positions."""
        cell = self.colours.cell if self.colours else Transform.identity()
        return [cell.inverse.then(c.to_reference).then(self.grid.from_reference).then(cell) for c in self.contributions]

    @property
    def shrink(self) -> int:
        """Pixels of the frames per pixel of the result along an axis."""
        return self.colours.shrink if self.colours else 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result."""
        return self.grid.height // self.shrink, self.grid.width // self.shrink

    def run(
        self, executor: Executor, workers: int, budget: int, done: Callable[[int], None] = lambda n: None
    ) -> Stacked:
        """Make the stack; ``budget`` is in bytes for all workers, ``done`` is told the finished pixels."""
        if isinstance(executor, Crew):
            from firstlight.pipeline.far_stack import stack_elsewhere

            return stack_elsewhere(self, executor, done)
        result = Stacked.blank(self)
        forwards = self.forwards()
        terms = [self.terms_of(channel, forwards) for channel in range(self.channels)]
        tiles = self.tiles(workers, budget, forwards)
        buffers = Buffers()
        futures = [executor.submit(self.make_tile, tile, forwards, terms, result, buffers) for tile in tiles]
        hits = np.zeros(len(self.contributions), np.int64)
        seen = np.zeros(len(self.contributions), np.int64)
        for tile, future in zip(tiles, futures):
            tile_hits, tile_seen = future.result()
            hits += tile_hits
            seen += tile_seen
            done((tile[1] - tile[0]) * (tile[3] - tile[2]))
        result.rejected_fraction[:] = hits / np.maximum(seen, 1)
        return result

    def tiles(self, workers: int, budget: int, forwards: Sequence[Transform]) -> list[tuple[int, int, int, int]]:
        """Tiles (top, bottom, left, right) that together fit the budget."""
        height, width = self.size
        rim = 2 * self.combine.margin(len(self.contributions))
        upright = all(turns_little(forward) for forward in forwards)
        side = width if upright or self.combine.by_rows else min(SQUARE, width)
        # A tile holds the cube, a second copy of one channel for the kernel, and one frame's source rows.
        room = 0.7 * budget / workers / (4 * len(self.contributions) * (self.channels + 1))
        # Each worker has a few tiles, so that none of them waits long for the last.
        most = min(MOST_ROWS, -(-height // (TILES_EACH * workers))) if upright else SQUARE
        rows = int(max(1, min(max(most, FEWEST_ROWS), room / (side + rim) - rim)))
        if rows < FEWEST_ROWS and self.combine.by_rows:
            rows = FEWEST_ROWS
        elif rows < FEWEST_ROWS:
            # So many frames that not even a few rows of all fit: rows are read more than once.
            rows = FEWEST_ROWS
            side = int(min(side, max(NARROWEST, room / (rows + rim) - rim)))
        return [
            (top, min(top + rows, height), left, min(left + side, width))
            for top in range(0, height, rows)
            for left in range(0, width, side)
        ]

    def make_tile(
        self,
        tile: Tile,
        forwards: Sequence[Transform],
        terms: Sequence[FrameTerms],
        result: Stacked,
        buffers: Buffers,
        first: int = 0,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Fill a tile of the result, which begins with row ``first``; samples of each frame rejected, and seen."""
        top, bottom, left, right = tile
        n = len(self.contributions)
        # Rejection looks at neighbours: how steep the image is, and where trails go.
        rim = self.combine.margin(n)
        around = (
            max(top - rim, 0),
            min(bottom + rim, self.size[0]),
            max(left - rim, 0),
            min(right + rim, self.size[1]),
        )
        inner = np.s_[top - around[0] : bottom - around[0], left - around[2] : right - around[2]]
        size = (around[1] - around[0], around[3] - around[2])
        cube = buffers.own("cube", (self.channels, n, *size))
        spare = np.zeros((2, self.channels, *size), np.float32)
        flags = np.zeros((self.channels, *size), np.uint16)
        hits, seen = np.zeros(n, np.int64), np.zeros(n, np.int64)
        for i, forward in enumerate(forwards):
            self._place(i, forward, around, cube, spare, flags, buffers)
            seen[i] = sum(count_finite(plane[inner]) for plane in cube[:, i])
        spare, flags = spare[:, :, *inner], flags[:, *inner]
        where = np.s_[:, top - first : bottom - first, left:right]
        for channel in range(self.channels):
            combined = combine_cube(cube[channel], self.combine, terms[channel], inner=inner, buffers=buffers)
            mean, variance = combined.mean, combined.variance
            # Pixels that only repaired samples cover take those.
            sums, weights = spare[0, channel], spare[1, channel]
            only = (combined.kept == 0) & (weights > 0)
            if only.any():
                mean[only] = sums[only] / weights[only]
                variance[only] = np.max(terms[channel].noise)
                flags[channel][only] |= np.uint16(Flag.INTERPOLATED)
            empty = ~np.isfinite(mean)
            flags[channel][empty] = np.uint16(Flag.NO_DATA)
            mean[empty] = 0.0
            variance[empty] = 0.0
            if self.common is not None:
                variance[~empty] += np.float32(self.common[channel])
            if self.uneven is not None:
                factor = np.zeros_like(variance)
                add_lattice(self.uneven[channel], SPACING, top, left, factor)
                variance *= factor
            result.mean[where][channel] = mean
            result.variance[where][channel] = variance
            result.coverage[where][channel] = combined.kept
            result.rejected_low[where][channel] = combined.rejected_low
            result.rejected_high[where][channel] = combined.rejected_high
            hits += combined.hits
        result.flags[where] = flags
        return hits, seen

    def terms_of(self, channel: int, forwards: Sequence[Transform]) -> FrameTerms:
        """The same for every tile, so that no byte depends on how the stack is cut."""
        gain = np.array([c.gain[channel] for c in self.contributions])
        zero = np.array([c.zero(channel, self.level) for c in self.contributions])
        noise = np.array([c.noise[channel] for c in self.contributions])
        electrons = np.array([c.electrons for c in self.contributions])
        factor = np.array([self.smoothing(channel, forward) for forward in forwards])
        photons = np.divide(gain, electrons, out=np.zeros_like(gain), where=electrons > 0)
        as32 = [np.asarray(a, np.float32) for a in (
            gain, zero, [c.weight for c in self.contributions], factor * (gain * noise) ** 2, factor * photons
        )]  # fmt: skip
        seeing = np.array([c.fwhm for c in self.contributions])
        return FrameTerms(*as32, level=self.sky(channel), seeing=seeing, by_light=self.by_light)

    def smoothing(self, channel: int, forward: Transform) -> float:
        """Variance of a pixel of a resampled frame over that of one of its own."""
        if self.colours:
            return self.colours.noise_factor(channel, forward, self.kernel, self.size)
        return noise_factor(forward, (0, self.size[0], 0, self.size[1]), self.kernel)

    def sky(self, channel: int) -> float:
        """Level at which the noise of the sky was measured, adu.

        Backgrounds are modes; the mean of photons, and of their noise, lies half of a photon above the mode.
        """
        halves = [0.5 * c.gain[channel] / c.electrons * c.photon_share(channel)
                  for c in self.contributions if c.electrons > 0]  # fmt: skip
        return float(self.level[channel] + (np.mean(halves) if halves else 0.0))

    def _place(
        self,
        i: int,
        forward: Transform,
        tile: tuple[int, int, int, int],
        cube: np.ndarray,
        spare: np.ndarray,
        flags: np.ndarray,
        buffers: Buffers,
    ) -> None:
        """Calibrate and resample the part of frame i that the tile sees into ``cube[:, i]``."""
        contribution = self.contributions[i]
        _, height, width = contribution.frame.shape
        step = self.colours.shrink if self.colours else 1
        shape = (height // step, width // step)
        margin = half_width(self.kernel) + (self.colours.margin if self.colours else 0)
        window = source_window(forward, tile, shape, margin)
        if window is None:
            cube[:, i] = np.nan
            return
        top, bottom = window[0] * step, window[1] * step
        if self.colours:
            top -= top % 2
        band = contribution.calibration.band(contribution.frame, top, bottom, buffers)
        planes = self.colours.planes(band.data) if self.colours else band.data
        for channel in range(self.channels):
            clamp = self.clamp * float(contribution.noise[channel]) if self.clamp else np.inf
            photons = self.clamp**2 * contribution.photon_variance(channel)
            resample_tile(
                planes[channel], top // step, shape, forward, cube[channel, i], tile[0], tile[2],
                kernel=self.kernel, clamp=clamp, photons=photons,
            )  # fmt: skip
            if contribution.surface is not None:
                add_lattice(contribution.surface[channel], SPACING, tile[0], tile[2], cube[channel, i])
            if contribution.minus is not None:
                share = 1.0 / float(contribution.gain[channel])
                contribution.minus.take_off(channel, share, self.kernel, tile[0], tile[2], cube[channel, i])
        self._mark(i, forward, tile, band.missing, band.saturated, cube, spare, flags)

    def _mark(
        self, i: int, forward: Transform, tile: tuple[int, int, int, int],
        missing: list[tuple[np.ndarray, np.ndarray]], saturated: list[tuple[np.ndarray, np.ndarray]],
        cube: np.ndarray, spare: np.ndarray, flags: np.ndarray,
    ) -> None:  # fmt: skip
        """Withdraw samples near bad pixels and flag those near saturated ones."""
        contribution = self.contributions[i]
        pixel = self.colours.cell.then(forward) if self.colours else forward
        for channel in range(self.channels):
            gain = float(contribution.gain[channel])
            zero = contribution.zero(channel, self.level)
            source = 0 if self.colours else channel
            ys, xs = missing[source]
            if self.colours:
                ys, xs = self.colours.of_channel(channel, ys, xs)
            if len(ys):
                withdraw_near(
                    ys, xs, pixel, tile[0], tile[2],
                    np.float32(gain), np.float32(zero), np.float32(contribution.weight),
                    cube[channel, i], spare[0, channel], spare[1, channel],
                )  # fmt: skip
            ys, xs = saturated[source]
            if len(ys):
                mark_near(ys, xs, pixel, tile[0], tile[2], np.uint16(Flag.SATURATED), flags[channel])
