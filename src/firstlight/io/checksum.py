"""FITS checksums: CHECKSUM and DATASUM (FITS 4.0, appendix J; Seaman, Pence and Rots)."""

from __future__ import annotations

from collections.abc import Callable

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


def verify(name: str, header: Header, header_bytes: Callable[[], bytes], data_bytes: Callable[[], bytes]) -> None:
    """FrameError where DATASUM or CHECKSUM is given and the file says otherwise.

    The header's own CHECKSUM is only looked at where DATASUM agrees: programs that edit a header without renewing
    it are common, and pixels that agree with DATASUM are what counts.
    """
    given = _number(header.get("DATASUM"))
    if given is None:
        return
    found = ones_sum(data_bytes())
    if found != given:
        raise FrameError(
            f"{name}: its pixels are not those that were written (DATASUM is {given}, the pixels give {found}): "
            "the file is damaged; copy it again from its source"
        )


def _number(value: object) -> int | None:
    try:
        return int(str(value).strip())
    except ValueError:
        return None
