"""Entropy of the neighbourhood of each pixel."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import kernel


@kernel
def local_entropy(plane: np.ndarray, rim: np.ndarray, radius: int, table: np.ndarray, out: np.ndarray) -> None:
    """Shannon entropy, bits, of the values in the disk about each pixel; of what lies inside the plane at its edges.

    Parameters
    ----------
    plane : uint8 (y, x)
    rim : int64 (2 radius + 1,), half width of the disk in each of its rows
    table : float64, n log2 n for n from 0 to the pixels of the disk
    out : float32 (y, x)
    """
    height, width = plane.shape
    counts = np.zeros(256, np.int64)
    for y in range(height):
        counts[:] = 0
        total = 0
        energy = 0.0
        top, bottom = max(y - radius, 0), min(y + radius, height - 1)
        for j in range(top, bottom + 1):
            half = rim[j - y + radius]
            for i in range(min(half, width - 1) + 1):
                n = counts[plane[j, i]]
                energy += table[n + 1] - table[n]
                counts[plane[j, i]] = n + 1
                total += 1
        for x in range(width):
            if x > 0:
                for j in range(top, bottom + 1):
                    half = rim[j - y + radius]
                    gone, come = x - 1 - half, x + half
                    if gone >= 0:
                        n = counts[plane[j, gone]]
                        energy += table[n - 1] - table[n]
                        counts[plane[j, gone]] = n - 1
                        total -= 1
                    if come < width:
                        n = counts[plane[j, come]]
                        energy += table[n + 1] - table[n]
                        counts[plane[j, come]] = n + 1
                        total += 1
            value = np.log2(total) - energy / total
            out[y, x] = value if value > 1e-9 else 0.0
