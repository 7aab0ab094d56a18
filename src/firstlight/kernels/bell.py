"""Gaussians integrated over pixels, and sums of them over a window."""

from __future__ import annotations

import math

from firstlight.kernels.jit import fast_kernel, kernel

ROOT_2_PI = math.sqrt(2.0 * math.pi)


@kernel
def _below(u, bell):
    """Share of a normal law below ``u`` sigma, where ``bell`` is exp(-u^2 / 2); right to 1e-7.

    Abramowitz & Stegun 7.1.26; the exponential, which is most of its cost, is needed anyway.
    """
    t = 1.0 / (1.0 + 0.3275911 * 0.7071067811865476 * abs(u))
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail = 0.5 * poly * bell
    return tail if u < 0.0 else 1.0 - tail


@kernel
def law_in_pixels(first, n, centre, sigma, value, slope, stretch):
    """Share of a normal law in each of n pixels from ``first``, and its derivatives by centre and by ln sigma."""
    inverse = 1.0 / sigma
    start = (first - 0.5 - centre) * inverse
    bell = math.exp(-0.5 * start * start)
    # From edge to edge the bell falls by a factor that itself falls by a constant one; far out, where it is too small
    # for a number, nothing could be multiplied.
    steady = max(abs(start), abs(start + n * inverse)) < 30.0
    fall = math.exp(-(start + 0.5 * inverse) * inverse) if steady else 0.0
    decay = math.exp(-inverse * inverse)
    u, cdf = start, _below(start, bell)
    for k in range(n):
        v = start + (k + 1) * inverse
        if steady:
            next_bell = bell * fall
            fall *= decay
        else:
            next_bell = math.exp(-0.5 * v * v)
        next_cdf = _below(v, next_bell)
        value[k] = next_cdf - cdf
        slope[k] = (bell - next_bell) * inverse / ROOT_2_PI
        stretch[k] = (u * bell - v * next_bell) / ROOT_2_PI
        u, cdf, bell = v, next_cdf, next_bell


@fast_kernel
def shares_in_window(nx, ny, shares, vx, sx, tx, vy, sy, ty, p, px, py, ps):
    """Share of the star in each pixel of a window (ny, nx), flat, and its derivatives by x, y and ln sigma."""
    for j in range(ny):
        row = slice(j * nx, j * nx + nx)
        q, qx, qy, qs = p[row], px[row], py[row], ps[row]
        for c in range(shares.shape[0]):
            a, b, d = shares[c] * vy[c, j], shares[c] * sy[c, j], shares[c] * ty[c, j]
            v, s, t = vx[c, :nx], sx[c, :nx], tx[c, :nx]
            if c == 0:
                for i in range(nx):
                    q[i], qx[i], qy[i], qs[i] = a * v[i], a * s[i], b * v[i], a * t[i] + d * v[i]
            else:
                for i in range(nx):
                    q[i] += a * v[i]
                    qx[i] += a * s[i]
                    qy[i] += b * v[i]
                    qs[i] += a * t[i] + d * v[i]
