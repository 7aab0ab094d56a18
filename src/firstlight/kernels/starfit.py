"""Fit of single stars: a sum of concentric Gaussians integrated over the pixels, by damped Gauss-Newton steps."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.bell import law_in_pixels, shares_in_window
from firstlight.kernels.jit import fast_kernel, kernel

FLUX, SKY, X, Y, FWHM, FLUX_ERROR, POSITION_ERROR, WIDTH_ERROR, MISFIT, PEAK, HFR, ECCENTRICITY, ANGLE = range(13)
ELLIPTICITY2 = 13
"""Columns of a fitted star. ``FLUX`` is NaN where the fit failed. ``MISFIT`` is chi^2 per degree of freedom.
``ELLIPTICITY2`` is the square of (a^2 - b^2) / (a^2 + b^2), less the median of what noise adds to it: below 0 for half
of round stars."""
N_COLUMNS = 14

_STEPS = 12


@kernel
def _solve(matrix, vector, solution):
    """Cholesky solution of a small system in place; False if it is not positive definite."""
    n = vector.shape[0]
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                if not total > 0.0:
                    return False
                matrix[i, i] = math.sqrt(total)
            else:
                matrix[i, j] = total / matrix[j, j]
    for i in range(n):
        total = vector[i]
        for k in range(i):
            total -= matrix[i, k] * solution[k]
        solution[i] = total / matrix[i, i]
    for i in range(n - 1, -1, -1):
        total = solution[i]
        for k in range(i + 1, n):
            total -= matrix[k, i] * solution[k]
        solution[i] = total / matrix[i, i]
    return True


@kernel
def _usable(plane, excluded, masked, saturation, y, x):
    v = plane[y, x]
    return abs(v) < np.inf and v < saturation and not (masked and excluded[y, x])


@fast_kernel
def _normal_equations(pixels, counts, n, flux, sky, floor, photons, p, px, py, ps, matrix, vector):
    """Sums over the n pixels of a window for a Gauss-Newton step; returns chi^2.

    One loop over all of them, so that the 21 sums run in vectors; ``counts`` is 1 where a pixel takes part, else 0.
    """
    chi = v0 = v1 = v2 = v3 = v4 = 0.0
    m00 = m10 = m11 = m20 = m21 = m22 = m30 = m31 = m32 = m33 = m40 = m41 = m42 = m43 = m44 = 0.0
    for i in range(n):
        a = p[i]
        b, c, d = flux * px[i], flux * py[i], flux * ps[i]
        light = flux * a
        w = counts[i] / (floor + photons * (light if light > 0.0 else 0.0))
        r = pixels[i] - sky - light
        chi += w * r * r
        v0 += w * a * r
        v1 += w * r
        v2 += w * b * r
        v3 += w * c * r
        v4 += w * d * r
        m00 += w * a * a
        m10 += w * a
        m11 += w
        m20 += w * b * a
        m21 += w * b
        m22 += w * b * b
        m30 += w * c * a
        m31 += w * c
        m32 += w * c * b
        m33 += w * c * c
        m40 += w * d * a
        m41 += w * d
        m42 += w * d * b
        m43 += w * d * c
        m44 += w * d * d
    vector[0], vector[1], vector[2], vector[3], vector[4] = v0, v1, v2, v3, v4
    matrix[0, 0] = m00
    matrix[1, 0], matrix[1, 1] = m10, m11
    matrix[2, 0], matrix[2, 1], matrix[2, 2] = m20, m21, m22
    matrix[3, 0], matrix[3, 1], matrix[3, 2], matrix[3, 3] = m30, m31, m32, m33
    matrix[4, 0], matrix[4, 1], matrix[4, 2], matrix[4, 3], matrix[4, 4] = m40, m41, m42, m43, m44
    return chi


@kernel
def _fit(plane, excluded, saturation, noise, photons, shares, widths, prior, x0, y0, fwhm, radius, star, room, flat):
    """One fit in a fixed window; returns True if it came to rest. Parameters: flux, sky, x, y, ln fwhm."""
    height, width = plane.shape
    masked = excluded.shape[0] > 0
    cx, cy = math.floor(x0 + 0.5), math.floor(y0 + 0.5)
    left, right = max(cx - radius, 0), min(cx + radius, width - 1)
    low, high = max(cy - radius, 0), min(cy + radius, height - 1)
    nx, ny = right - left + 1, high - low + 1
    if nx < 3 or ny < 3:
        return False
    pixels, counts, p, px, py, ps = flat[0], flat[1], flat[2], flat[3], flat[4], flat[5]
    n = nx * ny
    used = 0
    for j in range(ny):
        for i in range(nx):
            usable = _usable(plane, excluded, masked, saturation, low + j, left + i)
            pixels[j * nx + i] = plane[low + j, left + i] if usable else 0.0
            counts[j * nx + i] = 1.0 if usable else 0.0
            used += usable
    if used < 7:
        return False
    components = shares.shape[0]
    vx, sx, tx = room[0], room[1], room[2]
    vy, sy, ty = room[3], room[4], room[5]
    matrix = np.empty((5, 5))
    vector = np.empty(5)
    step = np.empty(5)
    x, y, log_fwhm = x0, y0, math.log(fwhm)
    expected = log_fwhm
    flux, sky = 0.0, 0.0
    floor = noise * noise
    misfit = 0.0
    settled = False
    # The first pass only finds flux and sky, which are linear; then all five move together.
    for iteration in range(_STEPS):
        scale = math.exp(log_fwhm)
        for c in range(components):
            law_in_pixels(left, nx, x, scale * widths[c], vx[c], sx[c], tx[c])
            law_in_pixels(low, ny, y, scale * widths[c], vy[c], sy[c], ty[c])
        shares_in_window(nx, ny, shares, vx, sx, tx, vy, sy, ty, p, px, py, ps)
        chi = _normal_equations(pixels, counts, n, flux, sky, floor, photons, p, px, py, ps, matrix, vector)
        misfit = chi / max(used - 5, 1)
        if iteration == 0:
            determinant = matrix[0, 0] * matrix[1, 1] - matrix[1, 0] ** 2
            if not determinant > 0.0:
                return False
            flux += (matrix[1, 1] * vector[0] - matrix[1, 0] * vector[1]) / determinant
            sky += (matrix[0, 0] * vector[1] - matrix[1, 0] * vector[0]) / determinant
            continue
        if not flux > 0.0:
            return False
        matrix[4, 4] += prior
        vector[4] += prior * (expected - log_fwhm)
        if iteration <= 2:
            # Far from the solution a step in width and one in flux feed each other.
            matrix[4, 4] *= 1.1
        if not _solve(matrix, vector, step):
            return False
        flux = max(flux + step[0], 0.2 * flux)
        sky += step[1]
        limit = 0.4 * scale
        dx = min(max(step[2], -limit), limit)
        dy = min(max(step[3], -limit), limit)
        ds = min(max(step[4], -0.4), 0.4)
        x += dx
        y += dy
        log_fwhm += ds
        if abs(x - x0) > radius or abs(y - y0) > radius or abs(log_fwhm - expected) > 3.0:
            return False
        if abs(dx) < 3e-4 and abs(dy) < 3e-4 and abs(ds) < 1e-3 and iteration > 2:
            settled = True
            break
    # The Cholesky factor of the last normal matrix gives the errors.
    for k in range(5):
        vector[:] = 0.0
        vector[k] = 1.0
        for i in range(5):
            total = vector[i]
            for m in range(i):
                total -= matrix[i, m] * step[m]
            step[i] = total / matrix[i, i]
        variance = 0.0
        for i in range(5):
            variance += step[i] * step[i]
        if k == 0:
            star[FLUX_ERROR] = math.sqrt(variance)
        elif k == 2:
            star[POSITION_ERROR] = math.sqrt(variance)
        elif k == 4:
            star[WIDTH_ERROR] = math.sqrt(variance)
    star[FLUX] = flux
    star[SKY] = sky
    star[X] = x
    star[Y] = y
    star[FWHM] = math.exp(log_fwhm)
    star[MISFIT] = misfit
    return settled or abs(x - x0) < radius


@fast_kernel
def _within(distance, light, n, r):
    """Sum of ``light`` (n,), each pixel with the share of it that lies within ``r``."""
    total = 0.0
    for i in range(n):
        total += light[i] * min(max(r - distance[i], 0.0), 1.0)
    return total


@kernel
def _shape(plane, excluded, saturation, radius, star, distance, light):
    """Peak, half-flux radius, eccentricity and angle from the pixels around a fitted star.

    ``distance`` and ``light`` are room for those pixels.
    """
    height, width = plane.shape
    masked = excluded.shape[0] > 0
    x, y, sky, flux, fwhm = star[X], star[Y], star[SKY], star[FLUX], star[FWHM]
    cx, cy = math.floor(x + 0.5), math.floor(y + 0.5)
    left, right = max(cx - radius, 0), min(cx + radius, width - 1)
    low, high = max(cy - radius, 0), min(cy + radius, height - 1)
    # A window as wide as the star, its own pixel blur included, is the best against white noise.
    sigma2 = (fwhm / 2.3548200450309493) ** 2 + 1.0 / 12.0
    peak = -np.inf
    total = 0.0
    xx = 0.0
    xy = 0.0
    yy = 0.0
    for j in range(low, high + 1):
        for i in range(left, right + 1):
            v = plane[j, i] - sky
            if not abs(v) < np.inf or (masked and excluded[j, i]):
                continue
            dx, dy = i - x, j - y
            r2 = dx * dx + dy * dy
            if r2 < 2.0:
                peak = max(peak, v)
            if r2 > 16.0 * sigma2:
                continue
            w = math.exp(-0.5 * r2 / sigma2) * v
            total += w
            xx += w * dx * dx
            xy += w * dx * dy
            yy += w * dy * dy
    star[PEAK] = peak
    star[ECCENTRICITY] = 0.0
    star[ANGLE] = 0.0
    star[ELLIPTICITY2] = np.nan
    if total > 0.0:
        xx, xy, yy = xx / total, xy / total, yy / total
        # Undo the window (inverse matrices of Gaussians add), then the pixel.
        det = xx * yy - xy * xy
        if xx > 0.0 and det > 0.0:
            a, b, c = yy / det - 1.0 / sigma2, -xy / det, xx / det - 1.0 / sigma2
            det = a * c - b * b
            if a > 0.0 and det > 0.0:
                xx, xy, yy = c / det - 1.0 / 12.0, -b / det, a / det - 1.0 / 12.0
                e1, e2 = (xx - yy) / (xx + yy), 2.0 * xy / (xx + yy)
                # Noise makes round stars long: by an exponential law of this mean, before the pixel is undone, for
                # the squares of both components (measured: 3.1 / SNR^2 where the sky is the noise, 4.6 where the
                # star's photons are).
                pixel = sigma2 / (sigma2 - 1.0 / 12.0)
                noise = 4.0 * (pixel * star[FLUX_ERROR] / flux) ** 2
                star[ELLIPTICITY2] = e1 * e1 + e2 * e2 - math.log(2.0) * noise
                e = math.sqrt(max(e1 * e1 + e2 * e2 - noise, 0.0))
                if xx + yy > 0.0 and e < 1.0:
                    star[ECCENTRICITY] = math.sqrt(2.0 * e / (1.0 + e))
                    star[ANGLE] = math.degrees(0.5 * math.atan2(e2, e1))
            else:
                # Longer than the window: a line, such as a piece of a trail, if one axis is clearly shorter.
                e1, e2 = (xx - yy) / (xx + yy), 2.0 * xy / (xx + yy)
                if math.sqrt(e1 * e1 + e2 * e2) > max(0.15, 6.0 * star[FLUX_ERROR] / flux):
                    star[ECCENTRICITY] = 1.0
                    star[ELLIPTICITY2] = 1.0
                    star[ANGLE] = math.degrees(0.5 * math.atan2(e2, e1))
    # Half-flux radius: apertures with an edge one pixel soft, bisected.
    n = 0
    for j in range(low, high + 1):
        for i in range(left, right + 1):
            v = plane[j, i] - sky
            if abs(v) < np.inf:
                distance[n] = math.sqrt((i - x) ** 2 + (j - y) ** 2) - 0.5
                light[n] = v
                n += 1
    below, above = 0.0, float(radius)
    for _ in range(14):
        r = 0.5 * (below + above)
        if _within(distance, light, n, r) < 0.5 * flux:
            below = r
        else:
            above = r
    star[HFR] = math.sqrt(max(r * r - 0.1155, 0.01))


@kernel
def _width_at_half(plane, sky, x, y, reach):
    """FWHM as seen along both axes through the brightest of the pixels around (x, y)."""
    height, width = plane.shape
    cx = min(max(int(x + 0.5), 1), width - 2)
    cy = min(max(int(y + 0.5), 1), height - 2)
    px, py = cx, cy
    for j in range(cy - 1, cy + 2):
        for i in range(cx - 1, cx + 2):
            if plane[j, i] > plane[py, px]:
                px, py = i, j
    half = 0.5 * (plane[py, px] - sky)
    total = 0.0
    for direction in range(4):
        dx = 1 if direction == 0 else -1 if direction == 1 else 0
        dy = 1 if direction == 2 else -1 if direction == 3 else 0
        last = plane[py, px] - sky
        length = float(reach)
        for k in range(1, reach + 1):
            i, j = px + k * dx, py + k * dy
            if i < 0 or j < 0 or i >= width or j >= height:
                length = k - 0.5
                break
            v = plane[j, i] - sky
            if v < half:
                length = k - 1 + (last - half) / max(last - v, 1e-30)
                break
            last = v
        total += length
    return 0.5 * total


@kernel
def fit_stars(plane, excluded, saturation, xs, ys, sky, noise, fwhm, photons, shares, widths, prior, free, out):
    """Fit each of the stars begun at (xs, ys).

    Parameters
    ----------
    plane, excluded, saturation : as everywhere; saturated pixels take no part.
    sky, noise : (n,) background and noise per pixel at each star.
    fwhm : (n,) expected width, px.
    photons : plane units of variance per unit of light (1 / gain); 0 where unknown.
    shares, widths : (components,) the profile: flux share and sigma of each Gaussian of a star of FWHM 1.
    prior : weight of the expected ln(fwhm): 1 / its variance.
    free : begin with the width seen at half height, and ignore the prior.
    out : float64 (n, N_COLUMNS).
    """
    largest = 64
    room = np.empty((6, shares.shape[0], 2 * largest + 1))
    flat = np.empty((6, (2 * largest + 1) ** 2))
    for k in range(xs.shape[0]):
        star = out[k]
        star[:] = np.nan
        guess = fwhm[k]
        if free:
            guess = min(max(_width_at_half(plane, sky[k], xs[k], ys[k], 24), 1.0), 30.0)
        x, y = xs[k], ys[k]
        for _ in range(3):
            radius = min(math.ceil(1.7 * guess + 1.5), largest)
            good = _fit(
                plane, excluded, saturation, noise[k], photons, shares, widths,
                0.0 if free else prior, x, y, guess, radius, star, room, flat,
            )  # fmt: skip
            if not good:
                star[FLUX] = np.nan
                break
            if star[FWHM] < 1.35 * guess or not free:
                break
            # Wider than the window was made for.
            guess = star[FWHM]
            x, y = star[X], star[Y]
        if not star[FLUX] > 0.0:
            star[FLUX] = np.nan
            continue
        _shape(
            plane, excluded, saturation, min(math.ceil(1.9 * star[FWHM] + 1.5), largest), star, flat[0], flat[1]
        )  # fmt: skip
