"""Powers of numbers in a form that becomes vector code: libraries do one number at a time."""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from firstlight.kernels.jit import inner_kernel, intrinsic, types


@intrinsic
def _bits(typing_context, number):
    """The bits of a float64 number as int64."""

    def generate(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
def _number(typing_context, bits):
    """The float64 number of these bits."""

    def generate(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), generate


@inner_kernel
def power(x, exponent):
    """``x`` (at least 1e-300) to a power that float64 holds, right to 1e-11 of it."""
    bits = _bits(x)
    # 1 <= m < 2 and its exponent; both conversions go by adding 2^52, which all processors do fast.
    doublings = _number((bits >> np.int64(52)) | np.int64(0x4330000000000000)) - (4503599627370496.0 + 1023.0)
    m = _number((bits & np.int64(0xFFFFFFFFFFFFF)) | np.int64(0x3FF0000000000000))
    large = m > 1.4142135623730951
    m = 0.5 * m if large else m
    doublings = doublings + 1.0 if large else doublings
    # log m by its series in (m - 1) / (m + 1), which is below 0.172.
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    series = 1 / 13.0 + q * (1 / 15.0)
    series = 1 / 9.0 + q * (1 / 11.0 + q * series)
    series = 1.0 + q * (1 / 3.0 + q * (1 / 5.0 + q * (1 / 7.0 + q * series)))
    y = exponent * (doublings + 2.8853900817779268 * s * series)
    y = y if y > -1000.0 else -1000.0
    shifted = y + 6755399441055744.0
    f = (y - (shifted - 6755399441055744.0)) * 0.6931471805599453
    e = 1 / 362880.0 + f * (1 / 3628800.0 + f * (1 / 39916800.0))
    e = 1 / 720.0 + f * (1 / 5040.0 + f * (1 / 40320.0 + f * e))
    e = 1.0 + f * (1.0 + f * (0.5 + f * (1 / 6.0 + f * (1 / 24.0 + f * (1 / 120.0 + f * e)))))
    return e * _number((_bits(shifted) + np.int64(1023)) << np.int64(52))


_HALVED = 0x3F3504F3
"""Bits of the root of 1/2 in float32."""


def _above_root(builder, number):
    """How many bits the number, as a whole number of 32 bits, lies above the root of 1/2."""
    return builder.sub(builder.bitcast(number, ir.IntType(32)), ir.Constant(ir.IntType(32), _HALVED))


@intrinsic
def _doublings(typing_context, number):
    """How often a float32 number is 2 times one between the roots of 1/2 and 2."""

    def generate(context, builder, signature, args):
        bits = builder.ashr(_above_root(builder, args[0]), ir.Constant(ir.IntType(32), 23))
        return builder.sitofp(bits, ir.FloatType())

    return types.float32(types.float32), generate


@intrinsic
def _without_doublings(typing_context, number):
    """That one."""

    def generate(context, builder, signature, args):
        bits = builder.and_(_above_root(builder, args[0]), ir.Constant(ir.IntType(32), 0x7FFFFF))
        return builder.bitcast(builder.add(bits, ir.Constant(ir.IntType(32), _HALVED)), ir.FloatType())

    return types.float32(types.float32), generate


@intrinsic
def _doubled(typing_context, shifted):
    """2 to the power of the whole number that was rounded to the last bits of a float32 number."""

    def generate(context, builder, signature, args):
        number = ir.IntType(32)
        bits = builder.add(builder.bitcast(args[0], number), ir.Constant(number, 127))
        return builder.bitcast(builder.shl(bits, ir.Constant(number, 23)), ir.FloatType())

    return types.float32(types.float32), generate


@inner_kernel
def short_power(x, exponent):
    """float32 ``x`` of 0..1 to a power above 0, float32, right to 3e-7; 0 stays 0."""
    one = np.float32(1)
    m = _without_doublings(x)
    s = (m - one) / (m + one)
    q = s * s
    series = np.float32(1 / 5) + q * np.float32(1 / 7)
    series = one + q * (np.float32(1 / 3) + q * series)
    y = exponent * (_doublings(x) + np.float32(2.885390081777927) * s * series)
    y = y if y > np.float32(-126) else np.float32(-126)
    shifted = y + np.float32(12582912.0)
    f = (y - (shifted - np.float32(12582912.0))) * np.float32(0.6931471805599453)
    e = np.float32(1 / 120) + f * (np.float32(1 / 720) + f * np.float32(1 / 5040))
    e = one + f * (one + f * (np.float32(0.5) + f * (np.float32(1 / 6) + f * (np.float32(1 / 24) + f * e))))
    found = e * _doubled(shifted)
    return found if x > np.float32(0) else np.float32(0)
