"""Vector instructions that run down the columns of a cube, 32 pixels at once, what they add up kept in registers.

LLVM makes none of the loops over frames inside of loops over pixels: rows of sums in memory are then read and written
again with every frame, which costs more than the frame itself.
"""

from __future__ import annotations

from llvmlite import ir

from firstlight.kernels.jit import cgutils, intrinsic, types
from firstlight.kernels.lanes import SECOND_CACHE, prefetch

LANES = 32
LINE = 16
"""Samples of a line of the processor's caches."""
LOWEST, HIGHEST, TOTAL, SQUARES = range(4)
"""Rows of what `sift` finds."""

_FLOAT, _INT32, _INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_FLOATS, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT32, LANES)
_FUSED = ("contract",)


def _data(context, builder, kind, value):
    return context.make_array(kind)(context, builder, value).data


def _tables(context, builder, signature, args, which):
    """Where in these arguments the column lies that is the first argument."""
    return [builder.gep(_data(context, builder, signature.args[k], args[k]), [args[0]]) for k in which]


def _place(builder, base, offset, kind):
    return builder.bitcast(builder.gep(base, [offset]), kind.as_pointer())


def _load(builder, base, offset, kind=_FLOATS):
    loaded = builder.load(_place(builder, base, offset, kind))
    loaded.align = 4
    return loaded


def _store(builder, value, base, offset):
    builder.store(value, _place(builder, base, offset, value.type)).align = 4


def _spread(builder, number):
    nothing = ir.Constant(_FLOATS, ir.Undefined)
    one = builder.insert_element(nothing, number, _INT32(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(_INTS, [0] * LANES))


def _scalar(builder, base, index):
    return _spread(builder, builder.load(builder.gep(base, [index])))


@intrinsic
def sift(typing_context, cube, at, starts, frames, swapped, gain, zero, weight, column, tile, across, found):
    """Normalise 32 pixels of all frames and find their extremes and weighted sums about the first frame.

    ``cube`` (flat, uint32) holds the bits of float32 numbers, big-endian if ``swapped``; ``starts`` (n,) are the
    places of the frames, ``at`` that of the first pixel in each. The samples ``cube * gain + zero`` go into ``tile``
    from this ``column`` on, what is found into ``found``; rows of both are ``across`` apart. Sums are NaN, or
    infinite, where a sample is not finite.
    """
    signature = types.void(
        cube, types.int64, starts, types.int64, types.boolean, gain, zero, weight, types.int64, tile, types.int64, found
    )

    def generate(context, builder, signature, args):
        arrays = [_data(context, builder, signature.args[k], args[k]) for k in (0, 2, 5, 6, 7, 9, 11)]
        bits, places, gains, zeros, weights, *tables = arrays
        at, frames, swapped, column, across = (args[k] for k in (1, 3, 4, 8, 10))
        tiles, rows = (builder.gep(each, [column]) for each in tables)
        swap = builder.module.declare_intrinsic(f"llvm.bswap.v{LANES}i32", (), ir.FunctionType(_INTS, [_INTS]))

        def sample(n):
            here = builder.add(at, builder.load(builder.gep(places, [n])))
            raw = _load(builder, bits, here, _INTS)
            raw = builder.select(swapped, builder.call(swap, [raw]), raw)
            value = builder.fmul(builder.bitcast(raw, _FLOATS), _scalar(builder, gains, n), flags=_FUSED)
            return builder.fadd(value, _scalar(builder, zeros, n), flags=_FUSED)

        first = sample(_INT64(0))
        nought = ir.Constant(_FLOATS, [0.0] * LANES)
        kept = [cgutils.alloca_once_value(builder, v) for v in (first, first, nought, nought)]
        with cgutils.for_range(builder, frames, intp=_INT64) as loop:
            n = loop.index
            value = sample(n)
            _store(builder, value, tiles, builder.mul(n, across))
            low, high, total, squares = (builder.load(k) for k in kept)
            builder.store(builder.select(builder.fcmp_ordered("<", value, low), value, low), kept[LOWEST])
            builder.store(builder.select(builder.fcmp_ordered(">", value, high), value, high), kept[HIGHEST])
            off = builder.fsub(value, first)
            part = builder.fmul(off, _scalar(builder, weights, n))
            builder.store(builder.fadd(total, part), kept[TOTAL])
            squares = builder.fadd(squares, builder.fmul(part, off, flags=_FUSED), flags=_FUSED)
            builder.store(squares, kept[SQUARES])
        for row, each in enumerate(kept):
            _store(builder, builder.load(each), rows, builder.mul(across, _INT64(row)))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fetch_run(typing_context, cube, at, count):
    """Have the processor bring ``count`` samples from place ``at`` on, which may lie outside, into its second cache.

    The first cache is worse than none: the lines of many frames share eight places there.
    """
    signature = types.void(cube, types.int64, types.int64)

    def generate(context, builder, signature, args):
        run = builder.gep(_data(context, builder, signature.args[0], args[0]), [args[1]])
        with cgutils.for_range(builder, builder.sdiv(args[2], _INT64(LINE)), intp=_INT64) as line:
            prefetch(builder, builder.gep(run, [builder.mul(line.index, _INT64(LINE))]), SECOND_CACHE)
        return context.get_dummy_value()

    return signature, generate


def _running(builder, kinds):
    """Sums in registers, each beginning as 0."""
    return [cgutils.alloca_once_value(builder, ir.Constant(kind, [0] * LANES)) for kind in kinds]


def _add(builder, place, value):
    plus = builder.add if value.type == _INTS else builder.fadd
    builder.store(plus(builder.load(place), value), place)


@intrinsic
def sort_columns(typing_context, column, ranked, pairs, exchanges, across):
    """Run the first ``exchanges`` of the compare-exchanges ``pairs`` on 32 columns, from this one on; rows of
    ``ranked`` are ``across`` apart."""
    signature = types.void(types.int64, ranked, pairs, types.int64, types.int64)

    def generate(context, builder, signature, args):
        (order,) = _tables(context, builder, signature, args, (1,))
        network = _data(context, builder, signature.args[2], args[2])
        exchanges, across = args[3], args[4]
        with cgutils.for_range(builder, exchanges, intp=_INT64) as loop:
            first = builder.mul(loop.index, _INT64(2))
            numbers = (builder.load(builder.gep(network, [builder.add(first, _INT64(k))])) for k in (0, 1))
            low, high = (builder.mul(builder.sext(each, _INT64), across) for each in numbers)
            a, b = _load(builder, order, low), _load(builder, order, high)
            less = builder.fcmp_ordered("<", a, b)
            _store(builder, builder.select(less, a, b), order, low)
            _store(builder, builder.select(less, b, a), order, high)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def count_outside(typing_context, column, tile, frames, across, limits, counts):
    """Count the samples of 32 pixels, from this ``column`` on, below and above limits.

    Rows of ``tile``, ``limits`` (low and high; float32) and ``counts`` (below and above; int32) are ``across`` apart.
    """
    signature = types.void(types.int64, tile, types.int64, types.int64, limits, counts)

    def generate(context, builder, signature, args):
        tiles, edges, rows = _tables(context, builder, signature, args, (1, 4, 5))
        frames, across = args[2], args[3]
        bottom, top = _load(builder, edges, _INT64(0)), _load(builder, edges, across)
        below, above = _running(builder, (_INTS, _INTS))
        with cgutils.for_range(builder, frames, intp=_INT64) as loop:
            value = _load(builder, tiles, builder.mul(loop.index, across))
            for number, relation, limit in ((below, "<", bottom), (above, ">", top)):
                _add(builder, number, builder.zext(builder.fcmp_ordered(relation, value, limit), _INTS))
        _store(builder, builder.load(below), rows, _INT64(0))
        _store(builder, builder.load(above), rows, across)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def running_sums(typing_context, column, ranked, frames, across, centre, sums, squares):
    """Running sums of 32 sorted columns, from this ``column`` on, about ``centre``;
    missing samples (+inf, last) add nothing.

    Rows of ``ranked``, ``sums`` and ``squares`` (one more than frames) are ``across`` apart.
    """
    signature = types.void(types.int64, ranked, types.int64, types.int64, centre, sums, squares)

    def generate(context, builder, signature, args):
        order, middle, first, second = _tables(context, builder, signature, args, (1, 4, 5, 6))
        frames, across = args[2], args[3]
        middle = _load(builder, middle, _INT64(0))
        nought, infinite = (ir.Constant(_FLOATS, [x] * LANES) for x in (0.0, float("inf")))
        total, square = _running(builder, (_FLOATS, _FLOATS))
        for rows in (first, second):
            _store(builder, nought, rows, _INT64(0))
        with cgutils.for_range(builder, frames, intp=_INT64) as loop:
            value = _load(builder, order, builder.mul(loop.index, across))
            off = builder.fsub(value, middle)
            off = builder.select(builder.fcmp_ordered("<", value, infinite), off, nought)
            _add(builder, total, off)
            builder.store(
                builder.fadd(builder.load(square), builder.fmul(off, off, flags=_FUSED), flags=_FUSED), square
            )
            after = builder.mul(builder.add(loop.index, _INT64(1)), across)
            _store(builder, builder.load(total), first, after)
            _store(builder, builder.load(square), second, after)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def add_kept(typing_context, column, tile, frames, across, centre, limits, weight, noise, photons, inside, added,
             counts, hits, struck):  # fmt: skip
    """Weighted sums over the samples of 32 pixels, from this ``column`` on, that are within ``limits``
    (rows low and high).

    Rows of ``tile``, ``limits``, ``added`` (weights, sums and squares about ``centre``, noise, photons) and ``counts``
    (kept, too low, too high) are ``across`` apart. ``hits`` grows by the rejected samples of each frame in
    the pixels that are ``inside`` (1, not 0; int32); ``struck`` (too low and too high, n, 32 pixels a word; uint32)
    receives a bit for each of them.
    """
    signature = types.void(
        types.int64,
        tile,
        types.int64,
        types.int64,
        centre,
        limits,
        weight,
        noise,
        photons,
        inside,
        added,
        counts,
        hits,
        struck,
    )

    def generate(context, builder, signature, args):
        weights, noises, shots, hit, strikes = (
            _data(context, builder, signature.args[k], args[k]) for k in (6, 7, 8, 12, 13)
        )
        tiles, middle, edges, within, floats, numbers = _tables(context, builder, signature, args, (1, 4, 5, 9, 10, 11))
        column, frames, across = args[0], args[2], args[3]
        words = builder.sdiv(across, _INT64(LANES))
        word = builder.sdiv(column, _INT64(LANES))
        middle = _load(builder, middle, _INT64(0))
        bottom, top = _load(builder, edges, _INT64(0)), _load(builder, edges, across)
        within = builder.icmp_signed("!=", _load(builder, within, _INT64(0), _INTS), ir.Constant(_INTS, [0] * LANES))
        nought = ir.Constant(_FLOATS, [0.0] * LANES)
        sums = _running(builder, [_FLOATS] * 5)
        tallies = _running(builder, [_INTS] * 3)
        flags = ir.IntType(LANES)
        with cgutils.for_range(builder, frames, intp=_INT64) as loop:
            n = loop.index
            value = _load(builder, tiles, builder.mul(n, across))
            low, high = builder.fcmp_ordered("<", value, bottom), builder.fcmp_ordered(">", value, top)
            out = builder.or_(low, high)
            stays = builder.and_(builder.fcmp_ordered(">=", value, bottom), builder.fcmp_ordered("<=", value, top))
            w, v, p = (builder.load(builder.gep(each, [n])) for each in (weights, noises, shots))
            square = builder.fmul(w, w)
            off = builder.select(stays, builder.fsub(value, middle), nought)
            part = builder.fmul(off, _spread(builder, w))
            _add(builder, sums[0], builder.select(stays, _spread(builder, w), nought))
            _add(builder, sums[1], part)
            total = builder.fadd(builder.load(sums[2]), builder.fmul(part, off, flags=_FUSED), flags=_FUSED)
            builder.store(total, sums[2])
            for place, each in ((sums[3], v), (sums[4], p)):
                _add(builder, place, builder.select(stays, _spread(builder, builder.fmul(square, each)), nought))
            for place, mask in zip(tallies, (stays, low, high)):
                _add(builder, place, builder.zext(mask, _INTS))
            counted = builder.ctpop(builder.bitcast(builder.and_(out, within), flags))
            place = builder.gep(hit, [n])
            builder.store(builder.add(builder.load(place), builder.zext(counted, _INT64)), place)
            for side, mask in enumerate((low, high)):
                row = builder.add(n, builder.mul(frames, _INT64(side)))
                place = builder.gep(strikes, [builder.add(builder.mul(row, words), word)])
                builder.store(builder.bitcast(mask, flags), place)
        for rows, places in ((floats, sums), (numbers, tallies)):
            for row, each in enumerate(places):
                _store(builder, builder.load(each), rows, builder.mul(across, _INT64(row)))
        return context.get_dummy_value()

    return signature, generate
