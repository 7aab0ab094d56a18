"""A FITS file written a band of rows at a time: never more of it in memory than that band."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.io.atomic import atomic_path
from firstlight.io.cards import BLOCK, Card
from firstlight.io.checksum import encode, ones_sum
from firstlight.io.fits_writer import Unit, format_card
from firstlight.io.write import product_units
from firstlight.model.image import Image

CHUNK = 16 * 2**20
"""Bytes that are summed at once; a whole number of FITS blocks of 2880 bytes after rounding down."""


class FitsStream:
    """The planes of a product in the file that is being written.

    Bands are written at their places. Into a map of the file they took twice the time, and what of it the system keeps
    in memory counted as the program's: 7 GB for a mosaic of 1 Gpx.
    """

    def __init__(self, path: Path, like: Image, height: int, provenance: Mapping[str, Any] | None = None) -> None:
        """``like`` is a band of the result: all but its height is that of the whole."""
        self._file = open(path, "r+b")  # noqa: SIM115
        self._planes: dict[str, tuple[int, str, tuple[int, int]]] = {}
        self._parts: list[tuple[int, int, int]] = []
        start = 0
        for unit in product_units(like, provenance):
            if unit.table:
                self._file.seek(start)
                unit.write(self._file, first=False)
                continue
            array = np.asarray(unit.data)
            shape = (*array.shape[:-2], height, array.shape[-1])
            kind = ">i2" if array.dtype == np.uint16 else ">f4"
            header = _header(unit.cards, array, shape, first=start == 0)
            data = start + len(header)
            end = data + -(-math.prod(shape) * int(kind[-1]) // BLOCK) * BLOCK
            self._file.seek(start)
            self._file.write(header)
            self._file.truncate(end)
            self._file.flush()
            self._planes[str(unit.cards[0][1])] = data, kind, (height, shape[-1])
            self._parts.append((start, data, end))
            start = end

    def put(self, top: int, band: Image) -> None:
        """Rows of the result from ``top`` on."""
        self._put("SCI", top, band.data)
        if "VAR" in self._planes and band.variance is not None:
            self._put("VAR", top, band.variance)
        self._put("DQ", top, (band.flags ^ np.uint16(0x8000)).view(np.int16))

    def _put(self, name: str, top: int, rows: np.ndarray) -> None:
        start, kind, (height, width) = self._planes[name]
        for channel, plane in enumerate(rows):
            self._file.seek(start + (channel * height + top) * width * int(kind[-1]))
            self._file.write(plane.astype(kind).data)

    def close(self) -> None:
        """Write the checksums."""
        step = CHUNK // BLOCK * BLOCK
        for start, data, end in self._parts:
            total = 0
            for place in range(data, end, step):
                self._file.seek(place)
                total = ones_sum(self._file.read(min(step, end - place)), total)
            self._file.seek(start)
            header = self._file.read(data - start)
            header = header.replace(_SUM, f"DATASUM = '{total!s:8}'".ljust(len(_SUM)).encode(), 1)
            word = encode(~ones_sum(header, total) & 0xFFFFFFFF)
            header = header.replace(b"'" + b"0" * 16 + b"'", b"'" + word.encode() + b"'", 1)
            self._file.seek(start)
            self._file.write(header)
        self._file.close()


_SUM = format_card("DATASUM", "@").encode()[:30]
"""The place of a sum that is not known yet."""


@contextmanager
def fits_stream(
    path: Path, like: Image, height: int, provenance: Mapping[str, Any] | None = None
) -> Iterator[FitsStream]:
    """A product to be filled band by band; it appears under its name when the block ends well."""
    with atomic_path(path) as temporary:
        temporary.touch()
        stream = FitsStream(temporary, like, height, provenance)
        yield stream
        stream.close()


def _header(cards: Sequence[Card], like: np.ndarray, shape: tuple[int, ...], first: bool) -> bytes:
    """A header with room for the checksums, for an array of this shape."""
    small = np.zeros([1] * len(shape), like.dtype)
    sums: list[Card] = [("CHECKSUM", "0" * 16, "of header and data"), ("DATASUM", "@", "of the data")]
    header = Unit([*cards, *sums], small).header(first)
    for axis, length in enumerate(shape[::-1], 1):
        keyword = f"NAXIS{axis}".ljust(8) + "= "
        header = header.replace((keyword + "1".rjust(20)).encode(), (keyword + str(length).rjust(20)).encode(), 1)
    return header
