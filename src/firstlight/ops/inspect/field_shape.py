"""How the stars change over the field: tilt, curvature, elongation, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.psf import field_terms

FEWEST = 15
"""Stars without which nothing can be said of the field."""
NAMES = (
    ("top left", "top", "top right"),
    ("left", "centre", "right"),
    ("bottom left", "bottom", "bottom right"),
)
"""Of the nine parts, the first row of the array being the top."""
SLIGHT, STRONG = 5.0, 15.0
"""Percent of the FWHM from which on a change is slight, and strong."""


@dataclass(frozen=True, eq=False)
class FieldShape:
    """Medians of nine parts of the field, and a smooth map of the width."""

    fwhm: np.ndarray
    """(3, 3), px; NaN without three stars."""
    eccentricity: np.ndarray
    angle: np.ndarray
    """(3, 3): common direction of the elongation, degrees from x towards y."""
    n_stars: np.ndarray
    coefficients: np.ndarray
    """Of 1, u, v, u^2, uv, v^2 (`field_terms`): the FWHM, px."""
    shape: tuple[int, int]
    tilt: float
    """Change of the FWHM along the steepest slope, from edge to edge, percent."""
    tilt_error: float
    tilt_angle: float
    """Towards the wider stars, degrees from x towards y."""
    curvature: float
    """FWHM of the four corners over that of the centre, less 1, percent."""
    curvature_error: float
    elongation: float
    """Eccentricity that all stars have in common."""
    elongation_angle: float
    radial: float
    """-1 to 1: elongation towards the centre (1: coma, lateral colour) or around it (-1: rotation), away from it 0."""

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The smooth FWHM at places of the image, px."""
        return field_terms(np.asarray(x), np.asarray(y), self.shape, 2) @ self.coefficients

    @property
    def corners(self) -> dict[str, float]:
        """The FWHM of the corners by the smooth map, px."""
        h, w = self.shape[0] - 1, self.shape[1] - 1
        places = {"top left": (0, 0), "top right": (w, 0), "bottom left": (0, h), "bottom right": (w, h)}
        return {name: float(self.at(np.array([x]), np.array([y]))[0]) for name, (x, y) in places.items()}

    @property
    def centre(self) -> float:
        """The FWHM in the middle by the smooth map, px."""
        return float(self.coefficients[0])

    def words(self) -> list[str]:
        """What a person would say of it."""
        corners = self.corners
        worst, best = max(corners, key=corners.__getitem__), min(corners, key=corners.__getitem__)
        said = []
        if self.tilt > max(SLIGHT, 2 * self.tilt_error):
            how = "strong" if self.tilt > STRONG else "slight"
            said.append(
                f"{how} tilt: {self.tilt:.0f} % (+- {self.tilt_error:.0f}) from edge to edge; the {worst} corner is "
                f"{100 * (corners[worst] / corners[best] - 1):.0f} % wider than the {best} corner"
            )
        else:
            said.append(f"no tilt: {self.tilt:.0f} % (+- {self.tilt_error:.0f}) from edge to edge")
        if abs(self.curvature) > max(SLIGHT, 2 * self.curvature_error):
            where = "the corners are wider than" if self.curvature > 0 else "the centre is wider than the corners;"
            rest = "the centre: field curvature or spacing" if self.curvature > 0 else "focused for the corners"
            said.append(f"curvature {self.curvature:+.0f} % (+- {self.curvature_error:.0f}): {where} {rest}")
        else:
            said.append(f"flat field: corners {self.curvature:+.0f} % (+- {self.curvature_error:.0f}) of the centre")
        if self.elongation > 0.4:
            said.append(
                f"stars drawn out along {self.elongation_angle:.0f} deg everywhere (eccentricity "
                f"{self.elongation:.2f}): guiding, wind or a tilted corrector"
            )
        if self.radial > 0.5 and self.elongation < 0.6:
            said.append("stars outside point at the centre: coma, or lateral colour")
        elif self.radial < -0.5 and self.elongation < 0.6:
            said.append("stars outside lie around the centre: rotation of the field, or astigmatism")
        return said


def field_shape_of(
    x: np.ndarray, y: np.ndarray, fwhm: np.ndarray, eccentricity: np.ndarray, angle: np.ndarray, shape: tuple[int, int]
) -> FieldShape:
    """From strong, unsaturated, single stars.

    Raises
    ------
    FrameError
        Fewer than 15 stars.

    >>> x, y = (each.ravel() for each in np.meshgrid(np.linspace(0, 900, 9), np.linspace(0, 600, 7)))
    >>> shape = field_shape_of(x, y, 3 + 0.6 * x / 900, 0 * x, 0 * x, (601, 901))
    >>> round(shape.tilt), round(shape.curvature), shape.words()[0][:11]
    (18, 0, 'strong tilt')
    """
    usable = np.isfinite(fwhm) & np.isfinite(eccentricity) & (fwhm > 0)
    x, y, fwhm, eccentricity, angle = (each[usable] for each in (x, y, fwhm, eccentricity, angle))
    if len(x) < FEWEST:
        raise FrameError(f"field: {len(x)} strong single stars; {FEWEST} are needed to tell tilt and curvature")
    coefficients, errors, kept = _fitted(field_terms(x, y, shape, 2), fwhm)
    height, width = shape
    row, column = np.clip(3 * y // height, 0, 2).astype(int), np.clip(3 * x // width, 0, 2).astype(int)
    e = eccentricity**2 / (2 - eccentricity**2)
    vectors = np.stack([e * np.cos(np.radians(2 * angle)), e * np.sin(np.radians(2 * angle))])
    parts = np.full((4, 3, 3), np.nan)
    for j in range(3):
        for i in range(3):
            members = (row == j) & (column == i) & kept
            parts[3, j, i] = members.sum()
            if members.sum() >= 3:
                parts[0, j, i] = np.median(fwhm[members])
                parts[1, j, i] = np.median(eccentricity[members])
                e1, e2 = vectors[:, members].mean(axis=1)
                parts[2, j, i] = np.degrees(0.5 * np.arctan2(e2, e1)) % 180
    half = max((max(shape) - 1) / 2, 1.0)
    u, v = (width - 1) / 2 / half, (height - 1) / 2 / half
    centre = float(coefficients[0])
    steep = np.hypot(coefficients[1], coefficients[2])
    # Along the slope the frame is this long.
    long = abs(coefficients[1]) * u + abs(coefficients[2]) * v
    corner = coefficients[3] * u**2 + coefficients[5] * v**2
    e1, e2 = np.median(vectors[:, kept], axis=1)
    common = float(np.hypot(e1, e2))
    return FieldShape(
        fwhm=parts[0], eccentricity=parts[1], angle=parts[2], n_stars=parts[3], coefficients=coefficients, shape=shape,
        tilt=float(200 * long / centre), tilt_error=float(200 * np.hypot(errors[1] * u, errors[2] * v) / centre),
        tilt_angle=float(np.degrees(np.arctan2(coefficients[2], coefficients[1]))) if steep > 0 else 0.0,
        curvature=float(100 * corner / centre),
        curvature_error=float(100 * np.hypot(errors[3] * u**2, errors[5] * v**2) / centre),
        elongation=float(np.sqrt(2 * common / (1 + common))),
        elongation_angle=float(np.degrees(0.5 * np.arctan2(e2, e1)) % 180),
        radial=_radial(x[kept], y[kept], vectors[:, kept] - np.array([[e1], [e2]]), shape),
    )  # fmt: skip


def _radial(x: np.ndarray, y: np.ndarray, vectors: np.ndarray, shape: tuple[int, int]) -> float:
    """Mean cosine between elongation (less the common one) and the direction to the centre, of the outer half."""
    dx, dy = x - (shape[1] - 1) / 2, y - (shape[0] - 1) / 2
    outer = np.hypot(dx, dy) > 0.6 * np.hypot(*shape) / 2
    if outer.sum() < 8:
        return 0.0
    toward = 2 * np.arctan2(dy[outer], dx[outer])
    along = vectors[0, outer] * np.cos(toward) + vectors[1, outer] * np.sin(toward)
    total = np.hypot(*vectors[:, outer]).sum()
    return float(along.sum() / total) if total > 0.08 * outer.sum() else 0.0


def _fitted(terms: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients, their errors, and which values counted (within 3 robust sigma)."""
    kept = np.abs(values - np.median(values)) < 0.6 * np.median(values)
    if kept.sum() < terms.shape[1] + 3:
        kept = np.ones(len(values), bool)
    found = np.zeros(terms.shape[1])
    for _ in range(6):
        found = np.linalg.lstsq(terms[kept], values[kept], rcond=None)[0]
        off = np.abs(values - terms @ found)
        fewer = off < 3 * max(1.4826 * float(np.median(off[kept])), 1e-6 * abs(found[0]))
        if (fewer == kept).all() or fewer.sum() < terms.shape[1] + 3:
            break
        kept = fewer
    scatter = np.sum((values[kept] - terms[kept] @ found) ** 2) / max(kept.sum() - len(found), 1)
    covariance = scatter * np.linalg.pinv(terms[kept].T @ terms[kept])
    return found, np.sqrt(np.maximum(np.diag(covariance), 0)), kept
