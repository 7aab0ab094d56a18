"""Reject outliers and combine: a cube (frame, pixel) to one value per pixel.

Most pixels of most stacks hold no outlier. One pass over the samples finds the extremes of each pixel and its weighted
sums; a second one, in the first cache, counts the samples by which the median could be so far off that an extreme would
be an outlier. Where the counts exclude that, the sums are the result. The other pixels, one in seven of 60 frames, are
gathered to tiles of 64 and sorted along the frames by a sorting network, every compare-exchange working on the whole
row; location, scale and limits then come from the sorted columns and their running sums, and the mean is taken over the
unsorted tile, so that each sample keeps its own weight. A sample that is not finite is missing.

Sums run in float32 about a sample or the median of the pixel, where they are small: against float64 the mean of 60
frames differs by less than 1e-6 of the spread.
"""

from __future__ import annotations

import numpy as np

from firstlight.kernels.ahead import FARTHEST, FRAME, MOST, PLACE, RUN, ask
from firstlight.kernels.columns import (
    HIGHEST,
    LANES,
    LOWEST,
    SQUARES,
    TOTAL,
    add_kept,
    count_outside,
    running_sums,
    sift,
    sort_columns,
)
from firstlight.kernels.jit import exact_kernel, inner_kernel, kernel
from firstlight.kernels.judge import settle, tell, weigh_by_light
from firstlight.kernels.reject import (
    BOTTOM,
    ESD,
    FEWEST,
    FEWEST_KNOWN,
    LINEAR,
    MEAN,
    MEDIAN,
    MINMAX,
    NOISE,
    NOISE_REACH,
    PERCENTILE,
    TOP,
    find_limits,
    middle_of,
)
from firstlight.kernels.steep import GROUPS, median_of_tile, steep_row
from firstlight.kernels.tiles import TILE, first_sample, rank, settled, sort_tile, spread_at

CENTRE = 5
"""Row of a table that follows those of the limits: what sums are taken about."""
CHUNK = 4096
"""Pixels of a row that are worked through at once where none depends on its neighbours."""


@exact_kernel
def usual_reach(method, low, high, critical, n):
    """Sigma of the noise model, below and above the median, that no method takes for an outlier; below 0: none."""
    if method == MINMAX:
        return np.float32(-1.0), np.float32(-1.0)
    if method in (MEAN, MEDIAN) or n <= (FEWEST_KNOWN if method == NOISE else FEWEST):
        return np.float32(np.inf), np.float32(np.inf)
    if method in (LINEAR, PERCENTILE):
        return np.float32(NOISE_REACH), np.float32(NOISE_REACH)
    if method == ESD:
        reach = critical[n - min(np.int64(low * n), n - FEWEST)]
        return reach, reach
    return low, high


@inner_kernel
def median_bounds(found, low, high, noise, photons, level, bounds):
    """Between which values the median of a pixel must lie for its extremes to be within the reach of the noise.

    Above ``level`` the noise grows with the median; the lower bound solves ``median + high * sigma(median) = highest``,
    the upper one takes sigma at the lower one, where it is smallest.
    """
    least = np.sqrt(noise)
    for p in range(TILE):
        highest = found[HIGHEST, p]
        sigma = least
        # Above the level: sigma^2 + high * photons * sigma = noise + photons * (highest - level).
        above = highest - level
        half = np.float32(0.5) * high * photons
        root = np.sqrt(max(half * half + noise + photons * above, np.float32(0.0))) - half
        sigma = root if above > high * least else least
        bounds[0, p] = highest - high * sigma
        bounds[1, p] = found[LOWEST, p] + low * sigma


@inner_kernel
def stage_tail(bits, at, starts, count, tail):
    """The first ``count`` pixels of each frame into ``tile``, and zeros after them: the end of a row."""
    for n in range(tail.shape[0]):
        for p in range(count):
            tail[n, p] = bits[starts[n] + at + p]
        for p in range(count, TILE):
            tail[n, p] = np.uint32(0)


@inner_kernel
def take_column(tile, p, blocks, row, k, slot):
    for n in range(tile.shape[0]):
        blocks[row, k, n, slot] = tile[n, p]


@inner_kernel
def take_all(tile, block):
    for n in range(tile.shape[0]):
        for p in range(TILE):
            block[n, p] = tile[n, p]


@exact_kernel
def prepare(
    block, count, table, pairs, middle_pairs, method, low, high, critical, model, guarded, places, first, plane,
    ranked, sums, squares, valid, bits, starts, ahead,
):  # fmt: skip
    """Sort a block of pixels; fill its table of limits and, at their places, the ``plane`` of robust means.

    Samples that follow are asked for meanwhile: see `firstlight.kernels.ahead`.
    """
    limits, centre = table[:CENTRE], table[CENTRE]
    for p in range(count):
        limits[BOTTOM, p] = np.float32(-np.inf)
        limits[TOP, p] = np.float32(np.inf)
    whole = rank(block, count, ranked, valid)
    ask(bits, starts, ahead, 3)
    if method == MEAN:
        for p in range(count):
            centre[p] = first_sample(block, p)
        return
    if guarded:
        # Tables and limits are not filled yet: there is room.
        median_of_tile(block, count, sums[:GROUPS], squares[:GROUPS], limits[BOTTOM])
        for p in range(count):
            plane[places[p] - first] = limits[BOTTOM, p]
            limits[BOTTOM, p] = np.float32(-np.inf)
        ask(bits, starts, ahead, 2)
    network = middle_pairs if whole & (method == MEDIAN) else pairs
    for p in range(0, TILE, LANES):
        sort_columns(p, ranked, network, network.shape[0], TILE)
        ask(bits, starts, ahead, 3)
    for p in range(count):
        centre[p] = middle_of(ranked, p, np.int64(0), np.int64(valid[p])) if valid[p] > 0 else np.float32(0.0)
    for p in range(count, TILE):
        centre[p] = np.float32(0.0)
    if method != MEDIAN:
        if method not in (MINMAX, PERCENTILE):
            for p in range(0, TILE, LANES):
                running_sums(p, ranked, ranked.shape[0], TILE, centre, sums, squares)
            ask(bits, starts, ahead, 2)
        find_limits(
            method, low, high, ranked, sums, squares, centre, valid, count,
            model[0], model[1], model[2], critical, limits,
        )  # fmt: skip
        ask(bits, starts, ahead, 3)


@kernel
def combine(
    bits, starts, size, swapped, region, inner, guarded, pairs, middle_pairs, method, low, high, critical,
    gain, zero, weight, noise, photons, level, models, stretch, bend, sway, wing, share, from_scatter, by_light,
    mean, variance, kept, rejected_low, rejected_high, hits, verdict, white, bright,
):  # fmt: skip
    """Combine frames pixel by pixel in a ``region`` (top, bottom, left, right).

    ``bits`` (flat, uint32) holds float32 numbers, big-endian if ``swapped``; frame i of ``size`` (height, width) begins
    at ``starts[i]``. A sample is its number times ``gain[i]`` plus ``zero[i]``. ``pairs`` is the sorting network
    for n, ``middle_pairs`` that for the median.
    ``low`` and ``high`` are limits in sigma, or what the method takes instead; ``critical`` (n + 1,) holds the limits
    of the generalized ESD for each number of samples. ``noise`` is the variance of each frame's background and
    ``photons`` the variance added per unit of signal above ``level``, both after the gain; they give the variance of
    the mean, ``sum(w^2 (noise + photons * signal)) / sum(w)^2``; with ``from_scatter`` that is taken from the scatter
    of the kept samples instead. With ``by_light`` the weights, those of the background, fall with the photon noise of
    the pixel's light. ``models`` (y, 3) are noise, photons and level of the limits for each row.

    A sample beyond the limits stays if its frame explains it: its noise is ``stretch`` (n,) times that of all, or, if
    ``guarded``, its seeing adds up to ``bend`` times the curvature of the image, or ``sway`` times its slope covers it;
    ``bend`` and ``sway`` belong to frames (n,). The image that these are taken from is that of means and, where there
    may be outliers, of medians of five means; ``wing`` and the ``share`` of the noise in it are those of
    `firstlight.kernels.steep`.

    Writes ``mean`` (NaN where nothing was measured), ``variance``, ``kept`` and the two rejection counts, all of the
    size of the region; ``kept`` begins as n, the counts as zeros. Adds to ``hits`` (n,) the samples rejected in each
    frame in the part ``inner`` of the region. ``verdict`` (2, n, y, words of 64 columns) of the region is told which
    samples are too low and too high, unless it is empty; it begins as zeros.
    """
    n_frames, (height, width) = starts.shape[0], size
    top, bottom, left, right = region
    rim = 1 if guarded else 0
    x_first, x_last = max(left - rim, 0), min(right + rim, width)
    span = x_last - x_first if guarded else min(x_last - x_first, CHUNK)
    room = (span + TILE - 1) // TILE + 1
    blocks = np.empty((2, room, n_frames, TILE), np.float32)
    tables = np.empty((2, room, CENTRE + 1, TILE), np.float32)
    places = np.empty((2, room, TILE), np.int64)
    filled = np.zeros(2, np.int64)
    plane = np.empty((3, span), np.float32)
    slope, curve = np.empty(span, np.float32), np.empty(span, np.float32)
    steps, bends = np.zeros(TILE, np.float32), np.zeros(TILE, np.float32)
    tile, ranked = np.empty((n_frames, TILE), np.float32), np.empty((n_frames, TILE), np.float32)
    tail, tails = np.empty((n_frames, TILE), np.uint32), np.arange(n_frames) * TILE
    most = max(n_frames + 1, GROUPS)
    sums, squares = np.empty((most, TILE), np.float32), np.empty((most, TILE), np.float32)
    found = np.empty((4, TILE), np.float32)
    bounds, outside = np.empty((2, TILE), np.float32), np.empty((2, TILE), np.int32)
    valid = np.empty(TILE, np.int32)
    added, counts = np.empty((5, TILE), np.float32), np.empty((3, TILE), np.int32)
    inside, within = np.empty(TILE, np.bool_), np.empty(TILE, np.int32)
    signal = np.empty(TILE, np.float32)
    struck = np.empty((2, n_frames, TILE // LANES), np.uint32)
    few = (n_frames - 1) // 2
    ahead = np.zeros(3, np.int64)
    lead = max(FARTHEST // n_frames // RUN, 2) * RUN
    usual = n_frames * TILE // RUN + 1
    unequal = False
    total, noise_sum, photon_sum = np.float32(0.0), np.float32(0.0), np.float32(0.0)
    for n in range(n_frames):
        unequal |= stretch[n] != 1
        total += weight[n]
        noise_sum += weight[n] * weight[n] * noise[n]
        photon_sum += weight[n] * weight[n] * photons[n]
    reach_low, reach_high = usual_reach(method, low, high, critical, n_frames)
    asks, easy = reach_low < np.float32(np.inf), (reach_low >= 0) & (not by_light) & (total > 0)

    for a in range(x_first, x_last, span):
        b = min(a + span, x_last)
        for y in range(top - rim, bottom + rim):
            row, line = y & 1, plane[y % 3]
            if y < 0 or y >= height:
                for x in range(b - a):
                    line[x] = np.float32(np.nan)
            else:
                n_slow = 0
                written = top <= y < bottom
                for start in range(a, b, TILE):
                    count = min(TILE, b - start)
                    at = y * width + start
                    if at >= ahead[PLACE] + RUN:
                        ahead[PLACE], ahead[FRAME] = at, 0
                    ahead[MOST] = at + lead
                    # Less the further ahead they are: the slow pixels ask for some too.
                    ask(bits, starts, ahead, 2 * usual >> max((ahead[PLACE] - at) // RUN, 0))
                    for p in range(0, TILE, LANES):
                        if count == TILE:
                            sift(bits, at + p, starts, n_frames, swapped, gain, zero, weight, p, tile, TILE, found)
                        else:
                            if p == 0:
                                stage_tail(bits, at, starts, count, tail)
                            sift(tail, p, tails, n_frames, swapped, gain, zero, weight, p, tile, TILE, found)
                    if easy & asks:
                        median_bounds(found, reach_low, reach_high, models[y, 0], models[y, 1], models[y, 2], bounds)
                        for p in range(0, TILE, LANES):
                            count_outside(p, tile, n_frames, TILE, bounds, outside)
                    clean = 0
                    for p in range(count):
                        ok = easy & (abs(found[TOTAL, p]) < np.float32(np.inf))
                        if asks:
                            ok &= (outside[0, p] <= few) & (outside[1, p] <= few)
                        inside[p] = ok
                        clean += ok
                        line[start + p - a] = tile[0, p] + found[TOTAL, p] / total
                    if clean == 0 and count == TILE and n_slow % TILE == 0:
                        k = n_slow // TILE
                        take_all(tile, blocks[row, k])
                        for p in range(TILE):
                            places[row, k, p] = start + p
                        n_slow += TILE
                    elif clean < count:
                        for p in range(count):
                            if inside[p]:
                                continue
                            k, slot = n_slow // TILE, n_slow % TILE
                            take_column(tile, p, blocks, row, k, slot)
                            places[row, k, slot] = start + p
                            n_slow += 1
                    if method == MEDIAN and clean > 0:
                        # Pixels that miss a sample are taken already.
                        sort_tile(tile, middle_pairs)
                        for p in range(count):
                            line[start + p - a] = middle_of(tile, p, np.int64(0), np.int64(n_frames))
                    if written:
                        inverse = 1 / (total * total)
                        for p in range(max(left - start, 0), min(count, right - start)):
                            value = line[start + p - a]
                            spread = spread_at(noise_sum, photon_sum, value - level)
                            if from_scatter:
                                offset = found[TOTAL, p] / total
                                scatter = max(found[SQUARES, p] / total - offset * offset, np.float32(0.0))
                                spread = scatter / (n_frames - 1) if n_frames > 1 else np.float32(np.nan)
                                spread *= total * total
                            mean[y - top, start + p - left] = value
                            variance[y - top, start + p - left] = spread * inverse
                        if bright.shape[1] > 0:
                            for p in range(max(left - start, 0), min(count, right - start)):
                                bright[y - top, start + p - left] = not (found[HIGHEST, p] < white)
                for k in range((n_slow + TILE - 1) // TILE):
                    prepare(
                        blocks[row, k], min(n_slow - k * TILE, TILE), tables[row, k], pairs, middle_pairs, method, low,
                        high, critical, models[y], guarded, places[row, k], a, line, ranked, sums, squares, valid,
                        bits, starts, ahead,
                    )  # fmt: skip
                filled[row] = n_slow
            # A pixel is judged when the row after it is known.
            y_now = y - rim
            if y_now < top or y_now >= bottom:
                continue
            now = y_now & 1
            if guarded and filled[now] > 0:
                steep_row(
                    plane[(y_now - 1) % 3], plane[y_now % 3], plane[(y_now + 1) % 3],
                    share * models[y_now, 0], share * models[y_now, 1], models[y_now, 2], wing, slope, curve,
                )  # fmt: skip
            for k in range((filled[now] + TILE - 1) // TILE):
                count = min(filled[now] - k * TILE, TILE)
                block, where, limits, centre = blocks[now, k], places[now, k], tables[now, k], tables[now, k, CENTRE]
                steep = unequal
                within[:] = 0
                for p in range(count):
                    x = where[p]
                    within[p] = (inner[0] <= y_now < inner[1]) & (inner[2] <= x < inner[3])
                    if guarded:
                        steps[p] = slope[x - a]
                        bends[p] = curve[x - a]
                        steep |= (steps[p] != 0) | (bends[p] != 0)
                if steep and method not in (MEAN, MEDIAN):
                    settle(block, count, limits, stretch, bend, sway, steps, bends)
                for p in range(0, TILE, LANES):
                    add_kept(
                        p, block, n_frames, TILE, centre, limits, weight, noise, photons, within, added, counts, hits,
                        struck,
                    )  # fmt: skip
                    ask(bits, starts, ahead, 2)
                if by_light and method != MEDIAN:
                    weigh_by_light(
                        block, count, centre, limits, weight, noise, photons, np.float32(level), signal, added
                    )
                if verdict.shape[3] > 0:
                    tell(struck, count, where, y_now - top, left, right - left, verdict)
                    ask(bits, starts, ahead, 2)
                for p in range(count):
                    x = where[p] - left
                    if x < 0 or x >= right - left:
                        continue
                    mean[y_now - top, x], variance[y_now - top, x] = settled(
                        added, counts, p, centre[p], method == MEDIAN, level, from_scatter
                    )
                    kept[y_now - top, x] = counts[0, p]
                    rejected_low[y_now - top, x] = counts[1, p]
                    rejected_high[y_now - top, x] = counts[2, p]
