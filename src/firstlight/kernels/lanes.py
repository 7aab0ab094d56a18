"""Sums over squares of samples in the vector registers of the processor.

Numba turns loops over long arrays into vector code, but not the short sums around one pixel; those are spelled out
here, for eight samples of a row at once. LLVM splits them up where a processor has shorter registers.
"""

from __future__ import annotations

from llvmlite import ir

from firstlight.kernels.jit import intrinsic, types
from firstlight.kernels.shapes import LANES

_FLOAT, _INT32, _INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_FUSED = ("contract",)
FIRST_CACHE, SECOND_CACHE = 3, 2
"""As LLVM counts them."""


def _pick(builder, vector, lanes):
    """Those lanes of a vector as a vector."""
    nothing = ir.Constant(vector.type, ir.Undefined)
    return builder.shuffle_vector(vector, nothing, ir.Constant(ir.VectorType(_INT32, len(lanes)), list(lanes)))


def _spread(builder, number, lanes):
    one = builder.insert_element(ir.Constant(ir.VectorType(_FLOAT, lanes), ir.Undefined), number, _INT32(0))
    return _pick(builder, one, [0] * lanes)


def _load(builder, base, offset, lanes):
    pointer = builder.gep(base, [offset])
    loaded = builder.load(builder.bitcast(pointer, ir.VectorType(_FLOAT, lanes).as_pointer()))
    loaded.align = 4
    return loaded


def _fold(builder, vector, join):
    """One number of a vector, halves joined again and again."""
    width = vector.type.count
    while width > 1:
        width //= 2
        vector = join(_pick(builder, vector, range(width)), _pick(builder, vector, range(width, 2 * width)))
    return builder.extract_element(vector, _INT32(0))


def _data(context, builder, kind, value):
    return context.make_array(kind)(context, builder, value).data


def prefetch(builder, place, cache):
    """Have the processor bring the line of memory at this place into a cache."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, _INT32, _INT32, _INT32])
    bring = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    builder.call(bring, [builder.bitcast(place, byte), _INT32(0), _INT32(cache), _INT32(1)])


@intrinsic(prefer_literal=True)
def weighted_sum(typing_context, samples, at, pitch, table, step_x, rest_x, step_y, rest_y, rows):
    """Sum of ``rows`` (2, 4, 6 or 8; a literal) times 8 samples with the product of their weights.

    ``samples`` is flat, ``at`` the place of the first, ``pitch`` the length of a row (both uint64). ``table`` is that
    of `shapes.lane_table`, flat; a phase is a line of it and the rest towards the next, 0..1. Of the 8 samples of a
    row only the middle ``rows`` count, whatever the others are.
    """
    n = rows.literal_value
    # The literal stays in the signature: without it the first number of rows would serve for all.
    signature = types.float32(samples, at, pitch, table, step_x, rest_x, step_y, rest_y, rows)

    def generate(context, builder, signature, args):
        data = _data(context, builder, signature.args[0], args[0])
        lines = _data(context, builder, signature.args[3], args[3])

        def blend(step, rest):
            line = builder.mul(step, _INT64(2 * LANES))
            change = _load(builder, lines, builder.add(line, _INT64(LANES)), LANES)
            change = builder.fmul(change, _spread(builder, rest, LANES), flags=_FUSED)
            return builder.fadd(_load(builder, lines, line, LANES), change, flags=_FUSED)

        across, down = blend(args[4], args[5]), blend(args[6], args[7])
        offset, total = args[1], None
        for row in range(n):
            weight = _pick(builder, down, [LANES // 2 - n // 2 + row] * LANES)
            part = builder.fmul(_load(builder, data, offset, LANES), weight, flags=_FUSED)
            total = part if total is None else builder.fadd(total, part, flags=_FUSED)
            if row < n - 1:
                offset = builder.add(offset, args[2])
        nothing = ir.Constant(total.type, [0.0] * LANES)
        counted = [lane if abs(2 * lane + 1 - LANES) < n else LANES + lane for lane in range(LANES)]
        total = builder.shuffle_vector(
            builder.fmul(total, across), nothing, ir.Constant(ir.VectorType(_INT32, LANES), counted)
        )
        return _fold(builder, total, builder.fadd)

    return signature, generate


@intrinsic
def lowest(typing_context, samples, at, pitch):
    """Lowest of the 4 x 4 samples from place ``at`` of flat ``samples``, whose rows are ``pitch`` long."""
    signature = types.float32(samples, at, pitch)

    def generate(context, builder, signature, args):
        data = _data(context, builder, signature.args[0], args[0])

        def lower(one, other):
            return builder.select(builder.fcmp_ordered("<", one, other), one, other)

        low = _load(builder, data, args[1], 4)
        offset = args[1]
        for _ in range(3):
            offset = builder.add(offset, args[2])
            low = lower(low, _load(builder, data, offset, 4))
        return _fold(builder, low, lower)

    return signature, generate


@intrinsic
def fetch(typing_context, samples, at):
    """Have the processor bring place ``at`` (int64, may lie outside) of flat ``samples`` into its cache meanwhile."""
    signature = types.void(samples, at)

    def generate(context, builder, signature, args):
        place = builder.gep(_data(context, builder, signature.args[0], args[0]), [args[1]])
        prefetch(builder, place, FIRST_CACHE)
        return context.get_dummy_value()

    return signature, generate
