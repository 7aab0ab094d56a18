"""From the splines of a point spread function to the pixels of many stars, and back: for its least squares."""

from __future__ import annotations

import math

import numpy as np

from firstlight.kernels.jit import kernel
from firstlight.kernels.psffit import draw, local_surface, spline_weights


@kernel
def draw_stars(coefficients, oversampling, terms, xs, ys, left, low, flux, out):
    """Each star in its window: ``out`` float64 (n, side, side); windows begin at (left, low)."""
    m, side = coefficients.shape[1], out.shape[1]
    surface = np.empty((m, m))
    lines = np.empty((2, m))
    for k in range(out.shape[0]):
        local_surface(coefficients, terms[k], surface)
        p = out[k]
        draw(surface, oversampling, xs[k], ys[k], left[k], low[k], side, side, lines, p, p, p, False)
        for j in range(side):
            for i in range(side):
                p[j, i] *= flux[k]


@kernel
def gather_stars(values, oversampling, terms, xs, ys, left, low, flux, squared, out):
    """The transpose of `draw_stars`: what the pixels (n, side, side) say to the splines, into ``out`` (terms, m, m).

    ``squared`` takes the square of every number of that matrix: with weights as values that is the diagonal of the
    normal matrix.
    """
    n_terms, m = out.shape[0], out.shape[1]
    side = values.shape[1]
    middle = m // 2
    surface = np.empty((m, m))
    line = np.empty(m)
    wx, wy, slope = np.empty(4), np.empty(4), np.empty(4)
    out[:] = 0.0
    for k in range(values.shape[0]):
        start_x = (left[k] - xs[k]) * oversampling + middle
        start_y = (low[k] - ys[k]) * oversampling + middle
        first_x, first_y = math.floor(start_x), math.floor(start_y)
        spline_weights(start_x - first_x, wx, slope)
        spline_weights(start_y - first_y, wy, slope)
        if squared:
            for a in range(4):
                wx[a] *= wx[a]
                wy[a] *= wy[a]
        surface[:] = 0.0
        for j in range(side):
            row = first_y - 1 + j * oversampling
            if row < 0 or row + 3 >= m:
                continue
            line[:] = 0.0
            for i in range(side):
                column = first_x - 1 + i * oversampling
                if column < 0 or column + 3 >= m:
                    continue
                v = values[k, j, i]
                line[column] += wx[0] * v
                line[column + 1] += wx[1] * v
                line[column + 2] += wx[2] * v
                line[column + 3] += wx[3] * v
            for b in range(4):
                target = surface[row + b]
                for i in range(m):
                    target[i] += wy[b] * line[i]
        for t in range(n_terms):
            share = flux[k] * terms[k, t]
            if squared:
                share *= share
            for j in range(m):
                target, source = out[t, j], surface[j]
                for i in range(m):
                    target[i] += share * source[i]
