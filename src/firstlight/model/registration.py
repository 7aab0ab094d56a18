"""How the pixels of one frame map onto another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Transform:
    """Projective map of pixel positions: frame (x, y) to reference (x, y), 0-based.

    ``matrix`` is 3 x 3, float64, acting on column vectors (x, y, 1); an affine map has the last row (0, 0, 1).
    `firstlight.model.distortion.Distorted` adds smooth corrections.

    >>> shift = Transform.of_shift(2.0, -1.0)
    >>> shift(np.array([[10.0, 10.0]])).tolist()
    [[12.0, 9.0]]
    >>> shift.inverse.then(shift).is_identity
    True
    """

    matrix: np.ndarray

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64).reshape(3, 3)
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def of_shift(cls, x: float, y: float) -> Transform:
        """A pure translation, px."""
        return cls(np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]]))

    @classmethod
    def identity(cls) -> Transform:
        return cls(np.eye(3))

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Map positions (n, 2) of the frame to the reference."""
        x, y = np.asarray(positions, dtype=np.float64).T
        # Written out: a matrix product may round differently with the number of positions.
        a, b, c = (x * row[0] + y * row[1] + row[2] for row in self.matrix)
        return np.stack([a / c, b / c], axis=-1)

    @cached_property
    def inverse(self) -> Transform:
        inverse = np.linalg.inv(self.matrix)
        return Transform(inverse / inverse[2, 2])

    def then(self, other: Transform) -> Transform:
        """This map first, the other after it."""
        return other.after(self)

    def after(self, first: Transform) -> Transform:
        """The other map first, this after it."""
        return Transform(self.matrix @ first.matrix)

    @property
    def is_affine(self) -> bool:
        return bool(self.matrix[2, 0] == 0 and self.matrix[2, 1] == 0)

    @property
    def is_identity(self) -> bool:
        return bool(np.allclose(self.matrix, np.eye(3), rtol=0, atol=1e-12))

    @property
    def scale(self) -> float:
        """Linear scale at the origin: reference px per frame px."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))

    @property
    def rotation(self) -> float:
        """Degrees, counter-clockwise positive with y up the array."""
        return float(np.degrees(np.arctan2(self.matrix[1, 0], self.matrix[0, 0])))

    @property
    def is_flipped(self) -> bool:
        return bool(np.linalg.det(self.matrix[:2, :2]) < 0)


@dataclass(frozen=True)
class Registration:
    """A transform and how well it is known."""

    transform: Transform
    n_matched: int = 0
    rms: float = 0.0
    """Residual of the matched stars in reference px, per axis combined (root mean square of distances)."""
    method: str = "stars"
