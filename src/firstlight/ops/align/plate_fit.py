"""A plate fitted to stars of a catalogue: matched, distortion of the order that the stars support, verified."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firstlight.model.catalog import Catalog, places, unit_vectors
from firstlight.ops.align.plate_search import Found

ORDERS = (1, 2, 3, 4, 5)
PER_TERM = 2.5
"""Matched stars a coefficient of one axis needs; whether it is worth having the stars left out decide."""
BETTER, CLEARLY = 0.97, 0.85
"""A higher order must lower the error at stars left out to this share; the second where there are hardly enough."""
PLENTY = 4
"""Stars for each coefficient of one axis that are enough."""
STRAY = 0.5
COUNTED = 100
"""Brightest stars of the image that verify a plate."""
LEAST = 0.3
"""px; the spread of matched stars is not taken to be smaller when odds are reckoned: catalogues and centroids err."""


@dataclass(frozen=True, eq=False)
class PlateFit:
    """A gnomonic plate about ``(ra, dec)``, which lies at the pixel ``origin`` (0-based)."""

    ra: float
    dec: float
    origin: tuple[float, float]
    terms: np.ndarray
    """(terms, 2): east and north on the plane, degrees, of 1, u, v, u**2, u v, v**2 ... where u, v = (x, y) - origin,
    in units of ``size`` px."""
    size: float
    order: int
    stars: np.ndarray
    """Indices of the matched stars."""
    entries: np.ndarray
    """... and of their entries in the catalogue."""
    residuals: np.ndarray
    """(n, 2): measured minus catalogue, px along east and north."""
    odds: float
    """Natural logarithm of the odds that the stars speak for this plate."""
    in_field: int
    """Stars of the catalogue in the image, as many as were looked at."""
    catalog: Catalog | None = None
    """What it was fitted to; ``entries`` counts in it."""

    @property
    def cd(self) -> np.ndarray:
        """Degrees per px, (east, north) from (x, y)."""
        return self.terms[1:3].T / self.size

    @property
    def scale(self) -> float:
        """arcsec/px."""
        return float(np.sqrt(abs(np.linalg.det(self.cd))) * 3600.0)

    @property
    def rms(self) -> float:
        """px, of one axis."""
        n = len(self.residuals)
        freedom = max(2 * n - self.terms.size, 1)
        return float(np.sqrt((self.residuals**2).sum() / freedom)) if n else float("inf")

    @property
    def flipped(self) -> bool:
        """Whether the array (x right, y up) shows the sky as in a mirror."""
        return bool(np.linalg.det(self.cd) > 0)

    def on_plane(self, positions: np.ndarray) -> np.ndarray:
        """East and north, degrees, of positions (n, 2)."""
        return design(positions, self.origin, self.size, self.order) @ self.terms

    def sky(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Right ascension and declination of positions (n, 2), degrees."""
        plane = np.radians(self.on_plane(np.asarray(positions, np.float64)))
        centre, east, north = axes_at(self.ra, self.dec)
        return places(centre + plane[:, :1] * east + plane[:, 1:] * north)


def axes_at(ra: float, dec: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors to a place on the sky, and to east and north there."""
    a, d = np.radians(ra), np.radians(dec)
    east = np.array([-np.sin(a), np.cos(a), 0.0])
    north = np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    return unit_vectors(np.array([ra]), np.array([dec]))[0], east, north


def on_tangent_plane(vectors: np.ndarray, ra: float, dec: float) -> np.ndarray:
    """East and north (n, 2), degrees, on the plane that touches the sky at a place; NaN on the far side."""
    centre, east, north = axes_at(ra, dec)
    along = vectors @ centre
    along = np.where(along > 0.05, along, np.nan)
    return np.degrees(np.column_stack([vectors @ east, vectors @ north]) / along[:, None])


def design(positions: np.ndarray, origin: tuple[float, float], size: float, order: int) -> np.ndarray:
    """Columns 1, u, v, u**2, u v, v**2 ... of positions (n, 2)."""
    u, v = ((np.asarray(positions, np.float64)[:, k] - origin[k]) / size for k in (0, 1))
    return np.column_stack([u ** (d - p) * v**p for d in range(order + 1) for p in range(d + 1)])


def start_from(found: Found, shape: tuple[int, int]) -> PlateFit:
    """The plate that a hypothesis says."""
    height, width = shape
    origin = ((width - 1) / 2.0, (height - 1) / 2.0)
    size = max(width, height) / 2.0
    terms = np.vstack([np.zeros(2), np.array(found.cd).T * size])
    nothing = np.empty(0, np.int64)
    return PlateFit(
        found.ra, found.dec, origin, terms, size, 1, nothing, nothing, np.empty((0, 2)), found.odds, 0
    )  # fmt: skip


def fit_plate(
    positions: np.ndarray,
    errors: np.ndarray,
    catalog: Catalog,
    start: PlateFit,
    shape: tuple[int, int],
    order: int = 0,
) -> PlateFit:
    """Match stars to a catalogue and fit a plate to them; matched again and fitted again until both rest.

    Parameters
    ----------
    positions : (n, 2), brightest first.
    errors : (n,) px, of one axis.
    catalog : stars of the field at the epoch of the image, brightest first.
    order : of the distortion, 1 (none) to 5; 0: the lowest that predicts stars left out about as well as any.
    """
    fit = replace(start)
    vectors = catalog.vectors
    diagonal = float(np.hypot(*shape))
    reach = max(4.0, 0.005 * diagonal)
    highest = order or ORDERS[-1]
    for step in range(12):
        fit = recentred(fit)
        plane = on_tangent_plane(vectors, fit.ra, fit.dec)
        stars, entries = _pairs(fit, positions, plane, shape, reach * fit.scale / 3600.0)
        if len(stars) < 4:
            return replace(fit, stars=stars, entries=entries, residuals=np.empty((0, 2)), odds=0.0)
        allowed = [k for k in ORDERS if k <= highest and (k == 1 or PER_TERM * _terms(k) / 2 <= len(stars))]
        if order and order in allowed and step > 2:
            allowed = [order]
        elif step < 2:
            allowed = [1]
        before = fit
        fit = _best_order(fit, positions, errors, plane, stars, entries, allowed)
        spread = _spread(fit.residuals)
        smaller = float(np.clip(5.0 * spread, 0.8, reach))
        rests = step > 3 and np.array_equal(fit.stars, before.stars) and fit.order == before.order
        reach = smaller if step else min(smaller * 1.5, reach)
        if rests:
            break
    return verified(replace(fit, catalog=catalog), positions, catalog, shape)


def recentred(fit: PlateFit) -> PlateFit:
    """The plate about where its origin lies."""
    ra, dec = fit.sky(np.array([fit.origin]))
    moved = replace(fit, ra=float(ra[0]), dec=float(dec[0]))
    if fit.ra != moved.ra or fit.dec != moved.dec:
        # The axes turn a little with the tangent point: refitted on a grid of the image.
        side = fit.size * np.linspace(-1, 1, 9)
        grid = np.column_stack([c.ravel() for c in np.meshgrid(side, side)]) + np.array(fit.origin)
        sky = unit_vectors(*fit.sky(grid))
        terms, *_ = np.linalg.lstsq(
            design(grid, fit.origin, fit.size, fit.order), on_tangent_plane(sky, moved.ra, moved.dec), rcond=None
        )
        moved = replace(moved, terms=terms)
    return moved


def _pairs(
    fit: PlateFit, positions: np.ndarray, plane: np.ndarray, shape: tuple[int, int], reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Stars and entries that are each other's nearest."""
    from scipy.spatial import cKDTree

    mine = fit.on_plane(positions)
    good = np.flatnonzero(np.isfinite(plane[:, 0]))
    half = 0.75 * np.hypot(*shape) * fit.scale / 3600.0
    good = good[np.abs(plane[good]).max(axis=1) < half] if len(good) else good
    if not len(good) or not len(mine):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    tree = cKDTree(plane[good])
    distance, there = tree.query(mine, distance_upper_bound=reach)
    near = np.flatnonzero(np.isfinite(distance))
    _, back = cKDTree(mine).query(plane[good][there[near]])
    near = near[back == near]
    return near, good[there[near]]


def _terms(order: int) -> int:
    """Coefficients of both axes."""
    return (order + 1) * (order + 2)


def _best_order(
    fit: PlateFit,
    positions: np.ndarray,
    errors: np.ndarray,
    plane: np.ndarray,
    stars: np.ndarray,
    entries: np.ndarray,
    orders: list[int],
) -> PlateFit:
    best, least = None, np.inf
    for order in orders:
        trial, left_out = _fitted(fit, positions, errors, plane, stars, entries, order)
        share = BETTER if len(stars) >= PLENTY * _terms(order) / 2 else CLEARLY
        if best is None or left_out < share * least:
            best, least = trial, min(left_out, least)
    return best if best is not None else fit


def _fitted(
    fit: PlateFit,
    positions: np.ndarray,
    errors: np.ndarray,
    plane: np.ndarray,
    stars: np.ndarray,
    entries: np.ndarray,
    order: int,
) -> tuple[PlateFit, float]:
    """Weighted least squares with outliers left out; and the rms at stars that took no part, px."""
    per_px = fit.scale / 3600.0
    matrix, wanted = design(positions[stars], fit.origin, fit.size, order), plane[entries]
    new = np.ones(len(stars), bool)
    weight = 1.0 / errors[stars]
    for _ in range(8):
        keep = new
        w = weight[keep, None]
        q, r = np.linalg.qr(matrix[keep] * w)
        terms = np.linalg.lstsq(r, q.T @ (wanted[keep] * w), rcond=None)[0]
        residuals = (matrix @ terms - wanted) / per_px
        size = np.hypot(residuals[:, 0], residuals[:, 1])
        spread = max(_spread(residuals[keep]), 0.02)
        weight = 1.0 / np.hypot(errors[stars], spread)
        new = size < 4.0 * np.hypot(spread, errors[stars])
        # With few stars a further round would leave what fits itself.
        if new.sum() < max(4, matrix.shape[1] + 1) or np.array_equal(new, keep):
            break
    leverage = np.minimum((q * q).sum(axis=1), 0.99)
    left_out = float(np.sqrt(np.median((size[keep] / (1.0 - leverage)) ** 2)))
    trial = replace(fit, terms=terms, order=order, stars=stars[keep], entries=entries[keep], residuals=residuals[keep])
    return trial, left_out


def _spread(residuals: np.ndarray) -> float:
    """Robust rms of one axis."""
    return 1.4826 * float(np.median(np.abs(residuals))) if len(residuals) else np.inf


def verified(fit: PlateFit, positions: np.ndarray, catalog: Catalog, shape: tuple[int, int]) -> PlateFit:
    """The plate with its odds: of the image's brightest stars against the catalogue's brightest in the field.

    Each star speaks for the plate by how much likelier it lies so near an entry if the plate is right than by chance.
    As many of the matched as the fit has free numbers for do not count.
    """
    height, width = shape
    plane = on_tangent_plane(catalog.vectors, fit.ra, fit.dec)
    linear = np.linalg.inv(fit.cd)
    pixels = (plane - fit.terms[0]) @ linear.T + np.array(fit.origin)
    inside = np.flatnonzero((np.abs(pixels / np.array([width - 1, height - 1]) - 0.5) < 0.5).all(axis=1))
    counted = positions[:COUNTED]
    inside = inside[: max(2 * len(counted), 20)]
    if len(inside) < 4 or len(counted) < 4 or len(fit.stars) < 4:
        return replace(fit, odds=0.0, in_field=len(inside))
    spread = max(LEAST, _spread(fit.residuals))
    stars, entries = _pairs(
        fit, counted, np.where(np.isin(np.arange(len(plane)), inside)[:, None], plane, np.nan), shape,
        5.0 * spread * fit.scale / 3600.0,
    )  # fmt: skip
    apart = np.hypot(*(fit.on_plane(counted[stars]) - plane[entries]).T) * 3600.0 / fit.scale
    density = len(inside) / (height * width)
    gain = np.full(len(counted), np.log(STRAY))
    likely = np.exp(-0.5 * (apart / spread) ** 2) / (2 * np.pi * spread**2 * density)
    gain[stars] = np.log(STRAY + (1 - STRAY) * likely)
    # What the fit was free to bring together proves nothing.
    free = min(fit.terms.size // 2, 3) if fit.order == 1 else fit.terms.size // 2
    gain[np.argsort(-gain)[:free]] = 0.0
    return replace(fit, odds=float(max(np.cumsum(gain).max(), 0.0)), in_field=len(inside))
