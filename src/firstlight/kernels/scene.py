"""Rendering of invented skies: stars integrated over pixels, smooth light, trails, and the noise of a sensor."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import fast_kernel, kernel

POISSON_EXACT_BELOW = 16.0
"""Below this mean (e-) the Poisson law is sampled exactly; above it a normal law with the right skewness stands in."""

# Gauss-Legendre nodes on [-1/2, 1/2]: 4 are exact to 1e-6 of the peak for a Moffat profile of 1.5 px FWHM.
_NODES = np.polynomial.legendre.leggauss(4)[0] / 2
_WEIGHTS = np.polynomial.legendre.leggauss(4)[1] / 2
_MANY_NODES = np.polynomial.legendre.leggauss(10)[0] / 2
_MANY_WEIGHTS = np.polynomial.legendre.leggauss(10)[1] / 2


@kernel
def add_gaussian_stars(out, x, y, flux, cell, shape, radius):
    """Add Gaussian stars, integrated over each pixel.

    ``flux`` (n, channels); ``cell`` (2, 2) the channel of each pixel of the CFA cell; ``shape`` (n, 3) the covariance
    (xx, xy, yy) in px^2; ``radius`` (n,) half width of the box that is drawn, px. Exact (erf) along x and, where the
    axes of the star are those of the array, along y; else y is integrated by Gauss-Legendre quadrature.
    """
    height, width = out.shape
    for i in range(x.shape[0]):
        left = max(0, math.floor(x[i] - radius[i]))
        right = min(width - 1, math.ceil(x[i] + radius[i]))
        low = max(0, math.floor(y[i] - radius[i]))
        high = min(height - 1, math.ceil(y[i] + radius[i]))
        if left > right:
            continue
        slope = shape[i, 1] / shape[i, 2]
        scale_x = 1.0 / math.sqrt(2.0 * (shape[i, 0] - shape[i, 1] * slope))
        scale_y = 1.0 / math.sqrt(2.0 * shape[i, 2])
        line = np.zeros(right - left + 1)
        for row in range(low, high + 1):
            v = row - y[i]
            if slope == 0.0:
                share = 0.5 * (math.erf((v + 0.5) * scale_y) - math.erf((v - 0.5) * scale_y))
                if row == low:
                    _add_erf_line(line, left - x[i], scale_x, 1.0)
                for k in range(line.shape[0]):
                    out[row, left + k] += flux[i, cell[row & 1, (left + k) & 1]] * share * line[k]
            else:
                line[:] = 0.0
                for k in range(_MANY_NODES.shape[0]):
                    t = v + _MANY_NODES[k]
                    share = _MANY_WEIGHTS[k] * math.exp(-((t * scale_y) ** 2)) * scale_y / math.sqrt(math.pi)
                    _add_erf_line(line, left - x[i] - slope * t, scale_x, share)
                for k in range(line.shape[0]):
                    out[row, left + k] += flux[i, cell[row & 1, (left + k) & 1]] * line[k]


@kernel
def _add_erf_line(line, first, scale, share):
    before = math.erf((first - 0.5) * scale)
    for k in range(line.shape[0]):
        after = math.erf((first + k + 0.5) * scale)
        line[k] += 0.5 * share * (after - before)
        before = after


@fast_kernel
def _power(base, beta, whole, half):
    # base ** -beta; by multiplication where 2 beta is a whole number, 5 times quicker than pow
    if whole < 0:
        return base ** (-beta)
    inverse = 1.0 / base
    value = math.sqrt(inverse) if half else 1.0
    for _ in range(whole):
        value *= inverse
    return value


@fast_kernel
def add_moffat_stars(out, x, y, flux, cell, shape, reach, beta):
    """Add Moffat stars ``(1 + q)^-beta``, integrated over each pixel.

    Arguments as for `add_gaussian_stars`, but ``shape`` (n, 3) is the quadratic form q = a u^2 + 2 b u v + c v^2, and
    the pixels whose centres have q up to ``reach`` (n,) are drawn.
    The core is integrated by 4 x 4 Gauss-Legendre nodes a pixel; outside q = 8 the mean over the pixel is the value
    at its centre and 1/24 of the Laplacian (next term below 1e-3 of the wing for FWHM >= 2 px).
    """
    height, width = out.shape
    double = round(2.0 * beta)
    whole = double // 2 if abs(2.0 * beta - double) < 1e-12 else -1
    half = double % 2 == 1
    for i in range(x.shape[0]):
        a, b, c = shape[i, 0], shape[i, 1], shape[i, 2]
        norm = (beta - 1.0) / math.pi * math.sqrt(a * c - b * b)
        tall = math.sqrt(reach[i] * a / (a * c - b * b))
        low = max(0, math.ceil(y[i] - tall))
        high = min(height - 1, math.floor(y[i] + tall))
        for row in range(low, high + 1):
            v = row - y[i]
            middle = x[i] - b * v / a
            wide = math.sqrt(max(0.0, b * b * v * v - a * (c * v * v - reach[i]))) / a
            left = max(0, math.ceil(middle - wide))
            right = min(width - 1, math.floor(middle + wide))
            for column in range(left, right + 1):
                u = column - x[i]
                q = a * u * u + 2.0 * b * u * v + c * v * v
                if q < 8.0:
                    value = 0.0
                    for m in range(_NODES.shape[0]):
                        t = v + _NODES[m]
                        inner = 0.0
                        for k in range(_NODES.shape[0]):
                            s = u + _NODES[k]
                            inner += _WEIGHTS[k] * _power(
                                1.0 + a * s * s + 2.0 * b * s * t + c * t * t, beta, whole, half
                            )
                        value += _WEIGHTS[m] * inner
                else:
                    value = _power(1.0 + q, beta, whole, half)
                    gx = 2.0 * (a * u + b * v)
                    gy = 2.0 * (b * u + c * v)
                    bend = beta / (1.0 + q) * ((beta + 1.0) / (1.0 + q) * (gx * gx + gy * gy) - 2.0 * (a + c))
                    value *= 1.0 + bend / 24.0
                out[row, column] += flux[i, cell[row & 1, column & 1]] * norm * value


@fast_kernel
def add_smooth(out, grid, matrix, step, origin, cell, scale):
    """Add smooth light given by cubic B-spline coefficients on a coarse grid of the reference geometry.

    ``grid`` (channels, gy, gx) has its first knot at reference position ``origin`` (x, y) and a knot each ``step`` px;
    ``matrix`` (3 x 3, affine) takes a pixel of ``out`` to the reference. Beyond the grid there is no light.
    """
    height, width = out.shape
    grid_height, grid_width = grid.shape[1], grid.shape[2]
    for row in range(height):
        for column in range(width):
            gx = (matrix[0, 0] * column + matrix[0, 1] * row + matrix[0, 2] - origin[0]) / step
            gy = (matrix[1, 0] * column + matrix[1, 1] * row + matrix[1, 2] - origin[1]) / step
            ix = math.floor(gx)
            iy = math.floor(gy)
            if ix < 1 or iy < 1 or ix > grid_width - 3 or iy > grid_height - 3:
                continue
            u = gx - ix
            v = gy - iy
            x0 = (1.0 - u) ** 3
            x1 = 3.0 * u * u * u - 6.0 * u * u + 4.0
            x3 = u * u * u
            x2 = 6.0 - x0 - x1 - x3
            y0 = (1.0 - v) ** 3
            y1 = 3.0 * v * v * v - 6.0 * v * v + 4.0
            y3 = v * v * v
            y2 = 6.0 - y0 - y1 - y3
            plane = grid[cell[row & 1, column & 1]]
            total = 0.0
            for k in range(4):
                line = plane[iy - 1 + k]
                part = x0 * line[ix - 1] + x1 * line[ix] + x2 * line[ix + 1] + x3 * line[ix + 2]
                total += part * (y0 if k == 0 else y1 if k == 1 else y2 if k == 2 else y3)
            out[row, column] += scale * total / 36.0


@kernel
def add_trail(out, x, y, cosine, sine, sigma, brightness, swing, period):
    """Add a straight trail through (x, y), Gaussian across, ``brightness`` per px of length.

    The light swings by the fraction ``swing`` with ``period`` px along the trail, as that of a tumbling satellite.
    """
    height, width = out.shape
    reach = 5.0 * sigma
    norm = brightness / (math.sqrt(2.0 * math.pi) * sigma)
    for row in range(height):
        if abs(sine) > 1e-9:
            middle = x + (row - y) * cosine / sine
            half = reach / abs(sine)
            left = max(0, int(max(-1.0, math.ceil(middle - half))))
            right = min(width - 1, int(min(float(width), math.floor(middle + half))))
        else:
            left, right = (0, width - 1) if abs(row - y) <= reach else (0, -1)
        for column in range(left, right + 1):
            across = (column - x) * sine - (row - y) * cosine
            along = (column - x) * cosine + (row - y) * sine
            light = 1.0 + swing * math.sin(2.0 * math.pi * along / period)
            out[row, column] += norm * light * math.exp(-0.5 * (across / sigma) ** 2)


@fast_kernel
def expected_electrons(light, first, sky, tint, flat, dark, exposure, out):
    """Mean electrons of a band of rows: ``((light + sky) flat + dark) exposure``.

    ``light`` and ``dark`` in e-/s; ``sky`` (6,) coefficients of 1, x, y, x^2, xy, y^2 with x, y from -1 to 1 over the
    band's whole frame, times the ``tint`` (2, 2) of the CFA cell; ``first`` is the number of the first row and
    ``light``, ``flat`` and ``dark`` are whole frames.
    """
    height, width = light.shape
    step = np.float32(2.0 / max(1, width - 1))
    time = np.float32(exposure)
    for k in range(out.shape[0]):
        row = first + k
        v = 2.0 * row / max(1, height - 1) - 1.0
        c0 = np.float32(sky[0] + sky[2] * v + sky[5] * v * v)
        c1 = np.float32(sky[1] + sky[4] * v)
        c2 = np.float32(sky[3])
        even = np.float32(tint[row & 1, 0])
        odd = np.float32(tint[row & 1, 1])
        for column in range(width):
            u = column * step - np.float32(1.0)
            tone = odd if column & 1 else even
            level = (c0 + u * (c1 + u * c2)) * tone
            out[k, column] = ((light[row, column] + level) * flat[row, column] + dark[row, column]) * time


@kernel
def add_noise(electrons, normal, uniform, read_noise):
    """Mean electrons to one outcome, in place: Poisson shot noise and normal read noise (e-).

    ``normal`` holds one standard normal deviate a pixel; ``uniform`` one uniform deviate a pixel, used where the mean
    is below ``POISSON_EXACT_BELOW`` (an array of no rows if nothing is). Above, shot and read noise share one deviate,
    with the variance and the skewness of their sum (Cornish-Fisher).
    """
    noise = np.float32(read_noise)
    variance = noise * noise
    limit = np.float32(POISSON_EXACT_BELOW)
    for row in range(electrons.shape[0]):
        for column in range(electrons.shape[1]):
            mean = electrons[row, column]
            z = normal[row, column]
            if mean >= limit:
                both = mean + variance
                electrons[row, column] = (
                    mean + math.sqrt(both) * z + (z * z - np.float32(1.0)) * mean / (np.float32(6.0) * both)
                )
            elif mean > 0.0:
                u = uniform[row, column]
                term = math.exp(-mean)
                count = np.float32(0.0)
                while u >= term and count < 100.0:
                    u -= term
                    count += np.float32(1.0)
                    term *= mean / count
                electrons[row, column] = count + noise * z
            else:
                electrons[row, column] = noise * z


@fast_kernel
def digitise(electrons, first, bias, rows, gain, full_well, top, out):
    """Electrons to the converter's numbers (uint16), rounded; never above the full well nor ``top``.

    ``bias`` (y, x) adu is a whole frame, ``rows`` (y,) adu the banding of this exposure; ``first`` as above.
    """
    inverse = np.float32(1.0 / gain)
    well = np.float32(full_well)
    highest = np.float32(top)
    for k in range(electrons.shape[0]):
        row = first + k
        shift = np.float32(rows[row] + 0.5)
        for column in range(electrons.shape[1]):
            value = min(electrons[k, column], well) * inverse + bias[row, column] + shift
            out[row, column] = np.uint16(max(np.float32(0.0), min(value, highest)))
