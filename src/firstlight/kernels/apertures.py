"""Sums over round apertures with the exact share of each pixel, and the level of rings around them."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel

HALF_DIAGONAL = 0.70711
CLIP = 3.0
ROUNDS = 8
CLIPPED_SIGMA = 1.0 / 0.98658
"""Standard deviation of a Gaussian over that of its part within 3 sigma."""

# Columns of what `sum_circles` gives for each star and radius.
LIGHT, VARIANCE, AREA, SQUARES, MENDED, LOST = range(6)
N_SUMS = 6
# Columns of what `ring_levels` gives for each star.
MEAN, MEDIAN, SIGMA, COUNT = range(4)
N_RING = 4


@inner_kernel
def _corner(a: float, b: float, r: float) -> float:
    """Area that a circle about the origin shares with the rectangle from the origin to (a, b), a and b not below 0."""
    a, b = min(a, r), min(b, r)
    if a * a + b * b <= r * r:
        return a * b
    first = math.sqrt(r * r - b * b)
    upper = 0.5 * (a * math.sqrt(r * r - a * a) + r * r * math.asin(a / r))
    lower = 0.5 * (first * b + r * r * math.asin(first / r))
    return b * first + upper - lower


@inner_kernel
def _signed(x: float, y: float, r: float) -> float:
    area = _corner(abs(x), abs(y), r)
    return area if (x >= 0) == (y >= 0) else -area


@inner_kernel
def pixel_share(dx: float, dy: float, r: float) -> float:
    """Area of the pixel whose centre lies (dx, dy) from that of a circle of radius r, within the circle: 0 to 1."""
    distance = math.sqrt(dx * dx + dy * dy)
    if distance >= r + HALF_DIAGONAL:
        return 0.0
    if distance <= r - HALF_DIAGONAL:
        return 1.0
    left, right, low, high = dx - 0.5, dx + 0.5, dy - 0.5, dy + 0.5
    share = _signed(right, high, r) - _signed(left, high, r) - _signed(right, low, r) + _signed(left, low, r)
    return min(max(share, 0.0), 1.0)


@kernel
def sum_circles(
    plane: np.ndarray,
    variance: np.ndarray,
    flags: np.ndarray,
    lost: int,
    x: np.ndarray,
    y: np.ndarray,
    radii: np.ndarray,
    sums: np.ndarray,
    bits: np.ndarray,
    peaks: np.ndarray,
) -> None:
    """Sums over circles about positions (n,), for radii (n, k).

    ``variance`` and ``flags`` may be empty, (0, 0). A pixel that has one of the bits ``lost`` is replaced by the one on
    the other side of the star's centre, where that is good; if not, its area is LOST. Off the plane everything is lost.
    ``sums`` (n, k, N_SUMS) float64, ``bits`` (n, k) uint16: flags of all pixels touched; ``peaks`` (n,) the highest
    value within the largest circle.
    """
    height, width = plane.shape
    has_variance, has_flags = variance.size > 0, flags.size > 0
    n, many = radii.shape
    for i in range(n):
        largest = 0.0
        for k in range(many):
            largest = max(largest, radii[i, k])
            bits[i, k] = 0
            for c in range(N_SUMS):
                sums[i, k, c] = 0.0
        peaks[i] = -np.inf
        first_x, last_x = math.ceil(x[i] - largest - 0.5), math.floor(x[i] + largest + 0.5)
        first_y, last_y = math.ceil(y[i] - largest - 0.5), math.floor(y[i] + largest + 0.5)
        for v in range(first_y, last_y + 1):
            for u in range(first_x, last_x + 1):
                dx, dy = u - x[i], v - y[i]
                if dx * dx + dy * dy > (largest + HALF_DIAGONAL) ** 2:
                    continue
                su, sv, state, mark = u, v, 0, 0
                if u < 0 or v < 0 or u >= width or v >= height:
                    state = 2
                else:
                    if has_flags:
                        mark = flags[v, u]
                    if (mark & lost) != 0 or not math.isfinite(plane[v, u]):
                        su, sv = round(2 * x[i] - u), round(2 * y[i] - v)
                        state = 2
                        inside = 0 <= su < width and 0 <= sv < height
                        if inside and math.isfinite(plane[sv, su]) and not (has_flags and flags[sv, su] & lost):
                            state = 1
                value = 0.0
                if state < 2:
                    value = float(plane[sv, su])
                    if state == 0:
                        peaks[i] = max(peaks[i], value)
                for k in range(many):
                    share = pixel_share(dx, dy, radii[i, k])
                    if share <= 0.0:
                        continue
                    bits[i, k] |= mark
                    if state == 2:
                        sums[i, k, LOST] += share
                        continue
                    sums[i, k, LIGHT] += share * value
                    sums[i, k, AREA] += share
                    sums[i, k, SQUARES] += share * share
                    if has_variance:
                        sums[i, k, VARIANCE] += share * share * float(variance[sv, su])
                    if state == 1:
                        sums[i, k, MENDED] += share


@kernel
def ring_levels(
    plane: np.ndarray, excluded: np.ndarray, x: np.ndarray, y: np.ndarray, inner: np.ndarray, outer: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    """Level of rings about positions (n,): ``out`` (n, N_RING) float64.

    Pixels whose centres lie in the ring and that are not ``excluded`` (bool, or (0, 0)) count, clipped at 3 sigma about
    the median until nothing changes. SIGMA is the standard deviation of the pixels that are left, made up for the
    clipping.
    """
    height, width = plane.shape
    room = 0
    for i in range(len(x)):
        room = max(room, int((2 * outer[i] + 2) ** 2))
    values = np.empty(room, np.float64)
    for i in range(len(x)):
        n = 0
        for v in range(max(int(y[i] - outer[i]), 0), min(int(y[i] + outer[i]) + 2, height)):
            for u in range(max(int(x[i] - outer[i]), 0), min(int(x[i] + outer[i]) + 2, width)):
                squared = (u - x[i]) ** 2 + (v - y[i]) ** 2
                if squared < inner[i] ** 2 or squared > outer[i] ** 2:
                    continue
                if excluded.size > 0 and excluded[v, u]:
                    continue
                if math.isfinite(plane[v, u]):
                    values[n] = plane[v, u]
                    n += 1
        out[i, MEAN] = out[i, MEDIAN] = out[i, SIGMA] = np.nan
        out[i, COUNT] = n
        if n < 3:
            continue
        part = np.sort(values[:n])
        first, last = 0, n
        mean = median = sigma = 0.0
        for _ in range(ROUNDS):
            count = last - first
            middle = first + count // 2
            median = part[middle] if count % 2 else 0.5 * (part[middle - 1] + part[middle])
            total = 0.0
            for k in range(first, last):
                total += part[k] - median
            mean = median + total / count
            total = 0.0
            for k in range(first, last):
                total += (part[k] - mean) ** 2
            sigma = math.sqrt(total / max(count - 1, 1))
            before = count
            while last - first > 3 and part[first] < median - CLIP * sigma:
                first += 1
            while last - first > 3 and part[last - 1] > median + CLIP * sigma:
                last -= 1
            if last - first == before:
                break
        out[i, MEAN], out[i, MEDIAN], out[i, COUNT] = mean, median, last - first
        out[i, SIGMA] = sigma * CLIPPED_SIGMA


@kernel
def mark_discs(x: np.ndarray, y: np.ndarray, radii: np.ndarray, out: np.ndarray) -> None:
    """Set the pixels of ``out`` (bool) whose centres lie within circles about positions (n,)."""
    height, width = out.shape
    for i in range(len(x)):
        r = radii[i]
        for v in range(max(math.ceil(y[i] - r), 0), min(math.floor(y[i] + r) + 1, height)):
            reach = math.sqrt(max(r * r - (v - y[i]) ** 2, 0.0))
            for u in range(max(math.ceil(x[i] - reach), 0), min(math.floor(x[i] + reach) + 1, width)):
                out[v, u] = True
