"""Pixels of a FITS file: mapped where they lie as they are, decoded by astropy where they are tile-compressed."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.cards import BLOCK, Header, parse_cards
from firstlight.io.checksum import verify
from firstlight.io.fits_scan import DTYPES, FitsBytes, scan
from firstlight.io.frame import MappedSource
from firstlight.io.mapping import Piece
from firstlight.io.packed import unpack
from firstlight.model.flags import Flag

_quiet = threading.Lock()


@contextmanager
def _quietly() -> Iterator[None]:
    """No warnings of astropy on odd headers, which were read here already. Filters are global: one thread at a time."""
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def bits_named(header: Header) -> dict[int, int]:
    """Bit in the file to our flag, by the names that the header of a DQ extension gives (FLAG1, FLAG2 ...)."""
    return {
        bit: int(Flag[name])
        for bit in (1 << n for n in range(16))
        if (name := header.get(f"FLAG{bit}")) in Flag.__members__
    }


def to_flags(bits: np.ndarray, named: Mapping[int, int]) -> np.ndarray:
    """Flags (uint16) of whole numbers; without names any bit says that the pixel is not to be used."""
    if not named:
        return np.where(bits != 0, np.uint16(Flag.NO_DATA), np.uint16(0))
    if all(flag == bit for bit, flag in named.items()):
        return bits.astype(np.uint16, copy=False)
    flags = np.zeros(bits.shape, np.uint16)
    for bit, flag in named.items():
        flags |= np.where(bits & bit, np.uint16(flag), np.uint16(0))
    return flags


@dataclass(frozen=True)
class FitsSource:
    """Pixels of a FITS file: mapped where they lie as they are, decoded whole where they are compressed."""

    path: Path
    index: int
    shape: tuple[int, int, int]
    dtype: str
    offset: int
    size: int
    compressed: bool
    """Tile-compressed inside the file."""
    packed: bool
    """The whole file is packed (gzip, bzip2, xz)."""
    interleaved: bool = False
    blank: int | None = None
    header_start: int = 0
    flags_index: int | None = None
    variance_index: int | None = None
    unsigned: bool = False
    """64-bit integers that are stored 2^63 lower, which no float64 undoes without loss."""

    def rows(self, top: int, bottom: int) -> np.ndarray:
        if self.compressed:
            raw = self._decode(self.index)[:, top:bottom]
        elif self.packed:
            raw = self._unpacked()[:, top:bottom]
        else:
            raw = MappedSource(self.path, self.offset, self.dtype, self.shape, self.interleaved).rows(top, bottom)
        if self.unsigned:
            raw = (raw.astype(np.int64) ^ np.int64(-(2**63))).view(np.uint64)
        if self.blank is None:
            return raw
        return np.where(raw == self.blank, np.float32(np.nan), raw.astype(np.float32))

    def pieces(self, top: int, bottom: int) -> list[Piece] | None:
        """As those of `firstlight.io.frame.MappedSource`; None too for pixels that must be decoded."""
        if self.compressed or self.packed or self.unsigned or self.blank is not None:
            return None
        return MappedSource(self.path, self.offset, self.dtype, self.shape, self.interleaved).pieces(top, bottom)

    def check(self) -> None:
        content = FitsBytes(self.path)
        header = content.read(self.header_start, self.offset - self.header_start)
        if b"DATASUM" in header:
            size = -(-self.size // BLOCK) * BLOCK
            if self.packed or self.offset + size > content.size:
                data: bytes | np.ndarray = content.read(self.offset, size)
            else:
                # Mapped: a file of any size is summed without being held.
                data = np.memmap(self.path, np.uint8, "r", self.offset, size)
            verify(self.path.name, Header(parse_cards(header)), header, data)

    def planes(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        flags = None if self.flags_index is None else self._flags(self.flags_index)
        variance = None if self.variance_index is None else self._variance(self.variance_index)
        return flags, variance

    def _variance(self, index: int) -> np.ndarray:
        """The variance, from an extension of it or of standard deviations (ERR; UNCERT as astropy writes it)."""
        values, header = self._plane(index)
        is_variance = str(header.get("EXTNAME", "")).strip().upper().startswith("VAR")
        is_variance |= header.get("UTYPE") == "VarianceUncertainty"
        values = values.astype(np.float32)
        return values if is_variance else values * values

    def _plane(self, index: int) -> tuple[np.ndarray, Header]:
        """Values of another image of the file, scaled, and its header."""
        unit = scan(FitsBytes(self.path))[index]
        if unit.compressed or self.packed:
            return self._decode(index), unit.header
        raw = MappedSource(self.path, unit.data_start, DTYPES[unit.bitpix], self.shape).rows(0, self.shape[1])
        scale, zero = unit.header.get("BSCALE", 1), unit.header.get("BZERO", 0)
        return (raw if (scale, zero) == (1, 0) else raw * np.float64(scale) + zero), unit.header

    def _flags(self, index: int) -> np.ndarray:
        """Bits by their names; of another program's bits, any one says that the pixel is not to be used."""
        values, header = self._plane(index)
        return to_flags(np.asarray(values).astype(np.int64), bits_named(header))

    def _unpacked(self) -> np.ndarray:
        channels, height, width = self.shape
        content = unpack(self.path)
        shape = (height, width, channels) if self.interleaved else self.shape
        raw = np.frombuffer(content, self.dtype, math.prod(shape), self.offset).reshape(shape)
        return raw.transpose(2, 0, 1) if self.interleaved else raw

    def _decode(self, index: int) -> np.ndarray:
        from astropy.io import fits

        name = self.path.name
        try:
            with _quietly():
                units = fits.open(self.path, memmap=False, do_not_scale_image_data=index == self.index)
            with units:
                with _quietly():
                    unit = units[index]
                data = unit.data
                if data is not None:
                    data = data.astype(data.dtype.newbyteorder("="), copy=False)
        except Exception as error:
            # Damaged tiles make the decoders fail in a dozen ways, with classes of their own among them.
            raise FrameError(f"{name}: its compressed pixels cannot be decoded: {error}; copy it again") from error
        if data is None:
            raise FrameError(f"{name}: HDU {index} holds no pixels")
        channels, height, width = self.shape
        given = data.shape[:2] if self.interleaved else data.shape[-2:]
        if given != (height, width) or data.size < channels * height * width:
            raise FrameError(
                f"{name}: its compressed pixels are {data.shape}, its header says {self.shape}; it is broken"
            )
        if self.interleaved:
            return np.ascontiguousarray(data.transpose(2, 0, 1))
        return data.reshape(-1, height, width)[:channels]


@dataclass(frozen=True)
class ColourSource:
    """Red, green and blue that are images of their own in one FITS file."""

    colours: tuple[FitsSource, ...]

    @property
    def path(self) -> Path:
        return self.colours[0].path

    def rows(self, top: int, bottom: int) -> np.ndarray:
        return np.concatenate([each.rows(top, bottom) for each in self.colours])

    def pieces(self, top: int, bottom: int) -> list[Piece] | None:
        """As those of `FitsSource`."""
        found = [each.pieces(top, bottom) for each in self.colours]
        return None if None in found else [piece for pieces in found for piece in pieces or ()]

    def check(self) -> None:
        for each in self.colours:
            each.check()

    def planes(self) -> tuple[None, None]:
        return None, None
