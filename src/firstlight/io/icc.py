"""ICC profiles that say what the numbers of a picture mean: made here, so that the same picture has the same bytes.

Specification ICC.1:2001-04 (version 2.4); the colours of sRGB adapted to D50 by Bradford (IEC 61966-2-1, Annex).
Wider spaces: the primaries of SMPTE RP 431-2 with white and curve of sRGB (Display P3); Adobe RGB (1998), 2005-05; ISO
22028-2 (ROMM RGB, "ProPhoto").
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

WHITE = (0.9642, 1.0, 0.8249)
SRGB = ((0.436066, 0.222488, 0.013916), (0.385147, 0.716873, 0.097076), (0.143066, 0.060608, 0.714096))
"""XYZ of red, green and blue of sRGB, adapted to D50."""
D65 = (0.3127, 0.3290)
"""x, y of the white of screens."""
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_STEPS = 1024

Space = Literal["srgb", "display-p3", "adobe-rgb", "prophoto"]


@dataclass(frozen=True)
class _Wide:
    name: str
    primaries: tuple[tuple[float, float], ...]
    """x, y of red, green and blue."""
    white: tuple[float, float] | None
    """x, y; None: that of the profile, D50."""


_WIDE = {
    "display-p3": _Wide("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), D65),
    "adobe-rgb": _Wide("compatible with Adobe RGB (1998)", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), D65),
    "prophoto": _Wide("ROMM RGB", ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105)), None),
}


def colours_of(space: Space) -> np.ndarray:
    """Matrix (3, 3): XYZ (D50) of red, green and blue, in columns.

    >>> colours_of("srgb").sum(axis=1).round(3).tolist(), colours_of("prophoto").sum(axis=1).round(3).tolist()
    ([0.964, 1.0, 0.825], [0.964, 1.0, 0.825])
    """
    if space == "srgb":
        return np.array(SRGB).T
    wide = _WIDE[space]
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in wide.primaries]).T
    white = np.array(WHITE)
    if wide.white is not None:
        x, y = wide.white
        white = np.array([x / y, 1.0, (1 - x - y) / y])
    matrix = columns * np.linalg.solve(columns, white)
    cones, wanted = _BRADFORD @ white, _BRADFORD @ np.array(WHITE)
    return np.linalg.inv(_BRADFORD) @ np.diag(wanted / cones) @ _BRADFORD @ matrix


def into_space(data: np.ndarray, space: Space) -> np.ndarray:
    """Colours coded as sRGB (3, y, x), those beyond it too, coded for another space.

    >>> grey = np.full((3, 1, 1), 0.5)
    >>> into_space(grey, "display-p3").ravel().round(3).tolist()
    [0.5, 0.5, 0.5]
    """
    if space == "srgb" or len(data) != 3:
        return data
    matrix = np.linalg.solve(colours_of(space), colours_of("srgb"))
    out = np.empty(data.shape, np.float32)
    for top in range(0, data.shape[1], 64):
        coded = data[:, top : top + 64]
        size = np.abs(coded)
        light = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4) * np.sign(coded)
        light = np.maximum(np.tensordot(matrix, light, axes=1), 0)
        out[:, top : top + 64] = _coded(light, space)
    return out


def _coded(light: np.ndarray, space: Space) -> np.ndarray:
    if space == "adobe-rgb":
        return light ** (256 / 563)
    if space == "prophoto":
        return np.where(light < 1 / 512, 16 * light, light ** (1 / 1.8))
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@lru_cache(maxsize=8)
def profile(channels: int, linear: bool, space: Space = "srgb") -> bytes:
    """Of a picture of 1 or 3 channels: colours of a space (greys: the curve of sRGB), coded or proportional to light.

    >>> len(profile(3, linear=True)) < len(profile(3, linear=False)) < 3500
    True
    """
    space = space if channels == 3 else "srgb"
    name = "sRGB" if space == "srgb" else _WIDE[space].name
    what = ("linear " if linear else "") + (name if channels == 3 else "grey, curve of sRGB" if not linear else "grey")
    curve = _identity() if linear else _curve(space)
    tags: list[tuple[bytes, bytes]] = [
        (b"desc", _description(f"firstlight {what}")),
        (b"cprt", b"text\0\0\0\0" + b"No copyright, use freely\0"),
        (b"wtpt", _xyz(WHITE)),
    ]
    if channels == 3:
        tags += [(name, _xyz(colour)) for name, colour in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colours_of(space).T)]
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


def _xyz(values: Iterable[float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(_fixed(v) for v in values))


def _description(text: str) -> bytes:
    plain = text.encode("ascii") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(plain)) + plain + b"\0" * (4 + 4 + 2 + 1 + 67)


def _identity() -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">I", 0)


def _curve(space: Space) -> bytes:
    """From coded values to light."""
    if space == "adobe-rgb":
        return b"curv\0\0\0\0" + struct.pack(">IH", 1, 563)
    coded = np.linspace(0.0, 1.0, _STEPS)
    if space == "prophoto":
        light = np.where(coded < 16 / 512, coded / 16, coded**1.8)
    else:
        light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    return b"curv\0\0\0\0" + struct.pack(">I", _STEPS) + np.round(65535 * light).astype(">u2").tobytes()
