"""Smoothing that keeps edges: diffusion, total variation, bilateral. Each pixel has a noise of its own.

``sigma`` (y, x), or (1, 1) where it is the same everywhere, is the noise in whose units edges are judged.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import inner_kernel, kernel


@inner_kernel
def _noise(sigma, y, x):
    return sigma[0, 0] if sigma.shape[0] == 1 else sigma[y, x]


@kernel
def diffuse_rows(plane, sigma, limit, speck, step, first, last, out):
    """One step of anisotropic diffusion of rows first <= y < last, into ``out``.

    Flux from each of the eight neighbours (diagonal ones count half) is the difference g times 1 / (1 + (g / L)^2),
    with L = ``limit`` sigma; Perona & Malik 1990. A pixel above or below all eight takes L = ``speck`` sigma.
    """
    height, width = plane.shape
    half = np.float32(0.5)
    one = np.float32(1.0)
    for y in range(first, last):
        up, here, low = plane[max(y - 1, 0)], plane[y], plane[min(y + 1, height - 1)]
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            c = here[x]
            n, s, w, e = up[x] - c, low[x] - c, here[left] - c, here[right] - c
            nw, ne, sw, se = up[left] - c, up[right] - c, low[left] - c, low[right] - c
            highest = max(max(max(n, s), max(w, e)), max(max(nw, ne), max(sw, se)))
            lowest = min(min(min(n, s), min(w, e)), min(min(nw, ne), min(sw, se)))
            share = speck if highest < 0 or lowest > 0 else limit
            scale = share * _noise(sigma, y, x)
            inverse = one / (scale * scale) if scale > 0 else np.float32(np.inf)
            if scale > 0:
                straight = n / (one + n * n * inverse) + s / (one + s * s * inverse)
                straight += w / (one + w * w * inverse) + e / (one + e * e * inverse)
                diagonal = nw / (one + nw * nw * inverse) + ne / (one + ne * ne * inverse)
                diagonal += sw / (one + sw * sw * inverse) + se / (one + se * se * inverse)
                out[y, x] = c + step * (straight + half * diagonal)
            else:
                out[y, x] = c


@kernel
def divergence_rows(plane, px, py, first, last, out):
    """Rows of plane + div p, into ``out``: the picture that belongs to the dual field (px, py) of `ascend_rows`."""
    width = plane.shape[1]
    for y in range(first, last):
        for x in range(width):
            value = plane[y, x] - px[y, x] - py[y, x]
            if x > 0:
                value += px[y, x - 1]
            if y > 0:
                value += py[y - 1, x]
            out[y, x] = value


@kernel
def ascend_rows(picture, sigma, weight, step, first, last, px, py):
    """One step of the dual field towards least total variation (Chambolle 2004), in place.

    The weight of the total variation at a pixel is ``weight`` sigma there.
    """
    height, width = picture.shape
    for y in range(first, last):
        for x in range(width):
            strength = weight * _noise(sigma, y, x)
            gx = picture[y, x + 1] - picture[y, x] if x + 1 < width else np.float32(0.0)
            gy = picture[y + 1, x] - picture[y, x] if y + 1 < height else np.float32(0.0)
            if strength > 0:
                norm = np.float32(1.0) + step / strength * np.sqrt(gx * gx + gy * gy)
                px[y, x] = (px[y, x] - step * gx) / norm
                py[y, x] = (py[y, x] - step * gy) / norm


@kernel
def bilateral_rows(plane, sigma, weights, table, fineness, first, last, out):
    """Bilateral filter (Tomasi & Manduchi 1998) of rows first <= y < last, into ``out``.

    ``weights`` (n, n), n odd: of the place. ``table``: of the difference in brightness, in steps of 1 / ``fineness``
    sigma; beyond its end differences count nothing. Pixels beyond the edge are left out.
    """
    height, width = plane.shape
    half = weights.shape[0] // 2
    length = table.shape[0] - 1
    for y in range(first, last):
        top, bottom = max(y - half, 0), min(y + half, height - 1)
        for x in range(width):
            noise = _noise(sigma, y, x)
            centre = plane[y, x]
            if not noise > 0:
                out[y, x] = centre
                continue
            scale = fineness / noise
            total = np.float32(0.0)
            norm = np.float32(0.0)
            for j in range(top, bottom + 1):
                line = plane[j]
                share = weights[j - y + half]
                for i in range(max(x - half, 0), min(x + half, width - 1) + 1):
                    value = line[i]
                    away = min(abs(value - centre) * scale, np.float32(length))
                    weight = share[i - x + half] * table[np.int32(away)]
                    total += weight * (value - centre)
                    norm += weight
            out[y, x] = centre + total / norm
