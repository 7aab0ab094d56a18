"""How far the sky has moved on the guide sensor since guiding began."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.stars import Stars
from firstlight.observe.guiding.settings import Track
from firstlight.ops.align.phase import phase_correlate
from firstlight.ops.inspect.stars import FindStars, find_stars

CELL = 4.0
"""px; pairs of stars that agree on a shift within about this vote for it together."""
UNLIKE = 50.0
"""Factor by which no star changes its light, however thick the clouds are through which it is still seen."""
ALIKE = 5.0
"""Factor by which stars of one frame may differ in how much of their light comes through."""
CLOSE = 3.0
"""px; a star further than this from where the others say it should be is another one."""
TOO_BRIGHT, TOO_FAINT = 2.5, 0.25
"""A single star is only the same one with a flux between these, against what it had when guiding began."""
KNOWN = 5
"""Frames after which a star that was not there at first takes part."""
FORGOTTEN = 40
"""Frames after which a star that is not seen any more is given up."""
STEADY = 30
"""Frames over which the places of stars are averaged."""
CENTROID_FLOOR = 0.05
"""px; what seeing and pixels leave of the accuracy of a bright star."""
WIDEST = 30.0
"""px, FWHM."""
BRIGHTEST = 5
"""Stars whose light tells whether the sky is clear."""
FULL = 0.99
"""Share of what 8 or 16 bits hold from which on a pixel counts as full."""
HOT = 8.0
"""Sigma above the others from which on a pixel of the dark takes no part."""


@dataclass(frozen=True)
class Offset:
    """Where the stars are, against where they were when tracking began."""

    dx: float
    """px."""
    dy: float
    n_stars: int
    """Stars that agree; 0 for correlation."""
    flux: float
    """Of the brightest star that was found, adu; what PHD2 calls its mass."""
    snr: float
    hfd: float = 0.0
    """Diameter that holds half of the flux of the median star, px."""
    place: tuple[float, float] = (0.0, 0.0)
    """(x, y) of the brightest star."""


class StarsLost(FrameError):
    """A frame on which the guide stars cannot be found again, and why."""


class Tracker:
    """Finds the stars of the first frame again on each later one.

    Stars may leave, come, vanish behind clouds: the shift on which most stars agree counts. Pixels that shine in the
    dark take no part.

    >>> y, x = np.mgrid[:96, :128]
    >>> def frame(dx, dy):
    ...     spots = [(30, 40, 900), (80, 20, 700), (100, 70, 500), (60, 60, 400)]
    ...     light = sum(f * np.exp(-((x - a - dx) ** 2 + (y - b - dy) ** 2) / 4.5) for a, b, f in spots)
    ...     return (100 + light + np.random.default_rng(1).normal(0, 4, x.shape)).astype(np.float32)
    >>> tracker = Tracker()
    >>> _ = tracker.begin(frame(0, 0))
    >>> offset = tracker.find(frame(3.3, -1.5))
    >>> round(offset.dx, 1), round(offset.dy, 1), offset.n_stars
    (3.3, -1.5, 4)
    """

    def __init__(self, settings: Track = Track(), dark: np.ndarray | None = None) -> None:
        self.settings = settings
        self._dark = None if dark is None else np.asarray(dark, dtype=np.float32)
        self._hot = None if dark is None else hot_pixels(self._dark)
        self._reference: np.ndarray | None = None
        self._known = _Known.empty()
        self._new = _Known.empty()
        self._last = np.zeros(2)
        self._fwhm = 0.0

    def begin(self, data: np.ndarray) -> Offset:
        """Take this frame as the one that all later ones are compared with.

        Raises
        ------
        StarsLost
            It shows no star.
        """
        self._fwhm = 0.0
        plane, stars = self._look(data)
        if len(stars) == 0 and self.settings.method == "stars":
            raise StarsLost("no star: none stands out of the noise")
        self._known = _Known.of(stars)
        self._new, self._last, self._reference = _Known.empty(), np.zeros(2), plane
        self._fwhm = float(np.median(stars.fwhm)) if len(stars) else 0.0
        return _offset(0.0, 0.0, stars, len(stars))

    def find(self, data: np.ndarray) -> Offset:
        """Where the stars are now.

        Raises
        ------
        StarsLost
            They are not found, or what is found cannot be them.
        """
        plane, stars = self._look(data)
        if self.settings.method == "correlation":
            return self._correlated(plane, stars)
        if len(stars) == 0:
            raise StarsLost("no star stands out of the noise")
        pairs, shift = self._agreed(stars)
        i, j = pairs
        weights = _weights(stars, i)
        residual = stars.positions[i] - self._known.positions[j]
        for _ in range(3):
            away = np.hypot(*(residual - shift).T)
            spread = max(1.5 * float(np.median(away)), 0.15)
            inside = away < 2.5 * spread
            shift = np.average(residual[inside], axis=0, weights=weights[inside])
        self._last = shift
        self._learn(stars, i, j, shift, plane.shape)
        return _offset(*map(float, shift), stars.take(i[inside]), int(inside.sum()))

    def expect(self, dx: float, dy: float) -> None:
        """Look for the stars around this offset."""
        self._last = np.array([dx, dy], dtype=float)

    @property
    def light(self) -> float:
        """Of the brightest stars together, adu."""
        return float(np.sort(self._known.flux)[-BRIGHTEST:].sum())

    def _calibrated(self, data: np.ndarray) -> np.ndarray:
        plane = np.asarray(data, dtype=np.float32)
        if self._dark is not None:
            if self._dark.shape != plane.shape:
                raise FrameError(
                    f"guide frame: {plane.shape[1]} x {plane.shape[0]} px, the dark {self._dark.shape[1]} x "
                    f"{self._dark.shape[0]}; take darks with the same binning and region"
                )
            plane = plane - self._dark
        return plane

    def _look(self, data: np.ndarray) -> tuple[np.ndarray, Stars]:
        """The frame without its dark, and its stars."""
        plane = self._calibrated(data)
        whole = np.issubdtype(data.dtype, np.unsignedinteger)
        full = FULL * np.iinfo(data.dtype).max if whole else np.inf
        if self._dark is not None:
            full -= float(np.median(self._dark))
        # The width is that of the stars of before: behind clouds, hot pixels are not taken for sharper stars.
        most = 3 * self.settings.max_stars
        wanted = FindStars(threshold=self.settings.threshold, max_stars=most, fwhm=min(self._fwhm, WIDEST))
        stars, _ = find_stars(plane, wanted, excluded=self._hot, saturation=full)
        # Cut off by the border, a star seems to stand still while it leaves.
        margin = np.maximum(3.0, 1.5 * stars.fwhm)
        height, width = plane.shape
        x, y = stars.x, stars.y
        inside = (x > margin) & (y > margin) & (x < width - 1 - margin) & (y < height - 1 - margin)
        return plane, stars.take(np.flatnonzero(inside)[: self.settings.max_stars])

    def _agreed(self, stars: Stars) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """Pairs (found, known) that agree on one shift, and about what shift that is."""
        known = self._known
        difference = stars.positions[:, None] - known.positions[None]
        ratio = stars.flux[:, None] / known.flux[None]
        away = np.hypot(*np.moveaxis(difference - self._last, -1, 0))
        i, j = np.nonzero((away < self.settings.distance) & (ratio > 1 / UNLIKE) & (ratio < UNLIKE))
        if len(i) == 0:
            raise StarsLost("the stars found are not those that guiding began with")
        votes = difference[i, j]
        near = np.hypot(*(votes[:, None] - votes[None]).transpose(2, 0, 1)) < CELL
        # Bright stars count more, none decides alone; of two that are equal the nearer wins.
        trust = np.minimum(stars.snr[i], 30.0) + 10.0
        count = near @ trust - 1e-3 * away[i, j]
        best = int(np.argmax(count))
        shift = np.median(votes[near[best]], axis=0)
        chosen = np.hypot(*(votes - shift).T) < CLOSE
        i, j = i[chosen], j[chosen]
        share = ratio[i, j] / np.median(ratio[i, j])
        alike = (share > 1 / ALIKE) & (share < ALIKE)
        i, j = i[alike], j[alike]
        if len(i) == 0:
            raise StarsLost("the stars found do not agree on a shift")
        # One to one: the nearest of those that compete.
        order = np.argsort(np.hypot(*(difference[i, j] - shift).T), kind="stable")
        i, j = i[order], j[order]
        first = np.sort(np.intersect1d(np.unique(i, return_index=True)[1], np.unique(j, return_index=True)[1]))
        i, j = i[first], j[first]
        self._believe(len(i), ratio[i, j])
        return (i, j), shift

    def _believe(self, n: int, ratio: np.ndarray) -> None:
        expected = len(self._known.flux)
        if n >= 3 or (n == 2 and expected <= 5):
            return
        if n < min(3, expected) and expected > 5:
            raise StarsLost(f"{n} of {expected} guide stars were found; three are needed to be sure")
        if n == 1 and not TOO_FAINT < ratio[0] < TOO_BRIGHT:
            raise StarsLost(f"the only star has {ratio[0]:.2f} times the light of the guide star; it may be another")

    def _learn(self, stars: Stars, i: np.ndarray, j: np.ndarray, shift: np.ndarray, shape: tuple[int, int]) -> None:
        """Steady the places of known stars, get to know new ones, give up those that are gone."""
        places = stars.positions - shift
        self._fwhm += (float(np.median(stars.fwhm[i])) - self._fwhm) / STEADY
        known, new = self._known, self._new
        # Against their light of a clear sky; one star alone does not tell clouds from itself.
        flux = stars.flux / float(np.median(stars.flux[i] / known.flux[j])) if len(i) > 1 else stars.flux
        known.see(j, places[i], flux[i])
        free = np.setdiff1d(np.arange(len(stars)), i)
        if len(free):
            if len(new.flux):
                away = np.hypot(*np.moveaxis(places[free][:, None] - new.positions[None], -1, 0))
                nearest = np.argmin(away, axis=1)
                again = away[np.arange(len(free)), nearest] < 1.0
                new.see(nearest[again], places[free[again]], flux[free[again]])
                free = free[~again]
            new.add(places[free], flux[free])
        height, width = shape
        now = known.positions + shift
        in_sight = (now[:, 0] > 5) & (now[:, 1] > 5) & (now[:, 0] < width - 6) & (now[:, 1] < height - 6)
        known.missed[in_sight] += 1
        known.missed[j] = 0
        new.missed += 1
        stay = known.missed < FORGOTTEN
        if stay.sum() >= min(3, len(stay)):
            known.keep(stay)
        ready = new.seen >= KNOWN
        if len(known.flux) < self.settings.max_stars:
            known.add(new.positions[ready], new.flux[ready])
        new.keep(~ready & (new.missed < FORGOTTEN))

    def _correlated(self, plane: np.ndarray, stars: Stars) -> Offset:
        try:
            found = phase_correlate(plane, self._reference)
        except FrameError as error:
            raise StarsLost(str(error)) from error
        dx, dy = -found.transform.matrix[:2, 2]
        return _offset(float(dx), float(dy), stars, 0)


@dataclass
class _Known:
    """Stars by their place on the first frame."""

    positions: np.ndarray
    flux: np.ndarray
    seen: np.ndarray
    missed: np.ndarray

    @classmethod
    def empty(cls) -> _Known:
        return cls(np.empty((0, 2)), np.empty(0), np.empty(0, int), np.empty(0, int))

    @classmethod
    def of(cls, stars: Stars) -> _Known:
        known = cls.empty()
        known.add(stars.positions, stars.flux)
        return known

    def add(self, positions: np.ndarray, flux: np.ndarray) -> None:
        n = len(flux)
        self.positions = np.concatenate([self.positions, positions])
        self.flux = np.concatenate([self.flux, flux])
        self.seen = np.concatenate([self.seen, np.ones(n, int)])
        self.missed = np.concatenate([self.missed, np.zeros(n, int)])

    def see(self, index: np.ndarray, positions: np.ndarray, flux: np.ndarray) -> None:
        self.seen[index] += 1
        self.missed[index] = -1
        share = 1.0 / np.minimum(self.seen[index], STEADY)
        self.positions[index] += share[:, None] * (positions - self.positions[index])
        self.flux[index] += share * (flux - self.flux[index])

    def keep(self, which: np.ndarray) -> None:
        self.positions, self.flux = self.positions[which], self.flux[which]
        self.seen, self.missed = self.seen[which], self.missed[which]


def hot_pixels(dark: np.ndarray) -> np.ndarray:
    """Pixels that shine in the dark, True, with the four around each.

    >>> dark = np.zeros((5, 5))
    >>> dark[2, 2] = 100.0
    >>> int(hot_pixels(dark).sum())
    5
    """
    middle = float(np.median(dark))
    spread = max(1.4826 * float(np.median(np.abs(dark - middle))), 1.0)
    hot = dark > middle + HOT * spread
    grown = hot.copy()
    grown[1:] |= hot[:-1]
    grown[:-1] |= hot[1:]
    grown[:, 1:] |= hot[:, :-1]
    grown[:, :-1] |= hot[:, 1:]
    return grown


def _weights(stars: Stars, index: np.ndarray) -> np.ndarray:
    error = CENTROID_FLOOR**2 + (0.5 * stars.fwhm[index] / np.maximum(stars.snr[index], 1.0)) ** 2
    return 1.0 / error


def _offset(dx: float, dy: float, stars: Stars, n_stars: int) -> Offset:
    if len(stars) == 0:
        return Offset(dx, dy, n_stars, 0.0, 0.0)
    first = int(np.argmax(stars.flux))
    hfd = 2.0 * float(np.median(stars.hfr))
    place = (float(stars.x[first]), float(stars.y[first]))
    return Offset(dx, dy, n_stars, float(stars.flux[first]), float(stars.snr[first]), hfd, place)
