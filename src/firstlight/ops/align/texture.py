"""Refine a transform by the texture of planes: for the Moon, planets and nebulae, which bend from place to place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.registration import Transform
from firstlight.ops.align.lattice import HELD_OUT, Correction, correct
from firstlight.ops.align.patches import SIDE, STEP, Displacements, compare_patches
from firstlight.ops.align.resample import resample_tile

Refine = Literal["none", "corr", "ilk", "tvl1"]

ROUNDS = 4
SETTLED = 0.02
"""px (rms over the patches): a round that moves less is the last."""
FEWEST = 24
"""Patches with texture in common."""
REDUCTIONS = (1, 2, 4, 8)
"""Faint, wide structures show where pixels are averaged."""
SURE = 0.15
"""px; patches this good (in the median) that show most of the plane need no coarser ones beside them."""
EXACT = 0.1
"""px; better patches than this say no more of how well a plane as a whole is known."""
SHARE = 0.5
"""The finest plane is taken that tells at least this share of what any of them tells."""
FINEST = 4 / 3
"""Distance of nodes, at least, in distances of patches."""


@dataclass(frozen=True, eq=False)
class Refined:
    """A transform that texture has made better."""

    transform: Transform
    n_patches: int
    spacing: float
    """px between the nodes of the smooth displacement; 0: an affine map is all it takes."""
    before: float
    after: float
    """px (rms): how far patches that were left out lie from where the transform, or the other patches, put them."""


def refine_by_texture(
    plane: np.ndarray, reference: np.ndarray, transform: Transform, method: Literal["corr", "ilk", "tvl1"] = "corr"
) -> Refined:
    """Compare a frame, resampled through a transform, with the reference in patches, and correct the transform.

    The displacements of all patches become one smooth surface, as fine as the patches warrant: a fifth of them is left
    out, and predicted by the others. It is compared anew up to four times.

    Parameters
    ----------
    plane, reference : float32 (y, x); not changed. Pixels that are not finite take no part.
    transform : positions of ``plane`` to those of ``reference``, right to 12 px.
    method : ``corr``: correlation of the patches; ``ilk``, ``tvl1``: dense optical flow (scikit-image).

    Raises
    ------
    FrameError
        Too little texture in common, or no correction brings the planes nearer to each other.

    >>> rng = np.random.default_rng(1)
    >>> sky = np.kron(rng.random((100, 100)), np.ones((3, 3))).astype(np.float32)
    >>> refined = refine_by_texture(sky, np.roll(sky, (2, -1), axis=(0, 1)), Transform.identity())
    >>> refined.transform(np.array([[150.0, 150.0]])).round(1).tolist()
    [[149.0, 152.0]]
    """
    pair = _choose(plane, reference, transform)
    finest, coarsest = FINEST * STEP * pair.step, np.inf
    current = transform
    for _ in range(ROUNDS):
        found = pair.compare(current, method)
        n = int(found.found.sum())
        if n < FEWEST:
            raise FrameError(f"texture: {n} patches show the same as the reference; at least {FEWEST} must")
        best = _correct(found, current, transform, reference.shape, finest, coarsest)
        at = found.positions[found.found]
        moved = best.transform.inverse(at) - current.inverse(at)
        current = best.transform
        if np.sqrt(np.mean((moved**2).sum(axis=1))) < SETTLED * pair.step:
            break
        # The first look is the least sure: from then on a surface little coarser is the coarsest that is tried.
        coarsest = 2 * best.spacing if best.spacing else np.inf
    return Refined(current, n, best.spacing, best.before, best.after)


def _correct(
    found: Displacements, current: Transform, transform: Transform, shape: tuple[int, int], finest: float,
    coarsest: float,
) -> Correction:  # fmt: skip
    rows, columns = np.indices(found.sigma.shape)
    held = (columns + 2 * rows) % HELD_OUT == 0
    seen = found.found
    target = found.positions[seen]
    source = current.inverse(target + found.shifts[seen])
    return correct(transform, source, target, found.sigma[seen], held[seen], shape, finest, coarsest)


@dataclass(frozen=True, eq=False)
class _Pair:
    """The textures of both planes, reduced by ``step``."""

    plane: np.ndarray
    reference: np.ndarray
    step: int

    @classmethod
    def of(cls, plane: np.ndarray, reference: np.ndarray, step: int) -> _Pair:
        return cls(*(texture_of(_reduced(each, step)) for each in (plane, reference)), step)

    def compare(self, transform: Transform, method: Refine = "corr") -> Displacements:
        """Displacements after a transform, px of the reference (not reduced)."""
        step = self.step
        enlarge = Transform(np.array([[step, 0, (step - 1) / 2], [0, step, (step - 1) / 2], [0, 0, 1.0]]))
        forward = enlarge.then(transform).then(enlarge.inverse)
        moved = np.empty_like(self.reference)
        resample_tile(self.plane, 0, self.plane.shape, forward, moved, 0, 0)
        found = compare_patches(self.reference, moved)
        if method in ("ilk", "tvl1"):
            from firstlight.ops.align.optical_flow import flow_displacements

            found = flow_displacements(self.reference, moved, method, found)  # type: ignore[arg-type]
        return Displacements(enlarge(found.positions.reshape(-1, 2)).reshape(found.positions.shape),
                             step * found.shifts, step * found.sigma)  # fmt: skip


def _choose(plane: np.ndarray, reference: np.ndarray, transform: Transform) -> _Pair:
    """The planes, reduced as little as their texture allows."""
    tried: list[tuple[float, _Pair]] = []
    for step in REDUCTIONS:
        if min(*plane.shape, *reference.shape) < 4 * SIDE * step:
            break
        pair = _Pair.of(plane, reference, step)
        measured = pair.compare(transform)
        found = measured.found
        sigma = measured.sigma[found]
        if len(sigma) >= FEWEST:
            # Inverse variances, as much of them as there is area.
            tried.append((step**2 * float(np.sum(1.0 / (sigma**2 + EXACT**2))), pair))
            if found.mean() > 0.5 and np.median(sigma) < SURE:
                break
    if not tried:
        raise FrameError(f"texture: fewer than {FEWEST} patches show the same as the reference")
    most = max(told for told, _ in tried)
    return next(pair for told, pair in tried if told >= SHARE * most)


def _reduced(plane: np.ndarray, step: int) -> np.ndarray:
    if step == 1:
        return np.asarray(plane, dtype=np.float32)
    height, width = (n // step * step for n in plane.shape)
    cells = plane[:height, :width].reshape(height // step, step, width // step, step)
    return cells.mean(axis=(1, 3), dtype=np.float32)


def texture_of(plane: np.ndarray) -> np.ndarray:
    """What is finer than a patch, without pixels that stand out alone; NaN where most of the surroundings is missing.

    Such pixels belong to the sensor: they do not move with what it sees.
    """
    from scipy.ndimage import uniform_filter

    finite = np.isfinite(plane)
    if not finite.any():
        raise FrameError("texture: no pixel of a plane holds a number")
    around = SIDE // 2 + 1
    whole = bool(finite.all())
    filled = plane if whole else np.where(finite, plane, np.float32(0))
    level = uniform_filter(filled, around, mode="nearest")
    if not whole:
        share = uniform_filter(finite.astype(np.float32), around, mode="nearest")
        level = np.where(share > 0.5, level / np.maximum(share, np.float32(0.5)), np.float32(np.nan))
    texture = filled - level
    texture[~finite & np.isfinite(level)] = 0.0
    return _levelled(texture)


def _levelled(texture: np.ndarray) -> np.ndarray:
    """Pixels far above the highest of their four neighbours are brought down to it."""
    wide = np.pad(texture, 1, mode="edge")
    top = np.maximum(np.maximum(wide[:-2, 1:-1], wide[2:, 1:-1]), np.maximum(wide[1:-1, :-2], wide[1:-1, 2:]))
    sample = texture[::4, ::4]
    sample = sample[np.isfinite(sample)]
    spread = np.float32(1.4826 * float(np.median(np.abs(sample)))) if len(sample) else np.float32(0)
    return np.where(texture > top + 3 * spread, top, texture)
