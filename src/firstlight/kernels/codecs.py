"""Byte loops of file formats that no array operation can do: each byte depends on the ones before it."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel


@kernel
def unfilter_png(lines: np.ndarray, step: int, out: np.ndarray) -> int:
    """Undo the line filters of PNG (specification, section 9.2).

    Parameters
    ----------
    lines : uint8 (height, 1 + width in bytes): each line begins with its filter.
    step : bytes of one pixel.
    out : uint8 (height, width in bytes), written.

    Returns
    -------
    int
        0, or the number of the first filter that does not exist.
    """
    height, width = out.shape
    for y in range(height):
        how = lines[y, 0]
        if how > 4:
            return int(how)
        for x in range(width):
            left = np.int32(out[y, x - step]) if x >= step else np.int32(0)
            above = np.int32(out[y - 1, x]) if y > 0 else np.int32(0)
            corner = np.int32(out[y - 1, x - step]) if y > 0 and x >= step else np.int32(0)
            guess = np.int32(0)
            if how == 1:
                guess = left
            elif how == 2:
                guess = above
            elif how == 3:
                guess = (left + above) // 2
            elif how == 4:
                nearness = left + above - corner
                from_left, from_above, from_corner = abs(nearness - left), abs(nearness - above), abs(nearness - corner)
                if from_left <= from_above and from_left <= from_corner:
                    guess = left
                elif from_above <= from_corner:
                    guess = above
                else:
                    guess = corner
            out[y, x] = np.uint8((np.int32(lines[y, x + 1]) + guess) & 255)
    return 0


@kernel
def decode_lzw(packed: np.ndarray, out: np.ndarray) -> int:
    """LZW as TIFF writes it (TIFF 6.0, section 13): codes of 9 to 12 bits, high bit first.

    Parameters
    ----------
    packed, out : uint8; ``out`` is written.

    Returns
    -------
    int
        Bytes written; -1 where the codes make no sense.
    """
    # An entry of the table is a run of the output itself: where it begins and how long it is.
    start = np.zeros(4096, np.int64)
    length = np.zeros(4096, np.int64)
    free, width = 258, 9
    last_start, last_length = np.int64(0), np.int64(0)
    bits, n_bits, written = np.int64(0), 0, np.int64(0)
    for byte in packed:
        bits = ((bits << 8) | np.int64(byte)) & np.int64(0xFFFFFFFF)
        n_bits += 8
        if n_bits < width:
            continue
        n_bits -= width
        code = (bits >> n_bits) & ((1 << width) - 1)
        if code == 257:
            break
        if code == 256:
            free, width, last_length = 258, 9, np.int64(0)
            continue
        if code >= 256 and (last_length == 0 or code > free):
            return -1
        if code < 256:
            begin, count = np.int64(0), np.int64(1)
        elif code < free:
            begin, count = start[code], length[code]
        else:
            # The entry that is only being made: the last run and its own first byte.
            begin, count = last_start, last_length + 1
        if written + count > out.size:
            return written
        if code < 256:
            out[written] = code
        else:
            for i in range(count):
                out[written + i] = out[begin + i]
        if last_length > 0 and free < 4096:
            start[free], length[free] = last_start, last_length + 1
            free += 1
        last_start, last_length = written, count
        written += count
        # TIFF widens its codes one entry early.
        if free >= 2047:
            width = 12
        elif free >= 1023:
            width = 11
        elif free >= 511:
            width = 10
    return written
