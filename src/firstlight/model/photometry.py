"""Light of stars in round apertures."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Photometry:
    """Light of n positions in k apertures each; columns of one number a star are float64 (n,), the others (n, k).

    Fluxes, levels and peaks are in the unit of the plane they were measured on; positions are 0-based px of it.
    """

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    """(n, k), px."""
    flux: np.ndarray
    """(n, k): light above the ring; NaN where a part of the circle could not be measured."""
    error: np.ndarray
    """(n, k): standard error of the flux."""
    area: np.ndarray
    """(n, k), px."""
    sky: np.ndarray
    """Level of the ring."""
    sky_sigma: np.ndarray
    """Standard deviation of a pixel of the ring."""
    n_sky: np.ndarray
    """Pixels of the ring that counted."""
    peak: np.ndarray
    """Highest pixel of the largest circle, above the ring."""
    flags: np.ndarray
    """uint16 (n, k): bits of `firstlight.model.flags.Flag` of all pixels touched."""
    mended: np.ndarray
    """(n, k): share of the circle that was taken from the other side of the star."""

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: np.ndarray) -> Photometry:
        """The stars at these indices (or where a boolean array is True)."""
        return replace(self, **{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def at(self, k: int) -> Photometry:
        """One aperture of each star."""
        wide = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: values[:, k : k + 1] for name, values in wide.items() if values.ndim == 2})

    @property
    def snr(self) -> np.ndarray:
        """(n, k): flux over its error."""
        return self.flux / self.error


def magnitude(flux: np.ndarray) -> np.ndarray:
    """-2.5 log10 of a flux; NaN where it is not above 0.

    >>> magnitude(np.array([100.0, -1.0])).tolist()
    [-5.0, nan]
    """
    flux = np.asarray(flux, np.float64)
    return -2.5 * np.log10(np.where(flux > 0, flux, np.nan))


MAG_PER_SHARE = 2.5 / np.log(10.0)
"""1.0857: a small error of a magnitude over that of the flux as a share of it."""
