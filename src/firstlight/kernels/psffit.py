"""Fit of stars with a point spread function known as splines: groups of stars that touch are fitted as one."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import fast_kernel, kernel

FLUX_ERROR, X_ERROR, Y_ERROR, SKY, CHI, PIXELS, CONVERGED = range(7)
"""Columns of what a fit tells besides flux and place. ``CHI`` is chi^2 per degree of freedom of the star's group."""
N_COLUMNS = 7
STEPS = 25


@kernel
def solve_symmetric(matrix, vector, n):
    """Cholesky factor in place of the lower half of the first n rows, solution in place of the vector; False if not
    positive definite."""
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                if not total > 1e-14 * matrix[i, i]:
                    return False
                matrix[i, i] = math.sqrt(total)
            else:
                matrix[i, j] = total / matrix[j, j]
    for i in range(n):
        total = vector[i]
        for k in range(i):
            total -= matrix[i, k] * vector[k]
        vector[i] = total / matrix[i, i]
    for i in range(n - 1, -1, -1):
        total = vector[i]
        for k in range(i + 1, n):
            total -= matrix[k, i] * vector[k]
        vector[i] = total / matrix[i, i]
    return True


@kernel
def spline_weights(fraction, value, slope):
    """The four cubic B-splines under a point, and their derivatives."""
    f, g = fraction, 1.0 - fraction
    value[0] = g * g * g / 6.0
    value[1] = 2.0 / 3.0 - f * f + 0.5 * f * f * f
    value[2] = 2.0 / 3.0 - g * g + 0.5 * g * g * g
    value[3] = f * f * f / 6.0
    slope[0] = -0.5 * g * g
    slope[1] = -2.0 * f + 1.5 * f * f
    slope[2] = 2.0 * g - 1.5 * g * g
    slope[3] = 0.5 * f * f


@kernel
def local_surface(coefficients, terms, surface):
    """The splines of a star at its place in the field."""
    n, m = coefficients.shape[0], coefficients.shape[1]
    for i in range(m):
        line = surface[i]
        line[:] = 0.0
        for t in range(n):
            share, row = terms[t], coefficients[t, i]
            for k in range(m):
                line[k] += share * row[k]


@fast_kernel
def _add_lines(a, b, c, d, w, out):
    for i in range(out.shape[0]):
        out[i] = w[0] * a[i] + w[1] * b[i] + w[2] * c[i] + w[3] * d[i]


@kernel
def draw(surface, oversampling, x, y, left, low, nx, ny, lines, p, px, py, slopes):
    """Share of a star at (x, y) in each pixel of a window, and with ``slopes`` its derivatives by x and y.

    The splines are first summed down the columns of the surface for each row of the window, then along the rows; all
    pixels lie at one phase between the splines. ``lines`` (2, m) is room.
    """
    m = surface.shape[0]
    middle = m // 2
    wx, wy, sx, sy = np.empty(4), np.empty(4), np.empty(4), np.empty(4)
    start_x = (left - x) * oversampling + middle
    start_y = (low - y) * oversampling + middle
    first_x, first_y = math.floor(start_x), math.floor(start_y)
    spline_weights(start_x - first_x, wx, sx)
    spline_weights(start_y - first_y, wy, sy)
    value, slope = lines[0], lines[1]
    for j in range(ny):
        row = first_y - 1 + j * oversampling
        if row < 0 or row + 3 >= m:
            p[j, :nx] = 0.0
            if slopes:
                px[j, :nx] = 0.0
                py[j, :nx] = 0.0
            continue
        a, b, c, d = surface[row], surface[row + 1], surface[row + 2], surface[row + 3]
        _add_lines(a, b, c, d, wy, value)
        if slopes:
            _add_lines(a, b, c, d, sy, slope)
        for i in range(nx):
            k = first_x - 1 + i * oversampling
            if k < 0 or k + 3 >= m:
                p[j, i] = 0.0
                if slopes:
                    px[j, i] = 0.0
                    py[j, i] = 0.0
                continue
            p[j, i] = wx[0] * value[k] + wx[1] * value[k + 1] + wx[2] * value[k + 2] + wx[3] * value[k + 3]
            if slopes:
                # The place within the splines falls as the star moves on.
                px[j, i] = -oversampling * (
                    sx[0] * value[k] + sx[1] * value[k + 1] + sx[2] * value[k + 2] + sx[3] * value[k + 3]
                )
                py[j, i] = -oversampling * (
                    wx[0] * slope[k] + wx[1] * slope[k + 1] + wx[2] * slope[k + 2] + wx[3] * slope[k + 3]
                )


@kernel
def add_star(rest, surface, oversampling, x, y, flux, radius, lines, p):
    """Add a star to the plane, out to ``radius`` px; a negative flux takes it away."""
    height, width = rest.shape
    cx, cy = math.floor(x + 0.5), math.floor(y + 0.5)
    left, right = max(cx - radius, 0), min(cx + radius, width - 1)
    low, high = max(cy - radius, 0), min(cy + radius, height - 1)
    if right < left or high < low:
        return
    draw(surface, oversampling, x, y, left, low, right - left + 1, high - low + 1, lines, p, p, p, False)
    for j in range(high - low + 1):
        row = rest[low + j, left : right + 1]
        for i in range(row.shape[0]):
            row[i] += np.float32(flux * p[j, i])


@kernel
def subtract_stars(rest, coefficients, oversampling, terms, xs, ys, fluxes, radius):
    """Take stars off a plane, in place; those without a flux (NaN) are passed over."""
    m = coefficients.shape[1]
    surface = np.empty((m, m))
    lines = np.empty((2, m))
    p = np.empty((2 * radius + 1, 2 * radius + 1))
    for k in range(xs.shape[0]):
        if abs(fluxes[k]) < np.inf:
            local_surface(coefficients, terms[k], surface)
            add_star(rest, surface, oversampling, xs[k], ys[k], -fluxes[k], radius, lines, p)


@kernel
def _gather(rest, bad, xs, ys, members, reach, ly, lx, values):
    """Pixels within ``reach`` of any member that take part; returns how many (no more than there is room for)."""
    height, width = rest.shape
    masked = bad.shape[0] > 0
    n = 0
    for q in range(members.shape[0]):
        x, y = xs[members[q]], ys[members[q]]
        for j in range(max(math.ceil(y - reach), 0), min(math.floor(y + reach), height - 1) + 1):
            for i in range(max(math.ceil(x - reach), 0), min(math.floor(x + reach), width - 1) + 1):
                if (i - x) ** 2 + (j - y) ** 2 > reach * reach or not abs(rest[j, i]) < np.inf:
                    continue
                if masked and bad[j, i]:
                    continue
                seen = False
                for r in range(q):
                    if (i - xs[members[r]]) ** 2 + (j - ys[members[r]]) ** 2 <= reach * reach:
                        seen = True
                        break
                if seen or n == lx.shape[0]:
                    continue
                lx[n], ly[n], values[n] = i, j, rest[j, i]
                n += 1
    return n


@kernel
def _evaluate(surfaces, oversampling, xs, ys, members, reach, n, lx, ly, lines, window, place, shares):
    """Shares (3 per member: value, by x, by y) of every gathered pixel."""
    for q in range(members.shape[0]):
        x, y = place[q, 0], place[q, 1]
        # One window for each member, as wide as all that was gathered around it may be.
        left, low = math.floor(x - reach) - 1, math.floor(y - reach) - 1
        side = int(2 * reach) + 4
        draw(surfaces[q], oversampling, x, y, left, low, side, side, lines, window[0], window[1], window[2], True)
        for k in range(n):
            i, j = lx[k] - left, ly[k] - low
            if i < 0 or j < 0 or i >= side or j >= side:
                shares[3 * q, k] = shares[3 * q + 1, k] = shares[3 * q + 2, k] = 0.0
            else:
                shares[3 * q, k] = window[0, j, i]
                shares[3 * q + 1, k] = window[1, j, i]
                shares[3 * q + 2, k] = window[2, j, i]


@fast_kernel
def _dot3(a, b, c, n):
    total = 0.0
    for k in range(n):
        total += a[k] * b[k] * c[k]
    return total


@kernel
def _fit_group(
    rest, bad, coefficients, oversampling, terms, xs, ys, fluxes, members, noise, photons, reach, move, limit, out,
    surfaces, lines, window, lx, ly, values, model, weights, shares, matrix, vector,
):  # fmt: skip
    """Fit a group whose own light has been put back into ``rest``."""
    count = members.shape[0]
    size = 1 + (3 if move else 1) * count
    place = np.empty((count, 3))
    for q in range(count):
        star = members[q]
        place[q, 0], place[q, 1], place[q, 2] = xs[star], ys[star], fluxes[star]
        out[star, CONVERGED] = 0.0
    n = _gather(rest, bad, xs, ys, members, reach, ly, lx, values)
    if n < size + 3:
        return False
    sky = 0.0
    settled = False
    derivative = np.empty((size, n))
    chi = 0.0
    damping, best_chi, best_sky = 0.0, np.inf, 0.0
    best_place, best_matrix, best_vector = np.empty((count, 3)), np.empty((size, size)), np.empty(size)
    for step in range(STEPS):
        _evaluate(surfaces, oversampling, xs, ys, members, reach + limit, n, lx, ly, lines, window, place, shares)
        for k in range(n):
            light = 0.0
            for q in range(count):
                light += place[q, 2] * shares[3 * q, k]
            model[k] = light
            weights[k] = 1.0 / (noise * noise + photons * (light if light > 0.0 else 0.0))
        derivative[0] = 1.0
        for q in range(count):
            if move:
                for k in range(n):
                    derivative[1 + 3 * q, k] = shares[3 * q, k]
                    derivative[2 + 3 * q, k] = place[q, 2] * shares[3 * q + 1, k]
                    derivative[3 + 3 * q, k] = place[q, 2] * shares[3 * q + 2, k]
            else:
                for k in range(n):
                    derivative[1 + q, k] = shares[3 * q, k]
        chi = 0.0
        for k in range(n):
            model[k] = values[k] - sky - model[k]
            chi += weights[k] * model[k] * model[k]
        for a in range(size):
            vector[a] = _dot3(weights, derivative[a], model, n)
            for b in range(a + 1):
                matrix[a, b] = _dot3(weights, derivative[a], derivative[b], n)
        if settled or step == STEPS - 1:
            break
        if step > 0 and not chi <= 1.001 * best_chi:
            # Too far: back, and on in a shorter step (Levenberg and Marquardt).
            damping = max(10.0 * damping, 0.03)
            place[:], sky, chi = best_place, best_sky, best_chi
            matrix[:size, :size], vector[:size] = best_matrix, best_vector
            if damping > 1e4:
                return False
        else:
            damping = 0.2 * damping if damping > 1e-3 else 0.0
            best_place[:], best_sky, best_chi = place, sky, chi
            best_matrix[:], best_vector[:] = matrix[:size, :size], vector[:size]
        for a in range(size):
            matrix[a, a] *= 1.0 + damping
        if move and step == 0:
            # Places cannot be told before there is a flux.
            for q in range(count):
                matrix[2 + 3 * q, 2 + 3 * q] *= 2.0
                matrix[3 + 3 * q, 3 + 3 * q] *= 2.0
        if not solve_symmetric(matrix, vector, size):
            return False
        sky += vector[0]
        largest = 0.0
        for q in range(count):
            if move:
                change = vector[1 + 3 * q]
                place[q, 2] = max(place[q, 2] + change, 0.2 * place[q, 2])
                dx = min(max(vector[2 + 3 * q], -0.5 * limit), 0.5 * limit)
                dy = min(max(vector[3 + 3 * q], -0.5 * limit), 0.5 * limit)
                place[q, 0] += dx
                place[q, 1] += dy
                star = members[q]
                if (place[q, 0] - xs[star]) ** 2 + (place[q, 1] - ys[star]) ** 2 > limit * limit:
                    return False
                largest = max(largest, abs(dx), abs(dy), abs(change) / max(abs(place[q, 2]), 1e-30))
            else:
                place[q, 2] += vector[1 + q]
        settled = not move or largest < 3e-4
        if not move and step == 0 and photons > 0.0:
            settled = False
    ok = solve_symmetric(matrix, vector, size)
    if not ok:
        return False
    # The Cholesky factor gives the errors: of its inverse the sum of squares down each column.
    column = np.empty(size)
    for a in range(size):
        variance = 0.0
        for i in range(a, size):
            total = 1.0 if i == a else 0.0
            for k in range(a, i):
                total -= matrix[i, k] * column[k]
            column[i] = total / matrix[i, i]
            variance += column[i] * column[i]
        vector[a] = math.sqrt(variance)
    for q in range(count):
        star = members[q]
        xs[star], ys[star], fluxes[star] = place[q, 0], place[q, 1], place[q, 2]
        out[star, FLUX_ERROR] = vector[1 + 3 * q] if move else vector[1 + q]
        out[star, X_ERROR] = vector[2 + 3 * q] if move else 0.0
        out[star, Y_ERROR] = vector[3 + 3 * q] if move else 0.0
        out[star, SKY] = sky
        out[star, CHI] = chi / max(n - size, 1)
        out[star, PIXELS] = n
        out[star, CONVERGED] = 1.0 if settled else 0.0
    return True


@kernel
def fit_groups(
    rest, bad, coefficients, oversampling, terms, xs, ys, fluxes, order, starts, noise, photons, reach, radius, move,
    out,
):  # fmt: skip
    """Fit groups of stars one after the other, each against what the others leave.

    Parameters
    ----------
    rest : float32 (y, x): the plane less its background and all stars as they are known; changed in place.
    bad : bool (y, x) or empty: True where a pixel takes no part (saturated ones too).
    coefficients, oversampling : of the PSF, (terms, m, m).
    terms : (n, terms) value of each term at each star.
    xs, ys, fluxes : (n,) where the stars are thought to be; changed in place where a fit came to rest.
    order, starts : the members of group g are ``order[starts[g]:starts[g + 1]]``.
    noise : (n,) standard deviation of a sky pixel at each star; photons: variance per unit of light.
    reach : px around each star that take part; radius: px to which stars are drawn.
    move : fit places too.
    out : float64 (n, N_COLUMNS); rows of stars whose fit failed keep ``CONVERGED`` 0.
    """
    most = 0
    for g in range(starts.shape[0] - 1):
        most = max(most, starts[g + 1] - starts[g])
    m = coefficients.shape[1]
    limit = max(0.5 * reach, 1.5)
    side = int(2 * (reach + limit)) + 4
    room = int((2 * reach + 2) ** 2) * max(most, 1)
    surfaces = np.empty((max(most, 1), m, m))
    lines = np.empty((2, m))
    window = np.empty((3, side, side))
    lx, ly = np.empty(room, np.int64), np.empty(room, np.int64)
    values, model, weights = np.empty(room), np.empty(room), np.empty(room)
    shares = np.empty((3 * max(most, 1), room))
    size = 1 + 3 * max(most, 1)
    matrix, vector = np.empty((size, size)), np.empty(size)
    stamp = np.empty((2 * radius + 1, 2 * radius + 1))
    for g in range(starts.shape[0] - 1):
        members = order[starts[g] : starts[g + 1]]
        for q in range(members.shape[0]):
            star = members[q]
            local_surface(coefficients, terms[star], surfaces[q])
            add_star(rest, surfaces[q], oversampling, xs[star], ys[star], fluxes[star], radius, lines, stamp)
        _fit_group(
            rest, bad, coefficients, oversampling, terms, xs, ys, fluxes, members, noise[members[0]], photons, reach,
            move, limit, out, surfaces, lines, window, lx, ly, values, model, weights, shares, matrix, vector,
        )  # fmt: skip
        for q in range(members.shape[0]):
            star = members[q]
            add_star(rest, surfaces[q], oversampling, xs[star], ys[star], -fluxes[star], radius, lines, stamp)
