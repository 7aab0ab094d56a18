"""A telescope and its camera in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from firstlight.model.observing import Site


@dataclass(frozen=True)
class TelescopeFacts:
    """What is known of a telescope; what follows from something that is not known is None.

    >>> newton = TelescopeFacts("8 inch", focal_length=800.0, aperture=200.0, pixel_size=3.8, size=(3000, 4000))
    >>> newton.focal_ratio, round(newton.pixel_scale, 3), [round(side, 3) for side in newton.field_of_view]
    (4.0, 0.98, [1.089, 0.816])
    >>> round(newton.depth_of_focus, 1), round(newton.resolution, 2)
    (42.9, 0.69)
    """

    name: str = ""
    focal_length: float | None = None
    """mm."""
    aperture: float | None = None
    """mm."""
    camera: str = ""
    pixel_size: float | None = None
    """um, unbinned."""
    size: tuple[int, int] | None = None
    """(height, width) of the sensor, px."""
    filters: tuple[str, ...] = ()
    observer: str = ""
    site: Site | None = None

    @property
    def focal_ratio(self) -> float | None:
        """Focal length over aperture."""
        return self.focal_length / self.aperture if self.focal_length and self.aperture else None

    @property
    def pixel_scale(self) -> float | None:
        """arcsec/px, unbinned."""
        if not self.focal_length or not self.pixel_size:
            return None
        return 3600.0 * math.degrees(1e-3 * self.pixel_size / self.focal_length)

    @property
    def field_of_view(self) -> tuple[float, float] | None:
        """(width, height), degrees."""
        if self.pixel_scale is None or self.size is None:
            return None
        height, width = self.size
        return width * self.pixel_scale / 3600.0, height * self.pixel_scale / 3600.0

    @property
    def depth_of_focus(self) -> float | None:
        """um about the focus in which light of 550 nm stays within the Airy disk, 4.88 lambda N^2."""
        return None if self.focal_ratio is None else 4.88 * 0.55 * self.focal_ratio**2

    @property
    def resolution(self) -> float | None:
        """Radius of the Airy disk at 550 nm, arcsec."""
        return None if not self.aperture else 3600.0 * math.degrees(1.22 * 550e-6 / self.aperture)
