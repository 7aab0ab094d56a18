"""Chains of steps a band of rows at a time: large files in bounded memory, and several bands at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import InputError
from firstlight.io.beside import Beside, planes_beside
from firstlight.io.fits_stream import fits_stream
from firstlight.io.frame import Frame
from firstlight.io.read import open_frame
from firstlight.library.raw import adu_rows
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.parts import lend
from firstlight.ops.registry import Reach
from firstlight.ops.spec import Step
from firstlight.ops.stretch.levels import largest_good, white_level
from firstlight.ops.stretch.sample import sample as sampled
from firstlight.ops.survey import Look, Rows, Survey
from firstlight.ops.windows import BandWork
from firstlight.pipeline.executors import ordered
from firstlight.pipeline.members import variance_rows

BAND = 32 * 2**20
"""Bytes of a band's pixels."""

ALIGNED = 64
"""Rows to a multiple of which a band with a margin is widened: holes up to that size are filled as in the whole."""

APART = 16
"""Rows between two that are looked at, up to which those between are read with them."""


@dataclass(frozen=True, eq=False)
class FileSource:
    """A FITS file whose rows can be read alone."""

    frame: Frame
    beside: Beside

    @classmethod
    def of(cls, path: Path) -> FileSource | None:
        """None where the file must be decoded as a whole."""
        frame = open_frame(path)
        if not frame.seekable:
            return None
        return cls(frame, planes_beside(frame))

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.frame.shape

    def band(self, top: int, bottom: int) -> Image:
        frame = self.frame
        return Image(
            adu_rows(frame, top, bottom),
            flags=self.beside.flag_rows(top, bottom),
            variance=None if self.beside.variance is None else variance_rows(self.beside, top, bottom),
            unit=frame.unit, state=frame.state, plate=frame.plate, meta=frame.meta, history=frame.history,
        )  # fmt: skip


def in_the_way(steps: Sequence[Step], frames: Collection[str] = ()) -> Step | None:
    """The first step that needs the whole frame, or one of the further frames given (by name); None if all can be done
    band by band."""
    for each in steps:
        operation = each.operation
        if any(name in frames or name not in operation.optional for name in operation.frames):
            return each
        fits = operation.reach == Reach.PIXEL or operation.settle is not None or operation.survey is not None
        fits |= _margin(each) is not None
        if not fits:
            return each
    return None


@dataclass(frozen=True, eq=False)
class Chain:
    """Steps made ready: each does its work on a band, whatever the rest of the image is."""

    works: tuple[BandWork, ...]
    margins: tuple[int, ...]

    @property
    def margin(self) -> int:
        """Rows above and below a band that are read and done with it."""
        return sum(self.margins)

    def on(self, source: FileSource, top: int, bottom: int) -> Image:
        """Rows top <= y < bottom of the result."""
        height = source.shape[1]
        margin = self.margin
        # The cell of a mosaic begins at even rows, and holes are filled from means over squares of up to some size.
        aligned = ALIGNED if margin else 2
        first, last = max((top - margin) // aligned * aligned, 0), min(bottom + margin, height)
        image = source.band(first, last)
        rows = image.shape[1]
        for work in self.works:
            image = work(image, first)
        if image.shape[1] != rows:
            raise InputError("these steps change the height of the image; they are done on the whole of it")
        cut = np.s_[:, top - first : bottom - first]
        return image.replace(
            data=image.data[cut],
            flags=image.flags[cut],
            variance=None if image.variance is None else image.variance[cut],
        )


@dataclass(frozen=True, eq=False)
class ChainSource:
    """An image in the middle of a chain."""

    source: FileSource
    chain: Chain
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, source: FileSource, chain: Chain) -> ChainSource:
        channels, _, width = chain.on(source, 0, 1).shape
        return cls(source, chain, (channels, source.shape[1], width))

    def band(self, top: int, bottom: int) -> Image:
        return self.chain.on(self.source, top, bottom)


def prepare(
    source: FileSource, steps: Sequence[Step], executor: Executor, workers: int, rows: int | None = None
) -> Chain:
    """Measure what the steps want to know of the whole image, in as many passes as needed, and bind it to them."""
    works: list[BandWork] = []
    margins: list[int] = []
    rows = rows or band_rows(source, sum(_margin(each) or 0 for each in steps))
    for each in steps:
        operation = each.operation
        chain = Chain(tuple(works), tuple(margins))
        needs_white = operation.family == "stretch" and (operation.id != "stretch:black" or each.params.fraction)  # type: ignore[attr-defined]
        blind = bool(needs_white) and not _knows_white(chain.on(source, 0, min(2, source.shape[1])))
        if operation.survey is not None:
            if blind:
                _, white = _sampled(source, chain, executor, workers, rows)
                works.append(lambda band, _, white=white: _brought(band, white))
                margins.append(0)
                chain = Chain(tuple(works), tuple(margins))
            works.append(_surveyed(each, source, chain, executor, workers, rows))
        elif operation.settle is not None or blind:
            sample, white = _sampled(source, chain, executor, workers, rows)
            works.append(_bound(each, sample, white, bool(needs_white)))
        elif operation.learn is not None:
            with lend(executor.map, workers):
                works.append(_learnt(each, ChainSource.of(source, chain)))
        else:
            works.append(lambda band, _, each=each: each(band))
        margins.append(_margin(each) or 0)
    return Chain(tuple(works), tuple(margins))


def _margin(each: Step) -> int | None:
    """How many rows far a step looks once it knows what it wants to; None: not known, or all of them."""
    operation = each.operation
    looks = operation.reach == Reach.WINDOW or operation.learn is not None
    return operation.margin(each.params) if looks and operation.margin else None


def _learnt(each: Step, source: ChainSource) -> BandWork:
    """The step, bound to what it learnt by looking here and there."""
    each.check(source.band(0, 1))
    work = each.operation.learn(source, each.params)  # type: ignore[misc]
    return lambda image, top: each.signed(image, work(image, top))


def _knows_white(rows: Image) -> bool:
    """Whether an image like these rows tells its white level without a look at its pixels."""
    known = bool(rows.meta.saturation) and (rows.unit == PixelUnit.ADU or bool(rows.meta.gain))
    return rows.unit == PixelUnit.NORMALISED or known


def _sampled(
    source: FileSource, chain: Chain, executor: Executor, workers: int, rows: int
) -> tuple[Image, float | None]:
    """Every so many pixels of the image at this place of the chain as one row, and its white level."""
    _, height, width = source.shape

    def look(top: int) -> tuple[Image, float]:
        band = chain.on(source, top, min(top + rows, height))
        parts = (band.data, band.flags, band.variance)
        data, flags, variance = (
            None if part is None else np.stack([sampled(plane, (height, width), top) for plane in part])
            for part in parts
        )
        picked = band.replace(data=data[:, None], flags=flags[:, None],
                              variance=None if variance is None else variance[:, None])  # fmt: skip
        return picked, largest_good(band)

    found = list(ordered(executor, look, range(0, height, rows), workers + 1))
    images = [image for image, _ in found]
    sample = images[0].replace(
        data=np.concatenate([i.data for i in images], axis=2),
        flags=np.concatenate([i.flags for i in images], axis=2),
        variance=None if images[0].variance is None else np.concatenate([i.variance for i in images], axis=2),
    )
    known = white_level(sample.replace(data=np.zeros((1, 1, 1)), flags=None, variance=None))
    if sample.unit == PixelUnit.NORMALISED or known != 1.0:
        return sample, None
    brightest = max(value for _, value in found)
    return sample, brightest if brightest > 0 else 1.0


def _bound(each: Step, sample: Image, white: float | None, needs_white: bool) -> BandWork:
    """The step with what was measured: its levels, and white where the header does not tell it."""

    white, settle = white if needs_white else None, each.operation.settle
    if settle is None:
        return lambda image, _: each(_brought(image, white))
    settled = settle(_brought(sample, white), each.params)
    return lambda image, _: each.signed(image, settled(_brought(image, white)))


def _brought(image: Image, white: float | None) -> Image:
    """The image over its white level; None: that is known from its header."""
    if white is None:
        return image
    factor = np.float32(1.0 / white)
    variance = None if image.variance is None else image.variance * factor**2
    return image.replace(data=image.data * factor, variance=variance, unit=PixelUnit.NORMALISED)


def _surveyed(each: Step, source: FileSource, chain: Chain, executor: Executor, workers: int, rows: int) -> BandWork:
    """The step with what it looks at in the image at this place of the chain."""
    height = source.shape[1]
    like = chain.on(source, 0, min(2, height))
    each.check(like)
    survey: Survey = each.operation.survey(like, height, each.params)  # type: ignore[misc]
    order = sorted(range(len(survey.looks)), key=lambda k: int(survey.looks[k].rows[0]))
    groups: list[list[int]] = []
    for k in order:
        # Looks that lie in one band share its rows.
        if not groups or survey.looks[k].rows[-1] - survey.looks[groups[-1][0]].rows[0] >= rows:
            groups.append([])
        groups[-1].append(k)

    def see(group: list[int]) -> list[Any]:
        return _seen([survey.looks[k] for k in group], source, chain)

    found: dict[int, Any] = {}
    for group, shown in zip(groups, ordered(executor, see, groups, workers + 1)):
        found.update(zip(group, shown))
    with lend(executor.map, workers):
        settled = survey.settle([found[k] for k in range(len(survey.looks))])

    return lambda image, first: each.signed(image, settled(image, first))


def _seen(looks: Sequence[Look], source: FileSource, chain: Chain) -> list[Any]:
    """What looks see of rows of one band; rows that none wants are left out where that saves work."""
    wanted = np.unique(np.concatenate([look.rows for look in looks]))
    apart = max(APART, 2 * chain.margin)
    runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > apart) + 1)
    bands = [chain.on(source, int(run[0]), int(run[-1]) + 1) for run in runs]
    there = np.concatenate([np.arange(run[0], run[-1] + 1) for run in runs])
    data, flags = (
        planes[0] if len(planes) == 1 else np.concatenate(planes, axis=1)
        for planes in ([band.data for band in bands], [band.flags for band in bands])
    )
    whole = bands[0].replace(data=data, flags=flags, variance=None)
    return [look.see(Rows.of(whole, np.searchsorted(there, look.rows))) for look in looks]


def band_rows(source: FileSource, margin: int = 0) -> int:
    """Rows of a band: an even number; at least four times the margin, so that most of the work is not thrown away."""
    channels, height, width = source.shape
    return max(min(max(BAND // (4 * channels * width), 4 * margin), height + height % 2) // 2 * 2, 2)


def apply_to_file(
    source: FileSource, target: Path, steps: Sequence[Step], executor: Executor, workers: int,
    provenance: Mapping[str, Any] | None = None, rows: int | None = None,
) -> None:  # fmt: skip
    """Write the result of the chain as FITS; no more than a few bands are in memory at any time.

    Raises
    ------
    InputError
        A step needs the whole frame.
    """
    _refuse(steps)
    source.frame.check()
    chain = prepare(source, steps, executor, workers, rows)
    rows = rows or band_rows(source, chain.margin)
    height = source.shape[1]
    tops = range(0, height, rows)
    bands = ordered(executor, lambda t: chain.on(source, t, min(t + rows, height)), tops, workers + 1)
    first = next(bands)
    with fits_stream(target, first, height, provenance) as stream:
        stream.put(0, first)
        for top, band in zip(tops[1:], bands):
            stream.put(top, band)


def _refuse(steps: Sequence[Step]) -> None:
    if (each := in_the_way(steps)) is not None:
        raise InputError(
            f"{each.operation.id}: looks at the whole frame, or takes further ones; it cannot be done band by band"
        )
