"""The profile of the stars of one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.kernels import starfit

PROFILES: dict[float, tuple[tuple[float, ...], tuple[float, ...]]] = {
    np.inf: ((1.0,), (0.424661,)),
    5.0: ((0.2999, 0.5666, 0.1328), (0.3532, 0.5145, 0.8171)),
    3.5: ((0.3193, 0.5320, 0.1462), (0.3560, 0.5635, 1.0016)),
    2.5: ((0.3282, 0.4897, 0.1727), (0.3655, 0.6415, 1.3076)),
}
"""Moffat's beta (infinite: a Gaussian) to flux shares and sigmas of Gaussians that add up to a star of FWHM and flux 1.

Least squares over 5 FWHM; off the Moffat profile by at most 0.3 % (beta 5), 0.9 % (3.5), 2.3 % (2.5) of the peak.
Sums of Gaussians are integrated over pixels exactly and quickly, which a Moffat profile is not.
"""

BRIGHT = 15.0
"""SNR of stars that may tell the width of the profile."""
THREAD = 0.95
"""Eccentricity of spots that are lines: the short axis below a third of the long one."""
VERY_BRIGHT = 30.0
"""SNR of stars that may tell its wings."""


@dataclass(frozen=True)
class Profile:
    """Width and wings of a star."""

    fwhm: float
    """px."""
    beta: float = np.inf
    """Exponent of the Moffat profile; infinite: a Gaussian."""

    @property
    def shares(self) -> np.ndarray:
        return np.array(PROFILES[self.beta][0])

    @property
    def widths(self) -> np.ndarray:
        """Sigma of each Gaussian over the FWHM."""
        return np.array(PROFILES[self.beta][1])


def measure_profile(
    plane: np.ndarray,
    excluded: np.ndarray,
    saturation: float,
    spots: np.ndarray,
    sky: np.ndarray,
    noise: np.ndarray,
    photons: float,
) -> tuple[Profile | None, int]:
    """Width and wings that most of the bright spots (n, 2) share, and how many they are; None if there is none.

    The width is the median of the shortest half of all widths, so that galaxies, blends and what is left of defects
    do not count. The wings are those of the profile with the smallest misfit over the brightest 30 stars.
    """
    widths = np.full(len(spots), 3.0)

    def fits(rows: np.ndarray, beta: float) -> np.ndarray:
        profile = Profile(3.0, beta)
        out = np.empty((len(rows), starfit.N_COLUMNS))
        starfit.fit_stars(
            plane, excluded, saturation, spots[rows, 0], spots[rows, 1], sky[rows], noise[rows], widths[rows],
            photons, profile.shares, profile.widths, 0.0, True, out,
        )  # fmt: skip
        return out

    stars = fits(np.arange(len(spots)), np.inf)
    snr = stars[:, starfit.FLUX] / stars[:, starfit.FLUX_ERROR]
    # A cosmic ray or a lone pixel fits best with no width at all.
    usable = (snr > BRIGHT / 2) & (stars[:, starfit.FWHM] > 0.9) & (stars[:, starfit.FWHM] < 25.0)
    usable = np.flatnonzero(usable)
    usable = usable[off_threads(stars[usable])]
    if len(usable) == 0:
        return None, 0
    common = shortest_half(stars[usable, starfit.FWHM])
    alike = usable[np.abs(np.log(stars[usable, starfit.FWHM] / common)) < 0.25]
    clear = alike[snr[alike] > VERY_BRIGHT][:30]
    if len(clear) < 3:
        return Profile(common), len(alike)
    trials = {beta: fits(clear, beta) for beta in PROFILES}
    together = np.all([np.isfinite(t[:, starfit.FLUX]) for t in trials.values()], axis=0)
    if not together.any():
        return Profile(common), len(alike)
    # Each star counts once: its misfit against its best.
    misfits = np.array([t[together, starfit.MISFIT] for t in trials.values()])
    best = list(PROFILES)[int(np.argmin(np.log(misfits + 1e-12).mean(axis=1)))]
    return Profile(shortest_half(trials[best][together, starfit.FWHM]), best), len(alike)


def off_threads(fitted: np.ndarray) -> np.ndarray:
    """Boolean (n,): fits that are no piece of a thread, such as the trail of a satellite.

    A trail breaks into hundreds of spots, each a line within its window. Where nearly all spots are drawn out, the
    stars themselves are trailed, and nothing is left out.
    """
    round_enough = ~(fitted[:, starfit.ECCENTRICITY] > THREAD)
    return round_enough if round_enough.sum() >= max(5, 0.1 * len(fitted)) else np.ones(len(fitted), bool)


def shortest_half(values: np.ndarray) -> float:
    """Median of the half of the values that lie closest together.

    >>> round(shortest_half(np.array([3.0, 3.1, 3.2, 1.0, 9.0, 14.0])), 2)
    3.05
    """
    values = np.sort(values)
    n = len(values) // 2 + 1
    spans = values[n - 1 :] - values[: len(values) - n + 1]
    start = int(np.argmin(spans))
    return float(np.median(values[start : start + n]))
