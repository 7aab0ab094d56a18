"""FITS files from cards and arrays, with checksums; no library between the pixels and the disk."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from firstlight.io.atomic import atomic_path
from firstlight.io.cards import BLOCK, CARD, Card
from firstlight.io.checksum import encode, ones_sum

_BITPIX = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}
PIECE = 2**18
"""Bytes turned over at once."""
_UNSIGNED = {"u2": (np.uint16(0x8000), "i2", 2**15), "u4": (np.uint32(0x80000000), "i4", 2**31)}


def format_card(keyword: str, value: Any, comment: str = "") -> str:
    """One card as text of 80 characters, or of several times 80 where a long string needs CONTINUE.

    >>> format_card("EXPTIME", 30.0, "[s] exposure").rstrip()
    'EXPTIME =                 30.0 / [s] exposure'
    """
    if keyword in ("HISTORY", "COMMENT", ""):
        lines = _ascii(value) or " "
        return "".join(f"{keyword:8}{lines[i : i + 72]:72}" for i in range(0, len(lines), 72))
    head = f"{keyword:8}= " if len(keyword) <= 8 and " " not in keyword else f"HIERARCH {keyword} = "
    if isinstance(value, str):
        return _string_cards(head, _ascii(value).replace("'", "''"), _ascii(comment))
    if head.startswith("HIERARCH"):
        return f"{head}{_plain(value)}{' / ' + _ascii(comment) if comment else ''}"[:CARD].ljust(CARD)
    return f"{head}{_plain(value):>20}{' / ' + _ascii(comment) if comment else ''}"[:CARD].ljust(CARD)


def _ascii(text: Any) -> str:
    # FITS headers hold ASCII only: letters lose their accents.
    plain = unicodedata.normalize("NFKD", str(text)).replace("\n", " ").replace("\t", " ")
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    clean = plain.encode("ascii", "replace").decode("ascii")
    return "".join(c if " " <= c <= "~" else " " for c in clean)


def _plain(value: Any) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, float):
        text = repr(value).upper()
        return text if "." in text or "E" not in text else text.replace("E", ".0E")
    return "" if value is None else str(value)


def _string_cards(head: str, text: str, comment: str) -> str:
    whole = f"{head}'{text:8}'"
    if len(whole) <= CARD:
        return f"{whole:30}{' / ' + comment if comment else ''}"[:CARD].ljust(CARD)
    cards = []
    room = CARD - len(head) - 3
    while text:
        part = text[:room]
        # A doubled quote must not be cut in two.
        if (len(part) - len(part.rstrip("'"))) % 2:
            part = part[:-1]
        text = text[len(part) :]
        cards.append(f"{head}'{part}{'&' if text else ''}'".ljust(CARD))
        head, room = "CONTINUE  ", CARD - 13
    return "".join(cards)


def is_writable(value: Any) -> bool:
    """Can FITS hold this value in a card?"""
    value = value.item() if isinstance(value, np.generic) else value
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value)) or value is None


class Unit:
    """One header and its data, ready to be written. ``data`` is any numeric array, or bytes for a table."""

    def __init__(self, cards: Sequence[Card], data: np.ndarray | bytes | None, *, table: bool = False) -> None:
        self.cards, self.data, self.table = cards, data, table

    def write(self, file: BinaryIO, first: bool, checksum: bool = True) -> None:
        """At the end of a file in which one may go back: the header is known when the data are summed."""
        cards, pieces = self._content(first)
        if checksum:
            cards += [("CHECKSUM", "0" * 16, "of header and data"), ("DATASUM", f"{0:<10}", "of the data")]
        start = file.tell()
        header = _header_bytes(cards)
        file.write(header)
        total = size = 0
        for piece in pieces:
            total = ones_sum(piece, total) if checksum else 0
            file.write(piece)
            size += memoryview(piece).nbytes
        file.write(b"\0" * (-size % BLOCK))
        if checksum:
            end = file.tell()
            header = _header_bytes([*cards[:-1], ("DATASUM", str(total), "of the data")])
            word = encode(~ones_sum(header, total) & 0xFFFFFFFF)
            file.seek(start)
            file.write(header.replace(b"'" + b"0" * 16 + b"'", b"'" + word.encode() + b"'", 1))
            file.seek(end)

    def header(self, first: bool) -> bytes:
        """The header alone, as its cards have it: of no sums."""
        return _header_bytes(self._content(first)[0])

    def _content(self, first: bool) -> tuple[list[Card], Iterable[bytes | np.ndarray]]:
        """Cards without sums, and the data piece by piece."""
        opening: Card = ("SIMPLE", True, "FITS standard 4.0") if first else ("XTENSION", "IMAGE", "image extension")
        own = [card for card in self.cards if is_writable(card[1])]
        if self.table:
            data: bytes = self.data  # type: ignore[assignment]
            cards: list[Card] = [("XTENSION", "BINTABLE", "binary table")]
            cards += [("BITPIX", 8, ""), ("NAXIS", 2, ""), ("NAXIS1", len(data), ""), ("NAXIS2", 1, "")]
            cards += [("PCOUNT", 0, ""), ("GCOUNT", 1, ""), ("TFIELDS", 1, "")]
            return cards + own, [data]
        if self.data is None:
            return [opening, ("BITPIX", 8, ""), ("NAXIS", 0, "no pixels here"), ("EXTEND", True, ""), *own], []
        data_array: np.ndarray = self.data  # type: ignore[assignment]
        kind = data_array.dtype.str[1:]
        scaling: list[Card] = []
        if kind in _UNSIGNED:
            _, kind, zero = _UNSIGNED[kind]
            scaling = [("BZERO", zero, "unsigned integers"), ("BSCALE", 1, "")]
        axes = [(f"NAXIS{i + 1}", size, "") for i, size in enumerate(data_array.shape[::-1])]
        more: list[Card] = [("EXTEND", True, "")] if first else [("PCOUNT", 0, ""), ("GCOUNT", 1, "")]
        cards = [opening, ("BITPIX", _BITPIX[kind], ""), ("NAXIS", data_array.ndim, ""), *axes, *more, *scaling]
        return cards + own, _as_fits(data_array)


def _as_fits(data: np.ndarray) -> Iterator[np.ndarray]:
    """Big-endian numbers, unsigned integers by the BZERO convention, in pieces.

    They lie in the cache from being turned over until they are written, and no memory of the size of the image is
    touched: that costs as much as the writing.
    """
    kind = data.dtype.str[1:]
    flat = data.reshape(-1)
    step = PIECE // max(data.itemsize, 1)
    for start in range(0, flat.size, step):
        piece = flat[start : start + step]
        if kind in _UNSIGNED:
            piece = np.bitwise_xor(piece, _UNSIGNED[kind][0])
        yield np.ascontiguousarray(piece, ">" + piece.dtype.str[1:] if kind != "u1" else "u1")


def _header_bytes(cards: Iterable[Card]) -> bytes:
    text = "".join(format_card(*card) for card in cards) + "END".ljust(CARD)
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("ascii")


def write_units(path: Path, units: Sequence[Unit], checksum: bool = True) -> None:
    """Write a FITS file whole or not at all."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        for index, unit in enumerate(units):
            unit.write(file, index == 0, checksum)


def write_raw_fits(path: Path, pixels: np.ndarray, cards: Sequence[Card] = ()) -> None:
    """A plain FITS frame as a camera program writes it: unsigned 16 bit, no checksum.

    Parameters
    ----------
    pixels : uint16, (y, x)
    cards : (keyword, value, comment), as they shall stand in the header.
    """
    write_units(Path(path), [Unit(cards, np.asarray(pixels, np.uint16))], checksum=False)
