"""Bring the panels of a mosaic of the sky onto one plane, all together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from firstlight.model.distortion import Bend, Distorted
from firstlight.model.registration import Transform

FLAT = 3e6
"""px; focal length that stands for one that is not known: the sky as a plane."""
MOST = 150
"""Stars of a link that are used."""
WORTH = 0.1
"""px in the corner of a frame; less distortion is none."""
FEWEST = 60
"""Stars in all links together, below which no distortion is fitted."""
SURE = 5.0
"""Sigma of the distortion that is believed."""


@dataclass(frozen=True, eq=False)
class Link:
    """The same stars on two panels."""

    one: int
    other: int
    positions: np.ndarray
    """(n, 2) on the one, px."""
    partners: np.ndarray
    """(n, 2) on the other."""
    sigma: np.ndarray
    """(n,) error of their distance, px."""

    @property
    def reversed(self) -> Link:
        return Link(self.other, self.one, self.partners, self.positions, self.sigma)


@dataclass(frozen=True, eq=False)
class Bundle:
    """Where the panels lie, and how well they meet."""

    transforms: Mapping[int, Transform]
    """Panel to the plane; panels that no chain of links joins to a fixed one are missing."""
    rms: float
    """Of the distances between the same stars of two panels, px."""
    focal: float
    bend: Bend | None
    """Radial distortion of the frames, if they show any; it is part of the transforms."""


def join_panels(
    links: Sequence[Link],
    fixed: Mapping[int, Transform],
    shape: tuple[int, int],
    focal: float | None = None,
    *,
    bend: Bend | None = None,
    may_bend: bool = True,
) -> Bundle:
    """Fit the direction, turn and scale of every panel at once, so that the stars of all links meet.

    Frames of one camera are planes that touch one sphere; a plane is mapped to the plane of the reference by a
    rotation. Four numbers for a panel, and one for the radial distortion of all, are far better determined by narrow
    overlaps than a homography for each pair is, and loops of panels close by themselves. (Brown & Lowe 2007, IJCV 74,
    59; with the focal length from the headers.)

    Parameters
    ----------
    links : pairs of panels with their common stars
    fixed : panels that are placed already, onto the plane; at least one
    shape : (height, width) of the frames
    focal : focal length, px; None where it is not known: the sky is then taken for a plane
    bend : the distortion, where it is known
    may_bend : whether one may be fitted

    Notes
    -----
    The reference keeps its middle and its directions; with a distortion it is bent like the others.
    """
    order, starts = _chain(links, fixed)
    camera = _Camera(shape, focal or FLAT)
    free = [panel for panel in order if panel not in fixed]
    used = [link for link in links if link.one in starts and link.other in starts]
    if not free or not used:
        joined = {panel: starts[panel] for panel in order}
        return Bundle(joined, _rms(used, joined), focal or np.inf, bend)
    held = {panel: transform if bend is None else _straight(transform) for panel, transform in fixed.items()}
    numbers = np.concatenate([camera.numbers_of(starts[panel]) for panel in free])
    fits = may_bend and bend is None and sum(len(link.sigma) for link in used) >= FEWEST
    first = camera.strength_of(bend) if bend else 0.0
    solution, strength, error = _solve(used, held, free, numbers, camera, first, fits)
    if fits and (abs(strength) < SURE * error or abs(strength) * camera.corner < WORTH):
        solution, strength, _ = _solve(used, held, free, numbers, camera, 0.0, False)
    found = camera.bend_of(strength) if strength else None
    joined = {panel: _bent(found, held[panel]) for panel in fixed}
    joined |= {panel: _bent(found, camera.transform(solution[4 * k : 4 * k + 4])) for k, panel in enumerate(free)}
    return Bundle(joined, _rms(used, joined), focal or np.inf, found)


def _bent(bend: Bend | None, transform: Transform) -> Transform:
    return transform if bend is None else Distorted.of(bend, transform)


def _straight(transform: Transform) -> Transform:
    """Without the bend it begins with."""
    return Transform(transform.matrix)


@dataclass(frozen=True)
class _Camera:
    shape: tuple[int, int]
    focal: float

    @property
    def centre(self) -> np.ndarray:
        return np.array([(self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2])

    @property
    def corner(self) -> float:
        """Half the diagonal, px."""
        return 0.5 * float(np.hypot(*self.shape))

    def transform(self, numbers: np.ndarray) -> Transform:
        """Panel to plane: way of the centre along x and y (px), turn (radians), logarithm of the scale."""
        return Transform(self.matrix(numbers))

    def matrix(self, numbers: np.ndarray) -> np.ndarray:
        from scipy.spatial.transform import Rotation

        x, y, roll, scale = numbers
        cx, cy = self.centre
        f = self.focal
        # To the sphere, turned about the axis of view, tipped by the angle to the panel's centre.
        into = np.array([[1 / f, 0, -cx / f], [0, 1 / f, -cy / f], [0, 0, 1.0]])
        into[:2] *= np.exp(scale)
        back = np.array([[f, 0, cx], [0, f, cy], [0, 0, 1.0]])
        tip = Rotation.from_rotvec(np.array([-y, x, 0.0]) / f).as_matrix()
        turn = Rotation.from_rotvec([0.0, 0.0, roll]).as_matrix()
        matrix = back @ tip @ turn @ into
        return matrix / matrix[2, 2]

    def numbers_of(self, transform: Transform) -> np.ndarray:
        """The nearest numbers of a transform: right for its centre, and its turn and scale there."""
        centre = self.centre
        middle, right = transform(np.stack([centre, centre + np.array([1.0, 0.0])]))
        away = middle - centre
        distance = float(np.hypot(*away))
        angle = np.arctan2(distance, self.focal)
        factor = angle * self.focal / distance if distance else 1.0
        step = right - middle
        # The plane stretches what is off its middle.
        stretch = 1 / np.cos(angle)
        return np.array([*(away * factor), np.arctan2(step[1], step[0]), np.log(np.hypot(*step) / stretch)])

    def bend_of(self, strength: float) -> Bend:
        """Shift of strength r^3 outwards, r = 1 in the corners; ``strength`` over the corner's distance."""
        size = self.corner
        radial = strength * size * np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float64)
        return Bend(tuple(self.centre), size, np.concatenate([np.zeros((3, 2)), radial]))  # type: ignore[arg-type]

    def strength_of(self, bend: Bend) -> float:
        return float(bend.coefficients[3, 0] / bend.size)


def _solve(
    links: Sequence[Link], held: Mapping[int, Transform], free: Sequence[int], numbers: np.ndarray, camera: _Camera,
    strength: float, fits: bool,
) -> tuple[np.ndarray, float, float]:  # fmt: skip
    """Numbers of the free panels, strength of the distortion and its standard error."""
    from scipy.optimize import least_squares

    place = {panel: k for k, panel in enumerate(free)}
    few = [np.linspace(0, len(link.sigma) - 1, min(len(link.sigma), MOST)).astype(int) for link in links]

    def residuals(values: np.ndarray) -> np.ndarray:
        bend = camera.bend_of(values[-1] if fits else strength)
        maps = {panel: _bent(bend, transform) for panel, transform in held.items()}
        maps |= {panel: _bent(bend, camera.transform(values[4 * k : 4 * k + 4])) for panel, k in place.items()}
        parts = []
        for link, some in zip(links, few):
            apart = maps[link.one](link.positions[some]) - maps[link.other](link.partners[some])
            parts.append((apart / link.sigma[some, None]).ravel())
        return np.concatenate(parts)

    start = np.append(numbers, strength) if fits else numbers
    scale = np.tile([1.0, 1.0, 1 / camera.corner, 1 / camera.corner], len(free))
    found = least_squares(
        residuals, start, loss="soft_l1", x_scale=np.append(scale, 1 / camera.corner) if fits else scale, max_nfev=60
    )
    if not fits:
        return found.x, strength, 0.0
    normal = found.jac.T @ found.jac
    spread = max(float(np.median(np.abs(residuals(found.x)))) * 1.4826, 1e-3)
    error = spread * float(np.sqrt(np.linalg.pinv(normal)[-1, -1]))
    return found.x[:-1], float(found.x[-1]), error


def _chain(links: Sequence[Link], fixed: Mapping[int, Transform]) -> tuple[list[int], dict[int, Transform]]:
    """Panels in the order in which they are reached along the links with most stars, and a first transform of each."""
    from firstlight.ops.align.models import fit_robustly

    placed = dict(fixed)
    order = list(fixed)
    both = [*links, *(link.reversed for link in links)]
    while True:
        # From a placed panel to one that is not.
        ready = [link for link in both if link.other in placed and link.one not in placed]
        if not ready:
            return order, placed
        best = max(ready, key=lambda link: len(link.sigma))
        step, _ = fit_robustly(best.positions, best.partners, best.sigma, "similarity")
        placed[best.one] = step.then(placed[best.other])
        order.append(best.one)


def _rms(links: Sequence[Link], transforms: Mapping[int, Transform]) -> float:
    """Median-based, so that a wrong pair does not tell."""
    apart = [np.hypot(*(transforms[k.one](k.positions) - transforms[k.other](k.partners)).T) for k in links]
    if not apart:
        return 0.0
    # The median of a Rayleigh law is 1.1774 sigma, its rms 1.4142.
    return float(np.median(np.concatenate(apart)) / 1.1774 * np.sqrt(2.0))
