"""Flux and place of stars by the point spread function of the image; stars that touch are fitted together."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from firstlight.kernels import psffit
from firstlight.model.psf import Psf
from firstlight.ops.inspect.background import Background
from firstlight.ops.inspect.plane import Plane
from firstlight.ops.inspect.stars import filter_taps

TOUCH = 2.0
"""Stars closer than this (FWHM) are fitted as one group."""
MOST = 8
"""Stars of a group; of more that touch, the others are taken as they are known."""
BAND = 400_000
"""Pixels that tell whether noise is white."""
AGAIN = 2
"""Times that groups with others near are fitted anew, now that those are known better."""
REACH = 2.2
"""Pixels within so many FWHM (and one px) of a star take part in its fit."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """Stars as the PSF saw them; every column is a float64 array of equal length, NaN where the fit failed."""

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    """Total light, that of the wings beyond the PSF's reach included."""
    flux_error: np.ndarray
    x_error: np.ndarray
    y_error: np.ndarray
    sky: np.ndarray
    """What the star's surroundings lie above the mesh of the background, unit of the plane."""
    chi: np.ndarray
    """chi^2 per degree of freedom."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: np.ndarray) -> Fitted:
        return Fitted(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Field:
    """A plane ready to be fitted: less its background, with the noise of its pixels."""

    flat: np.ndarray
    """float32 (y, x)."""
    bad: np.ndarray
    """bool (y, x), or empty: True where a pixel takes no part."""
    sky: Background
    photons: float
    correlation: float = 1.0
    """How far the noise of the plane is from white: 1, or the factor by which a star's error is larger."""


def prepare(plane: Plane, sky: Background) -> Field:
    """The plane less its background; how far its noise is from white is measured."""
    bad = ~(plane.data < plane.saturation)
    if plane.excluded is not None:
        bad |= plane.excluded
    flat = plane.data - sky.at()
    photons = 1.0 / plane.gain if plane.gain else 0.0
    return Field(flat, bad if bad.any() else np.empty((0, 0), bool), sky, photons, _correlation(flat, sky.noise))


def _correlation(flat: np.ndarray, noise: float) -> float:
    """Scatter of the sky under a filter as wide as a star, against that of white noise; 1 and more.

    From a band in the middle, and from what lies below the median: stars are above.
    """
    from scipy.ndimage import correlate1d

    height = flat.shape[0]
    half = max(BAND // max(flat.shape[1], 1), 16) // 2
    band = flat[max(height // 2 - half, 0) : height // 2 + half]
    side = filter_taps(3.0).astype(np.float64)
    taps = np.concatenate([side[:0:-1], side])
    band = np.where(np.isfinite(band), band, 0.0).astype(np.float32)
    seen = correlate1d(correlate1d(band, taps, axis=0, mode="nearest"), taps, axis=1, mode="nearest")
    low, middle = np.percentile(seen, [15.87, 50.0])
    ratio = float(middle - low) / noise if noise > 0 else 1.0
    # A crowded field scatters by its stars: a little above 1 says nothing.
    return ratio if ratio > 1.15 else 1.0


def fit_stars(
    field: Field, psf: Psf, x: np.ndarray, y: np.ndarray, flux: np.ndarray, *, move: bool = True
) -> tuple[Fitted, np.ndarray]:
    """Fit these stars; returns them and the plane without them, float32 (y, x).

    Least squares with the variance of sky and model in each pixel, over the pixels around each star, together with the
    level of the sky there. Places that are fitted too follow the noise uphill: the flux comes out too large by
    1 + 1 / SNR^2 (Refregier et al. 2012), which is taken off.

    Parameters
    ----------
    x, y, flux : where the stars are thought to be, and how bright (only to begin with).
    move : False keeps the places as they are given (forced photometry); so does a star whose fit does not come to rest.
        Then the errors of the place are NaN. Groups with others near are fitted thrice.

    Errors are those of the least squares: honest where gain and background are.
    """
    order = np.argsort(-flux, kind="stable")
    n = len(order)
    xs, ys = (np.ascontiguousarray(each[order], dtype=np.float64) for each in (x, y))
    fluxes = np.maximum(np.ascontiguousarray(flux[order], dtype=np.float64), 1e-3)
    _, noise = field.sky.sample(xs, ys)
    noise = field.correlation * np.maximum(noise, 1e-9)
    terms = np.ascontiguousarray(psf.terms(xs, ys)) if n else np.empty((0, len(psf.coefficients)))
    rest = field.flat.copy()
    out = np.zeros((n, psffit.N_COLUMNS))
    psffit.subtract_stars(rest, psf.coefficients, psf.oversampling, terms, xs, ys, fluxes, psf.radius)
    reach = min(REACH * psf.fwhm + 1.0, psf.radius - 1.0)
    members, starts = groups_of(xs, ys, TOUCH * psf.fwhm)
    again = _with_neighbours(xs, ys, members, starts, 2 * reach)

    def fit(members: np.ndarray, starts: np.ndarray, move: bool) -> None:
        psffit.fit_groups(
            rest, field.bad, psf.coefficients, psf.oversampling, terms, xs, ys, fluxes, members, starts, noise,
            field.photons, reach, psf.radius, move, out,
        )  # fmt: skip

    fit(members, starts, move)
    for _ in range(AGAIN if again.any() else 0):
        fit(*_only(members, starts, again), move)
    moved = np.full(n, move)
    lost = np.flatnonzero(out[:, psffit.CONVERGED] == 0)
    if move and len(lost):
        # What is too faint to say where it is may still say how bright.
        fit(lost, np.arange(len(lost) + 1), False)
        moved[lost] = False
    failed = out[:, psffit.CONVERGED] == 0
    errors = out[:, [psffit.FLUX_ERROR, psffit.X_ERROR, psffit.Y_ERROR]]
    errors[failed] = np.nan
    fitted_flux = np.where(failed, np.nan, fluxes)
    with np.errstate(divide="ignore", invalid="ignore"):
        uphill = np.minimum((errors[:, 0] / fitted_flux) ** 2, 0.5)
    fitted_flux = np.where(moved, fitted_flux * (1.0 - uphill), fitted_flux)
    errors[~moved, 1:] = np.nan
    back = np.empty(n, int)
    back[order] = np.arange(n)
    columns = (xs, ys, fitted_flux, *errors.T, out[:, psffit.SKY], np.where(failed, np.nan, out[:, psffit.CHI]))
    return Fitted(*(np.ascontiguousarray(column[back]) for column in columns)), rest


def groups_of(x: np.ndarray, y: np.ndarray, touch: float) -> tuple[np.ndarray, np.ndarray]:
    """Stars linked by distances below ``touch``, as (members, starts); groups of more than `MOST` are cut.

    >>> members, starts = groups_of(np.array([0.0, 9.0, 1.0]), np.zeros(3), 2.0)
    >>> members.tolist(), starts.tolist()
    ([0, 2, 1], [0, 2, 3])
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    n = len(x)
    if n == 0:
        return np.empty(0, np.int64), np.zeros(1, np.int64)
    pairs = cKDTree(np.column_stack([x, y])).query_pairs(touch, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    # Groups in the order of their first (brightest) star, stars of a group in theirs.
    first = np.full(label.max() + 1, n)
    np.minimum.at(first, label, np.arange(n))
    members = np.lexsort((np.arange(n), first[label]))
    labels = label[members]
    change = np.flatnonzero(np.diff(labels)) + 1
    starts = [0]
    for begin, end in zip(np.r_[0, change], np.r_[change, n]):
        starts.extend(range(begin + MOST, end, MOST))
        starts.append(end)
    return members.astype(np.int64), np.unique(np.array(starts, np.int64))


def _with_neighbours(x: np.ndarray, y: np.ndarray, members: np.ndarray, starts: np.ndarray, reach: float) -> np.ndarray:
    """Boolean (groups,): whether a star of another group lies within reach."""
    from scipy.spatial import cKDTree

    if len(x) < 2:
        return np.zeros(len(starts) - 1, bool)
    group = np.empty(len(x), int)
    group[members] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    pairs = cKDTree(np.column_stack([x, y])).query_pairs(reach, output_type="ndarray")
    pairs = group[pairs[group[pairs[:, 0]] != group[pairs[:, 1]]]]
    found = np.zeros(len(starts) - 1, bool)
    found[pairs.ravel()] = True
    return found


def _only(members: np.ndarray, starts: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sizes = np.diff(starts)
    return members[np.repeat(wanted, sizes)], np.r_[0, np.cumsum(sizes[wanted])].astype(np.int64)
