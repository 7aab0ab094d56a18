"""Colour spaces: from and to linear sRGB.

Negative values and values above white go through and come back: every curve is continued beyond its ends.

References: IEC 61966-2-1 (sRGB); CIE 15 (L*a*b*, L*C*h); Smith 1978 (HSV).
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel, inner_kernel
from firstlight.kernels.powers import power

SPACES = ("rgb", "srgb", "xyz", "lab", "lch", "hsv", "luminance", "value", "lightness", "grey")
"""By number. ``rgb`` is linear; the last four are one channel."""
_RGB, _SRGB, _XYZ, _LAB, _LCH, _HSV, _LUMINANCE, _VALUE, _LIGHTNESS, _GREY = range(10)
BLOCK = 512
_EDGE = 6 / 29


@inner_kernel
def _coded(x):
    """Linear to coded; odd: -x gives minus the code of x."""
    size = abs(x)
    code = 1.055 * power(size if size > 1e-9 else 1e-9, 1 / 2.4) - 0.055
    code = code if size > 0.0031308 else 12.92 * size
    return code if x > 0 else -code


@inner_kernel
def _linear(y):
    size = abs(y)
    light = power((size + 0.055) / 1.055, 2.4)
    light = light if size > 0.04045 else size / 12.92
    return light if y > 0 else -light


@inner_kernel
def _root(t):
    """The cube root of CIE L*a*b*, straight near 0 and below."""
    root = power(t if t > _EDGE**3 else _EDGE**3, 1 / 3)
    return root if t > _EDGE**3 else t / (3 * _EDGE**2) + 4 / 29


@inner_kernel
def _cube(f):
    return f * f * f if f > _EDGE else 3 * _EDGE**2 * (f - 4 / 29)


@inner_kernel
def _matrix(m, a, b, c, n):
    for i in range(n):
        x, y, z = a[i], b[i], c[i]
        a[i] = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z
        b[i] = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z
        c[i] = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z


@fast_kernel
def _to_linear(a, b, c, n, source, from_xyz, white):
    if source == _HSV:
        for i in range(n):
            sector, top = 6 * (a[i] - np.floor(a[i])), c[i]
            spread = b[i] * top if b[i] >= 0 else -b[i]
            for k in range(3):
                shifted = sector + (0.0 if k == 0 else 4.0 if k == 1 else 2.0)
                shifted = shifted - 6 if shifted >= 6 else shifted
                part = min(max(abs(shifted - 3) - 1, 0.0), 1.0)
                plane = a if k == 0 else b if k == 1 else c
                plane[i] = top - spread * (1 - part)
    if source in (_SRGB, _HSV):
        for i in range(n):
            a[i], b[i], c[i] = _linear(a[i]), _linear(b[i]), _linear(c[i])
    if source == _LCH:
        for i in range(n):
            angle, chroma = 2 * np.pi * c[i], b[i]
            b[i], c[i] = chroma * np.cos(angle), chroma * np.sin(angle)
    if source in (_LAB, _LCH, _LIGHTNESS):
        for i in range(n):
            f = (a[i] + 0.16) / 1.16
            a[i], b[i], c[i] = (
                white[0] * _cube(f + b[i] / 5), white[1] * _cube(f), white[2] * _cube(f - c[i] / 2),
            )  # fmt: skip
        _matrix(from_xyz, a, b, c, n)
    if source == _XYZ:
        _matrix(from_xyz, a, b, c, n)


@fast_kernel
def _of_linear(a, b, c, n, target, to_xyz, white):
    if target in (_SRGB, _HSV):
        for i in range(n):
            a[i], b[i], c[i] = _coded(a[i]), _coded(b[i]), _coded(c[i])
    if target == _HSV:
        for i in range(n):
            red, green, blue = a[i], b[i], c[i]
            top = max(red, green, blue)
            spread = top - min(red, green, blue)
            hue = 0.0
            if spread > 0:
                if top == red:
                    hue = (green - blue) / spread
                    hue = hue + 6 if hue < 0 else hue
                elif top == green:
                    hue = 2 + (blue - red) / spread
                else:
                    hue = 4 + (red - green) / spread
            a[i], b[i], c[i] = hue / 6, spread / top if top > 1e-6 else -spread, top
    if target == _VALUE:
        for i in range(n):
            a[i] = max(a[i], b[i], c[i])
    if target == _GREY:
        for i in range(n):
            a[i] = (a[i] + b[i] + c[i]) / 3
    if target in (_XYZ, _LAB, _LCH, _LUMINANCE, _LIGHTNESS):
        _matrix(to_xyz, a, b, c, n)
    if target == _LUMINANCE:
        a[:n] = b[:n]
    if target == _LIGHTNESS:
        for i in range(n):
            a[i] = 1.16 * _root(b[i] / white[1]) - 0.16
    if target in (_LAB, _LCH):
        for i in range(n):
            x, y, z = _root(a[i] / white[0]), _root(b[i] / white[1]), _root(c[i] / white[2])
            a[i], b[i], c[i] = 1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)
    if target == _LCH:
        for i in range(n):
            hue = np.arctan2(c[i], b[i]) / (2 * np.pi)
            b[i], c[i] = np.sqrt(b[i] * b[i] + c[i] * c[i]), hue if hue >= 0 else hue + 1


@fast_kernel
def convert_colours(x, first, last, factor, source, target, to_xyz, from_xyz, white, out):
    """Pixels ``first`` to ``last`` of ``x`` (1 or 3 channels, n) float32, times a factor, into ``out``.

    Spaces are numbers of `SPACES`. L* and C* come over 100, a* and b* over 100, hues over 360: all about 0..1. In
    double precision: a cube and its root would cost the last digits of what comes back. Saturation of HSV is the spread
    over the largest value; where that is not above 0 the spread itself is kept, negative, so that it comes back too.
    """
    a, b, c = np.empty(BLOCK, np.float64), np.empty(BLOCK, np.float64), np.empty(BLOCK, np.float64)
    for begin in range(first, last, BLOCK):
        n = min(BLOCK, last - begin)
        own = x[0, begin : begin + n]
        for i in range(n):
            a[i] = np.float64(own[i] * factor)
        if x.shape[0] == 3:
            green, blue = x[1, begin : begin + n], x[2, begin : begin + n]
            for i in range(n):
                b[i], c[i] = np.float64(green[i] * factor), np.float64(blue[i] * factor)
        elif source == _LIGHTNESS:
            b[:n], c[:n] = 0.0, 0.0
        else:
            b[:n], c[:n] = a[:n], a[:n]
        _to_linear(a, b, c, n, source, from_xyz, white)
        _of_linear(a, b, c, n, target, to_xyz, white)
        for channel in range(out.shape[0]):
            plane, done = a if channel == 0 else b if channel == 1 else c, out[channel, begin : begin + n]
            for i in range(n):
                done[i] = np.float32(plane[i])
