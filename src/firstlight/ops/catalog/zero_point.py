"""From instrumental magnitudes to those of a catalogue: zero point, colour term, extinction."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from firstlight.errors import FrameError

ROUNDS = 20
CLIP = 3.0
FEWEST = 3
FEWEST_FOR_COLOUR = 8
COLOUR_RANGE = 0.3
"""mag: over fewer colours a term cannot be told from the zero point."""
AIRMASS_RANGE = 0.3
COLOUR_AIRMASS = "colour x airmass"


@dataclass(frozen=True, eq=False)
class ZeroPoint:
    """``catalogue = instrumental + zero + term (colour - colour_zero) - extinction airmass ...``."""

    zero: float
    """mag, of a star of the colour ``colour_zero`` (and at airmass 0 where extinction was fitted)."""
    zero_error: float
    colour_zero: float
    """Median colour of the stars: there the zero point is known best and does not lean on the colour term."""
    terms: dict[str, tuple[float, float]] = field(default_factory=dict)
    """``colour``, ``airmass``, ``colour x airmass``: coefficient and standard error, mag per unit."""
    scatter: float = 0.0
    """Standard deviation of the stars that were used, mag."""
    intrinsic: float = 0.0
    """What of it the errors do not explain, mag."""
    used: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    """bool (stars,)."""

    @property
    def n_stars(self) -> int:
        return int(self.used.sum())

    @property
    def zero_at_colour_zero(self) -> float:
        """Zero point of a star of colour index 0, mag."""
        return self.zero - self.terms.get("colour", (0.0, 0.0))[0] * self.colour_zero

    def calibrate(
        self, magnitudes: np.ndarray, colour: np.ndarray | None = None, airmass: np.ndarray | float | None = None
    ) -> np.ndarray:
        """Magnitudes on the catalogue's scale; a star whose colour is not known is taken for one of ``colour_zero``."""
        result = magnitudes + self.zero
        off = 0.0 if colour is None else np.nan_to_num(colour - self.colour_zero)
        air = 0.0 if airmass is None else airmass
        for name, values in (("colour", off), ("airmass", air), (COLOUR_AIRMASS, off * air)):
            result = result + self.terms.get(name, (0.0, 0.0))[0] * values
        return result


def fit_zero_point(
    magnitudes: np.ndarray,
    errors: np.ndarray,
    catalog: np.ndarray,
    colour: np.ndarray | None = None,
    airmass: np.ndarray | None = None,
) -> ZeroPoint:
    """Robust least squares of the difference of both magnitudes.

    The weights hold the errors and an intrinsic scatter (of the catalogue, of flat field and variable stars), which is
    found with the fit; stars beyond 3 sigma are left out. A colour term is fitted where 8 stars or more span 0.3 mag of
    colour. With measurements at airmasses that differ by 0.3, extinction is fitted too, and (with a colour term) that
    of second order, colour times airmass.

    Parameters
    ----------
    magnitudes, errors : instrumental; of several images one after the other.
    catalog : magnitudes of the same stars; NaN where not known.
    colour : of the same stars, by the catalogue.
    airmass : of each measurement.

    Raises
    ------
    FrameError
        Fewer than 3 stars.

    >>> rng = np.random.default_rng(1)
    >>> m, colour = rng.uniform(-12, -8, 60), rng.uniform(0, 1.5, 60)
    >>> found = fit_zero_point(m, np.full(60, 0.01), m + 21.3 + 0.05 * colour, colour)
    >>> round(found.zero_at_colour_zero, 6), round(found.terms["colour"][0], 6)
    (21.3, 0.05)
    """
    difference = np.asarray(catalog, np.float64) - magnitudes
    known = np.isfinite(difference) & np.isfinite(errors)
    names, columns, colour_zero = _columns(colour, airmass, known)
    for column in columns:
        known &= np.isfinite(column)
    if known.sum() < FEWEST:
        raise FrameError(
            f"zero point: {int(known.sum())} stars of the catalogue are measured well (not saturated, colour known); "
            f"{FEWEST} are needed; take a deeper catalogue (--catalog), another band, or shorter exposures"
        )
    design = np.column_stack([np.ones(len(difference)), *columns])
    used, intrinsic = known, 0.0
    solution = np.zeros(design.shape[1])
    for turn in range(ROUNDS):
        variance = errors**2 + intrinsic**2
        if turn == 0:
            solution[0] = np.median(difference[known])
        else:
            root = 1.0 / np.sqrt(variance[used])
            solution, *_ = np.linalg.lstsq(design[used] * root[:, None], difference[used] * root, rcond=None)
        rest = difference - design @ solution
        sigma = max(1.4826 * float(np.median(np.abs(rest[used]))), 1e-5)
        fresh = float(np.sqrt(max(sigma**2 - np.median(errors[used] ** 2), 0.0)))
        limit = CLIP * np.maximum(np.sqrt(errors**2 + fresh**2), sigma if turn < 2 else 0.0)
        now = known & (np.abs(rest) <= limit)
        if now.sum() < max(FEWEST, design.shape[1] + 1):
            now = used
        if turn > 2 and np.array_equal(now, used) and abs(fresh - intrinsic) < 1e-5:
            break
        used, intrinsic = now, fresh
    weights = 1.0 / np.maximum(errors[used] ** 2 + intrinsic**2, 1e-12)
    covariance = np.linalg.pinv((design[used] * weights[:, None]).T @ design[used], hermitian=True)
    sigma = np.sqrt(np.diag(covariance))
    terms = {name: (float(solution[1 + k]), float(sigma[1 + k])) for k, name in enumerate(names)}
    return ZeroPoint(
        float(solution[0]), float(sigma[0]), colour_zero, terms, float(np.std(rest[used])), intrinsic, used
    )  # fmt: skip


def _columns(
    colour: np.ndarray | None, airmass: np.ndarray | None, known: np.ndarray
) -> tuple[list[str], list[np.ndarray], float]:
    """Terms that the data can tell, by name, and the median colour."""
    names: list[str] = []
    columns: list[np.ndarray] = []
    colour_zero = 0.0
    if colour is not None:
        some = known & np.isfinite(colour)
        if some.sum() >= FEWEST_FOR_COLOUR and np.ptp(np.percentile(colour[some], [5, 95])) >= COLOUR_RANGE:
            colour_zero = float(np.median(colour[some]))
            names.append("colour")
            columns.append(colour - colour_zero)
    if airmass is not None:
        some = known & np.isfinite(airmass)
        if some.sum() >= FEWEST_FOR_COLOUR and np.ptp(airmass[some]) >= AIRMASS_RANGE:
            names.append("airmass")
            columns.append(np.asarray(airmass, np.float64))
            if "colour" in names:
                names.append(COLOUR_AIRMASS)
                columns.append(columns[0] * columns[1])
    return names, columns, colour_zero
