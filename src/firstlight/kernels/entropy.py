"""Entropy of the neighbourhood of each pixel, and exposures weighted by it."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, kernel


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


@fast_kernel
def add_exposure(light, coarse, low, high, share, left, right, part, total, weights):
    """Add rows of an exposure (channel, y, x) to ``total``, weighted by a plane of squares; the weights to ``weights``.

    Row y lies between the squares ``low[y]`` and ``high[y]``, by ``share[y]`` towards the second; column x between
    ``left[x]`` and ``right[x]``, by ``part[x]``.
    """
    height, width = weights.shape
    one = np.float32(1)
    above, below, own = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    known = np.int64(-1)
    for y in range(height):
        if low[y] != known:
            known = low[y]
            first, second = coarse[low[y]], coarse[high[y]]
            for x in range(width):
                above[x] = first[left[x]] * (one - part[x]) + first[right[x]] * part[x]
                below[x] = second[left[x]] * (one - part[x]) + second[right[x]] * part[x]
        so_far, down = weights[y], share[y]
        for x in range(width):
            own[x] = above[x] * (one - down) + below[x] * down
            so_far[x] += own[x]
        for c in range(light.shape[0]):
            given, added = light[c, y], total[c, y]
            for x in range(width):
                added[x] += given[x] * own[x]
