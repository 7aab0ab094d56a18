"""Combine files tile by tile: rows of each are read, masked, (resampled,) and combined; no frame is held as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from firstlight.io.frame import Frame
from firstlight.io.mapping import CannotMap, mapped, watched
from firstlight.kernels.calibrate import any_at_or_above
from firstlight.kernels.carry import carry
from firstlight.library.raw import adu_rows
from firstlight.model.buffers import Buffers
from firstlight.model.flags import Flag
from firstlight.model.registration import Transform
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
from firstlight.ops.stack.combine import OF_ARRAYS, Combine, Combined, FrameTerms, combine_cube, correct_variance
from firstlight.ops.stack.factors import median_factors
from firstlight.ops.stack.samples import BIG_ENDIAN, Samples
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.executors import all_done, outcome
from firstlight.pipeline.integrate import Stacked
from firstlight.pipeline.members import LOST, SECOND_CHOICE, Member, variance_rows

CUBE = 96 * 2**20
"""Bytes of samples a worker combines at once. The kernel asks for them ahead, so that they need not lie in a cache; the
rows around, read and judged twice, weigh less the more there are."""
MAPPED = 256 * 2**20
"""The same where samples are taken as they lie, and take no memory."""
MOST_ROWS, MOST_MAPPED, FEWEST_ROWS = 128, 256, 2
ENOUGH_ROWS = 32
"""Of very many frames a worker takes more than `CUBE`, rather than read the rows around a tile again and again."""
STANDING = 150 * 2**20
"""Bytes that the program and its libraries take by themselves."""
PER_PIXEL = 24
"""Bytes of a pixel of the result: its planes, and one of them as it goes to the file."""
MEDIANS = ("median", "weighted-median")
OF_THEIR_OWN = ("sum", "min", "max", "chi2", "adaptive")
SQUARE = 512
"""Side of a tile (px) where files are turned."""


@dataclass(frozen=True, eq=False)
class Part:
    """One file's part in a combination."""

    member: Member
    gain: np.ndarray
    """Per channel: factor on its pixels."""
    zero: np.ndarray
    """Per channel: added after the factor."""
    weight: float
    forward: Transform | None = None
    """Its positions to those of the result; None: they are the same."""
    calibration: Calibration | None = None
    """Of a file that is resampled: knows its bad pixels."""


@dataclass(frozen=True, eq=False)
class _Gathered:
    """The samples of a tile, and what its pixels bring along."""

    cubes: Sequence[np.ndarray | Samples]
    """Of each channel."""
    buffer: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    """(samples, and where they are carried variances and numbers of frames; channels, n, y, x)."""
    spare: np.ndarray | None = None
    """(sums and weights, channels, y, x) of samples that serve only where there is no better one."""
    flags: np.ndarray | None = None


def _lie_even(frame: Frame) -> bool:
    """Whether the pixels lie in the file as rows of whole numbers' places."""
    pieces = frame.pieces(0, 1)
    return pieces is not None and all(piece.offset % frame.dtype.itemsize == 0 for piece in pieces)


@dataclass(frozen=True, eq=False)
class FileEngine:
    """Which files are combined, and how. The result does not depend on how it is cut into tiles."""

    parts: tuple[Part, ...]
    size: tuple[int, int]
    """Height and width of the result."""
    level: np.ndarray
    """Per channel: background of the result."""
    combine: Combine
    seeing: np.ndarray | None = None
    """FWHM of the stars of each file, px: limits are wider on stars by what it explains; None: not known."""
    from_scatter: bool = False
    """Variance from the scatter of the samples, where nothing else tells of the noise."""
    kernel: Kernel = "lanczos3"
    clamp: float = 1.0
    maps: bool = True
    """Whether the stack says where samples were rejected; its planes of that have no rows otherwise."""
    _buffers: Buffers = field(default_factory=Buffers)

    @property
    def channels(self) -> int:
        return self.parts[0].member.frame.shape[0]

    @cached_property
    def as_stored(self) -> bool:
        """Whether the kernel can take the numbers of all files as they lie there: nothing is copied."""
        kind = self.parts[0].member.frame.dtype
        return (
            not self.carries
            and self.combine.method not in OF_ARRAYS
            and kind in (BIG_ENDIAN, np.float32)
            and all(
                p.forward is None and p.member.frame.dtype == kind
                and _lie_even(p.member.frame)
                and (p.member.frame.scale, p.member.frame.zero) == (1, 0)
                and p.member.beside.flags is None and not p.member.has_border
                for p in self.parts
            )
        )  # fmt: skip

    @cached_property
    def _full(self) -> np.ndarray:
        """Where each file is saturated; infinity: not known."""
        return np.array([p.member.frame.meta.saturation or np.inf for p in self.parts], np.float32)

    @cached_property
    def carries(self) -> bool:
        """Whether a file brings its own variance, or the number of frames behind it."""
        return any(
            p.member.beside.variance is not None or p.member.beside.coverage is not None or p.member.covered != 1
            for p in self.parts
        )

    def run(
        self, executor: Executor, workers: int, budget: int, done: Callable[[int], None] = lambda n: None
    ) -> Stacked:
        """Make the stack; ``budget`` is in bytes for all workers, ``done`` is told the finished pixels."""
        shape = (self.channels, *self.size)
        frames = sum(p.member.covered for p in self.parts)
        result = Stacked(
            np.empty(shape, np.float32),
            np.empty(shape, np.float32),
            np.zeros(shape, np.uint16),
            np.empty(shape, np.uint16 if frames < 2**16 else np.uint32),
            *(np.empty(shape if self.maps else (self.channels, 0, 0), np.uint16) for _ in range(2)),
            np.zeros(len(self.parts)),
        )
        tiles, terms = self.tiles(workers, budget), [self.terms(channel) for channel in range(self.channels)]
        hits = np.zeros(len(self.parts), np.int64)
        with watched():
            futures = [executor.submit(self._tile, tile, terms, result) for tile in tiles]
            with all_done(futures):
                for tile, future in zip(tiles, futures):
                    hits += outcome(future)
                    done((tile[1] - tile[0]) * (tile[3] - tile[2]))
        result.rejected_fraction[:] = hits / (self.channels * self.size[0] * self.size[1])
        return result

    def tiles(self, workers: int, budget: int) -> list[tuple[int, int, int, int]]:
        """Tiles (top, bottom, left, right) that together fit the budget."""
        height, width = self.size
        upright = all(p.forward is None or turns_little(p.forward) for p in self.parts)
        side = width if upright or self.combine.by_rows else min(SQUARE, width)
        # Samples, a bit for each verdict on them, and what the kernel keeps of two rows.
        per_row = 4 * side * len(self.parts) * self.channels * (3 if self.carries else 1) * 9 // 8
        planes = PER_PIXEL * self.channels * height * width
        usual = max(MAPPED if self.as_stored else CUBE, ENOUGH_ROWS * per_row)
        room = min(usual, max(budget - STANDING - planes, 0) / workers - 2 * per_row)
        most = MOST_MAPPED if self.as_stored else MOST_ROWS if upright else SQUARE
        rows = int(max(FEWEST_ROWS, min(most, room / per_row)))
        # Tiles of one height, as many for each worker.
        rows = -(-height // (-(-height // (rows * workers)) * workers))
        return [
            (top, min(top + rows, height), left, min(left + side, width))
            for top in range(0, height, rows)
            for left in range(0, width, side)
        ]

    def terms(self, channel: int) -> FrameTerms:
        """The same for every tile, so that no byte depends on how the stack is cut."""
        gain, noise = (np.array(v) for v in zip(*((p.gain[channel], p.member.noise[channel]) for p in self.parts)))
        electrons = np.array([p.member.frame.meta.gain or 0.0 for p in self.parts])
        smoothing = np.array([self._smoothing(p) for p in self.parts])
        photons = np.divide(gain, electrons, out=np.zeros_like(gain), where=electrons > 0) * smoothing
        as32 = [np.asarray(a, np.float32) for a in (
            gain, [p.zero[channel] for p in self.parts], [p.weight for p in self.parts],
            smoothing * (gain * noise) ** 2, photons,
        )]  # fmt: skip
        level = self.level[channel] + np.mean([p.gain[channel] * p.member.half_photon(channel) for p in self.parts])
        return FrameTerms(*as32, level=float(level), seeing=self.seeing)

    def _smoothing(self, part: Part) -> float:
        if part.forward is None:
            return 1.0
        return noise_factor(part.forward, (0, self.size[0], 0, self.size[1]), self.kernel)

    def _tile(self, tile: tuple[int, int, int, int], terms: list[FrameTerms], result: Stacked) -> np.ndarray:
        top, bottom, left, right = tile
        height, width = self.size
        # Where stars are guarded, the pixels around a tile tell how steep the image is.
        rim = self.combine.margin(len(self.parts)) if self.seeing is not None else 0
        wide = (max(top - rim, 0), min(bottom + rim, height), max(left - rim, 0), min(right + rim, width))
        inner = np.s_[top - wide[0] : bottom - wide[0], left - wide[2] : right - wide[2]]
        if self.as_stored:
            with suppress(CannotMap), self._as_they_lie(wide) as cubes:
                return self._settle(tile, inner, _Gathered(cubes), terms, result)
        return self._settle(tile, inner, self._gather(wide), terms, result)

    @contextmanager
    def _as_they_lie(self, wide: tuple[int, int, int, int]) -> Iterator[list[Samples]]:
        """The rows of all files, per channel, where the system keeps them."""
        top, bottom, left, right = wide
        frames = [p.member.frame for p in self.parts]
        pieces = [piece for frame in frames for piece in frame.pieces(top, bottom) or ()]
        with mapped(pieces) as (memory, starts):
            bits = memory[: memory.size // 4 * 4].view(np.uint32)
            places = np.array(starts, np.int64).reshape(len(frames), -1) // 4
            size, swapped = (bottom - top, right - left), not frames[0].dtype.isnative
            yield [Samples(bits, np.ascontiguousarray(each), size, swapped) for each in places.T]

    def _gather(self, wide: tuple[int, int, int, int]) -> _Gathered:
        """The samples of all files, read, masked and, where they have to be, resampled."""
        n, size = len(self.parts), (wide[1] - wide[0], wide[3] - wide[2])
        buffer = self._buffers.own("cube", (3 if self.carries else 1, self.channels, n, *size))
        spare = np.zeros((2, self.channels, *size), np.float32)
        flags = np.zeros((self.channels, *size), np.uint16)
        for i, part in enumerate(self.parts):
            beside = (buffer[1, :, i], buffer[2, :, i]) if self.carries else None
            if part.forward is None:
                self._read(part, wide[0], wide[1], buffer[0, :, i], beside, spare, flags)
            else:
                self._resample(part, part.forward, wide, buffer[0, :, i], beside, spare, flags)
        return _Gathered(list(buffer[0]), buffer, spare, flags)

    def _settle(
        self, tile: tuple[int, int, int, int], inner: tuple[slice, slice], gathered: _Gathered,
        terms: list[FrameTerms], result: Stacked,
    ) -> np.ndarray:  # fmt: skip
        """Combine the samples of a tile, channel by channel, into the result; how many of each file were rejected."""
        top, bottom, left, right = tile
        where = np.s_[:, top:bottom, left:right]
        hits = np.zeros(len(self.parts), np.int64)
        flags = result.flags[where]
        if gathered.flags is not None:
            flags[...] = gathered.flags[:, *inner]
        for channel, cube in enumerate(gathered.cubes):
            combined = combine_cube(
                cube, self.combine, terms[channel], variance_from_scatter=self.from_scatter, inner=inner,
                buffers=self._buffers, full=self._full if isinstance(cube, Samples) else None,
            )  # fmt: skip
            if combined.full is not None:
                flags[channel][combined.full] |= np.uint16(Flag.SATURATED)
            mean, variance, coverage = combined.mean, combined.variance, combined.kept
            if self.carries:
                coverage = self._carry(gathered.buffer[:, channel, :, *inner], terms[channel], combined)
            if gathered.spare is not None:
                sums, weights = gathered.spare[:, channel, *inner]
                only = (combined.kept == 0) & (weights > 0)
                if only.any():
                    mean[only] = sums[only] / weights[only]
                    variance[only] = np.max(terms[channel].noise)
                    flags[channel][only] |= np.uint16(Flag.INTERPOLATED)
            empty = ~np.isfinite(mean)
            if empty.any():
                flags[channel][empty] = np.uint16(Flag.NO_DATA)
                mean[empty] = variance[empty] = 0.0
            for plane, values in zip((result.mean, result.variance, result.coverage), (mean, variance, coverage)):
                plane[where][channel] = values
            if self.maps:
                result.rejected_low[where][channel] = combined.rejected_low
                result.rejected_high[where][channel] = combined.rejected_high
            hits += combined.hits
        return hits

    def _carry(self, planes: np.ndarray, terms: FrameTerms, combined: Combined) -> np.ndarray:
        """Variance and number of frames of the samples that were kept; the mean anew, as coverage weighs too.

        Of methods that choose or weigh samples in their own way only the number of frames is counted.
        """
        n, *size = planes.shape[1:]
        cube, variances, counts = np.ascontiguousarray(planes).reshape(3, n, -1)
        method = self.combine.method
        covered = np.array([p.member.covered for p in self.parts], np.float32)
        mean, variance = combined.mean.reshape(-1), combined.variance.reshape(-1)
        if method in OF_THEIR_OWN:
            mean, variance = mean.copy(), variance.copy()
        coverage = np.empty(mean.shape, np.float32)
        carry(
            cube, variances, counts, terms.gain, terms.zero, terms.weight / covered,
            combined.rejected_low.reshape(-1), combined.rejected_high.reshape(-1), method in MEDIANS,
            mean, variance, coverage,
        )  # fmt: skip
        if method in MEDIANS:
            variance *= median_factors(n)[combined.kept.reshape(-1)] ** 2
        elif self.combine.rejects and method not in OF_THEIR_OWN:
            correct_variance(combined.variance, combined.measured, self.combine, terms)
        return coverage.reshape(size)

    def _read(
        self, part: Part, top: int, bottom: int, out: np.ndarray,
        beside: tuple[np.ndarray, np.ndarray] | None, spare: np.ndarray, flags: np.ndarray,
    ) -> None:  # fmt: skip
        """Rows of a file that lies on the result already."""
        member = part.member
        adu_rows(member.frame, top, bottom, out=out)
        if beside is not None:
            self._fill_beside(member, top, bottom, out, *beside)
        if member.has_border:
            out[out == 0] = np.nan
        own = member.beside.flag_rows(top, bottom)
        if own is None:
            white = member.frame.meta.saturation
            for channel in range(len(out) if white else 0):
                if any_at_or_above(out[channel], np.float32(white)):
                    flags[channel][out[channel] >= white] |= np.uint16(Flag.SATURATED)
            return
        if not own.any():
            return
        flags |= own & np.uint16(Flag.SATURATED)
        second = ((own & np.uint16(SECOND_CHOICE)) != 0) & ((own & np.uint16(LOST)) == 0) & np.isfinite(out)
        if second.any():
            for channel in range(len(out)):
                here = second[channel]
                spare[0, channel][here] += part.weight * (out[channel][here] * part.gain[channel] + part.zero[channel])
                spare[1, channel][here] += part.weight
        out[(own & np.uint16(LOST | SECOND_CHOICE)) != 0] = np.nan

    def _fill_beside(
        self, member: Member, top: int, bottom: int, data: np.ndarray, variances: np.ndarray, counts: np.ndarray
    ) -> None:
        """Variance and number of frames of the samples of a file."""
        if member.beside.variance is not None:
            variances[...] = variance_rows(member.beside, top, bottom)
        else:
            for channel, plane in enumerate(data):
                variances[channel] = member.variance_at(channel, plane)
        if member.beside.coverage is not None:
            adu_rows(member.beside.coverage, top, bottom, out=counts)
            data[counts <= 0] = np.nan
        else:
            counts[...] = member.covered

    def _resample(
        self, part: Part, forward: Transform, tile: tuple[int, int, int, int], out: np.ndarray,
        beside: tuple[np.ndarray, np.ndarray] | None, spare: np.ndarray, flags: np.ndarray,
    ) -> None:  # fmt: skip
        """The part of a file that the tile sees, brought onto it."""
        out[...] = np.nan
        if beside is not None:
            beside[0][...], beside[1][...] = 0.0, 0.0
        member = part.member
        shape = member.frame.shape[1:]
        window = source_window(forward, tile, shape, half_width(self.kernel))
        if window is None or part.calibration is None:
            return
        band = part.calibration.band(member.frame, window[0], window[1])
        extra = None
        if beside is not None:
            extra = (np.empty_like(band.data), np.empty_like(band.data))
            self._fill_beside(member, window[0], window[1], band.data.copy(), *extra)
            np.copyto(extra[0], np.square(member.noise, dtype=np.float32)[:, None, None], where=~(extra[0] > 0))
        for channel in range(self.channels):
            noise = float(member.noise[channel])
            resample_tile(
                band.data[channel], window[0], shape, forward, out[channel], tile[0], tile[2], kernel=self.kernel,
                clamp=self.clamp * noise if self.clamp else np.inf,
                photons=self.clamp**2 / (member.frame.meta.gain or np.inf),
            )  # fmt: skip
            if extra is not None and beside is not None:
                for plane, target, kernel in zip(extra, beside, ("bilinear", "nearest")):
                    resample_tile(plane[channel], window[0], shape, forward, target[channel], tile[0], tile[2],
                                  kernel=kernel)  # type: ignore[arg-type]  # fmt: skip
                beside[0][channel] *= np.float32(self._smoothing(part))
                np.nan_to_num(beside[0][channel], copy=False)
                np.nan_to_num(beside[1][channel], copy=False)
            ys, xs = band.missing[channel]
            if len(ys):
                withdraw_near(
                    ys, xs, forward, tile[0], tile[2], np.float32(part.gain[channel]),
                    np.float32(part.zero[channel]), np.float32(part.weight),
                    out[channel], spare[0, channel], spare[1, channel],
                )  # fmt: skip
            ys, xs = band.saturated[channel]
            if len(ys):
                mark_near(ys, xs, forward, tile[0], tile[2], np.uint16(Flag.SATURATED), flags[channel])
