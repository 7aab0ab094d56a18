"""Curves looked up in a table of straight pieces.

The pieces lie as float32 numbers do: so many to each power of two, evenly within it, so that a curve that bends most
near a level needs no more of them than one that bends everywhere. The bits of a number say which piece it is in.
"""

from __future__ import annotations

from llvmlite import ir

from firstlight.kernels.jit import inner_kernel, intrinsic, types

LANES = 16
"""Numbers that are looked up at once. LLVM divides them up where a processor has shorter registers."""

_FLOATS, _INTS, _LONGS = (ir.VectorType(each, LANES) for each in (ir.FloatType(), ir.IntType(32), ir.IntType(64)))


def _everywhere(builder, number):
    one = builder.insert_element(
        ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined), number, ir.IntType(32)(0)
    )
    return builder.shuffle_vector(one, one, ir.Constant(_INTS, [0] * LANES))


@intrinsic
def _look_up(typing_context, distances, at, cells, start, shift, above, below):
    """Put the curve in the place of `LANES` of ``distances`` from ``at`` on.

    The compiler cannot do it of itself: it does not know that writing a result leaves the table alone.
    """
    signature = types.void(distances, types.int64, cells, types.float32, types.int32, types.int32, types.int32)

    def generate(context, builder, signature, args):
        def data(which):
            return context.make_array(signature.args[which])(context, builder, args[which]).data

        _, at, _, start, shift, above, below = args
        place = builder.bitcast(builder.gep(data(0), [at]), _FLOATS.as_pointer())
        distance = builder.load(place, align=4)
        unsigned = builder.and_(builder.bitcast(distance, _INTS), ir.Constant(_INTS, [0x7FFFFFFF] * LANES))
        shifted = builder.fadd(builder.bitcast(unsigned, _FLOATS), _everywhere(builder, start))
        bits = builder.bitcast(shifted, _INTS)
        first = builder.select(
            builder.fcmp_ordered("<", distance, ir.Constant(_FLOATS, [0.0] * LANES)),
            _everywhere(builder, below), _everywhere(builder, above),
        )  # fmt: skip
        piece = builder.add(builder.lshr(bits, _everywhere(builder, shift)), first)
        wide = builder.shl(ir.IntType(32)(1), shift)
        rest = builder.and_(bits, _everywhere(builder, builder.sub(wide, ir.IntType(32)(1))))
        length = builder.fdiv(ir.FloatType()(1.0), builder.sitofp(wide, ir.FloatType()))
        part = builder.fmul(builder.sitofp(rest, _FLOATS), _everywhere(builder, length))
        # A piece is one number of 64 bits to the memory: its value and its step come together.
        base = builder.ptrtoint(data(2), ir.IntType(64))
        offset = builder.shl(builder.zext(piece, _LONGS), ir.Constant(_LONGS, [3] * LANES))
        pointers = ir.VectorType(ir.IntType(64).as_pointer(), LANES)
        places = builder.inttoptr(builder.add(offset, _everywhere(builder, base)), pointers)
        truths = ir.VectorType(ir.IntType(1), LANES)
        kind = ir.FunctionType(_LONGS, [pointers, ir.IntType(32), truths, _LONGS])
        name = f"llvm.masked.gather.v{LANES}i64.v{LANES}p0"
        gather = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        pairs = builder.call(
            gather, [places, ir.IntType(32)(4), ir.Constant(truths, [1] * LANES), ir.Constant(_LONGS, ir.Undefined)]
        )
        value = builder.bitcast(builder.trunc(pairs, _INTS), _FLOATS)
        high = builder.lshr(pairs, ir.Constant(_LONGS, [32] * LANES))
        step = builder.bitcast(builder.trunc(high, _INTS), _FLOATS)
        found = builder.fadd(value, builder.fmul(part, step, flags=("contract",)), flags=("contract",))
        builder.store(found, place, align=4)
        return context.get_dummy_value()

    return signature, generate


@inner_kernel
def look_up(distances, n, cells, start, shift, above, below):
    """Put the curve in the place of the first ``n`` of ``distances`` from its centre, float32, all within the table.

    ``distances`` is as long as a multiple of `LANES`. ``cells`` (2 pieces,) float32 holds the value at the beginning of
    each piece and the step to its end. A distance d lies in piece ``bits(|d| + start) >> shift``, counted from
    ``above``, or from ``below`` where d is negative.
    """
    last = (n + LANES - 1) // LANES * LANES
    for i in range(n, last):
        distances[i] = 0
    for at in range(0, last, LANES):
        _look_up(distances, at, cells, start, shift, above, below)
