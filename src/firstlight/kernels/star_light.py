"""What a point spread function leaves of a star: rings of light around it, and how far out more is left than noise."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel

FEW = 5
"""Pixels of a ring that tell its level."""
MANY = 60
"""Pixels of a ring whose scatter is told by the middle half of them."""
LOUD = 6.0
"""Sigma at which structure beyond a star's reach is cut when it tells what may lie behind the star."""
MIDDLE = 1.5
"""px: pixels nearer than this are one ring; single ones would say nothing but their own noise."""
CLEAR = 1.5
"""A ring's level counts from so many of its own errors on."""
MORE = 1.2
"""Mean square of a ring, over that of the surroundings, from which on more than noise is left there ..."""
SURE = 1.0
"""... and so many standard deviations of such a mean more."""


@inner_kernel
def _ring_of(distance):
    return 0 if distance < MIDDLE else int(distance - 0.5)


@kernel
def _sort_into_rings(plane, usable, x0, y0, last, counts, starts, values):
    """Usable pixels within ``last`` rings of a star, ring by ring: ring r is values[starts[r] : starts[r + 1]]."""
    height, width = plane.shape
    reach = last + 1
    low, high = max(int(y0) - reach, 0), min(int(y0) + reach + 1, height - 1)
    left, right = max(int(x0) - reach, 0), min(int(x0) + reach + 1, width - 1)
    counts[: last + 1] = 0
    for y in range(low, high + 1):
        for x in range(left, right + 1):
            r = _ring_of(math.sqrt((x - x0) ** 2 + (y - y0) ** 2))
            if r <= last and usable[y, x]:
                counts[r] += 1
    starts[0] = 0
    for r in range(last + 1):
        starts[r + 1] = starts[r] + counts[r]
        counts[r] = 0
    for y in range(low, high + 1):
        for x in range(left, right + 1):
            r = _ring_of(math.sqrt((x - x0) ** 2 + (y - y0) ** 2))
            if r <= last and usable[y, x]:
                values[starts[r] + counts[r]] = plane[y, x]
                counts[r] += 1


@kernel
def _middle(values):
    """Median; sorts the values in place."""
    values.sort()
    n = values.shape[0]
    return 0.5 * (values[(n - 1) // 2] + values[n // 2])


@kernel
def subtract_rings(plane, usable, xs, ys, reach, noise, near, most_light, cores):
    """Take the rings of light that are left around each star off the plane, in place, one star after the other.

    The level of a ring is its median over that of the next third beyond ``reach`` (n,), px; what is no more than
    chance stays. Structure that crosses the rings stays too. ``usable`` (y, x): pixels that hold their light. Beyond
    ``near`` px a ring's light is cut to ``most_light`` (n,): more is not the star's.

    ``cores`` (n,): radius within which more than noise is left even then, -1 where nothing is: the scatter of rings,
    from the middle outwards, against ``noise`` (n,) or, where it is larger, against the scatter beyond the reach.
    """
    height, width = plane.shape
    most = 0
    for k in range(xs.shape[0]):
        most = max(most, math.ceil(reach[k]))
    last = most + most // 3 + 3
    counts, starts = np.zeros(last + 1, np.int64), np.zeros(last + 2, np.int64)
    values = np.empty((2 * last + 6) ** 2, np.float32)
    rings, light = np.empty(last + 2), np.empty(last + 2)
    for k in range(xs.shape[0]):
        edge = math.ceil(reach[k])
        last = edge + edge // 3 + 2
        _sort_into_rings(plane, usable, xs[k], ys[k], last, counts, starts, values)
        beyond = values[starts[edge + 1] : starts[last + 1]]
        cores[k] = -1.0
        if beyond.shape[0] < FEW:
            cores[k] = reach[k]
            continue
        level = _middle(beyond)
        quarter = beyond.shape[0] // 4
        spread = max(noise[k], (beyond[beyond.shape[0] - 1 - quarter] - beyond[quarter]) / 1.349)
        structure = 0.0
        for i in range(beyond.shape[0]):
            structure += min((beyond[i] - level) ** 2, (LOUD * spread) ** 2) / beyond.shape[0]
        structure = max(structure - spread * spread, 0.0) * (edge + 2)
        for r in range(edge + 1):
            ring = values[starts[r] : starts[r + 1]]
            rings[r] = _middle(ring) - level if ring.shape[0] >= FEW else np.nan
        # From without inwards: a ring that cannot be seen is as bright as the next.
        for r in range(edge, -1, -1):
            if rings[r] != rings[r]:
                rings[r] = rings[r + 1] if r < edge else 0.0
        for r in range(edge + 1):
            half = r // 8
            total, weight = 0.0, 0.0
            for q in range(max(r - half, 0), min(r + half, edge) + 1):
                total += rings[q]
                weight += starts[q + 1] - starts[q]
            mean = total / (min(r + half, edge) - max(r - half, 0) + 1)
            error = CLEAR * 1.25 * spread / math.sqrt(max(weight, 1.0))
            mean *= max(1.0 - (error / mean) ** 2, 0.0) if abs(mean) > error else 0.0
            light[r] = mean if r + 1 < near else min(max(mean, -most_light[k]), most_light[k])
        light[edge + 1] = 0.0
        quiet = 0
        for r in range(edge + 1):
            ring = values[starts[r] : starts[r + 1]]
            n = ring.shape[0]
            if n >= MANY:
                # Sorted: the middle half does not know of a thread that crosses the ring.
                square = ((ring[n - 1 - n // 4] - ring[n // 4]) / 1.349) ** 2
                square += (0.5 * (ring[(n - 1) // 2] + ring[n // 2]) - level - light[r]) ** 2
            else:
                square = 0.0
                for i in range(n):
                    square += (ring[i] - level - light[r]) ** 2 / n
            limit = (spread * spread + structure / (r + 1)) * (MORE + SURE * math.sqrt(2.0 / max(n, 1)))
            if n == 0 or square > limit:
                cores[k] = r + 1.5
                quiet = 0
            else:
                quiet += 1
                if quiet == 2:
                    break
        for y in range(max(int(ys[k]) - edge - 1, 0), min(int(ys[k]) + edge + 2, height - 1) + 1):
            for x in range(max(int(xs[k]) - edge - 1, 0), min(int(xs[k]) + edge + 2, width - 1) + 1):
                distance = math.sqrt((x - xs[k]) ** 2 + (y - ys[k]) ** 2)
                if distance > reach[k]:
                    continue
                # Ring r lies around r + 1 px.
                place = max(distance - 1.0, 0.0)
                r = min(int(place), edge)
                share = place - r
                plane[y, x] -= np.float32((1.0 - share) * light[r] + share * light[r + 1])
