"""The fast path of calibration: what is done to a light, folded into one offset plane, one gain plane, one list of bad
pixels, and applied to any band of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from firstlight.io.frame import Frame
from firstlight.kernels import calibrate as kernels
from firstlight.library.build import Master
from firstlight.library.plans import Assignment, MasterPlan
from firstlight.library.raw import ROOM, adu_rows, calibrated_rows, coding_of
from firstlight.model.buffers import Buffers
from firstlight.model.flags import Flag, has
from firstlight.ops.inspect.median import median

BAD = Flag.HOT | Flag.COLD | Flag.LOW_FLAT | Flag.NO_DATA | Flag.NOT_FINITE
"""Master flags that make a light's pixel worthless: it is repaired for resampling, and left out where other frames see
the same sky."""
REPAIR_HALF = 2
REPAIR_FEWEST = 4


@dataclass(frozen=True, eq=False)
class Defects:
    """Bad pixels of one channel, sorted by row."""

    ys: np.ndarray
    xs: np.ndarray
    rows: np.ndarray
    """Index of the first bad pixel of each row, (height + 1,)."""
    width: int
    """Of the plane."""

    @classmethod
    def of(cls, bad: np.ndarray) -> Defects:
        """From a boolean plane (y, x)."""
        ys, xs = np.nonzero(bad)
        rows = np.searchsorted(ys, np.arange(bad.shape[0] + 1))
        return cls(ys.astype(np.int64), xs.astype(np.int64), rows, bad.shape[1])

    def between(self, top: int, bottom: int) -> tuple[np.ndarray, np.ndarray]:
        """Those of rows top <= y < bottom, positions in the plane."""
        part = slice(self.rows[top], self.rows[bottom])
        return self.ys[part], self.xs[part]

    def __len__(self) -> int:
        return len(self.ys)


@dataclass(frozen=True, eq=False)
class Band:
    """Calibrated rows of one frame."""

    data: np.ndarray
    """float32 (channels, rows, x): bad pixels repaired."""
    top: int
    """First row."""
    missing: list[tuple[np.ndarray, np.ndarray]]
    """Per channel, positions (ys, xs) in the plane of pixels whose own value means nothing."""
    saturated: list[tuple[np.ndarray, np.ndarray]]
    """Per channel, positions of saturated pixels."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """One light's calibration, shared by all lights that are calibrated alike.

    ``(adu - offset - scale * thermal) * gain``: the slow path is `cal:subtractbias` or `cal:subtractdark`, then
    `cal:divideflat`, then `cal:repair`, and a test keeps both equal.
    """

    offset: np.ndarray | None = None
    """float32 (channels, y, x): bias and dark."""
    thermal: np.ndarray | None = None
    """float32, same shape: a dark without its bias, of which `scale` times as much goes into the offset."""
    scale: float = 1.0
    gain: np.ndarray | None = None
    """float32, same shape: 1 / flat."""
    defects: tuple[Defects, ...] = ()
    step: int = 1
    """Distance of pixels of one colour: 2 on a CFA mosaic."""
    applied: frozenset[str] = frozenset()
    """Corrections this holds: any of ``bias``, ``dark``, ``flat``."""
    row_offsets: np.ndarray | None = None
    """float32 (channels, y): banding, subtracted last."""
    column_offsets: np.ndarray | None = None
    """float32 (channels, x)."""
    offset_variance: float = 0.0
    """Noise of the offset, a typical pixel's variance, adu^2: lights that are not moved share it. 0: not known."""
    flat_variance: float = 0.0
    """The same of the flat, as a share of its square."""
    single: bool = False
    """Of one light alone: no plane is kept, for there are as many of these as lights."""

    @cached_property
    def pedestal(self) -> float:
        """Typical level that is subtracted, adu."""
        if self.offset is None:
            return 0.0
        some = self.offset[:, ::16, ::16]
        if self.thermal is not None:
            some = some + np.float32(self.scale) * self.thermal[:, ::16, ::16]
        return median(some)

    def _offset_rows(self, channel: int, first: int, last: int) -> np.ndarray | None:
        rows = _rows(self.offset, channel, first, last)
        if self.thermal is None or rows is None:
            return rows
        return rows + np.float32(self.scale) * self.thermal[channel, first:last]

    @property
    def reach(self) -> int:
        """Rows beyond a band that a repair looks at."""
        return REPAIR_HALF * self.step

    def with_defects(self, bad: np.ndarray) -> Calibration:
        """The same with further bad pixels: boolean (channels, y, x)."""
        known = np.zeros(bad.shape, bool)
        for channel, defects in enumerate(self.defects):
            known[channel, defects.ys, defects.xs] = True
        merged = tuple(Defects.of(plane) for plane in known | bad)
        return replace(self, defects=merged)

    @cached_property
    def bad(self) -> tuple[np.ndarray, ...]:
        """The defects of each channel as planes, uint8 (y, x)."""
        planes = []
        for defects in self.defects:
            plane = np.zeros((len(defects.rows) - 1, defects.width), np.uint8)
            plane[defects.ys, defects.xs] = 1
            planes.append(plane)
        return tuple(planes)

    def of_one_light(self) -> Calibration:
        """The same, for one light alone."""
        return replace(self, single=True)

    def with_banding(self, rows: np.ndarray, columns: np.ndarray) -> Calibration:
        """The same, and these offsets of rows (channels, y) and columns (channels, x) taken off."""
        return replace(self, row_offsets=rows, column_offsets=columns)

    def band(self, frame: Frame, top: int, bottom: int, buffers: Buffers | None = None) -> Band:
        """Calibrate rows top <= y < bottom. The result does not depend on how a frame is cut into bands.

        With ``buffers`` the pixels lie in a part of them: they stand until the same thread asks again.
        """
        channels, height, width = frame.shape
        first, last = max(top - self.reach, 0), min(bottom + self.reach, height)
        raw = frame.rows(first, last)
        shape = (channels, last - first, width)
        data = np.empty(shape, np.float32) if buffers is None else buffers.own("band", shape)
        coding = coding_of(frame, raw)
        if coding is None:
            adu_rows(frame, first, last, out=data)
        missing, saturated = [], []
        for channel in range(channels):
            plane = data[channel]
            offset, gain = self._offset_rows(channel, first, last), _rows(self.gain, channel, first, last)
            if coding is None:
                full, broken = _extremes(plane, np.float32(frame.meta.saturation or np.inf))
                kernels.correct(plane, *_or_none(offset), *_or_none(gain), plane)
            else:
                full, broken = calibrated_rows(frame, raw[channel], coding, offset, gain, plane), _NOWHERE
            ys, xs = self._repair(plane, channel, first, last, broken)
            if self.row_offsets is not None and self.column_offsets is not None:
                plane -= self.row_offsets[channel, first:last, None]
                plane -= self.column_offsets[channel]
            missing.append((ys + first, xs))
            saturated.append((full[0] + first, full[1]))
        return Band(data[:, top - first : data.shape[1] - (last - bottom)], top, missing, saturated)

    def _repair(
        self, plane: np.ndarray, channel: int, first: int, last: int, broken: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Repair the defects of rows first <= y < last and the ``broken`` pixels; positions of both in ``plane``."""
        bad = _NO_BAD
        ys, xs = _NOWHERE
        if self.defects:
            ys, xs = self.defects[channel].between(first, last)
            ys = ys - first
            if self.single:
                bad = np.zeros(plane.shape, np.uint8)
                bad[ys, xs] = 1
            else:
                bad = self.bad[channel][first:last]
        if len(broken[0]):
            ys, xs = np.concatenate([ys, broken[0]]), np.concatenate([xs, broken[1]])
            bad = bad.copy() if self.defects else np.zeros(plane.shape, np.uint8)
            bad[broken] = 1
        if len(ys):
            repaired = np.empty(len(ys), np.float32)
            kernels.repair(plane, bad, ys, xs, self.step, REPAIR_HALF, REPAIR_FEWEST, repaired)
            repaired[~np.isfinite(repaired)] = 0.0
            plane[ys, xs] = repaired
        return ys, xs


_NOWHERE = (np.empty(0, np.int64), np.empty(0, np.int64))
_NO_PLANE = np.empty((1, 1), np.float32)
_NO_BAD = np.empty((0, 0), np.uint8)


def _rows(planes: np.ndarray | None, channel: int, first: int, last: int) -> np.ndarray | None:
    return None if planes is None else planes[channel, first:last]


def _or_none(rows: np.ndarray | None) -> tuple[np.ndarray, bool]:
    return (_NO_PLANE, False) if rows is None else (rows, True)


def _extremes(
    plane: np.ndarray, white: np.float32
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Positions of the saturated and of the not finite pixels."""
    room = ROOM
    while True:
        ys, xs, finite = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.bool_)
        n = kernels.find_at_or_above(plane, white, ys, xs, finite)
        if n <= room:
            break
        room = n
    ys, xs, finite = ys[:n], xs[:n], finite[:n]
    return (ys[finite], xs[finite]), (ys[~finite], xs[~finite])


def compile_calibration(assignment: Assignment, master_of: Callable[[MasterPlan], Master | None]) -> Calibration:
    """Fold the masters of a light into a `Calibration`.

    With a dark of the light's exposure: offset = dark (its bias with it). With a scaled dark: bias + k (dark - bias).
    With a dark that has lost its bias: bias + k dark. Else the bias. A flat of 0 or less divides nothing: the pixel is
    bad.
    """
    bias, dark, flat = (
        None if plan is None else master_of(plan) for plan in (assignment.bias, assignment.dark, assignment.flat)
    )
    offset = thermal = None
    bad = np.zeros(assignment.light.shape, bool)
    if dark is not None:
        offset = dark.image.data
        bad |= has(dark.image.flags, BAD)
        if bias is not None:
            thermal = offset if "bias" in dark.image.meta.calibrated else offset - bias.image.data
            offset = bias.image.data
    elif bias is not None:
        offset = bias.image.data
        bad |= has(bias.image.flags, BAD)
    gain = None
    if flat is not None:
        data = flat.image.data
        usable = data > 0
        gain = np.divide(np.float32(1), data, out=np.ones_like(data), where=usable)
        bad |= has(flat.image.flags, BAD) | ~usable
    k = assignment.dark_scale
    noise = k**2 * typical_variance(dark) + ((1.0 - k) ** 2 if dark is not None else 1.0) * typical_variance(bias)
    return Calibration(
        None if offset is None else np.ascontiguousarray(offset),
        None if thermal is None else np.ascontiguousarray(thermal),
        assignment.dark_scale,
        gain,
        tuple(Defects.of(plane) for plane in bad),
        2 if assignment.light.meta.cfa else 1,
        frozenset(name for name, master in (("bias", bias), ("dark", dark), ("flat", flat)) if master is not None)
        | ({"bias"} if dark is not None and "bias" not in dark.image.meta.calibrated else frozenset()),
        offset_variance=noise,
        flat_variance=typical_variance(flat),
    )


def typical_variance(master: Master | None) -> float:
    """Variance of a typical pixel of a master; 0 where it is not known.

    That of each pixel, from the scatter of few frames, follows a chi square, whose median is below its mean (Wilson &
    Hilferty 1931): of 3 frames by 30 %.
    """
    if master is None or master.image.variance is None:
        return 0.0
    free = max(master.image.meta.n_combined - 1, 1)
    return float(np.nan_to_num(median(master.image.variance[:, ::4, ::4]))) / (1.0 - 2.0 / (9.0 * free)) ** 3


def compile_all(
    assignments: Sequence[Assignment], master_of: Callable[[MasterPlan], Master | None]
) -> dict[tuple[object, ...], Calibration]:
    """One calibration for each distinct choice of masters, by `Assignment.key`.

    Those that differ in the scale of the dark alone share their planes.
    """
    calibrations: dict[tuple[object, ...], Calibration] = {}
    planes: dict[tuple[object, ...], Calibration] = {}
    for assignment in assignments:
        key = (*assignment.key, assignment.light.shape)
        shared = (*(id(m) for m in (assignment.bias, assignment.dark, assignment.flat)), assignment.light.shape)
        if shared not in planes:
            planes[shared] = compile_calibration(assignment, master_of)
        if key not in calibrations:
            calibrations[key] = replace(planes[shared], scale=assignment.dark_scale)
    return calibrations
