"""Frames that live in memory, for tests below the level of files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstlight.io.frame import Frame
from firstlight.model.meta import Kind, Meta


@dataclass(frozen=True, eq=False)
class MemorySource:
    pixels: np.ndarray

    def rows(self, top, bottom):
        return self.pixels[:, top:bottom]

    def check(self):
        pass

    def planes(self):
        return None, None


def memory_frame(name, pixels=None, *, kind=Kind.LIGHT, **meta):
    """A frame of these pixels, (y, x) or (channel, y, x), with these fields of `Meta`."""
    pixels = np.zeros((1, 8, 8), np.uint16) if pixels is None else np.asarray(pixels)
    if pixels.ndim == 2:
        pixels = pixels[None]
    meta.setdefault("sources", {"kind": "IMAGETYP"})
    return Frame(
        path=Path(name),
        shape=pixels.shape,
        dtype=pixels.dtype,
        meta=Meta(kind=kind, **meta),
        source=MemorySource(pixels),
        seekable=True,
    )
