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


@inner_kernel
def _ascend_row(here, below, sigma, weight, step, px, py):
    """Row of the dual field of `ascend_rows`; ``below`` is the row itself at the lower edge."""
    n = here.shape[0]
    one = np.float32(1.0)
    same = sigma.shape[0] == 1
    level = weight * sigma[0]
    ahead, inner, low, along, down = here[1:n], here[: n - 1], below[: n - 1], px[: n - 1], py[: n - 1]
    for x in range(n - 1):
        strength = level if same else weight * sigma[x]
        gx = ahead[x] - inner[x]
        gy = low[x] - inner[x]
        # Where there is no noise nothing moves.
        inverse = step / strength if strength > 0 else np.float32(0.0)
        pace = step if strength > 0 else np.float32(0.0)
        share = one / (one + inverse * np.sqrt(gx * gx + gy * gy))
        along[x] = (along[x] - pace * gx) * share
        down[x] = (down[x] - pace * gy) * share
    strength = level if same else weight * sigma[n - 1]
    if strength > 0:
        gy = below[n - 1] - here[n - 1]
        py[n - 1] = (py[n - 1] - step * gy) / (one + step / strength * abs(gy))


@inner_kernel
def _divergence_row(given, px, py, above, picture):
    """Row of plane + div p; ``above`` (width,) is the row of py over it, or empty at the upper edge."""
    n = given.shape[0]
    if above.shape[0] == n:
        for x in range(n):
            picture[x] = given[x] - px[x] - py[x] + above[x]
    else:
        for x in range(n):
            picture[x] = given[x] - px[x] - py[x]
    ahead, along = picture[1:n], px[: n - 1]
    for x in range(n - 1):
        ahead[x] += along[x]


@kernel
def ascend_rows(picture, sigma, weight, step, first, last, px, py):
    """One step of the dual field towards least total variation (Chambolle 2004), in place.

    The weight of the total variation at a pixel is ``weight`` sigma there.
    """
    height = picture.shape[0]
    for y in range(first, last):
        noise = sigma[0] if sigma.shape[0] == 1 else sigma[y]
        _ascend_row(picture[y], picture[min(y + 1, height - 1)], noise, weight, step, px[y], py[y])


@kernel
def settle_rows(plane, sigma, weight, step, first, last, px, py, picture):
    """As `ascend_rows`, but for the last row, which must have been done; and the picture plus div p that follows.

    Both in one sweep: a row of the picture is made anew as soon as the dual field of its own row has been. The row
    of the field above the first must have been done.
    """
    nothing = np.empty(0, np.float32)
    for y in range(first, last):
        if y + 1 < last:
            noise = sigma[0] if sigma.shape[0] == 1 else sigma[y]
            _ascend_row(picture[y], picture[y + 1], noise, weight, step, px[y], py[y])
        _divergence_row(plane[y], px[y], py[y], py[y - 1] if y > 0 else nothing, picture[y])


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
