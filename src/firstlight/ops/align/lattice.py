"""Smooth displacements fitted to those of patches, as fine as they tell and no finer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.distortion import Distorted, Unbend
from firstlight.model.lattice import Lattice, lattice_size, node_weights
from firstlight.model.registration import Transform
from firstlight.ops.align.models import fit_robustly

HELD_OUT = 5
"""One patch in so many is left out, to be predicted by the others."""
GAIN = 0.99
"""A finer surface is taken if it predicts the patches left out better by this factor."""
WORTH = 0.85
"""A correction is taken if it brings the patches left out nearer by this factor, or by `CLEAR`. Smaller gains need not
be the sky's: what calibration left on the sensor lies still, and draws faint patches with it (0.89 was seen)."""
CLEAR = 0.12
"""px: a correction is also taken if so much of the distance (in squares) goes, where noise makes most of it."""
STIFFNESS = 1e-3
"""Weight of the differences between neighbouring nodes, in mean weights of a patch: they bridge what shows no texture
without running away there, and yield elsewhere."""
FLOOR = 0.02
"""px; error of a patch's displacement at any rate."""
STEEPEST = 0.4
"""px per px: steeper displacements fold the image."""
ROUGHER = 2
"""Finer surfaces are no longer tried after so many that predicted no better."""


@dataclass(frozen=True, eq=False)
class Correction:
    """What brings a frame nearer to its reference."""

    transform: Transform
    spacing: float
    """px between the nodes of the smooth displacement; 0: an affine map is all it takes."""
    before: float
    """px (rms): distance of the patches left out, by the transform as it was."""
    after: float
    """px (rms): their distance from what the other patches predict."""


def correct(
    transform: Transform, source: np.ndarray, target: np.ndarray, sigma: np.ndarray, held: np.ndarray,
    shape: tuple[int, int], finest: float, coarsest: float = np.inf,
) -> Correction:  # fmt: skip
    """The transform with an affine map, or a smooth displacement, after it.

    The displacement is a cubic B-spline on a lattice; the distance of its nodes is the one with which patches that were
    left out of the fit are predicted best, and an affine map is preferred where it serves as well.

    Parameters
    ----------
    source, target : positions (n, 2) that show the same, on the frame and on the reference.
    sigma : errors (n,), reference px.
    held : boolean (n,), the patches that are left out to compare.
    shape : of the reference (y, x).
    finest, coarsest : px between nodes, at least and at most.

    Raises
    ------
    FrameError
        No correction predicts the patches left out better than none.
    """
    mapped = transform(source)
    wanted = mapped - target
    weights = 1.0 / (sigma**2 + FLOOR**2)
    scatter = 1.0 / np.sqrt(weights)

    def distance(rest: np.ndarray) -> float:
        return float(np.sqrt(np.average((rest[held] ** 2).sum(axis=1), weights=weights[held])))

    before = distance(wanted)
    plain, _ = fit_robustly(mapped[~held], target[~held], scatter[~held], "affine")
    best, error = 0.0, distance(plain(mapped) - target)
    failures = 0
    for spacing in _spacings(shape, finest, coarsest):
        tried = distance(
            fit_lattice(target[~held], wanted[~held], weights[~held], shape, spacing).shift(target) - wanted
        )
        failures = 0 if tried < error else failures + 1
        if tried < GAIN * error:
            best, error = spacing, tried
        if failures >= ROUGHER:
            break
    if not (error < WORTH * before or before**2 - error**2 > CLEAR**2):
        raise FrameError(
            f"texture: no smooth correction brings patches that were left out nearer ({before:.2f} px before, "
            f"{error:.2f} px after)"
        )
    if not best:
        plain, _ = fit_robustly(mapped, target, scatter, "affine")
        return Correction(transform.then(plain), best, before, error)
    lattice = fit_lattice(target, wanted, weights, shape, best)
    slopes = [np.abs(np.diff(lattice.coefficients, axis=axis)).max() / best for axis in (0, 1)]
    if max(slopes) > STEEPEST:
        raise FrameError(f"texture: displacements of {max(slopes):.1f} px per px are no distortion")
    return Correction(Distorted.of(transform, Unbend(lattice)), best, before, error)


def _spacings(shape: tuple[int, int], finest: float, coarsest: float) -> list[float]:
    """Distances of nodes, coarse to fine: each 3/2 or 4/3 of the next."""
    found, spacing = [], finest
    while spacing < max(shape) and (spacing <= coarsest or not found):
        found += [spacing, 1.5 * spacing]
        spacing *= 2
    return [each for each in reversed(found) if each <= max(coarsest, finest)]


def fit_lattice(
    positions: np.ndarray, shifts: np.ndarray, weights: np.ndarray, shape: tuple[int, int], spacing: float
) -> Lattice:
    """Penalised least squares (Eilers & Marx 1996): displacements (n, 2) at positions (n, 2) of a plane (y, x)."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import splu

    size = lattice_size(shape, spacing)
    n, nodes = len(positions), size[0] * size[1]
    parts = list(node_weights(positions, spacing, size))
    columns = np.stack([index for index, _ in parts], axis=1)
    values = np.stack([weight for _, weight in parts], axis=1)
    design = csr_array((values.ravel(), columns.ravel(), np.arange(0, 16 * n + 1, 16)), shape=(n, nodes))
    weighted = design.multiply(weights[:, None]).T.tocsr()
    matrix = weighted @ design + STIFFNESS * float(weights.mean()) * _differences(size)
    coefficients = splu(matrix.tocsc()).solve(weighted @ shifts)
    return Lattice(spacing, coefficients.reshape(*size, 2))


def _differences(size: tuple[int, int]) -> Any:
    """Sum of squared differences of neighbouring nodes, as a matrix; and next to nothing of their own squares."""
    from scipy.sparse import diags_array, eye_array, kron

    def line(n: int) -> Any:
        step = diags_array([-np.ones(n - 1), np.ones(n - 1)], offsets=[0, 1], shape=(n - 1, n))
        return step.T @ step

    rows, columns = size
    across, down = kron(eye_array(rows), line(columns)), kron(line(rows), eye_array(columns))
    return across + down + 1e-6 * eye_array(rows * columns)
