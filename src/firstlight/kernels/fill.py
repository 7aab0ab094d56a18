"""Holes of a plane filled from around them: pyramids of means of what is known."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel


@kernel
def halve(plane, known, out, share):
    """Means of 2 x 2 known pixels into ``out``, float32 (ceil(y / 2), ceil(x / 2)), and the known share of each."""
    height, width = plane.shape
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            total = np.float32(0.0)
            weight = np.float32(0.0)
            for y in range(2 * j, min(2 * j + 2, height)):
                for x in range(2 * i, min(2 * i + 2, width)):
                    total += known[y, x] * plane[y, x]
                    weight += known[y, x]
            out[j, i] = total / weight if weight > 0 else np.float32(0.0)
            # Two known pixels of four say as much as four: noise halves with each level anyway.
            share[j, i] = min(np.float32(0.5) * weight, np.float32(1.0))


@kernel
def halve_known(plane, holes, out, share):
    """As `halve`, of the finest level, whose pixels are known wholly or not at all: ``holes`` (bool) are not."""
    height, width = plane.shape
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            total = np.float32(0.0)
            number = 0
            for y in range(2 * j, min(2 * j + 2, height)):
                for x in range(2 * i, min(2 * i + 2, width)):
                    if not holes[y, x]:
                        total += plane[y, x]
                        number += 1
            out[j, i] = total / np.float32(number) if number > 0 else np.float32(0.0)
            share[j, i] = min(np.float32(0.5) * np.float32(number), np.float32(1.0))


@inner_kernel
def _between(coarse, y, x):
    """Bilinear value of the coarser level at a pixel of the finer one."""
    height, width = coarse.shape
    j, i = y >> 1, x >> 1
    jj = max(j - 1, 0) if y % 2 == 0 else min(j + 1, height - 1)
    ii = max(i - 1, 0) if x % 2 == 0 else min(i + 1, width - 1)
    near = np.float32(0.75) * coarse[j, i] + np.float32(0.25) * coarse[j, ii]
    far = np.float32(0.75) * coarse[jj, i] + np.float32(0.25) * coarse[jj, ii]
    return np.float32(0.75) * near + np.float32(0.25) * far


@kernel
def refine(plane, known, coarse):
    """Fill up a level, in place, with what the coarser level says where it is not wholly known."""
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            share = known[y, x]
            if share < np.float32(1.0):
                plane[y, x] = share * plane[y, x] + (np.float32(1.0) - share) * _between(coarse, y, x)


@kernel
def refine_pixels(plane, ys, xs, coarse):
    """Fill the pixels (ys, xs) of the finest level, in place, with what the coarser level says."""
    for k in range(ys.shape[0]):
        plane[ys[k], xs[k]] = _between(coarse, ys[k], xs[k])


@kernel
def relax(plane, ys, xs, rounds):
    """Let the pixels (ys, xs) come to rest between their neighbours, in place: a membrane over each hole.

    Over-relaxed sweeps, forth and back. Neighbours beyond the edge are left out.
    """
    height, width = plane.shape
    n = ys.shape[0]
    for turn in range(rounds):
        for k in range(n):
            at = k if turn % 2 == 0 else n - 1 - k
            y, x = ys[at], xs[at]
            total = np.float32(0.0)
            count = 0
            if y > 0:
                total += plane[y - 1, x]
                count += 1
            if y < height - 1:
                total += plane[y + 1, x]
                count += 1
            if x > 0:
                total += plane[y, x - 1]
                count += 1
            if x < width - 1:
                total += plane[y, x + 1]
                count += 1
            if count > 0:
                rest = total / np.float32(count) - plane[y, x]
                plane[y, x] += np.float32(1.5) * rest
