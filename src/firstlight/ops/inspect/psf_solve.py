"""Least squares for the splines of a point spread function that many stars share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from firstlight.kernels import psfsolve
from firstlight.model.bell import Bell
from firstlight.model.psf import Psf, as_splines, field_terms, nodes, radius_for, splines_per_px

FLOOR = 0.01
"""No model of a star is better than this: beyond it a star's own errors are no longer those of its photons."""
PRIOR = (0.3, 0.01)
"""Standard deviation that the splines may differ by from the closed form: a share of it, and of its peak."""
CLIP = 5.0
"""Pixels further off than this (sigma) belong to neighbours or defects."""
CHANGE = 0.4
"""The same for what changes over the field, against what is the same everywhere, for each degree of the polynomial."""
FREEDOMS = (1.0, 0.3, 0.05)
"""Factors to both that are tried."""
CORE = 2.0
"""FWHM around the centre within which the light is that of the closed form."""
NUDGE = 0.03
SCATTER = 0.01
"""Widths and elongations of stars differ by this much from any polynomial."""
STEPS = 14
TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Cutouts:
    """Windows of equal size around n stars, sky subtracted; each star's own flux and place."""

    values: np.ndarray
    """float64 (n, side, side), unit of the plane above the sky."""
    weights: np.ndarray
    """1 / variance of the sky alone; 0 where a pixel takes no part."""
    left: np.ndarray
    low: np.ndarray
    """First column and row of each window."""
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    photons: float
    """Variance per unit of light."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: np.ndarray) -> Cutouts:
        names = ("values", "weights", "left", "low", "x", "y", "flux")
        return replace(self, **{name: getattr(self, name)[index] for name in names})

    def moved(self, dx: float, dy: float) -> Cutouts:
        """The same with all centres further on."""
        return replace(self, x=self.x + dx, y=self.y + dy)


def best_freedom(cutouts: Cutouts, bell: Bell, degree: int, shape: tuple[int, int]) -> float:
    """How free the splines should be: the freedom whose PSF, made of half of the stars, suits the other half best."""
    halves = [np.flatnonzero(np.arange(len(cutouts)) % 2 == side) for side in (0, 1)]
    if min(map(len, halves)) < 3:
        return FREEDOMS[-1]
    misfits = []
    for freedom in FREEDOMS:
        off = 0.0
        for made_of, left_out in (halves, halves[::-1]):
            psf = solve_psf(cutouts.take(made_of), bell, degree, shape, freedom)
            off += _misfit(cutouts.take(left_out), psf)
        misfits.append(off)
    return FREEDOMS[int(np.argmin(misfits))]


def _misfit(cutouts: Cutouts, psf: Psf) -> float:
    """Sum over stars of how much of their light the PSF misplaces; fluxes and levels of the sky are free."""
    model = _Matrix(cutouts, field_terms(cutouts.x, cutouts.y, psf.shape, psf.degree), psf.oversampling).draw(
        psf.coefficients
    )
    weights = _weights(cutouts, model)
    total = np.maximum(weights.sum(axis=(1, 2), keepdims=True), 1e-300)

    def levelled(planes: np.ndarray) -> np.ndarray:
        return planes - (weights * planes).sum(axis=(1, 2), keepdims=True) / total

    model, values = levelled(model), levelled(cutouts.values)
    ratio = (weights * model * values).sum(axis=(1, 2)) / (weights * model * model).sum(axis=(1, 2))
    off = weights * (values - ratio[:, None, None] * model) ** 2
    return float(np.minimum(off, CLIP**2).sum())


def solve_psf(cutouts: Cutouts, bell: Bell, degree: int, shape: tuple[int, int], freedom: float = 0.3) -> Psf:
    """The PSF of these stars, given their places and fluxes: closed form plus splines for what that leaves.

    Minimises the weighted squares of the residuals, with the splines held towards the closed form where the stars do
    not tell otherwise (so few or faint stars give that form, and no noise), by conjugate gradients.
    """
    oversampling = splines_per_px(bell.fwhm)
    offsets = nodes(radius_for(bell.fwhm), oversampling)
    closed = bell.in_pixels(offsets[None, :], offsets[:, None])
    matrix = _Matrix(cutouts, field_terms(cutouts.x, cutouts.y, shape, degree), oversampling)
    form = _varying_form(matrix, bell, offsets)
    light = matrix.draw(form)
    weights = _weights(cutouts, light)
    target = cutouts.values - light
    for _ in range(2):
        found = _conjugate_gradients(matrix, target, weights, _prior(closed, degree) / freedom**2)
        off = target - matrix.draw(found)
        sums = np.maximum(weights.sum(axis=(1, 2), keepdims=True), 1e-300)
        off = off - (weights * off).sum(axis=(1, 2), keepdims=True) / sums
        kept = np.abs(off) * np.sqrt(weights) < CLIP
        if kept.all():
            break
        weights = weights * kept
    # What the fluxes were thought to be is no matter of the profile: within a few FWHM there is as much light as in the
    # closed form, in every part of the field. (Over all splines the noise of the wings would count.)
    core = np.hypot(offsets[None, :], offsets[:, None]) <= CORE * bell.fwhm
    shares = found[:, core].sum(axis=1) / as_splines(closed)[core].sum()
    found += form - shares[:, None, None] * as_splines(closed)
    dof = np.maximum((weights > 0).sum(axis=(1, 2)) - 3, 1)
    chi = (weights * off**2).sum(axis=(1, 2)) / dof
    return Psf(found, oversampling, shape, bell, bell, len(cutouts), float(np.median(chi)))


def _varying_form(matrix: _Matrix, bell: Bell, offsets: np.ndarray) -> np.ndarray:
    """Splines (terms, m, m) of the closed form, its width and elongation polynomials of the place in the field.

    What each star says of the three (least squares with its flux and the level of its sky free) is fitted over the
    field with the weight of its error, outliers clipped.
    """
    cutouts, terms = matrix.cutouts, matrix.terms
    e1, e2 = bell.stretch
    forms = [Bell.of_shape(bell.fwhm, e1, e2, bell.beta)]
    for fwhm, a, b in ((NUDGE, 0, 0), (0, NUDGE, 0), (0, 0, NUDGE)):
        for sign in (1, -1):
            forms.append(Bell.of_shape(bell.fwhm * math.exp(sign * fwhm), e1 + sign * a, e2 + sign * b, bell.beta))
    closed, *nudged = (as_splines(form.in_pixels(offsets[None, :], offsets[:, None])) for form in forms)
    slopes = [(nudged[k] - nudged[k + 1]) / (2 * NUDGE) for k in (0, 2, 4)]
    alone = _Matrix(cutouts, np.ones((len(cutouts), 1)), matrix.oversampling)
    drawn = [alone.draw(each[None]) for each in (closed, *slopes)]
    weights = _weights(cutouts, drawn[0])
    design = np.stack([*drawn, np.ones_like(drawn[0])], axis=-1).reshape(len(cutouts), -1, 5)
    flat = weights.reshape(len(cutouts), -1, 1)
    square = np.swapaxes(design * flat, 1, 2)
    normal = square @ design
    answer = np.linalg.solve(normal + 1e-12 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(5),
                             square @ cutouts.values.reshape(len(cutouts), -1, 1))[..., 0]  # fmt: skip
    inverse = np.linalg.pinv(normal, hermitian=True)
    form = np.zeros((terms.shape[1], *closed.shape))
    form[0] = closed
    for k, slope in enumerate(slopes, 1):
        values = answer[:, k] / answer[:, 0]
        errors = np.hypot(np.sqrt(np.abs(inverse[:, k, k])) / np.abs(answer[:, 0]), SCATTER)
        form += _clipped_polynomial(terms, values, errors)[:, None, None] * slope
    return form


def _clipped_polynomial(terms: np.ndarray, values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Coefficients of the terms, by least squares; what lies 4 sigma (of the scatter, robust) off is left out."""
    kept = np.isfinite(values)
    found = np.zeros(terms.shape[1])
    for _ in range(4):
        scaled = terms[kept] / errors[kept, None]
        found = np.linalg.lstsq(scaled, values[kept] / errors[kept], rcond=1e-8)[0]
        off = np.abs(values - terms @ found) / errors
        fewer = np.isfinite(values) & (off < 4 * max(1.4826 * float(np.median(off[kept])), 1.0))
        if (fewer == kept).all() or fewer.sum() < terms.shape[1] + 2:
            break
        kept = fewer
    return found


@dataclass(frozen=True, eq=False)
class _Matrix:
    """What takes the splines to the pixels of the windows, and back."""

    cutouts: Cutouts
    terms: np.ndarray
    oversampling: int

    @property
    def _places(self) -> tuple[np.ndarray, ...]:
        c = self.cutouts
        return self.oversampling, self.terms, c.x, c.y, c.left, c.low, c.flux  # type: ignore[return-value]

    def draw(self, coefficients: np.ndarray) -> np.ndarray:
        out = np.empty_like(self.cutouts.values)
        psfsolve.draw_stars(coefficients, *self._places, out)
        return out

    def gather(self, values: np.ndarray, like: np.ndarray, *, squared: bool = False) -> np.ndarray:
        out = np.empty((self.terms.shape[1], *like.shape[-2:]))
        psfsolve.gather_stars(values, *self._places, squared, out)
        return out


def _weights(cutouts: Cutouts, light: np.ndarray) -> np.ndarray:
    sky = np.divide(1.0, cutouts.weights, out=np.zeros_like(cutouts.weights), where=cutouts.weights > 0)
    positive = np.maximum(light, 0.0)
    variance = sky + cutouts.photons * positive + (FLOOR * positive) ** 2
    return np.where(cutouts.weights > 0, 1.0 / np.where(variance > 0, variance, 1.0), 0.0)


def _prior(closed: np.ndarray, degree: int) -> np.ndarray:
    """Inverse variance of each spline, (terms, m, m): what changes over the field is less than what is there."""
    steady = 1.0 / (PRIOR[0] * closed + PRIOR[1] * closed.max()) ** 2
    return np.stack([steady / CHANGE ** (2 * n) for n in range(degree + 1) for _ in range(n + 1)])


def _conjugate_gradients(matrix: _Matrix, target: np.ndarray, weights: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Coefficients (terms, m, m) of what the closed form leaves; preconditioned by the diagonal."""
    total = np.maximum(weights.sum(axis=(1, 2), keepdims=True), 1e-300)

    def weighed(seen: np.ndarray) -> np.ndarray:
        # The level of each window is free: what a plateau of the PSF could be is sky.
        seen = weights * seen
        return seen - weights * (seen.sum(axis=(1, 2), keepdims=True) / total)

    diagonal = matrix.gather(weights, prior, squared=True) + prior
    rest = matrix.gather(weighed(target), prior)
    found = np.zeros_like(rest)
    z = rest / diagonal
    direction = z
    product = start = float((rest * z).sum())
    for _ in range(STEPS):
        if not product > TOLERANCE * start:
            break
        moved = matrix.gather(weighed(matrix.draw(direction)), prior) + prior * direction
        step = product / float((direction * moved).sum())
        found += step * direction
        rest = rest - step * moved
        z = rest / diagonal
        following = float((rest * z).sum())
        direction = z + following / product * direction
        product = following
    return found
