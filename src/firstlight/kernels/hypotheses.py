"""Quads of an image looked up among those of the sky; each likeness is a hypothesis that other stars confirm or not."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel
from firstlight.kernels.quads import BINS, SPREAD
from firstlight.kernels.sky_grid import nearest

STRAY = 0.5
"""Share of the image's stars that may have no counterpart even if the hypothesis is right."""
HOPELESS = -7.0
"""Log-odds below which a hypothesis is dropped."""
FALLEN = 14.0
"""... or so far below the best so far."""
SURE = 40.0
"""Log-odds at which no further star is asked."""


@inner_kernel
def _similarity(x, y, members, xi, eta, mirrored, out):
    """Least squares (xi + i eta) = (p + i q) (x +- i y) + (r + i s) of four points; residual rms is returned."""
    mx = my = mu = mv = 0.0
    for m in range(4):
        mx += 0.25 * x[members[m]]
        my += 0.25 * y[members[m]]
        mu += 0.25 * xi[m]
        mv += 0.25 * eta[m]
    sign = -1.0 if mirrored else 1.0
    p = q = squared = 0.0
    for m in range(4):
        dx, dy = x[members[m]] - mx, sign * (y[members[m]] - my)
        du, dv = xi[m] - mu, eta[m] - mv
        p += du * dx + dv * dy
        q += dv * dx - du * dy
        squared += dx * dx + dy * dy
    p, q = p / squared, q / squared
    out[0], out[1] = p, q
    out[2] = mu - (p * mx - q * sign * my)
    out[3] = mv - (q * mx + p * sign * my)
    total = 0.0
    for m in range(4):
        u = p * x[members[m]] - q * sign * y[members[m]] + out[2]
        v = q * x[members[m]] + p * sign * y[members[m]] + out[3]
        total += (u - xi[m]) ** 2 + (v - eta[m]) ** 2
    return np.sqrt(0.25 * total)


@inner_kernel
def _plane(centre, east, north):
    """Unit vectors east and north of a direction."""
    across = np.sqrt(centre[0] ** 2 + centre[1] ** 2)
    if across < 1e-12:
        east[0], east[1], east[2] = 0.0, 1.0, 0.0
    else:
        east[0], east[1], east[2] = -centre[1] / across, centre[0] / across, 0.0
    north[0] = centre[1] * east[2] - centre[2] * east[1]
    north[1] = centre[2] * east[0] - centre[0] * east[2]
    north[2] = centre[0] * east[1] - centre[1] * east[0]


@inner_kernel
def _towards(xi, eta, centre, east, north, out):
    for k in range(3):
        out[k] = centre[k] + xi * east[k] + eta * north[k]
    length = np.sqrt(out[0] ** 2 + out[1] ** 2 + out[2] ** 2)
    for k in range(3):
        out[k] /= length


@inner_kernel
def _locate(x, y, members, stars, vectors, mirrored, middle, work, fit):
    """Where a quad of the image puts it: centre (rows 0 to 2 of ``work``: centre, east, north) and similarity. Returns
    the residual rms of the four stars, radians; negative where they do not lie before one plane."""
    centre, east, north, xi, eta = work[0], work[1], work[2], work[4], work[5]
    for k in range(3):
        centre[k] = 0.0
        for m in range(4):
            centre[k] += vectors[stars[m], k]
    length = np.sqrt(centre[0] ** 2 + centre[1] ** 2 + centre[2] ** 2)
    for k in range(3):
        centre[k] /= length
    rms = -1.0
    for _ in range(3):
        _plane(centre, east, north)
        for m in range(4):
            v = vectors[stars[m]]
            along = v[0] * centre[0] + v[1] * centre[1] + v[2] * centre[2]
            if along < 0.2:
                return -1.0
            xi[m] = (v[0] * east[0] + v[1] * east[1] + v[2] * east[2]) / along
            eta[m] = (v[0] * north[0] + v[1] * north[1] + v[2] * north[2]) / along
        rms = _similarity(x, y, members, xi, eta, mirrored, fit)
        sign = -1.0 if mirrored else 1.0
        u = fit[0] * middle[0] - fit[1] * sign * middle[1] + fit[2]
        v = fit[1] * middle[0] + fit[0] * sign * middle[1] + fit[3]
        if u * u + v * v < 1e-14:
            break
        _towards(u, v, centre, east, north, work[3, :3])
        for k in range(3):
            centre[k] = work[3, k]
    return rms


@inner_kernel
def _odds(x, y, members, mirrored, blur, side, work, fit, used, vectors, start, lowest, size, columns, first):
    """Logarithm of the odds that the image's stars speak for a hypothesis, at the star where they are best."""
    centre, east, north, towards = work[0], work[1], work[2], work[3, :3]
    scale = np.sqrt(fit[0] ** 2 + fit[1] ** 2)
    sign = -1.0 if mirrored else 1.0
    mx = my = 0.0
    for m in range(4):
        mx += 0.25 * x[members[m]]
        my += 0.25 * y[members[m]]
    total = best = 0.0
    matched = 0
    for i in range(len(x)):
        if i == members[0] or i == members[1] or i == members[2] or i == members[3]:
            continue
        _towards(
            fit[0] * x[i] - fit[1] * sign * y[i] + fit[2], fit[1] * x[i] + fit[0] * sign * y[i] + fit[3],
            centre, east, north, towards,
        )  # fmt: skip
        away = ((x[i] - mx) ** 2 + (y[i] - my) ** 2) / (side * side)
        spread = scale * scale * blur * blur * (1.0 + away)
        reach = min(4.0 * np.sqrt(spread), 0.25 * size)
        star, squared, density = nearest(towards, reach, vectors, start, lowest, size, columns, first)
        for k in range(matched):
            if star == used[k]:
                star = -1
        if star < 0:
            total += np.log(STRAY)
        else:
            likely = np.exp(-0.5 * squared / spread) / (2.0 * np.pi * spread * density)
            total += np.log(STRAY + (1.0 - STRAY) * likely)
            used[matched] = star
            matched += 1
        if total > best:
            best = total
        if total < HOPELESS or total < best - FALLEN or best > SURE:
            break
    return best


@kernel
def search(
    x, y, quads, quad_codes, sides, tried, budget, parity, tolerance, blur, middle, shortest_scale, longest_scale,
    hint, hint_cosine, wanted, vectors, start, lowest, size, columns, first, codes, members, bins, found,
):  # fmt: skip
    """Look up quads of the image from number ``tried`` on, at one level of the index, until one is believed.

    ``found`` receives log-odds, mirrored, centre (3), similarity (4) and the number of the quad. Returns the number of
    the next quad to try and how many hypotheses were looked at; the odds found are below ``wanted`` where none is
    believed.
    """
    found[0] = 0.0
    work, fit, used = np.empty((6, 4)), np.empty(4), np.empty(len(x), np.int64)
    stars, four = np.empty(4, np.int64), np.empty(4, np.int64)
    looked = 0
    reach = tolerance * SPREAD * 0.5
    for q in range(tried, len(quads)):
        if looked > budget:
            return q, looked
        for mirrored in range(2):
            if parity >= 0 and mirrored != parity:
                continue
            sign = -1.0 if mirrored else 1.0
            cx, cy, dx, dy = quad_codes[q, 0], sign * quad_codes[q, 1], quad_codes[q, 2], sign * quad_codes[q, 3]
            key = np.array([(cx + 0.5), (cy + 0.5), (dx + 0.5), (dy + 0.5)]) * 0.5 * SPREAD
            low_i = max(int((cx - tolerance) * BINS), 0)
            high_i = min(max(int((cx + tolerance) * BINS), 0), BINS - 1)
            low_j = max(int((cy - tolerance + 0.5) * BINS), 0)
            high_j = min(int((cy + tolerance + 0.5) * BINS), BINS - 1)
            for i in range(low_i, high_i + 1):
                for j in range(low_j, high_j + 1):
                    cell = i * BINS + j
                    left, right = bins[cell], bins[cell + 1]
                    stop = right
                    while left < right:
                        half = (left + right) // 2
                        if codes[half, 2] < key[2] - reach:
                            left = half + 1
                        else:
                            right = half
                    for k in range(left, stop):
                        if codes[k, 2] > key[2] + reach:
                            break
                        if (
                            abs(codes[k, 3] - key[3]) > reach
                            or abs(codes[k, 0] - key[0]) > reach
                            or abs(codes[k, 1] - key[1]) > reach
                        ):
                            continue
                        for m in range(4):
                            stars[m] = members[k, m]
                            four[m] = quads[q, m]
                        looked += 1
                        rms = _locate(x, y, four, stars, vectors, mirrored == 1, middle, work, fit)
                        scale = np.sqrt(fit[0] ** 2 + fit[1] ** 2)
                        if rms < 0 or scale < shortest_scale or scale > longest_scale:
                            continue
                        if work[0, 0] * hint[0] + work[0, 1] * hint[1] + work[0, 2] * hint[2] < hint_cosine:
                            continue
                        odds = _odds(
                            x, y, four, mirrored == 1, blur, sides[q], work, fit, used,
                            vectors, start, lowest, size, columns, first,
                        )  # fmt: skip
                        if odds > found[0]:
                            found[0], found[1] = odds, mirrored
                            for m in range(3):
                                found[2 + m] = work[0, m]
                            for m in range(4):
                                found[5 + m] = fit[m]
                            found[9] = q
                        if odds >= wanted:
                            return q + 1, looked
    return len(quads), looked
