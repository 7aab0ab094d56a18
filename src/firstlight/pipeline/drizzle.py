"""Drizzle in the streaming engine: every calibrated pixel is dropped once, none is resampled.

Two passes. The first is the ordinary stack at the scale of the reference; it knows what all frames agree on. The second
reads the frames again, holds each calibrated pixel (of a mosaic: in its own colour) against that stack, and drops those
that agree onto the grid of the result. Bad pixels are not dropped at all. As in the first pass a tile of the result
depends on nothing but its place.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from firstlight.kernels import drizzle as kernels
from firstlight.model.flags import Flag, has
from firstlight.model.meta import Meta
from firstlight.model.registration import Transform
from firstlight.ops.align.resample import source_window, turns_little
from firstlight.ops.calibrate.debayer import pattern_of
from firstlight.ops.stack.drizzle import MONO, Canvas, Drizzle, noise_ratio
from firstlight.pipeline.compare import diagonal_noise
from firstlight.pipeline.integrate import SQUARE, Contribution, Engine, Stacked
from firstlight.pipeline.local import SPACING

MOST_ROWS = 128
FEWEST_ROWS = 16
FEWEST_WITNESSES = 3
"""Frames that must have seen a place for the stack to testify against one of them."""
SOFT = 1.0
"""Share of the range of the clean stack around a pixel that it may differ by: a star 25 % sharper passes."""
BYTES = 3 * 8 + 5 * 2 + 30
"""Of a tile per pixel and channel: sums, counts, and the finished planes."""
PATCH = 160
"""Side (output px) of the square at the middle on which the smoothing of noise is measured."""
MOST = 100
"""Frames that are looked at there."""
HOLES_WORTH_A_WORD = 1e-4


@dataclass(frozen=True, eq=False)
class Drizzler:
    """A stack to be drizzled: what the first pass was made of, what it made, and how pixels are dropped."""

    engine: Engine
    first: Stacked
    drizzle: Drizzle

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result."""
        return self.drizzle.size(self.engine.grid.height, self.engine.grid.width)

    @property
    def pattern(self) -> np.ndarray:
        """Channel of the pixels of each place in the CFA cell."""
        return pattern_of(self.engine.colours.cfa) if self.engine.colours else MONO

    def to_grid(self) -> list[Transform]:
        """For each frame, pixel positions to positions on the reference's grid."""
        return [c.to_reference.then(self.engine.grid.from_reference) for c in self.engine.contributions]

    def forwards(self) -> list[Transform]:
        """For each frame, pixel positions to positions in the result."""
        return [on_grid.then(self.drizzle.zoom) for on_grid in self.to_grid()]

    def run(
        self, executor: Executor, workers: int, budget: int, done: Callable[[int], None] = lambda n: None
    ) -> Stacked:
        """Make the stack; ``budget`` is in bytes for all workers, ``done`` is told the finished pixels."""
        engine = self.engine
        n = len(engine.contributions)
        shape = (engine.channels, *self.size)
        result = Stacked(
            np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.uint16),
            np.empty(shape, np.uint16), np.empty(shape, np.uint16), np.empty(shape, np.uint16), np.zeros(n),
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
        """Tiles (top, bottom, left, right) that together fit the budget."""
        height, width = self.size
        upright = all(turns_little(on_grid) for on_grid in self.to_grid())
        side = width if upright else min(SQUARE, width)
        per_row = BYTES * side * self.engine.channels
        most = MOST_ROWS if upright else SQUARE
        rows = int(max(FEWEST_ROWS, min(most, 0.7 * budget / workers / per_row)))
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
        canvas = Canvas(self.engine.channels, tile, self.drizzle)
        tally = np.zeros((len(self.engine.contributions), 2), np.int64)
        for i, (contribution, on_grid) in enumerate(zip(self.engine.contributions, self.to_grid())):
            tally[i] = self._drop(contribution, on_grid, tile, clean, spread, canvas)
        drizzled = canvas.finish()
        where = np.s_[:, tile[0] : tile[1], tile[2] : tile[3]]
        result.mean[where] = drizzled.mean
        result.variance[where] = drizzled.variance
        result.flags[where] = drizzled.flags
        result.coverage[where] = drizzled.coverage
        result.rejected_low[where] = drizzled.rejected_low
        result.rejected_high[where] = drizzled.rejected_high
        return tally

    def _drop(
        self,
        contribution: Contribution,
        on_grid: Transform,
        tile: tuple[int, int, int, int],
        clean: np.ndarray,
        spread: np.ndarray,
        canvas: Canvas,
    ) -> np.ndarray:
        """Calibrate, judge and drop the part of a frame that the tile sees."""
        _, height, width = contribution.frame.shape
        forward = on_grid.then(self.drizzle.zoom)
        window = _seen_by(forward, tile, (height, width))
        if window is None:
            return np.zeros(2, np.int64)
        # A row more on each side: outliers pull their neighbours along.
        top, bottom = max(window[0] - 1, 0), min(window[1] + 1, height)
        band = contribution.calibration.band(contribution.frame, top, bottom)
        tally = np.zeros(2, np.int64)
        for channel, plane in enumerate(band.data):
            states = np.zeros(plane.shape, np.uint8)
            ys, xs = _within(band.saturated[channel], top, bottom)
            states[ys - top, xs] = kernels.SATURATED_BIT
            ys, xs = _within(band.missing[channel], top, bottom)
            states[ys - top, xs] = kernels.MISSING
            variances = self._judge(contribution, on_grid, plane, top, channel, clean, spread, states)
            tally += canvas.add(
                plane, forward, variances=variances, states=states, weight=contribution.weight, first_row=top,
                pattern=self.pattern, channel=channel, same_frame=channel > 0,
            )  # fmt: skip
        return tally

    def _judge(
        self,
        contribution: Contribution,
        on_grid: Transform,
        plane: np.ndarray,
        top: int,
        channel: int,
        clean: np.ndarray,
        spread: np.ndarray,
        states: np.ndarray,
    ) -> np.ndarray:
        """Normalise the plane in place, mark its outliers in ``states``; returns the variance of its pixels."""
        engine = self.engine
        variances, excess = np.empty_like(plane), np.empty_like(plane)
        gain = contribution.gain
        noise = (gain * contribution.noise) ** 2
        electrons = contribution.electrons
        photons = gain / electrons if electrons > 0 else np.zeros_like(gain)
        zero = np.array([contribution.zero(c, engine.level) for c in range(engine.channels)])
        surface = (
            np.empty((engine.channels, 0, 0), np.float32) if contribution.surface is None else contribution.surface
        )
        of_first_pass = on_grid.then(engine.colours.cell) if engine.colours else on_grid
        kernels.measure_excess(
            plane, top, self.pattern + channel, surface, SPACING, gain, zero, noise, photons,
            np.asarray(engine.level, np.float64), clean, spread, of_first_pass.matrix.copy(), SOFT,
            2 if engine.colours else 1, variances, excess,
        )  # fmt: skip
        if self.drizzle.reject:
            kernels.reject(excess, self.drizzle.reject, states)
        return variances

    def header(self, meta: Meta) -> Meta:
        """Header facts of the drizzled stack, from those of the first pass.

        A pixel of the result holds 1 / scale^2 of a frame pixel's electrons at the same value: that is its gain, and
        the read noise falls likewise, so that sums over apertures come out right.
        """
        scale = self.drizzle.scale
        like = self.engine.contributions[0].frame.meta
        cards = (
            ("DRIZSCAL", scale, "output pixels per reference pixel"),
            ("DRIZPIXF", self.drizzle.pixfrac, "[px] side of a drop in frame pixels"),
            ("DRIZKERN", self.drizzle.kernel, "shape of a drop"),
            ("NOISERAT", round(self.noise_ratio, 4), "noise of large areas over that of pixels"),
        )
        return meta.replace(
            binning=like.binning,
            pixel_size=like.pixel_size / scale if like.pixel_size else None,
            gain=meta.gain / scale**2 if meta.gain else None,
            read_noise=meta.read_noise / scale if meta.read_noise else None,
            cards=tuple(card for card in meta.cards if card[0] not in {c[0] for c in cards}) + cards,
        )

    def history(self) -> str:
        """What the history of the stack says."""
        drizzle = self.drizzle
        return (
            f"drizzled: scale={drizzle.scale:g},pixfrac={drizzle.pixfrac:g},kernel={drizzle.kernel},"
            f"reject={drizzle.reject:g}"
        )

    def summary(self, stacked: Stacked) -> dict[str, Any]:
        """What ``run.json`` and the provenance say."""
        return {
            **self.drizzle.model_dump(),
            "noise_ratio": round(self.noise_ratio, 4),
            "holes": [round(share, 6) for share in self.holes(stacked)],
        }

    @property
    def noise_ratio(self) -> float:
        """Correlated-noise ratio R of the drop and pixel sizes."""
        return noise_ratio(self.drizzle.pixfrac, self.drizzle.scale)

    def noise(self, stacked: Stacked) -> float:
        """Noise of the stack per *frame* pixel, adu, mean of the channels, as `compare_noise` has it for resampling.

        White noise is dropped the same way, and the stack held against it.
        """
        height, width = self.size
        top, left = max((height - PATCH) // 2, 0), max((width - PATCH) // 2, 0)
        tile = top, min(top + PATCH, height), left, min(left + PATCH, width)
        engine = self.engine
        canvas = Canvas(engine.channels, tile, self.drizzle)
        step = max(1, len(engine.contributions) // MOST)
        looked = list(zip(engine.contributions, self.forwards()))[::step]
        squares, weights = np.zeros(engine.channels), 0.0
        for i, (contribution, forward) in enumerate(looked):
            channels, *shape = contribution.frame.shape
            window = _seen_by(forward, tile, (shape[0], shape[1]))
            if window is None:
                continue
            rng = np.random.Generator(np.random.PCG64(i))
            # Drops land by their place in the frame: columns are moved there by the transform.
            first_row, first_column = window[0], window[2] - window[2] % 2
            moved = Transform.of_shift(first_column, 0).then(forward)
            sigma = np.abs(contribution.gain * contribution.noise)
            for channel in range(channels):
                white = rng.standard_normal((window[1] - first_row, window[3] - first_column), dtype=np.float32)
                ys, xs = np.mgrid[: white.shape[0], : white.shape[1]]
                white *= sigma[(self.pattern + channel)[(ys + first_row) % 2, xs % 2]].astype(np.float32)
                canvas.add(
                    white, moved, weight=contribution.weight, first_row=first_row, pattern=self.pattern,
                    channel=channel, same_frame=channel > 0,
                )  # fmt: skip
            squares += (contribution.weight * sigma[: engine.channels]) ** 2
            weights += contribution.weight
        if not weights:
            return float("nan")
        model = canvas.finish()
        good = ~has(model.flags, Flag.NO_DATA)
        smoothing = [
            diagonal_noise(np.where(good[c], model.mean[c], np.float32(np.nan))) * weights / np.sqrt(squares[c])
            for c in range(engine.channels)
        ]
        middle = np.s_[max((height - 512) // 2, 0) : (height + 512) // 2]
        planes = np.where(has(stacked.flags[:, middle], Flag.NO_DATA), np.float32(np.nan), stacked.mean[:, middle])
        return float(np.mean([diagonal_noise(plane) / s for plane, s in zip(planes, smoothing)]))

    def notes(self, stacked: Stacked) -> list[str]:
        """What an observer should know: correlated noise, and holes with their cure."""
        drizzle = self.drizzle
        notes = [
            f"drizzled to {drizzle.scale:g}x, pixfrac {drizzle.pixfrac:g}: neighbouring pixels share drops; "
            f"noise of large areas is {self.noise_ratio:.2f} times what single pixels promise"
        ]
        n = len(self.engine.contributions)
        if drizzle.reject and n < FEWEST_WITNESSES:
            notes.append(f"{n} frames: too few to tell outliers; nothing was rejected")
        names = ("red", "green", "blue") if self.engine.channels == 3 else ("",)
        for channel, share in enumerate(self.holes(stacked)):
            if share > HOLES_WORTH_A_WORD:
                of = f" of {names[channel]}" if names[channel] else ""
                shown = f"{100 * share:.2g}" if share < 0.5 else f"{100 * share:.0f}"
                notes.append(f"{shown} % of the pixels{of} got no drop (flagged NO_DATA); {self._cure(channel, share)}")
        return notes

    def holes(self, stacked: Stacked) -> list[float]:
        """Per channel, share of the pixels within reach of a frame on which no drop fell."""
        height, width = self.size
        shrink = self.engine.colours.shrink if self.engine.colours else 1
        per = self.drizzle.scale * shrink
        first = has(self.first.flags, Flag.NO_DATA).all(axis=0)
        ys = np.minimum((np.arange(height) / per).astype(int), first.shape[0] - 1)
        xs = np.minimum((np.arange(width) / per).astype(int), first.shape[1] - 1)
        # The first pass needs four pixels around a place: within it every place was before a frame.
        inside = ~first[np.ix_(ys, xs)]
        total = max(np.count_nonzero(inside), 1)
        return [np.count_nonzero(has(plane, Flag.NO_DATA) & inside) / total for plane in stacked.flags]

    def _cure(self, channel: int, share: float) -> str:
        """Frames or pixfrac that would leave fewer holes than are worth a word, by how fast they closed so far."""
        drizzle, n = self.drizzle, len(self.engine.contributions)
        mine = self.pattern == channel if self.engine.colours else np.ones((2, 2), bool)
        missed = 1 - touched(mine, drizzle.pixfrac, drizzle.scale)
        cures = []
        if share < 0.9:
            more = int(np.ceil(n * np.log(HOLES_WORTH_A_WORD) / np.log(share))) - n
            cures.append(f"about {max(more, 1)} more dithered frames")
        if 0 < missed < 1:
            # Frames as good as randomly dithered ones: fewer than there are where dithers repeat themselves.
            worth = np.log(share) / np.log(missed)
            for pixfrac in np.arange(np.floor(10 * drizzle.pixfrac) + 1, 11) / 10:
                if (1 - touched(mine, pixfrac, drizzle.scale)) ** worth < HOLES_WORTH_A_WORD:
                    cures.append(f"pixfrac {pixfrac:g}")
                    break
            else:
                for scale in np.arange(np.ceil(2 * drizzle.scale) - 1, 1, -1) / 2:
                    if (1 - touched(mine, drizzle.pixfrac, scale)) ** worth < HOLES_WORTH_A_WORD:
                        cures.append(f"scale {scale:g}")
                        break
        return f"{' or '.join(cures)} would close them" if cures else "frames dithered by odd amounts would close them"


def touched(mine: np.ndarray, pixfrac: float, scale: float) -> float:
    """Share of the output pixels that drops of one upright frame reach, on average over its sub-pixel places.

    ``mine`` (2, 2) tells which places of the cell have drops.

    >>> touched(np.array([[True, False], [False, False]]), 1.0, 2.0)
    0.5625
    """
    steps = 64
    at = (np.arange(steps) + 0.5) * 2 / steps
    reach = 0.5 * (pixfrac + 1.0 / scale)
    near = [np.abs((at - place + 1) % 2 - 1) < reach for place in (0, 1)]
    hit = np.zeros((steps, steps), bool)
    for y, x in zip(*np.nonzero(mine)):
        hit |= near[y][:, None] & near[x][None, :]
    return float(hit.mean())


def _seen_by(
    forward: Transform, tile: tuple[int, int, int, int], shape: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Rows and columns of a frame whose drops may reach a tile."""
    top, bottom, left, right = tile
    return source_window(forward, (top - 1, bottom + 1, left - 1, right + 1), shape, 2)


def _within(positions: tuple[np.ndarray, np.ndarray], top: int, bottom: int) -> tuple[np.ndarray, np.ndarray]:
    ys, xs = positions
    kept = (ys >= top) & (ys < bottom)
    return ys[kept], xs[kept]
