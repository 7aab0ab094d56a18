"""What the shapes of a frame's stars have in common: a direction, a halo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.model.stars import Stars
from firstlight.ops.catalog.apertures import measure_apertures

STRONG = 20.0
"""SNR of stars whose shape counts."""
MOST = 80
INNER, OUTER = 1.5, 4.0
"""FWHM: the light between the two is the halo."""


@dataclass(frozen=True)
class Shapes:
    """Medians of strong, unsaturated stars."""

    elongation: float
    """Share of their elongation that points one way, 0 to 1: 1 is trailed stars, 0 bad corners or noise."""
    angle: float
    """That way, degrees from x towards y."""
    short_fwhm: float
    """Width along the short axis, px."""
    halo: float
    """Share of the light within four FWHM that lies beyond 1.5."""


def shapes_of(plane: np.ndarray, stars: Stars, gain: float | None = None) -> Shapes:
    """Common direction, short axis and halo; NaN without five strong stars."""
    strong = np.flatnonzero((stars.snr >= STRONG) & (stars.saturated == 0))
    if len(strong) < 5:
        return Shapes(*(float("nan"),) * 4)
    chosen = stars.take(strong)
    squared = np.minimum(chosen.eccentricity, 0.999) ** 2
    e = squared / (2 - squared)
    turn = np.radians(2 * chosen.angle)
    e1, e2 = float(np.mean(e * np.cos(turn))), float(np.mean(e * np.sin(turn)))
    common = np.hypot(e1, e2) / max(float(e.mean()), 1e-9)
    short = chosen.fwhm * (1 - squared) ** 0.25
    return Shapes(
        float(common), float(np.degrees(0.5 * np.arctan2(e2, e1))) % 180.0, float(np.median(short)),
        _halo(plane, chosen, gain),
    )  # fmt: skip


def _halo(plane: np.ndarray, stars: Stars, gain: float | None) -> float:
    from scipy.spatial import cKDTree

    fwhm = float(np.median(stars.fwhm))
    near = cKDTree(stars.positions).query(stars.positions, k=2)[0][:, 1]
    height, width = plane.shape
    reach = (OUTER + 3) * fwhm
    inside = (stars.x > reach) & (stars.y > reach) & (stars.x < width - reach) & (stars.y < height - reach)
    alone = np.flatnonzero(inside & (near > (OUTER + 1) * fwhm))
    if len(alone) < 5:
        alone = np.flatnonzero(inside)
    chosen = stars.take(alone[np.argsort(-stars.snr[alone], kind="stable")][:MOST])
    if len(chosen) < 3:
        return float("nan")
    radii = np.array([INNER * fwhm, OUTER * fwhm])
    found = measure_apertures(plane, chosen.x, chosen.y, radii, (5.0 * fwhm, 7.0 * fwhm), gain=gain)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1 - found.flux[:, 0] / found.flux[:, 1]
    share = share[np.isfinite(share)]
    return float(np.median(share)) if len(share) else float("nan")
