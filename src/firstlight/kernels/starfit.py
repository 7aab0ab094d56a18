"""Fit of single stars: a sum of concentric Gaussians integrated over the pixels, by damped Gauss-Newton steps."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import kernel

FLUX, SKY, X, Y, FWHM, FLUX_ERROR, POSITION_ERROR, WIDTH_ERROR, MISFIT, PEAK, HFR, ECCENTRICITY, ANGLE = range(13)
"""Columns of a fitted star. ``FLUX`` is NaN where the fit failed. ``MISFIT`` is chi^2 per degree of freedom."""
N_COLUMNS = 13

_ROOT_2_PI = math.sqrt(2.0 * math.pi)
_STEPS = 12


@kernel
def _profile(first, n, centre, sigma, value, slope, stretch):
    """Share of a normal law in each of n pixels from ``first``, and its derivatives by centre and by ln sigma."""
    inverse = 1.0 / sigma
    u = (first - 0.5 - centre) * inverse
    cdf = 0.5 * math.erf(u * 0.7071067811865476)
    pdf = math.exp(-0.5 * u * u) / _ROOT_2_PI
    for k in range(n):
        v = u + inverse
        next_cdf = 0.5 * math.erf(v * 0.7071067811865476)
        next_pdf = math.exp(-0.5 * v * v) / _ROOT_2_PI
        value[k] = next_cdf - cdf
        slope[k] = (pdf - next_pdf) * inverse
        stretch[k] = u * pdf - v * next_pdf
        u, cdf, pdf = v, next_cdf, next_pdf


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


@kernel
def _fit(plane, excluded, saturation, noise, photons, shares, widths, prior, x0, y0, fwhm, radius, star, room):
    """One fit in a fixed window; returns True if it came to rest. Parameters: flux, sky, x, y, ln fwhm."""
    height, width = plane.shape
    masked = excluded.shape[0] > 0
    cx, cy = math.floor(x0 + 0.5), math.floor(y0 + 0.5)
    left, right = max(cx - radius, 0), min(cx + radius, width - 1)
    low, high = max(cy - radius, 0), min(cy + radius, height - 1)
    nx, ny = right - left + 1, high - low + 1
    if nx < 3 or ny < 3:
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
        matrix[:, :] = 0.0
        vector[:] = 0.0
        scale = math.exp(log_fwhm)
        for c in range(components):
            _profile(left, nx, x, scale * widths[c], vx[c], sx[c], tx[c])
            _profile(low, ny, y, scale * widths[c], vy[c], sy[c], ty[c])
        chi = 0.0
        used = 0
        for j in range(ny):
            for i in range(nx):
                if not _usable(plane, excluded, masked, saturation, low + j, left + i):
                    continue
                p = 0.0
                px = 0.0
                py = 0.0
                ps = 0.0
                for c in range(components):
                    a = shares[c]
                    p += a * vx[c, i] * vy[c, j]
                    px += a * sx[c, i] * vy[c, j]
                    py += a * vx[c, i] * sy[c, j]
                    ps += a * (tx[c, i] * vy[c, j] + vx[c, i] * ty[c, j])
                px *= flux
                py *= flux
                ps *= flux
                weight = 1.0 / (floor + photons * max(flux * p, 0.0))
                residual = plane[low + j, left + i] - sky - flux * p
                chi += weight * residual * residual
                used += 1
                vector[0] += weight * p * residual
                vector[1] += weight * residual
                vector[2] += weight * px * residual
                vector[3] += weight * py * residual
                vector[4] += weight * ps * residual
                matrix[0, 0] += weight * p * p
                matrix[1, 0] += weight * p
                matrix[1, 1] += weight
                matrix[2, 0] += weight * px * p
                matrix[2, 1] += weight * px
                matrix[2, 2] += weight * px * px
                matrix[3, 0] += weight * py * p
                matrix[3, 1] += weight * py
                matrix[3, 2] += weight * py * px
                matrix[3, 3] += weight * py * py
                matrix[4, 0] += weight * ps * p
                matrix[4, 1] += weight * ps
                matrix[4, 2] += weight * ps * px
                matrix[4, 3] += weight * ps * py
                matrix[4, 4] += weight * ps * ps
        if used < 7:
            return False
        misfit = chi / max(used - 5, 1)
        if iteration == 0:
            if not _solve(matrix[:2, :2], vector[:2], step[:2]):
                return False
            flux += step[0]
            sky += step[1]
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


@kernel
def _shape(plane, excluded, saturation, noise, radius, star):
    """Peak, half-flux radius, eccentricity and angle from the pixels around a fitted star."""
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
                # Noise makes round stars long: twice 2 / SNR^2 is the expected square of each component.
                snr = flux / star[FLUX_ERROR]
                e = math.sqrt(max(e1 * e1 + e2 * e2 - 8.0 / (snr * snr), 0.0))
                if xx + yy > 0.0 and e < 1.0:
                    star[ECCENTRICITY] = math.sqrt(2.0 * e / (1.0 + e))
                    star[ANGLE] = math.degrees(0.5 * math.atan2(e2, e1))
            else:
                # Longer than the window: a line, such as a piece of a trail, if one axis is clearly shorter.
                e1, e2 = (xx - yy) / (xx + yy), 2.0 * xy / (xx + yy)
                if math.sqrt(e1 * e1 + e2 * e2) > max(0.15, 6.0 * star[FLUX_ERROR] / flux):
                    star[ECCENTRICITY] = 1.0
                    star[ANGLE] = math.degrees(0.5 * math.atan2(e2, e1))
    # Half-flux radius: apertures with an edge one pixel soft, bisected.
    below, above = 0.0, float(radius)
    for _ in range(14):
        r = 0.5 * (below + above)
        inside = 0.0
        for j in range(max(low, int(y - r) - 1), min(high, int(y + r) + 2) + 1):
            for i in range(max(left, int(x - r) - 1), min(right, int(x + r) + 2) + 1):
                dx, dy = i - x, j - y
                share = r - math.sqrt(dx * dx + dy * dy) + 0.5
                if share > 0.0:
                    v = plane[j, i] - sky
                    if abs(v) < np.inf:
                        inside += v * min(share, 1.0)
        if inside < 0.5 * flux:
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
                0.0 if free else prior, x, y, guess, radius, star, room,
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
        _shape(plane, excluded, saturation, noise[k], min(math.ceil(1.9 * star[FWHM] + 1.5), largest), star)
