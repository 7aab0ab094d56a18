"""Raw rows of a frame as adu, by the fast way where the file allows it."""

from __future__ import annotations

import numpy as np

from firstlight.io.frame import Frame
from firstlight.kernels.calibrate import calibrate_uint16, decode_uint16, swap_uint32

ROOM = 4096
"""Saturated pixels that there is room for before they are counted."""
_NONE = (np.empty((1, 1), np.float32), False)
Coding = tuple[bool, np.uint16, np.float32, np.float32]


def coding_of(frame: Frame, raw: np.ndarray) -> Coding | None:
    """How the bits of 16-bit pixels become adu (byte order, sign bit, scale, zero; see
    `firstlight.kernels.calibrate`), or None where they have another size."""
    if raw.dtype.itemsize != 2 or raw.dtype.kind not in "iu":
        return None
    # A signed number is its bits with the sign bit turned over, minus 32768.
    signed = raw.dtype.kind == "i"
    zero = np.float32(frame.zero - 32768 * frame.scale * signed)
    return not raw.dtype.isnative, np.uint16(0x8000 if signed else 0), np.float32(frame.scale), zero


BLOCKS, BLOCK_ROWS = 12, 8
"""A frame is looked at in so many blocks of so many rows, evenly spread: 3 % of a large sensor, and level and noise are
known to a per cent of the noise."""
MOST_SAMPLES = 200_000
"""Pixels of a frame that are kept; columns are left out evenly beyond."""


def adu_rows(frame: Frame, top: int, bottom: int, out: np.ndarray | None = None) -> np.ndarray:
    """Rows top <= y < bottom in adu, float32 (channels, rows, x), in ``out`` or a new array."""
    return _to_adu(frame, frame.rows(top, bottom), out)


def _to_adu(frame: Frame, raw: np.ndarray, out: np.ndarray | None) -> np.ndarray:
    if out is None:
        out = np.empty(raw.shape, np.float32)
    coding = coding_of(frame, raw)
    if coding is not None:
        bits = raw.view(np.uint16)
        for channel in range(raw.shape[0]):
            decode_uint16(np.ascontiguousarray(bits[channel]), *coding, out[channel])
        return out
    if raw.dtype == ">f4" and frame.scale == 1 and frame.zero == 0:
        bits, numbers = raw.view(np.uint32), out.view(np.uint32)
        for channel in range(raw.shape[0]):
            swap_uint32(np.ascontiguousarray(bits[channel]), numbers[channel])
        return out
    np.multiply(raw, np.float64(frame.scale), out=out, casting="unsafe")
    if frame.zero:
        out += np.float32(frame.zero)
    return out


def calibrated_rows(
    frame: Frame, raw: np.ndarray, coding: Coding, offset: np.ndarray | None, gain: np.ndarray | None, out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``(adu - offset) * gain`` of 16-bit rows of one channel (rows, x), into ``out``; positions of those saturated."""
    bits = np.ascontiguousarray(raw).view(np.uint16)
    white = np.float32(frame.meta.saturation or np.inf)
    terms = (*(_NONE if offset is None else (offset, True)), *(_NONE if gain is None else (gain, True)))
    n, room = ROOM, 0
    while n > room:
        room = max(n, ROOM)
        ys, xs = np.empty(room, np.int64), np.empty(room, np.int64)
        n = calibrate_uint16(bits, *coding, white, *terms, out, ys, xs)
    return ys[:n].copy(), xs[:n].copy()


def sampled(frame: Frame) -> np.ndarray:
    """Some of the pixels of a frame in adu, float32 (channels, rows, columns)."""
    height = frame.shape[1]
    if height <= BLOCKS * BLOCK_ROWS:
        values = adu_rows(frame, 0, height)
    else:
        tops = np.linspace(0, height - BLOCK_ROWS, BLOCKS).astype(int) // 2 * 2
        values = np.concatenate([adu_rows(frame, int(t), int(t) + BLOCK_ROWS) for t in tops], axis=1)
    step = -(-values.size // MOST_SAMPLES)
    return values[:, :, ::step] if step > 1 else values


def level_of(samples: np.ndarray, saturation: float | None) -> tuple[float, float]:
    """Median (adu) and fraction of saturated pixels of some pixels of a frame."""
    return float(np.nanmedian(samples)), float(np.mean(samples >= (saturation or np.inf)))
