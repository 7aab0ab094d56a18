"""Raw rows of a frame as adu, by the fast way where the file allows it."""

from __future__ import annotations

import numpy as np

from firstlight.io.frame import Frame
from firstlight.kernels.calibrate import decode_uint16, swap_uint32

BLOCKS, BLOCK_ROWS = 12, 8
"""A frame is looked at in so many blocks of so many rows, evenly spread: 3 % of a large sensor, and level and noise are
known to a per cent of the noise."""
MOST_SAMPLES = 200_000
"""Pixels of a frame that are kept; columns are left out evenly beyond."""


def adu_rows(frame: Frame, top: int, bottom: int, out: np.ndarray | None = None) -> np.ndarray:
    """Rows top <= y < bottom in adu, float32 (channels, rows, x), in ``out`` or a new array."""
    raw = frame.rows(top, bottom)
    if out is None:
        out = np.empty(raw.shape, np.float32)
    if raw.dtype.itemsize == 2 and raw.dtype.kind in "iu":
        swapped = not raw.dtype.isnative
        bits = raw.view(np.uint16)
        # A signed number is its bits with the sign bit turned over, minus 32768.
        signed = raw.dtype.kind == "i"
        sign = np.uint16(0x8000 if signed else 0)
        zero = np.float32(frame.zero - 32768 * frame.scale * signed)
        for channel in range(raw.shape[0]):
            decode_uint16(
                np.ascontiguousarray(bits[channel]), swapped, sign, np.float32(frame.scale), zero, out[channel]
            )
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
