"""FITS checksums: CHECKSUM and DATASUM (FITS 4.0, appendix J; Seaman, Pence and Rots)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.cards import Header

_ONES = 0xFFFFFFFF


def ones_sum(data: bytes | np.ndarray, start: int = 0) -> int:
    """Ones' complement sum of big-endian 32-bit words; a remainder is padded with zero bytes.

    >>> ones_sum(bytes([0, 0, 0, 1, 255, 255, 255, 255]))
    1
    """
    raw = np.frombuffer(data, np.uint8)
    whole = len(raw) // 4 * 4
    total = start + int(raw[:whole].view(">u4").sum(dtype=np.uint64))
    if whole < len(raw):
        total += int.from_bytes(bytes(raw[whole:]).ljust(4, b"\0"), "big")
    while total >> 32:
        total = (total & _ONES) + (total >> 32)
    return total


def verify(name: str, header: Header, header_bytes: bytes, data_bytes: bytes | np.ndarray) -> None:
    """FrameError where the pixels are not those that were written.

    A DATASUM that disagrees with the pixels is only believed while the header itself is as it was written, which
    CHECKSUM tells: CHECKSUM, header and DATASUM must then add up to nothing. Programs that crop or edit a file and
    leave the old sums standing are common, and their files are not damaged.
    """
    given = _number(header.get("DATASUM"))
    if given is None:
        return
    found = ones_sum(data_bytes)
    if found == given or (found + given) % _ONES == 0 == found % _ONES:
        return
    if "CHECKSUM" in header and ones_sum(header_bytes, given) not in (0, _ONES):
        return
    raise FrameError(
        f"{name}: its pixels are not those that were written (DATASUM is {given}, the pixels give {found}): "
        "the file is damaged; copy it again from its source"
    )


def verify_file(path: Path) -> None:
    """FrameError where any byte of a file of ours is not the one that was written, its header's too.

    Files of other programs pass: their headers are edited after the sums were made.
    """
    from firstlight.io.cards import BLOCK
    from firstlight.io.fits_scan import open_bytes, scan

    if path.suffix.lower() not in (".fits", ".fit", ".fts"):
        return
    content = open_bytes(path)
    units = scan(content)
    by_header = str(units[0].header.get("CREATOR", "")).startswith("firstlight") or "FLFORMAT" in units[0].header
    if not by_header and all(unit.name != "PROVENANCE" for unit in units):
        return
    end = 0
    for unit in units:
        size = -(-unit.data_size // BLOCK) * BLOCK
        end = unit.data_start + size
        header = content.read(unit.header_start, unit.data_start - unit.header_start)
        data = content.read(unit.data_start, size)
        total = ones_sum(data, ones_sum(header))
        if "CHECKSUM" not in unit.header or total not in (0, _ONES) or len(data) < size:
            raise FrameError(
                f"{path.name}: its part {unit.name or 'SCI'} is not what was written: the file is damaged; "
                "make it again, or copy it again from where it came"
            )
    if end != content.size:
        raise FrameError(f"{path.name}: {content.size} bytes where its parts take {end}: the file is damaged")


def _number(value: object) -> int | None:
    try:
        return int(str(value).strip())
    except ValueError:
        return None


def encode(value: int) -> str:
    """A 32-bit number as the 16 letters and digits of CHECKSUM (appendix J.2)."""
    excluded = {*range(0x3A, 0x41), *range(0x5B, 0x61)}
    letters = [0] * 16
    for place in range(4):
        byte = (value >> (24 - 8 * place)) & 0xFF
        four = [byte // 4 + 0x30] * 4
        four[0] += byte % 4
        while any(letter in excluded for letter in four):
            for j in (0, 2):
                if four[j] in excluded or four[j + 1] in excluded:
                    four[j] += 1
                    four[j + 1] -= 1
        for j in range(4):
            letters[4 * j + place] = four[j]
    return "".join(map(chr, letters[-1:] + letters[:-1]))
