"""Whether the frames of a master belong together, and whether a new master is as good as the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firstlight.kernels.census import count_finite
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image
from firstlight.model.meta import Kind
from firstlight.ops.inspect.median import median
from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube

LEVEL_SPREADS, LEVEL_NOISE = 6.0, 1.0
"""A frame is odd if its level is off by this many spreads of the levels and by this many times the noise."""
NOISIER = 1.5
"""A frame is odd if its noise is this many times that of the others."""
STANDS_OUT = 8.0
MORE_OUTLIERS = 0.002
"""A frame is odd if, beyond three times the usual fraction, so many of its pixels stand out by 8 sigma: stars."""
SHAPE_SPREADS, SHAPE = 6.0, 0.03
"""A flat is odd if its large-scale shape is off by so many spreads and by this fraction."""
MOST_ODD = 1 / 3
"""If more than this share is odd, nobody can tell which are right: all stay, with a remark."""

BAD_SIGMA = 6.0
BAD_FRACTION = 0.05
"""A new master is bad if more than this fraction of its pixels differ from the last one by more than 6 sigma of a
single frame (McCully et al. 2018, Proc. SPIE 10707, the rule of BANZAI)."""


def odd_frames(kind: Kind, samples: Sequence[np.ndarray]) -> tuple[dict[int, str], list[str]]:
    """Frames that are not like the others, each with the reason, and remarks.

    ``samples`` are the same pixels of each frame, in adu (flats scaled to level 1). With fewer than 4 frames nobody can
    say which is right, and none is odd.
    """
    if len(samples) < 4:
        return {}, []
    cube = np.stack(samples)
    middle = combine_cube(cube, Combine(method="median"), FrameTerms.equal(len(samples))).mean
    off = cube - middle
    if kind is Kind.FLAT:
        odd = _odd_shapes(off)
    else:
        odd = _odd_levels(off)
    if len(odd) > MOST_ODD * len(samples):
        reasons = "; ".join(sorted(set(odd.values()))[:2])
        return {}, [f"{len(odd)} of {len(samples)} frames are unlike the others, so all are used: {reasons}"]
    return odd, []


def _median(values: np.ndarray) -> float:
    """Of those that are numbers; NaN if none is."""
    flat = np.ascontiguousarray(values).reshape(1, -1)
    if count_finite(flat) < flat.size:
        flat = flat[np.isfinite(flat)]
    return median(flat) if flat.size else float("nan")


def _odd_levels(off: np.ndarray) -> dict[int, str]:
    n = len(off)
    flat = off.reshape(n, -1)
    levels = np.array([_median(each) for each in flat], np.float32)
    noises = np.array([1.4826 * _median(np.abs(each - level)) for each, level in zip(flat, levels)])
    noise = float(np.median(noises)) or float(np.std(flat)) or 1.0
    # Of a few frames the spread of the levels is known poorly: the noise is a floor.
    spread = 1.4826 * float(np.median(np.abs(levels - np.median(levels))))
    limit = max(LEVEL_SPREADS * spread, LEVEL_NOISE * noise)
    out = np.mean(np.abs(flat - levels[:, None]) > STANDS_OUT * noise, axis=1)
    usual = float(np.median(out))
    odd: dict[int, str] = {}
    for i in range(n):
        if abs(levels[i] - np.median(levels)) > limit:
            odd[i] = f"its level is {levels[i]:+.1f} adu off the others', more than {limit:.1f}"
        elif noises[i] > NOISIER * noise:
            odd[i] = f"its noise is {noises[i]:.1f} adu, that of the others {noise:.1f}"
        elif out[i] > 3 * usual + MORE_OUTLIERS:
            odd[i] = (
                f"{100 * out[i]:.1f} % of its pixels stand out, {100 * usual:.1f} % in the others: are there stars?"
            )
    return odd


def _odd_shapes(off: np.ndarray) -> dict[int, str]:
    n, channels, rows, columns = off.shape
    tall, wide = max(rows // 4, 1), max(columns // 4, 1)
    cells = off[:, :, : rows // tall * tall, : columns // wide * wide]
    cells = cells.reshape(n, channels, rows // tall, tall, columns // wide, wide)
    shape = np.sqrt(np.mean(np.nanmedian(cells, axis=(3, 5)).reshape(n, -1) ** 2, axis=1))
    limit = max(SHAPE_SPREADS * float(np.median(shape)), SHAPE)
    return {
        i: f"its shape is {100 * shape[i]:.1f} % off the others', more than {100 * limit:.1f} %: clouds or stray light?"
        for i in range(n)
        if shape[i] > limit
    }


@dataclass(frozen=True)
class Verdict:
    """A new master beside the last one."""

    bad: bool
    words: str
    fraction: float = 0.0
    """Of the pixels that differ."""


def against_last(new: Image, last: Image, last_name: str) -> Verdict:
    """Compare a new master with the last one of its kind.

    The sigma of a pixel is that of a single frame of the new master and of the last master together: months of slow
    drift pass, a wrong offset, light in the dark or another filter does not.
    """
    if new.shape != last.shape:
        return Verdict(False, f"not comparable with {last_name}: another size")
    every = np.s_[:, ::2, ::2] if new.data.size > 4_000_000 else np.s_[:, :, :]
    difference = (new.data[every] - last.data[every]).astype(np.float64)
    usable = ~has(new.flags[every] | last.flags[every], EXCLUDED)
    difference = difference[usable]
    if new.variance is not None:
        n = max(new.meta.n_combined, 1)
        variance = new.variance[every][usable].astype(np.float64) * n
        # A pixel whose samples agree by chance is not known to have less noise than the others.
        variance = np.maximum(variance, np.median(variance) / median_of_scatter(n))
        if last.variance is not None:
            variance = variance + last.variance[every][usable]
        sigma = np.sqrt(variance)
    else:
        sigma = 1.4826 * np.median(np.abs(difference - np.median(difference))) or 1.0
    fraction = float(np.mean(np.abs(difference) > BAD_SIGMA * sigma)) if difference.size else 0.0
    middle = float(np.median(difference)) if difference.size else 0.0
    words = (
        f"{100 * fraction:.2f} % of its pixels differ from {last_name} by more than 6 sigma, its level by {middle:+.4g}"
    )
    return Verdict(fraction > BAD_FRACTION, words, fraction)


def median_of_scatter(n: int) -> float:
    """Median of the variance that n samples show, in units of the true one (Wilson & Hilferty's approximation).

    >>> round(median_of_scatter(8), 3), round(median_of_scatter(100), 3)
    (0.908, 0.993)
    """
    return (1 - 2 / (9 * (n - 1))) ** 3 if n > 1 else 1.0


def facts_of(image: Image, *, by_scatter: bool = True) -> dict[str, float]:
    """Numbers of a master that tell its quality: level, noise of one of its frames, hot and cold pixels.

    ``by_scatter``: the variance of each pixel is the scatter of its own samples, as in masters that were made here.
    """
    good = image.good
    values = image.data[good] if not good.all() else image.data
    facts = {
        "level": round(_median(values), 5),
        "hot": int(np.count_nonzero(image.flags & np.uint16(Flag.HOT))),
        "cold": int(np.count_nonzero(image.flags & np.uint16(Flag.COLD))),
        "pixels": int(image.data.size),
    }
    if image.variance is not None:
        n = max(image.meta.n_combined, 1)
        typical = _median(image.variance) / (median_of_scatter(n) if by_scatter else 1.0)
        noise = typical**0.5
        facts["noise"] = round(noise, 6)
        facts["frame_noise"] = round(noise * n**0.5, 6)
    return facts
