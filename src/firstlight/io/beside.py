"""What lies beside the pixels of a file: variance, flags and coverage, as frames whose rows are read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from firstlight.io.cards import Header
from firstlight.io.fits import FitsSource, bits_named, to_flags
from firstlight.io.fits_scan import DTYPES, FitsBytes, Unit, scan
from firstlight.io.frame import Frame
from firstlight.io.scratch import DecodedSource, Deferred
from firstlight.model.meta import Meta


@dataclass(frozen=True)
class Beside:
    """The planes of a file beside its pixels; None where it has none. Each is a `Frame` of the shape of the image."""

    variance: Frame | None = None
    flags: Frame | None = None
    coverage: Frame | None = None
    """Frames that went into each pixel."""
    is_deviation: bool = False
    """``variance`` holds standard deviations."""
    bits: Mapping[int, int] = field(default_factory=dict)
    """Bit in the file to the flag it means; empty: any bit says that the pixel is not to be used."""

    def flag_rows(self, top: int, bottom: int) -> np.ndarray | None:
        """Flags of rows top <= y < bottom, uint16 (channels, rows, x), or None."""
        if self.flags is None:
            return None
        raw = self.flags.rows(top, bottom)
        if raw.dtype.kind == "i" and raw.dtype.itemsize == 2 and self.flags.zero == 32768:
            return to_flags(raw.view(raw.dtype.str.replace("i", "u")) ^ np.uint16(0x8000), self.bits)
        return to_flags((raw * np.float64(self.flags.scale) + self.flags.zero).astype(np.int64), self.bits)

    def through(self, change: Callable[[Frame], Frame]) -> Beside:
        """The same with every plane changed, for example by `firstlight.io.scratch.decoded`."""
        planes = {name: getattr(self, name) for name in ("variance", "flags", "coverage")}
        return replace(self, **{name: None if plane is None else change(plane) for name, plane in planes.items()})


def planes_beside(frame: Frame) -> Beside:
    """The planes of a FITS file beside a frame of it; of other formats, none."""
    source = frame.source.origin if isinstance(frame.source, DecodedSource | Deferred) else frame.source
    if not isinstance(source, FitsSource):
        return Beside()
    units = scan(FitsBytes(source.path))

    def plane(index: int | None) -> Frame | None:
        return None if index is None else _plane(frame, source, units[index], index)

    variance = plane(source.variance_index)
    deviation = source.variance_index is not None and not _is_variance(units[source.variance_index])
    bits = {} if source.flags_index is None else bits_named(units[source.flags_index].header)
    return Beside(variance, plane(source.flags_index), plane_named(frame, "COVERAGE", units), deviation, bits)


def plane_named(frame: Frame, name: str, units: list[Unit] | None = None) -> Frame | None:
    """The image extension of this name, of the size of the frame, or None; ``units`` spares reading the headers."""
    source = frame.source.origin if isinstance(frame.source, DecodedSource | Deferred) else frame.source
    if not isinstance(source, FitsSource):
        return None
    units = scan(FitsBytes(source.path)) if units is None else units
    found = next((i for i, unit in enumerate(units) if unit.name == name and _covers(unit, frame)), None)
    return None if found is None else _plane(frame, source, units[found], found)


def _plane(frame: Frame, source: FitsSource, unit: Unit, index: int) -> Frame:
    header: Header = unit.header
    dtype = np.dtype(DTYPES[unit.bitpix])
    if unit.compressed:
        dtype = dtype.newbyteorder("=")
    rows = replace(
        source, index=index, dtype=dtype.str, offset=unit.data_start, size=unit.data_size, compressed=unit.compressed,
        interleaved=False, blank=None, header_start=unit.header_start, flags_index=None, variance_index=None,
    )  # fmt: skip
    floats = unit.compressed and unit.bitpix < 0
    return Frame(
        frame.path,
        frame.shape,
        dtype,
        Meta(),
        rows,
        zero=0.0 if floats else float(header.get("BZERO", 0)),
        scale=1.0 if floats else float(header.get("BSCALE", 1)),
        seekable=not (unit.compressed or source.packed),
    )


def _is_variance(unit: Unit) -> bool:
    return unit.name.startswith("VAR") or unit.header.get("UTYPE") == "VarianceUncertainty"


def _covers(unit: Unit, frame: Frame) -> bool:
    axes = [axis for axis in unit.axes if axis > 1]
    return axes == [size for size in frame.shape[::-1] if size > 1]
