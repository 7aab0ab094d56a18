"""The fast path of calibration: what is done to a light, folded into one offset plane, one gain plane, one list of bad
pixels, and applied to any band of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from firstlight.io.frame import Frame
from firstlight.kernels import calibrate as kernels
from firstlight.library.build import Master
from firstlight.library.plans import Assignment, MasterPlan
from firstlight.library.raw import adu_rows
from firstlight.model.flags import Flag, has

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

    @classmethod
    def of(cls, bad: np.ndarray) -> Defects:
        """From a boolean plane (y, x)."""
        ys, xs = np.nonzero(bad)
        rows = np.searchsorted(ys, np.arange(bad.shape[0] + 1))
        return cls(ys.astype(np.int64), xs.astype(np.int64), rows)

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

    @property
    def pedestal(self) -> float:
        """Typical level that is subtracted, adu."""
        if self.offset is None:
            return 0.0
        some = self.offset[:, ::16, ::16]
        if self.thermal is not None:
            some = some + np.float32(self.scale) * self.thermal[:, ::16, ::16]
        return float(np.median(some))

    def _offset_rows(self, channel: int, first: int, last: int) -> tuple[np.ndarray, bool]:
        rows, there = _rows(self.offset, channel, first, last)
        if self.thermal is None:
            return rows, there
        return rows + np.float32(self.scale) * self.thermal[channel, first:last], True

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

    def band(self, frame: Frame, top: int, bottom: int) -> Band:
        """Calibrate rows top <= y < bottom. The result does not depend on how a frame is cut into bands."""
        channels, height, _ = frame.shape
        first, last = max(top - self.reach, 0), min(bottom + self.reach, height)
        data = adu_rows(frame, first, last)
        white = np.float32(frame.meta.saturation or np.inf)
        missing, saturated = [], []
        for channel in range(channels):
            plane = data[channel]
            full, broken = _extremes(plane, white)
            kernels.correct(
                plane,
                *self._offset_rows(channel, first, last),
                *_rows(self.gain, channel, first, last),
                plane,
            )
            ys, xs = self.defects[channel].between(first, last) if self.defects else _NOWHERE
            ys, xs = np.concatenate([ys - first, broken[0]]), np.concatenate([xs, broken[1]])
            if len(ys):
                bad = np.zeros(plane.shape, np.uint8)
                bad[ys, xs] = 1
                repaired = np.empty(len(ys), np.float32)
                kernels.repair(plane, bad, ys, xs, self.step, REPAIR_HALF, REPAIR_FEWEST, repaired)
                repaired[~np.isfinite(repaired)] = 0.0
                plane[ys, xs] = repaired
            missing.append((ys + first, xs))
            saturated.append((full[0] + first, full[1]))
        return Band(data[:, top - first : data.shape[1] - (last - bottom)], top, missing, saturated)


_NOWHERE = (np.empty(0, np.int64), np.empty(0, np.int64))
_NO_PLANE = np.empty((1, 1), np.float32)


def _rows(planes: np.ndarray | None, channel: int, first: int, last: int) -> tuple[np.ndarray, bool]:
    return (_NO_PLANE, False) if planes is None else (planes[channel, first:last], True)


def _extremes(
    plane: np.ndarray, white: np.float32
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Positions of the saturated and of the not finite pixels."""
    if not kernels.any_at_or_above(plane, white):
        return _NOWHERE, _NOWHERE
    room = 4096
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
    return Calibration(
        None if offset is None else np.ascontiguousarray(offset),
        None if thermal is None else np.ascontiguousarray(thermal),
        assignment.dark_scale,
        gain,
        tuple(Defects.of(plane) for plane in bad),
        2 if assignment.light.meta.cfa else 1,
        frozenset(name for name, master in (("bias", bias), ("dark", dark), ("flat", flat)) if master is not None)
        | ({"bias"} if dark is not None and "bias" not in dark.image.meta.calibrated else frozenset()),
    )


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
