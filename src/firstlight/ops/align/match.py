"""Find the transform between two frames from their stars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError
from firstlight.model.registration import Registration, Transform
from firstlight.model.stars import Stars
from firstlight.ops.align.distortion import fit_distortion
from firstlight.ops.align.hypotheses import Guess, shift_guess, triangle_guesses
from firstlight.ops.align.models import FREE, Model, fit_model, fit_robustly
from firstlight.ops.registry import Params
from firstlight.units import SubPx

N_VERIFY = 200
"""Brightest stars of each list that decide whether a transform is right."""
N_TRIALS = 30
CHANCE = 1e-8
"""Largest tolerated expectation of transforms as good as this between unrelated lists."""
CENTROID_FLOOR = 0.03
"""px; systematic error of a centroid."""
SATURATED_ERROR = 0.3
"""px; extra error of a saturated star's centroid."""
EASY_SHARE = 0.6
"""A guess that brings this share of the stars in the overlap together needs no rival."""
RIVAL = 0.8
"""A second, different transform with this share of the first one's matches makes both worthless."""


class MatchStars(Params):
    """How two star lists are matched."""

    model: Literal["auto", "shift", "similarity", "affine", "homography"] = "auto"
    """Kind of transform. ``auto``: a similarity (shift, rotation, scale, flip), or an affine map or homography where
    the stars show clearly that it fits better."""
    distortion: bool = True
    """Add a smooth correction (a polynomial of degree 2 to 4) where 60 stars or more show clearly that it is needed."""
    tolerance: Annotated[SubPx, Field(gt=0, le=50)] = 2.0
    """Matched stars lie within this distance, in px of the reference frame."""
    min_matches: Annotated[int, Field(ge=4, le=1000)] = 6
    """Fewer matched stars are not trusted."""
    max_scale: Annotated[float, Field(ge=1, le=10)] = 2.2
    """Largest ratio of pixel scales, either way."""


def match_stars(
    stars: Stars, reference: Stars, p: MatchStars = MatchStars(), *, guess: Transform | None = None
) -> Registration:
    """Find the transform that takes positions of ``stars`` to those of ``reference``.

    Shifts and similar triangles propose transforms; each is verified by counting the stars that fall on each other. One
    is believed only if unrelated lists of these densities would hardly ever agree as well, and no different transform
    does about as well. The final fit weighs stars by the errors of their centroids and leaves out outliers.

    Parameters
    ----------
    guess : a transform to try first (that of the frame before); it is verified like any other.

    Returns
    -------
    Registration, with ``rms`` weighted like the fit.

    Raises
    ------
    FrameError
        Too few stars, too few matches, or more than one answer.

    >>> rng = np.random.default_rng(1)
    >>> x, y, flux = rng.uniform(0, 1000, (3, 30))
    >>> def stars(x, y):
    ...     ones = np.ones(len(x))
    ...     return Stars(x, y, flux, flux, 3 * ones, ones, 0 * ones, 0 * ones, 50 * ones, 0 * ones)
    >>> registration = match_stars(stars(x, y), stars(900 - y, x))
    >>> round(registration.transform.rotation), registration.n_matched
    (90, 30)
    """
    for name, each in (("the frame", stars), ("the reference", reference)):
        if len(each) < p.min_matches:
            raise FrameError(f"star matching: {name} shows {len(each)} stars; at least {p.min_matches} are needed")
    lists = _Lists.of(stars, reference, p)
    if guess is not None:
        trial = lists.verify(guess)
        if trial is not None and trial.share >= EASY_SHARE:
            return lists.register(trial)
    shift, _ = shift_guess(lists.source, lists.target)
    first = lists.verify(Transform(shift.matrix))
    if first is not None and first.share >= EASY_SHARE:
        return lists.register(first)
    found = [] if first is None else [first]
    limits = (1.0 / p.max_scale, p.max_scale)
    if p.model == "shift":
        limits = (0.98, 1.02)
    for proposal in triangle_guesses(lists.source, lists.target, limits, N_TRIALS):
        trial = lists.verify(_plain(proposal))
        if trial is None:
            continue
        found.append(trial)
        if trial.share >= EASY_SHARE:
            break
    if not found:
        raise FrameError(
            f"star matching: no transform brings enough of {len(stars)} stars onto the {len(reference)} of the "
            f"reference to be more than chance; at least {p.min_matches} must agree within {p.tolerance:g} px"
        )
    best = max(found, key=lambda trial: trial.n)
    rivals = [other for other in found if other.n >= RIVAL * best.n and lists.differ(best, other)]
    if rivals:
        raise FrameError(
            f"star matching: two different transforms match {best.n} and {rivals[0].n} stars; the field repeats itself"
        )
    return lists.register(best)


def _plain(guess: Guess) -> Transform:
    return Transform(guess.matrix)


@dataclass(frozen=True, eq=False)
class _Trial:
    """A transform that passed the test of chance."""

    transform: Transform
    n: int
    share: float
    """Matches over the stars of the sparser list in the overlap."""


@dataclass(frozen=True, eq=False)
class _Lists:
    """Both lists, the brightest of each ready for verification."""

    stars: Stars
    reference: Stars
    p: MatchStars
    source: np.ndarray
    target: np.ndarray
    source_error: np.ndarray
    target_error: np.ndarray
    tree: object

    @classmethod
    def of(cls, stars: Stars, reference: Stars, p: MatchStars) -> _Lists:
        from scipy.spatial import cKDTree

        source = stars.take(slice(None, N_VERIFY))  # type: ignore[arg-type]
        target = reference.take(slice(None, N_VERIFY))  # type: ignore[arg-type]
        return cls(
            stars, reference, p, source.positions, target.positions, centroid_errors(source), centroid_errors(target),
            cKDTree(target.positions),
        )  # fmt: skip

    def pairs(self, transform: Transform, within: float) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the bright stars of both lists that are each other's nearest, and nearer than ``within``."""
        return _mutual(transform(self.source), self.target, self.tree, within)

    def verify(self, transform: Transform) -> _Trial | None:
        """Refine a proposal and test it against chance; None if it fails."""
        mirrored = transform.is_flipped
        tolerance = self.p.tolerance
        for within in (5 * tolerance, 2.5 * tolerance, 1.5 * tolerance, tolerance):
            i, j = self.pairs(transform, within)
            if len(i) < max(self.p.min_matches, 3):
                return None
            sigma = np.hypot(self.source_error[i] * transform.scale, self.target_error[j])
            # Wrong neighbours are many in a wide net: everything counts alike there.
            sigma = np.maximum(sigma, 0.1 * within)
            model: Model = "shift" if self.p.model == "shift" else "similarity"
            if self.p.model in ("auto", "affine", "homography") and within < 2 * tolerance and len(i) >= 12:
                model = "affine"
            transform, _ = fit_robustly(self.source[i], self.target[j], sigma, model, mirrored)
            scale = transform.scale
            if not 1 / self.p.max_scale < scale < self.p.max_scale or transform.is_flipped != mirrored:
                return None
        i, j = self.pairs(transform, tolerance)
        n = len(i)
        if n < self.p.min_matches:
            return None
        overlap, chance = self._chance(transform, n)
        if chance > CHANCE:
            return None
        return _Trial(transform, n, n / max(overlap, 1))

    def _chance(self, transform: Transform, n: int) -> tuple[int, float]:
        """Stars in the overlap, and how many transforms as good as this chance would give."""
        from scipy.special import bdtrc

        mapped = transform(self.source)
        low, high = self.target.min(axis=0), self.target.max(axis=0)
        edge = self.p.tolerance
        inside = int(((mapped >= low - edge) & (mapped <= high + edge)).all(axis=1).sum())
        back = transform.inverse(self.target)
        low, high = self.source.min(axis=0), self.source.max(axis=0)
        edge /= transform.scale
        seen = int(((back >= low - edge) & (back <= high + edge)).all(axis=1).sum())
        # Displaced copies of the pattern show how often stars meet by chance, crowded as they may be.
        meetings = 0
        steps = (
            4.0 * self.p.tolerance * np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [2, 2], [-2, 2], [2, -2], [-2, -2]])
        )
        for step in steps:
            distance, _ = self.tree.query(mapped + step, distance_upper_bound=self.p.tolerance)  # type: ignore[attr-defined]
            meetings += int(np.isfinite(distance).sum())
        area = max(float(np.prod(self.target.max(axis=0) - self.target.min(axis=0))), 1.0)
        single = len(self.target) / area * np.pi * self.p.tolerance**2
        single = min(max(single, meetings / (len(steps) * max(inside, n))), 0.9)
        # Two pairs of stars make a similarity: each such choice was one attempt, and those two always agree.
        n_source, n_target = len(self.source), len(self.target)
        attempts = n_source * (n_source - 1) * n_target * (n_target - 1)
        chance = attempts * float(bdtrc(n - 3, max(inside, n) - 2, single))
        return min(inside, seen), chance

    def differ(self, one: _Trial, other: _Trial) -> bool:
        """Whether two transforms take the frame to different places."""
        low, high = self.source.min(axis=0), self.source.max(axis=0)
        corners = np.array([low, high, [low[0], high[1]], [high[0], low[1]]])
        distance = np.hypot(*(one.transform(corners) - other.transform(corners)).T)
        return bool(distance.max() > 5 * self.p.tolerance)

    def register(self, trial: _Trial) -> Registration:
        """Final fit with every star of both lists."""
        from scipy.spatial import cKDTree

        transform = trial.transform
        mirrored = transform.is_flipped
        source, target = self.stars.positions, self.reference.positions
        source_error, target_error = centroid_errors(self.stars), centroid_errors(self.reference)
        tree = cKDTree(target)
        model: Model = "similarity"
        weights = np.zeros(0)
        i = j = np.zeros(0, np.int64)
        for _ in range(3):
            before = i, j
            i, j = _mutual(transform(source), target, tree, self.p.tolerance)
            if len(i) < self.p.min_matches or (np.array_equal(i, before[0]) and np.array_equal(j, before[1])):
                break
            sigma = np.hypot(source_error[i] * transform.scale, target_error[j])
            model, transform, weights = self._best(source[i], target[j], sigma, mirrored)
        kept = weights > 0
        n = int(kept.sum())
        if len(i) < self.p.min_matches or n < max(self.p.min_matches, FREE[model] // 2 + 1):
            raise FrameError(
                f"star matching: {n} stars agree with the transform; at least {self.p.min_matches} are needed"
            )
        distance = transform(source[i]) - target[j]
        rms = float(np.sqrt(np.average((distance**2).sum(axis=1), weights=weights)))
        plain = Registration(transform, n, rms, f"stars: {model}")
        return self._bend(plain, tree, source_error, target_error) if self.p.distortion else plain

    def _bend(
        self, plain: Registration, tree: object, source_error: np.ndarray, target_error: np.ndarray
    ) -> Registration:
        """With a smooth correction, if the stars ask for one; each round also catches those that it brings nearer."""
        source, target = self.stars.positions, self.reference.positions
        best = plain
        for _ in range(3):
            i, j = _mutual(best.transform(source), target, tree, self.p.tolerance)
            if len(i) < max(len(source) // 4, 1):
                break
            sigma = np.hypot(source_error[i] * plain.transform.scale, target_error[j])
            bent = fit_distortion(source[i], target[j], sigma, plain.transform, source)
            if bent is None:
                break
            distance = np.hypot(*(bent(source[i]) - target[j]).T)
            weights = sigma**-2.0
            kept = distance / sigma < 6.0 * max(float(np.median(distance / sigma)) / 1.1774, 1e-3)
            rms = float(np.sqrt(np.average(distance[kept] ** 2, weights=weights[kept])))
            best = Registration(bent, int(kept.sum()), rms, f"{plain.method}, distortion")
        return best

    def _best(
        self, source: np.ndarray, target: np.ndarray, sigma: np.ndarray, mirrored: bool
    ) -> tuple[Model, Transform, np.ndarray]:
        """The model asked for, or the simplest that fits as well as the data allow."""
        if self.p.model != "auto":
            enough = len(source) >= FREE[self.p.model] // 2 + 2
            model: Model = self.p.model if enough else "similarity"
            transform, weights = fit_robustly(source, target, sigma, model, mirrored)
            return model, transform, weights
        model = "similarity"
        transform, weights = fit_robustly(source, target, sigma, model, mirrored)
        for richer, fewest in (("affine", 40), ("homography", 80)):
            if np.count_nonzero(weights) < fewest:
                break
            # On the same stars and weights, or the richer model wins by choosing its stars.
            other = fit_model(source, target, weights, richer, mirrored)  # type: ignore[arg-type]
            before, after = (np.sum(weights * ((t(source) - target) ** 2).sum(axis=1)) for t in (transform, other))
            n = 2 * np.count_nonzero(weights)
            gain = n * np.log(max(before, 1e-300) / max(after, 1e-300))
            # Twice what the Bayesian information criterion asks for each number more.
            if gain < 2 * (FREE[richer] - FREE[model]) * np.log(n):
                continue
            model = richer  # type: ignore[assignment]
            transform, weights = fit_robustly(source, target, sigma, model, mirrored)
        return model, transform, weights


def centroid_errors(stars: Stars) -> np.ndarray:
    """Standard error of the centroids, px: 0.6 FWHM / SNR (white noise) and a floor."""
    error = 0.6 * stars.fwhm / np.maximum(stars.snr, 1.0)
    return np.sqrt(error**2 + CENTROID_FLOOR**2 + (SATURATED_ERROR * stars.saturated) ** 2)


def mutual_pairs(mapped: np.ndarray, target: np.ndarray, within: float) -> tuple[np.ndarray, np.ndarray]:
    """Index pairs of positions (n, 2) of two lists that are each other's nearest within a distance."""
    from scipy.spatial import cKDTree

    return _mutual(mapped, target, cKDTree(target), within)


def _mutual(mapped: np.ndarray, target: np.ndarray, tree: object, within: float) -> tuple[np.ndarray, np.ndarray]:
    """Index pairs of positions that are each other's nearest within a distance."""
    distance, nearest = tree.query(mapped, distance_upper_bound=within)  # type: ignore[attr-defined]
    i = np.flatnonzero(np.isfinite(distance))
    order = i[np.argsort(distance[i], kind="stable")]
    # Of several that claim one star, the nearest has it.
    _, first = np.unique(nearest[order], return_index=True)
    i = np.sort(order[first])
    return i, nearest[i]
