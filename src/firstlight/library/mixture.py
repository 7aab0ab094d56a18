"""Darks that nobody took, made of those that were: sums of masters whose factors depend on the headers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from firstlight.io.frame import Frame
from firstlight.library.match import temperature_of
from firstlight.library.plans import MasterPlan
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Kind

DOUBLING = 6.0
"""Degrees C in which dark current doubles, for silicon near 0 C and below (Widenhorn et al. 2002, Proc. SPIE 4669)."""


def line_factors(exposures: Sequence[float], wanted: float) -> list[float]:
    """Factors of darks of these exposures whose sum is their least-squares line at another exposure.

    The line ``dark(t) = a t + b`` of each pixel is linear in the darks, so its value at one exposure is one sum of them
    with the same factors for all pixels.

    >>> line_factors([10.0, 30.0], 20.0)
    [0.5, 0.5]
    >>> darks = [100 + 2 * t for t in (10.0, 20.0, 60.0)]
    >>> float(np.dot(line_factors([10.0, 20.0, 60.0], 45.0), darks))
    190.0...
    """
    t = np.asarray(exposures, float)
    spread = t - t.mean()
    factors = 1 / len(t) + (wanted - t.mean()) * spread / np.sum(spread**2)
    return [float(f) for f in factors]


def temperature_factors(low: float, high: float, wanted: float) -> list[float]:
    """Factors of darks at two temperatures whose sum is the dark at another, its current doubling every 6 C.

    The bias, which does not change, comes through unchanged: the factors add up to 1.

    >>> [round(f, 3) for f in temperature_factors(-10.0, 2.0, -4.0)]
    [0.667, 0.333]
    """
    cold, warm, at = (2 ** (t / DOUBLING) for t in (low, high, wanted))
    share = (at - cold) / (warm - cold)
    return [1 - share, share]


def dark_of_exposure(light: Frame, darks: Sequence[MasterPlan], bias: MasterPlan | None) -> MasterPlan | None:
    """A dark of the light's exposure from darks of others that fit it otherwise, the best of each exposure first.

    The bias, a dark of no exposure, is one of them. None where there are fewer than two exposures.
    """
    chosen: dict[float, MasterPlan] = {}
    for dark in darks:
        exposure = dark.like.meta.exposure
        if exposure is not None and exposure not in chosen:
            chosen[exposure] = dark
    if bias is not None and 0.0 not in chosen:
        chosen[0.0] = bias
    if len(chosen) < 2 or light.meta.exposure is None:
        return None
    exposures = sorted(chosen)
    factors = line_factors(exposures, light.meta.exposure)
    low, high = exposures[0], exposures[-1]
    words = f"from darks of {', '.join(f'{e:g}' for e in exposures)} s, by a line through each pixel"
    if not low <= light.meta.exposure <= high:
        words += f"; {light.meta.exposure:g} s lies outside: extrapolated"
    like = chosen[max(exposures)].like
    meta = like.meta.replace(exposure=light.meta.exposure)
    parts = tuple(zip((chosen[e] for e in exposures), factors))
    return MasterPlan(Kind.DARK, (replace(like, meta=meta),), notes=(words,), parts=parts)


def dark_of_temperature(light: Frame, darks: Sequence[MasterPlan]) -> MasterPlan | None:
    """A dark at the light's temperature from two of its exposure at others: those around it, else the nearest two."""
    at = temperature_of(light.meta)
    known = [(t, dark) for dark in darks if (t := temperature_of(dark.like.meta)) is not None]
    if at is None or len({t for t, _ in known}) < 2:
        return None
    below = max((pair for pair in known if pair[0] <= at), key=lambda pair: pair[0], default=None)
    above = min((pair for pair in known if pair[0] > at), key=lambda pair: pair[0], default=None)
    if below is None or above is None:
        nearest = sorted(known, key=lambda pair: abs(pair[0] - at))
        other = next(pair for pair in nearest if pair[0] != nearest[0][0])
        below, above = sorted((nearest[0], other), key=lambda pair: pair[0])
    (low, cold), (high, warm) = below, above
    words = f"from darks at {low:g} and {high:g} C, dark current doubling every {DOUBLING:g} C"
    if not low <= at <= high:
        words += f"; {at:g} C lies outside: extrapolated"
    meta = cold.like.meta.replace(set_temperature=at, temperature=at)
    parts = tuple(zip((cold, warm), temperature_factors(low, high, at)))
    return MasterPlan(Kind.DARK, (replace(cold.like, meta=meta),), notes=(words,), parts=parts)


def mix(plan: MasterPlan, images: Sequence[Image]) -> Image:
    """The sum of masters that a plan calls for.

    Flags are OR-ed; the variance is that of the sum, none where it is not known of every part. The history says of what
    it was made.
    """
    factors = [factor for _, factor in plan.parts]
    data = np.zeros(images[0].shape, np.float64)
    flags = np.zeros(images[0].shape, np.uint16)
    known = all(image.variance is not None for image in images)
    variance = np.zeros(images[0].shape, np.float64) if known else None
    for image, factor in zip(images, factors):
        data += np.float64(factor) * image.data
        flags |= image.flags
        if variance is not None:
            variance += factor**2 * image.variance  # type: ignore[operator]
    names = ", ".join(f"{factor:+.4f} x {part.name}" for part, factor in plan.parts)
    meta = plan.like.meta.replace(kind=Kind.MASTER_DARK, n_combined=plan.n_frames, cards=())
    return Image(
        data.astype(np.float32),
        flags & ~np.uint16(Flag.REJECTED),
        None if variance is None else variance.astype(np.float32),
        meta=meta,
        history=(f"interpolated dark: {names}",),
    )
