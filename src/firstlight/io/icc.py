"""ICC profiles that say what the numbers of a picture mean: made here, so that the same picture has the same bytes.

Specification ICC.1:2001-04 (version 2.4); the colours of sRGB adapted to D50 by Bradford (IEC 61966-2-1, Annex).
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np

WHITE = (0.9642, 1.0, 0.8249)
SRGB = ((0.436066, 0.222488, 0.013916), (0.385147, 0.716873, 0.097076), (0.143066, 0.060608, 0.714096))
"""XYZ of red, green and blue of sRGB, adapted to D50."""
_STEPS = 1024


@lru_cache(maxsize=4)
def profile(channels: int, linear: bool) -> bytes:
    """Of a picture of 1 or 3 channels: colours of sRGB, coded for the eye or proportional to light.

    >>> len(profile(3, linear=True)) < len(profile(3, linear=False)) < 3500
    True
    """
    what = ("linear " if linear else "") + (
        "sRGB" if channels == 3 else "grey, curve of sRGB" if not linear else "grey"
    )
    curve = _identity() if linear else _srgb_curve()
    tags: list[tuple[bytes, bytes]] = [
        (b"desc", _description(f"firstlight {what}")),
        (b"cprt", b"text\0\0\0\0" + b"No copyright, use freely\0"),
        (b"wtpt", _xyz(WHITE)),
    ]
    if channels == 3:
        tags += [(name, _xyz(colour)) for name, colour in zip((b"rXYZ", b"gXYZ", b"bXYZ"), SRGB)]
        tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    else:
        tags += [(b"kTRC", curve)]
    return _assembled(b"RGB " if channels == 3 else b"GRAY", tags)


def _assembled(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    table, body = b"", b""
    places: dict[bytes, int] = {}
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags:
        # Tags alike share their bytes: the three curves.
        if content not in places:
            places[content] = start + len(body)
            body += content + b"\0" * (-len(content) % 4)
        table += name + struct.pack(">II", places[content], len(content))
    size = start + len(body)
    # Version 2.4, a display; the date is that of the specification, so that nothing depends on the clock.
    header = struct.pack(">I4s4s4s4s4s6H4s", size, b"\0\0\0\0", b"\x02\x40\0\0", b"mntr", space, b"XYZ ",
                         2001, 4, 1, 0, 0, 0, b"acsp")  # fmt: skip
    header += struct.pack(">4sI4s4sQI", b"\0\0\0\0", 0, b"\0\0\0\0", b"\0\0\0\0", 0, 0)
    header += struct.pack(">3i", *(_fixed(v) for v in WHITE))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(value: float) -> int:
    """A number as 16 bits before and 16 after the point."""
    return round(value * 65536)


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(_fixed(v) for v in values))


def _description(text: str) -> bytes:
    plain = text.encode("ascii") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(plain)) + plain + b"\0" * (4 + 4 + 2 + 1 + 67)


def _identity() -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">I", 0)


def _srgb_curve() -> bytes:
    coded = np.linspace(0.0, 1.0, _STEPS)
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    return b"curv\0\0\0\0" + struct.pack(">I", _STEPS) + np.round(65535 * light).astype(">u2").tobytes()
