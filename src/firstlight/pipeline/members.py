"""Files that are calibrated already, ready to be combined: opened, sampled, brought to one scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.beside import Beside, planes_beside
from firstlight.io.frame import Frame
from firstlight.io.read import find_files, open_frames
from firstlight.io.scratch import decoded
from firstlight.kernels.tiles import DARKEST
from firstlight.library.classify import with_unit
from firstlight.library.raw import adu_rows
from firstlight.model.flags import EXCLUDED, Flag
from firstlight.model.meta import Kind
from firstlight.model.target import without_panel
from firstlight.pipeline.executors import ordered
from firstlight.pipeline.measure import channel_statistics, refuse_blank

LOST = EXCLUDED | Flag.HOT | Flag.COLD | Flag.COSMIC_RAY | Flag.TRAIL | Flag.LOW_FLAT
"""A sample with any of these flags means nothing."""
SECOND_CHOICE = Flag.INTERPOLATED
"""A sample with this flag serves only where no file has a better one."""
SAMPLES = 16_000
"""Pixels that levels are measured from: right to a hundredth of the noise."""
APART = 4
"""px: pixels of resampled images are alike up to about here."""
FAR_FROM_ZERO = 6.0
"""Exact zeros this many sigma off the background are a border, in files that have no flags."""
PATTERNS = frozenset({Kind.BIAS, Kind.DARK, Kind.DARK_FLAT, Kind.MASTER_BIAS, Kind.MASTER_DARK})
FLATS = frozenset({Kind.FLAT, Kind.MASTER_FLAT})
_KINDS = {
    Kind.BIAS: "bias", Kind.MASTER_BIAS: "bias", Kind.DARK: "dark", Kind.MASTER_DARK: "dark",
    Kind.DARK_FLAT: "dark flat", **dict.fromkeys(FLATS, "flat"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Member:
    """One file of a combination."""

    frame: Frame
    beside: Beside
    level: np.ndarray
    """Per channel: background, in the unit of the pixels."""
    noise: np.ndarray
    """Per channel: standard deviation of the background."""
    has_border: bool = False
    """Exact zeros are pixels without data."""
    covered: float = 1.0
    """Frames behind a typical pixel."""
    sample: np.ndarray | None = None
    """float32 (channels, rows, x): the pixels that level and noise were measured on, NaN where they mean nothing."""

    @property
    def name(self) -> str:
        return self.frame.name

    @property
    def exposure(self) -> float | None:
        """Exposure that the level of its pixels belongs to: of a stack, that of one of its frames."""
        meta = self.frame.meta
        if meta.exposure is None or meta.kind is not Kind.STACK:
            return meta.exposure
        return meta.exposure / meta.n_combined

    @property
    def electrons(self) -> float | None:
        """e-/adu of a single frame's pixels."""
        meta = self.frame.meta
        return meta.gain / meta.n_combined if meta.gain and meta.kind is Kind.STACK else meta.gain

    def half_photon(self, channel: int) -> float:
        """What the mean of its photons, at which noise is measured, lies above their mode, which its level is.

        0 where no gain is known.
        """
        gain = self.frame.meta.gain
        if not gain:
            return 0.0
        return 0.5 / gain * min(max(float(self.level[channel] / gain / self.noise[channel] ** 2), 0.0), 1.0)

    def variance_at(self, channel: int, values: np.ndarray) -> np.ndarray:
        """Variance of these values, of a file that brings none: that of the sky, and of photons more or fewer."""
        noise = np.float32(self.noise[channel] ** 2)
        signal = values - np.float32(self.level[channel] + self.half_photon(channel))
        return np.maximum(signal / np.float32(self.frame.meta.gain or np.inf) + noise, DARKEST * noise)


def files_of(given: Sequence[str | Path]) -> tuple[list[Path], list[str]]:
    """The files that are named, by themselves or by their folder, each once; and a note where one was named again."""
    paths = [path.absolute() for each in given for path in (find_files(each) if Path(each).is_dir() else [Path(each)])]
    # Its exposures would count twice.
    once = list({path.resolve(): path for path in paths}.values())
    again = len(paths) - len(once)
    return once, [f"{again} file{'s were' if again > 1 else ' was'} given more than once: taken once"] * bool(again)


def open_members(
    paths: Sequence[Path], scratch: Path, executor: Executor, workers: int, done: Callable[[int], None]
) -> tuple[list[Member], dict[str, str]]:
    """Open and sample the files, in their order; those that cannot be used come back with the reason."""

    def look(path: Path) -> list[Member] | str:
        try:
            return [_member(with_unit(frame), scratch) for frame in open_frames(path)]
        except (FrameError, InputError) as error:
            return str(error)

    members: list[Member] = []
    lost: dict[str, str] = {}
    for path, found in zip(paths, ordered(executor, look, paths, workers + 1)):
        if isinstance(found, str):
            lost[str(path)] = found
        else:
            members += found
        done(1)
    return members, lost


def _member(frame: Frame, scratch: Path) -> Member:
    frame.check()
    beside = planes_beside(frame).through(lambda plane: decoded(plane, scratch))
    return sampled(decoded(frame, scratch), beside)


def sampled(frame: Frame, beside: Beside) -> Member:
    """Measure level and noise on some rows; the noise from the variance where the file has one.

    Raises
    ------
    FrameError
        No pixel of the sample holds a number.
    """
    _, height, width = frame.shape
    rows = np.unique(np.linspace(0, height - 1, max(2, min(height, SAMPLES // width))).astype(int))
    whole = frame.replace(source=_Some(frame, rows))
    data = adu_rows(whole, 0, len(rows))
    flags = None if beside.flags is None else np.concatenate(
        [beside.flag_rows(y, y + 1) for y in rows], axis=1  # type: ignore[misc]
    )  # fmt: skip
    if flags is not None:
        data[(flags & np.uint16(LOST)) != 0] = np.nan
    if not np.isfinite(data).any(axis=(1, 2)).all():
        raise FrameError(f"{frame.name}: no pixel of a channel holds a number; it shows nothing")
    refuse_blank(frame.name, data)
    level, noise = channel_statistics(data, None, apart=APART)
    has_border = (
        flags is None
        and data.dtype.kind == "f"
        and frame.dtype.kind == "f"
        and bool((data == 0).any())
        and bool((np.abs(level) > FAR_FROM_ZERO * noise).all())
    )
    if has_border:
        data[data == 0] = np.nan
        level, noise = channel_statistics(data, None, apart=APART)
    good = np.isfinite(data)
    if beside.variance is not None:
        values = np.concatenate([variance_rows(beside, y, y + 1) for y in rows], axis=1)
        known = good & np.isfinite(values) & (values > 0)
        noise = np.array([np.sqrt(np.median(v[k])) if k.any() else n for v, k, n in zip(values, known, noise)])
    covered = float(max(frame.meta.n_combined, 1))
    if beside.coverage is not None:
        counts = np.concatenate([adu_rows(beside.coverage, y, y + 1) for y in rows], axis=1)[good]
        covered = max(float(np.median(counts)), 1.0) if counts.size else covered
    return Member(frame, beside, level, noise, has_border, covered, None if beside.variance is not None else data)


@dataclass(frozen=True)
class _Some:
    """Some rows of a frame, as if they were all: of large frames only their pages are touched."""

    frame: Frame
    chosen: np.ndarray

    def rows(self, top: int, bottom: int) -> np.ndarray:
        return self.frame.rows(0, self.frame.shape[1])[:, self.chosen[top:bottom]]

    def check(self) -> None:
        self.frame.check()

    def planes(self) -> tuple[None, None]:
        return None, None


def variance_rows(beside: Beside, top: int, bottom: int) -> np.ndarray:
    """Variance of rows top <= y < bottom."""
    values = adu_rows(beside.variance, top, bottom)  # type: ignore[arg-type]
    return np.square(values, out=values) if beside.is_deviation else values


def check_alike(members: Sequence[Member], mix: bool, panels: bool = False, *, moved: bool = False) -> None:
    """Refuse files of different sizes, and (unless ``mix``) of different kinds, targets or filters.

    ``panels`` of a mosaic may differ in size, and their targets in what names the panel. Files of a CFA pattern cannot
    be ``moved``.

    Raises
    ------
    InputError
        Both sides of the mismatch are named.
    """
    first = members[0]
    kinds = Counter(_KINDS.get(m.frame.meta.kind, "light") for m in members if m.frame.meta.kind is not Kind.UNKNOWN)
    if len(kinds) > 1 and not mix:
        told = ", ".join(f"{n} {kind}{'s' if n > 1 and kind != 'bias' else ''}" for kind, n in kinds.items())
        raise InputError(
            f"{told}: kinds of frames are not combined with one another; give those of one kind, such as the folder of "
            "the lights; firstlight process SESSION makes masters, calibrates and stacks; --mix takes all as they are"
        )
    for member in members if moved else ():
        if member.frame.meta.cfa and member.frame.shape[0] == 1:
            raise InputError(
                f"{member.name}: a {member.frame.meta.cfa} mosaic, whose colours would mix when it is moved; "
                "firstlight process registers and stacks mosaics; or debayer the files first (firstlight cal:debayer)"
            )
    for other in members[1:]:
        if other.frame.shape != first.frame.shape and not (panels and other.frame.shape[0] == first.frame.shape[0]):
            one, two = (f"{m.name} is {_size(m.frame.shape)}" for m in (first, other))
            raise InputError(
                f"{one}, {two}; files to combine must have one size; --registration-framing mosaic joins panels of any "
                "size by their stars, and firstlight resample brings files with plates (WCS) onto one grid"
            )
        if other.frame.unit is not first.frame.unit:
            raise InputError(
                f"{first.name} is in {first.frame.unit}, {other.name} in {other.frame.unit}; one unit is needed"
            )
        if mix:
            continue
        for what in ("target", "filter"):
            one, two = (getattr(m.frame.meta, what) or "" for m in (first, other))
            if panels and what == "target":
                one, two = without_panel(one), without_panel(two)
            if one and two and one.casefold() != two.casefold():
                raise InputError(
                    f"{first.name} has the {what} {one!r}, {other.name} {two!r}; {what}s are not mixed unasked: give "
                    f"--mix if you want that"
                )


def _size(shape: tuple[int, int, int]) -> str:
    channels, height, width = shape
    return f"{width} x {height} px" + (f" x {channels} channels" if channels > 1 else "")


def choose_reference(members: Sequence[Member], name: str) -> int:
    """Index of the file whose level and scale the result has: the one named, else the deepest and, of equal ones, the
    least noisy."""
    if name:
        found = [i for i, m in enumerate(members) if name in (m.frame.path.name, str(m.frame.path), m.frame.path.stem)]
        if not found:
            raise InputError(f"reference {name!r}: none of the files has this name; give its file name")
        return found[0]
    depth = [(-(m.frame.meta.exposure or 0.0), float(m.noise.mean()), i) for i, m in enumerate(members)]
    return min(depth)[2]
