"""Transforms with a smooth correction, for optics that do not map straight lines to straight lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from firstlight.model.registration import Transform

ROUNDS = 10
"""Of the iteration that undoes a displacement. Each gains as many digits as the displacement's slope is below 1: two
for a lens of poor quality, three for a telescope. The same for every position, so that tiles equal the whole."""


class Warp:
    """A smooth displacement that can be undone: `Bend`, `firstlight.model.lattice.Lattice`."""

    coefficients: np.ndarray

    def __post_init__(self) -> None:
        coefficients = np.array(self.coefficients, dtype=np.float64)
        coefficients.flags.writeable = False
        object.__setattr__(self, "coefficients", coefficients)

    def shift(self, positions: np.ndarray) -> np.ndarray:
        """Displacements (n, 2) at positions (n, 2)."""
        raise NotImplementedError

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        return positions + self.shift(positions)

    def undo(self, positions: np.ndarray) -> np.ndarray:
        """The positions that are moved to these."""
        found = positions
        for _ in range(ROUNDS):
            found = positions - self.shift(found)
        return found


@dataclass(frozen=True, eq=False)
class Bend(Warp):
    """Positions moved by a polynomial of degree 2 to 4 of their place, px.

    >>> bend = Bend((100.0, 100.0), 100.0, np.array([[0.5, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    >>> bend(np.array([[200.0, 100.0]])).tolist()
    [[200.5, 100.0]]
    >>> bend.undo(bend(np.array([[200.0, 130.0]]))).round(9).tolist()
    [[200.0, 130.0]]
    """

    centre: tuple[float, float]
    size: float
    """px; places are measured from the centre in this unit."""
    coefficients: np.ndarray
    """Displacements (terms, 2) in x and y: of u**2, u v, v**2, u**3, ... (see `monomials`)."""

    def shift(self, positions: np.ndarray) -> np.ndarray:
        """Displacements (n, 2) at positions (n, 2)."""
        u, v = ((positions[:, axis] - self.centre[axis]) / self.size for axis in (0, 1))
        total = np.zeros(positions.shape)
        # Term by term: a matrix product may round differently with the number of positions.
        for term, coefficients in zip(monomials(u, v), self.coefficients):
            total += term[:, None] * coefficients
        return total


def monomials(u: np.ndarray, v: np.ndarray) -> Iterator[np.ndarray]:
    """u**2, u v, v**2, u**3, u**2 v, ... without end."""
    degree = 2
    while True:
        for power in range(degree + 1):
            yield u ** (degree - power) * v**power
        degree += 1


@dataclass(frozen=True, eq=False)
class Unbend:
    """The inverse of a bend, or of another smooth displacement."""

    bend: Warp

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        return self.bend.undo(positions)

    def undo(self, positions: np.ndarray) -> np.ndarray:
        return self.bend(positions)


@dataclass(frozen=True, eq=False)
class Distorted(Transform):
    """Projective maps with bends between them; ``matrix`` is the product of the maps, without the bends.

    >>> bend = Bend((0.0, 0.0), 1000.0, np.array([[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    >>> transform = Distorted.of(bend, Transform.of_shift(10.0, 0.0))
    >>> transform(np.array([[1000.0, 0.0]])).tolist()
    [[1012.0, 0.0]]
    >>> transform.then(Transform.of_shift(-10.0, 0.0)).inverse(np.array([[1002.0, 0.0]])).round(9).tolist()
    [[1000.0, 0.0]]
    >>> transform.then(transform.inverse).is_affine
    False
    """

    parts: tuple[Transform | Warp | Unbend, ...] = ()

    @classmethod
    def of(cls, *parts: Transform | Warp | Unbend) -> Distorted:
        """First part first; neighbouring matrices become one."""
        merged: list[Transform | Warp | Unbend] = []
        for part in parts:
            for each in part.parts if isinstance(part, Distorted) else (part,):
                if merged and isinstance(each, Transform) and isinstance(merged[-1], Transform):
                    merged[-1] = Transform(each.matrix @ merged[-1].matrix)
                else:
                    merged.append(each)
        matrix = np.eye(3)
        for each in merged:
            if isinstance(each, Transform):
                matrix = each.matrix @ matrix
        return cls(matrix, tuple(merged))

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        positions = np.asarray(positions, dtype=np.float64)
        for part in self.parts:
            positions = part(positions)
        return positions

    @property
    def inverse(self) -> Distorted:
        back: list[Transform | Warp | Unbend] = []
        for part in reversed(self.parts):
            if isinstance(part, Transform):
                back.append(part.inverse)
            else:
                back.append(part.bend if isinstance(part, Unbend) else Unbend(part))
        return Distorted.of(*back)

    def then(self, other: Transform) -> Distorted:
        return Distorted.of(self, other)

    def after(self, first: Transform) -> Distorted:
        return Distorted.of(first, self)

    @property
    def is_affine(self) -> bool:
        return False

    @property
    def is_identity(self) -> bool:
        return False
