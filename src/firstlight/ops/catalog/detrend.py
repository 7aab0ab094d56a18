"""Take slow trends out of a light curve, with an event of known times beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from firstlight.errors import InputError

TRENDS = ("airmass", "x", "y", "fwhm", "sky", "time")
"""What a light curve may be held against."""
ROUNDS = 10
OUTLIER = 4.0


@dataclass(frozen=True)
class Event:
    """A transit, eclipse or flare between two times, days; its sides are straight."""

    start: float
    end: float
    ramp: float = 0.0
    """Length of the falling and of the rising side, days."""

    @classmethod
    def parse(cls, text: str) -> Event:
        """From ``start,end`` or ``start,end,ramp``: BJD_TDB and minutes.

        Raises
        ------
        InputError
            Not two or three numbers in rising order.

        >>> Event.parse("2458107.65,2458107.78,24").ramp.__round__(6)
        0.016667
        """
        try:
            numbers = [float(word) for word in text.split(",")]
            start, end, ramp = (*numbers, 0.0)[:3] if len(numbers) in (2, 3) else ()
        except ValueError:
            raise InputError(
                f"event {text!r}: give start,end (BJD_TDB), and the minutes of the ramp as a third number if it has one"
            ) from None
        if not start < end or not 0 <= 2 * ramp / 1440.0 <= end - start:
            raise InputError(f"event {text!r}: the end must come after the start, and the ramps between them")
        return cls(start, end, ramp / 1440.0)

    def shape(self, times: np.ndarray) -> np.ndarray:
        """0 outside, 1 at full depth."""
        inside = np.minimum(times - self.start, self.end - times)
        return np.clip(inside / self.ramp, 0.0, 1.0) if self.ramp else (inside >= 0).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Detrended:
    """A light curve without its trends."""

    magnitude: np.ndarray
    trend: np.ndarray
    """What was taken off; 0 where nothing was."""
    coefficients: dict[str, tuple[float, float]]
    """Trend to coefficient and its standard error: mag per unit."""
    depth: tuple[float, float] | None
    """Of the event, mag, fainter positive, and its standard error."""
    outliers: np.ndarray
    """bool."""


def detrend(
    magnitude: np.ndarray,
    error: np.ndarray,
    times: np.ndarray,
    against: Mapping[str, np.ndarray],
    event: Event | None = None,
    outlier: float = OUTLIER,
) -> Detrended:
    """Least squares of a constant, a straight line in each of ``against``, and the event; outliers clipped.

    The event is fitted in the same step: a trend cannot swallow it, nor it a trend. Without one, trends are fitted to
    all points, and a slow change of the star itself may look like one. Errors of coefficients and depth grow with the
    misfit where it is above the errors of the points.

    Raises
    ------
    InputError
        There are fewer points than unknowns.

    >>> t = np.linspace(0, 1, 50)
    >>> star = 10 + 0.1 * t + np.where((t > 0.4) & (t < 0.6), 0.02, 0)
    >>> found = detrend(star, np.full(50, 0.001), t, {"time": t}, Event(0.4, 0.6))
    >>> round(found.coefficients["time"][0], 4), round(found.depth[0], 4)
    (0.1, 0.02)
    """
    columns = [np.ones(len(magnitude))]
    scales = []
    for name, values in against.items():
        middle, spread = np.nanmean(values), np.nanstd(values)
        if not np.isfinite(spread) or spread == 0:
            raise InputError(f"detrend: {name} is not known, or the same in all frames; leave it out")
        columns.append((values - middle) / spread)
        scales.append(spread)
    if event is not None:
        columns.append(event.shape(times))
        if np.ptp(columns[-1]) < 0.5:
            raise InputError(
                f"event {event.start:g} to {event.end:g}: the frames run from {np.nanmin(times):.5f} to "
                f"{np.nanmax(times):.5f}; it must begin or end within them"
            )
    design = np.column_stack(columns)
    known = np.isfinite(magnitude) & np.isfinite(error) & (error > 0) & np.isfinite(design).all(axis=1)
    if known.sum() < design.shape[1] + 2:
        raise InputError(f"detrend: {known.sum()} points for {design.shape[1]} unknowns; take fewer trends")
    kept = known.copy()
    for _ in range(ROUNDS):
        root = 1.0 / error[kept]
        solution, *_ = np.linalg.lstsq(design[kept] * root[:, None], magnitude[kept] * root, rcond=None)
        rest = np.where(known, (magnitude - design @ solution) / error, np.nan)
        size = max(1.4826 * float(np.nanmedian(np.abs(rest[kept]))), 1.0)
        now = known & (np.abs(rest) <= outlier * size)
        if now.sum() < design.shape[1] + 2 or np.array_equal(now, kept):
            break
        kept = now
    covariance = np.linalg.pinv((design[kept] / error[kept, None] ** 2).T @ design[kept], hermitian=True)
    freedom = kept.sum() - design.shape[1]
    covariance *= max(float((rest[kept] ** 2).sum() / max(freedom, 1)), 1.0)
    sigma = np.sqrt(np.diag(covariance))
    n = len(scales)
    trend = design[:, 1 : 1 + n] @ solution[1 : 1 + n] if n else np.zeros(len(magnitude))
    coefficients = {
        name: (float(solution[1 + k] / scales[k]), float(sigma[1 + k] / scales[k])) for k, name in enumerate(against)
    }
    depth = None if event is None else (float(solution[-1]), float(sigma[-1]))
    return Detrended(magnitude - trend, trend, coefficients, depth, known & ~kept)
