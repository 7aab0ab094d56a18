"""What the header of a combination says: each rule is stated here, and tested."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from firstlight.model.meta import Kind, Meta
from firstlight.ops.meta.observing import observed


def combined_meta(like: Meta, metas: Sequence[Meta], weights: np.ndarray, factors: np.ndarray) -> Meta:
    """Facts of a weighted mean of frames, or of stacks.

    Exposure and number of frames are sums. The middle is weighted as the pixels are. Gain is e-/adu of the weighted
    mean, ``W^2 / sum(w^2 f / g)``: N times that of one frame for equal weights. Read noise is that of the sum of the
    frames in electrons, sqrt(N) times that of one. Start and end are those of the first and the last. The airmass is
    the weighted mean.

    Parameters
    ----------
    like : Meta
        All else is taken from it.
    metas : of the frames
    weights, factors : float64 (frames,)
        Weight of each, and what its pixels were multiplied with.

    >>> one = Meta(exposure=30.0, gain=0.5, read_noise=4.0)
    >>> both = combined_meta(one, [one, one, one, one], np.ones(4), np.ones(4))
    >>> both.exposure, both.gain, both.read_noise, both.n_combined
    (120.0, 2.0, 8.0, 4)
    """
    exposures = [m.exposure for m in metas]
    starts = [m.start for m in metas]
    ends = [m.end or (m.start + timedelta(seconds=m.exposure or 0.0) if m.start else None) for m in metas]
    gain, read_noise = _detector(metas, weights, factors)
    stack = like.replace(
        kind=Kind.STACK,
        exposure=float(sum(exposures)) if all(e is not None for e in exposures) else None,  # type: ignore[arg-type]
        start=min(starts) if all(starts) else None,  # type: ignore[type-var]
        end=max(ends) if all(ends) else None,  # type: ignore[type-var]
        middle=weighted_middle(metas, weights),
        gain=gain,
        read_noise=read_noise,
        pedestal=None,
        calibrated=frozenset.intersection(*(m.calibrated for m in metas)),
        n_combined=int(sum(m.n_combined for m in metas)),
        notes=(),
    )
    return observed(stack, metas, list(map(float, weights)))


def _detector(metas: Sequence[Meta], weights: np.ndarray, factors: np.ndarray) -> tuple[float | None, float | None]:
    gains = np.array([m.gain or np.nan for m in metas])
    if not np.isfinite(gains).all():
        return None, None
    gain = float(weights.sum() ** 2 / np.sum(weights**2 * factors / gains))
    noises = np.array([m.read_noise or np.nan for m in metas])
    if not np.isfinite(noises).all():
        return gain, None
    return gain, float(np.sqrt(np.sum((weights * factors * noises / gains) ** 2)) / weights.sum() * gain)


def weighted_middle(metas: Sequence[Meta], weights: np.ndarray) -> datetime | None:
    """Weighted mean of the middles of the exposures, or None where one is not known."""
    times = [m.mid_time for m in metas]
    if not all(times):
        return None
    seconds = np.array([t.timestamp() for t in times])  # type: ignore[union-attr]
    # About the first, so that microseconds are not lost.
    first = seconds.min()
    return datetime.fromtimestamp(first, tz=UTC) + timedelta(
        seconds=float(np.sum((seconds - first) * weights) / weights.sum())
    )


def common_history(histories: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Steps that all files have behind them.

    >>> common_history([("a", "b"), ("a", "b")]), common_history([("a",), ("b",)])
    (('a', 'b'), ())
    """
    return histories[0] if len(set(histories)) == 1 else ()


def as_numbers(values: Iterable[float | None]) -> np.ndarray:
    """With NaN for what is not known."""
    return np.array([np.nan if value is None else value for value in values], np.float64)
