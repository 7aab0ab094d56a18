"""Stars that are known: positions, motions, magnitudes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

BANDS = ("G", "VT", "V", "r", "R", "BP", "g", "B", "RP", "i", "I", "BT", "J")
"""Order in which the magnitude that a star is sorted by is taken."""
MAS = 1.0 / 3.6e6
"""Degrees."""


@dataclass(frozen=True, eq=False)
class Catalog:
    """Catalogue entries as columns of equal length; positions are ICRS, degrees, at ``epoch``.

    >>> catalog = Catalog(np.array([10.0, 20.0]), np.array([60.0, 0.0]), epoch=2016.0, mags={"G": np.array([8.0, 7.0])},
    ...                   pm_ra=np.array([1000.0, np.nan]), pm_dec=np.array([0.0, np.nan]))
    >>> len(catalog), catalog.brightest(1).ra.tolist()
    (2, [20.0])
    >>> float((catalog.at(2026.0).ra[0] - 10.0) * 3600 * 0.5).__round__(3)
    10.0
    """

    ra: np.ndarray
    dec: np.ndarray
    pm_ra: np.ndarray = None  # type: ignore[assignment]
    """mas/yr, cos(dec) included; NaN where it is not known."""
    pm_dec: np.ndarray = None  # type: ignore[assignment]
    epoch: float = 2000.0
    """Julian year of the positions."""
    mags: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Band to magnitudes, NaN where not known: G, BP, RP (Gaia), VT, BT (Tycho), U, B, V, R, I, g, r, i, z ..."""
    names: tuple[str, ...] | None = None
    source: str = ""
    """Name of the catalogue."""

    def __post_init__(self) -> None:
        n = len(self.ra)
        for name in ("ra", "dec", "pm_ra", "pm_dec"):
            given = getattr(self, name)
            column = np.full(n, np.nan) if given is None else np.asarray(given, np.float64)
            object.__setattr__(self, name, column)
        object.__setattr__(self, "mags", {band: np.asarray(mag, np.float64) for band, mag in self.mags.items()})

    def __len__(self) -> int:
        return len(self.ra)

    @property
    def mag(self) -> np.ndarray:
        """One magnitude a star, of the first of ``BANDS`` that it has (then any other): to sort and to cut by."""
        found = np.full(len(self), np.nan)
        for band in (*BANDS, *sorted(self.mags.keys() - set(BANDS))):
            if band in self.mags:
                found = np.where(np.isnan(found), self.mags[band], found)
        return found

    @property
    def vectors(self) -> np.ndarray:
        """Unit vectors (n, 3)."""
        return unit_vectors(self.ra, self.dec)

    def take(self, mask: np.ndarray) -> Catalog:
        """The entries at these indices (or where a boolean array is True)."""
        names = None
        if self.names is not None:
            picked = np.flatnonzero(mask) if np.asarray(mask).dtype == bool else mask
            names = tuple(self.names[i] for i in picked)
        return replace(
            self, ra=self.ra[mask], dec=self.dec[mask], pm_ra=self.pm_ra[mask], pm_dec=self.pm_dec[mask],
            mags={band: mag[mask] for band, mag in self.mags.items()}, names=names,
        )  # fmt: skip

    def at(self, year: float) -> Catalog:
        """Where the stars are at another epoch (Julian year); those without a known motion stay."""
        years = year - self.epoch
        dec = self.dec + years * MAS * np.nan_to_num(self.pm_dec)
        cosine = np.maximum(np.cos(np.radians(self.dec)), 1e-9)
        ra = (self.ra + years * MAS * np.nan_to_num(self.pm_ra) / cosine) % 360.0
        over = np.abs(dec) > 90.0
        dec = np.where(over, np.sign(dec) * 180.0 - dec, dec)
        return replace(self, ra=np.where(over, (ra + 180.0) % 360.0, ra), dec=dec, epoch=year)

    def brightest(self, n: int) -> Catalog:
        """The n brightest, brightest first; those without a magnitude come last."""
        return self.take(np.argsort(self.mag, kind="stable")[:n])

    def within(self, ra: float, dec: float, radius: float, faintest: float | None = None) -> Catalog:
        """Entries within ``radius`` degrees of a place, brightest first; none fainter than ``faintest``.

        Entries without a magnitude are kept only where no limit is given.
        """
        centre = unit_vectors(np.array([ra]), np.array([dec]))[0]
        near = np.flatnonzero(self.vectors @ centre >= np.cos(np.radians(radius)) - 1e-15)
        found = self.take(near)
        if faintest is not None:
            found = found.take(found.mag <= faintest)
        return found.brightest(len(found))

    def match(self, ra: np.ndarray, dec: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
        """Nearest entry within ``radius`` arcsec of each position: its index, -1 for none, and the distance, arcsec.

        >>> catalog = Catalog(np.array([10.0, 20.0]), np.array([0.0, 0.0]))
        >>> index, distance = catalog.match(np.array([20.0002, 15.0]), np.array([0.0, 0.0]), 2.0)
        >>> index.tolist(), round(float(distance[0]), 2)
        ([1, -1], 0.72)
        """
        from scipy.spatial import cKDTree

        if not len(self) or not len(ra):
            return np.full(len(ra), -1), np.full(len(ra), np.inf)
        chord = 2.0 * np.sin(np.radians(radius / 3600.0) / 2.0)
        distance, index = cKDTree(self.vectors).query(unit_vectors(ra, dec), distance_upper_bound=chord)
        apart = np.degrees(2.0 * np.arcsin(np.minimum(distance, 2.0) / 2.0)) * 3600.0
        return np.where(np.isfinite(distance), index, -1), np.where(np.isfinite(distance), apart, np.inf)


def unit_vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Directions (n, 3) of places on the sky, degrees: x towards (0, 0), z towards the north pole."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def places(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right ascension and declination, degrees, of directions (n, 3) of any length."""
    x, y, z = np.asarray(vectors, np.float64).T
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


def separation(ra: float, dec: float, other_ra: float, other_dec: float) -> float:
    """Angle between two places, degrees; exact also where it is tiny.

    >>> round(separation(0.0, 0.0, 0.0, 1e-6) * 3.6e6, 6)
    3.6
    """
    (a, b) = unit_vectors(np.array([ra, other_ra]), np.array([dec, other_dec]))
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def joined(first: Catalog, second: Catalog, name: str) -> Catalog:
    """Both catalogues as one, at the epoch of the first; the same star is one entry.

    The same are entries within 2 arcsec, then of those left over such within 10 arcsec whose magnitudes are alike:
    stars that have moved. (Farther apart, chance brings more stars together than motion: stars that move faster than
    0.6 arcsec a year stay two entries, 16 years apart.) A star of both keeps the first one's position and has the
    magnitudes of both. Where its motion is not known and the epochs are a year or more apart, the motion is the
    difference of the two positions.
    """
    same, other = _same_stars(first, second)
    extra = np.setdiff1d(np.arange(len(second)), other)
    more = second.take(extra).at(first.epoch)
    pm_ra, pm_dec = first.pm_ra.copy(), first.pm_dec.copy()
    years = first.epoch - second.epoch
    if abs(years) >= 1:
        d_ra = (first.ra[same] - second.ra[other] + 180.0) % 360.0 - 180.0
        moved_ra = d_ra * np.cos(np.radians(first.dec[same])) / MAS / years
        moved_dec = (first.dec[same] - second.dec[other]) / MAS / years
        unknown = np.isnan(pm_ra[same])
        pm_ra[same] = np.where(unknown, moved_ra, pm_ra[same])
        pm_dec[same] = np.where(unknown, moved_dec, pm_dec[same])
    mags = {}
    for band in (*first.mags, *(b for b in second.mags if b not in first.mags)):
        mine = first.mags[band].copy() if band in first.mags else np.full(len(first), np.nan)
        if band in second.mags:
            mine[same] = np.where(np.isnan(mine[same]), second.mags[band][other], mine[same])
        theirs = more.mags[band] if band in more.mags else np.full(len(more), np.nan)
        mags[band] = np.concatenate([mine, theirs])
    return Catalog(
        np.concatenate([first.ra, more.ra]), np.concatenate([first.dec, more.dec]),
        np.concatenate([pm_ra, more.pm_ra]), np.concatenate([pm_dec, more.pm_dec]), first.epoch, mags, None, name,
    )  # fmt: skip


def _same_stars(first: Catalog, second: Catalog) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the same stars in both, each at most once."""
    mine, theirs = np.arange(len(first)), np.arange(len(second))
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for radius, magnitudes in ((2.0, np.inf), (10.0, 1.0)):
        a, b = first.take(mine), second.take(theirs)
        index, distance = a.match(b.ra, b.dec, radius)
        close = np.flatnonzero(index >= 0)
        close = close[~(np.abs(a.mag[index[close]] - b.mag[close]) > magnitudes)]
        order = close[np.argsort(distance[close], kind="stable")]
        _, once = np.unique(index[order], return_index=True)
        pairs = order[once]
        found.append((mine[index[pairs]], theirs[pairs]))
        mine, theirs = np.delete(mine, index[pairs]), np.delete(theirs, pairs)
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])
