"""The level around each pixel: a separable median, which single bright or dark pixels cannot move."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel


@inner_kernel
def _median_of_five(a, b, c, d, e, out):
    """Element-wise median of five rows: seven exchanges, no branch."""
    for i in range(out.shape[0]):
        p, q = min(a[i], b[i]), max(a[i], b[i])
        r, s = min(d[i], e[i]), max(d[i], e[i])
        low = max(p, r)
        high = min(q, s)
        centre = c[i]
        low, high = min(low, high), max(low, high)
        out[i] = max(low, min(high, centre))


@inner_kernel
def _median_across(row, step, line, out):
    """Median over five columns; ``line`` is room for the row and what repeats beyond its ends."""
    width = row.shape[0]
    pad = 2 * step
    inside = line[pad : pad + width]
    for i in range(width):
        inside[i] = row[i]
    for i in range(pad):
        line[i] = row[i % step]
        line[pad + width + i] = row[width - step + i % step]
    _median_of_five(
        line[0:width], line[step : step + width], inside, line[3 * step : 3 * step + width],
        line[4 * step : 4 * step + width], out,
    )  # fmt: skip


@kernel
def separable_median(plane, step, out):
    """Median over five rows of the medians over five columns, ``step`` pixels apart (2: same CFA colour).

    Rows and columns beyond the edge repeat those of the same colour inside. (The 5 x 5 median proper costs 50 times
    as much and differs, on noise, by a tenth of its sigma.)
    """
    height, width = plane.shape
    pad = 2 * step
    size = 8
    while size < 2 * pad + 1:
        size *= 2
    line = np.empty(width + 2 * pad, np.float32)
    # Rows of medians along x wait in a ring that stays in the cache.
    ring = np.empty((size, width), np.float32)
    for made in range(height + pad):
        if made < height:
            _median_across(plane[made], step, line, ring[made & (size - 1)])
        y = made - pad
        if y < 0:
            continue
        above = y - step if y >= step else y
        far_above = y - pad if y >= pad else above
        below = y + step if y + step < height else y
        far_below = y + pad if y + pad < height else below
        _median_of_five(
            ring[far_above & (size - 1)], ring[above & (size - 1)], ring[y & (size - 1)], ring[below & (size - 1)],
            ring[far_below & (size - 1)], out[y],
        )  # fmt: skip


@inner_kernel
def _gather(plane, ys, xs, dy, dx, out):
    """Values at an offset from each place, those beyond the edge from the edge."""
    height, width = plane.shape
    for i in range(out.shape[0]):
        y, x = min(max(ys[i] + dy, 0), height - 1), min(max(xs[i] + dx, 0), width - 1)
        out[i] = plane[y, x]


@inner_kernel
def _exchange(a, b):
    for i in range(a.shape[0]):
        low, high = min(a[i], b[i]), max(a[i], b[i])
        a[i], b[i] = low, high


@kernel
def find_lone(plane, spikes, step, ring, pairs, share, out):
    """Whether the 8 neighbours of each spike have, in the mean, less than a share of its height.

    ``spikes`` (n,) are flat places in ``plane``; ``out`` (n,) bool. The height is taken from the median of the pixels
    on the edge of a square ``ring`` pixels about it, ``step`` pixels apart; ``pairs`` are those of
    `firstlight.kernels.network.median_network` for their number, 8 * ring.
    """
    batch = 64
    edge = 8 * ring
    values = np.empty((edge, batch), np.float32)
    near = np.empty((batch,), np.float32)
    total = np.empty((batch,), np.float32)
    ys, xs = np.empty(batch, np.int64), np.empty(batch, np.int64)
    for start in range(0, spikes.shape[0], batch):
        n = min(batch, spikes.shape[0] - start)
        for i in range(batch):
            # A batch that is not full repeats its last.
            ys[i], xs[i] = divmod(np.int64(spikes[start + min(i, n - 1)]), plane.shape[1])
        total[:] = 0.0
        k = 0
        for j in range(-ring, ring + 1):
            for i in range(-ring, ring + 1):
                reach = max(abs(j), abs(i))
                if reach == ring:
                    _gather(plane, ys, xs, j * step, i * step, values[k])
                    k += 1
                if reach == 1:
                    _gather(plane, ys, xs, j * step, i * step, near)
                    for m in range(batch):
                        total[m] += near[m]
        for m in range(pairs.shape[0]):
            _exchange(values[pairs[m, 0]], values[pairs[m, 1]])
        _gather(plane, ys, xs, 0, 0, near)
        for i in range(n):
            level = np.float32(0.5) * (values[edge // 2 - 1, i] + values[edge // 2, i])
            out[start + i] = abs(total[i] / np.float32(8.0) - level) < share * abs(near[i] - level)
