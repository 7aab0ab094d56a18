"""Measured stars and what a catalogue knows of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.catalogs import AUTO, cone
from firstlight.model.catalog import Catalog, separation
from firstlight.model.image import Image
from firstlight.model.plate import Plate
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.catalog.bands import band_of

NEAREST = 3.0
"""arcsec: a measured star may lie so far from its entry, or 1.5 px where these are more."""
PX = 1.5
FEWEST = 3
BRIGHT, OFF, SHARE = 40, 4.0, 0.3
"""Stars of the catalogue that a plate is judged by, how near (px) they must be, and how many of them."""
PATIENCE = 20.0
"""s that a plate is looked for."""
LARGEST = 20.0
"""Degrees: radius of a field that is looked up."""


@dataclass(frozen=True, eq=False)
class Known:
    """Catalogue entries of measured stars."""

    catalog: Catalog | None
    index: np.ndarray
    """(stars,): entry of each star, -1 for none."""
    sky: np.ndarray | None
    """(stars, 2): right ascension and declination, degrees; None without a plate."""

    def of(self, column: np.ndarray) -> np.ndarray:
        """A column of the catalogue for each star; NaN where it has no entry."""
        return (
            np.where(self.index >= 0, column[self.index], np.nan) if len(column) else np.full(len(self.index), np.nan)
        )

    def name_of(self, star: int) -> str:
        """The entry's name, else one made of its place on the sky (Jhhmmss+ddmmss); empty without a plate."""
        if self.catalog is not None and self.catalog.names is not None and self.index[star] >= 0:
            return self.catalog.names[self.index[star]]
        if self.sky is None:
            return ""
        ra, dec = self.sky[star]
        seconds, arcsec = round(ra / 15 * 3600) % 86400, round(abs(dec) * 3600)
        sign = "-" if dec < 0 else "+"
        return (
            f"J{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
            f"{sign}{arcsec // 3600:02d}{arcsec // 60 % 60:02d}{arcsec % 60:02d}"
        )

    def zero_point(
        self, code: str, band: str, stars: np.ndarray, mean: np.ndarray
    ) -> tuple[float, float, int, str] | None:
        """What brings magnitudes of these stars to the catalogue's, its error, the number of stars, the band.

        The median, which a variable star or a wrong entry does not move. None with fewer than 3 stars.

        Raises
        ------
        InputError
            The band that is asked for is not in the catalogue.
        """
        if self.catalog is None:
            return None
        found = band_of(code, self.catalog.mags, band)
        if found is None:
            if band:
                raise InputError(
                    f"band {band!r}: the catalogue {self.catalog.source} has {', '.join(self.catalog.mags)}"
                )
            return None
        difference = self.of(self.catalog.mags[found])[stars] - mean
        difference = difference[np.isfinite(difference)]
        if len(difference) < FEWEST:
            return None
        middle = float(np.median(difference))
        scatter = 1.4826 * float(np.median(np.abs(difference - middle)))
        return middle, 1.2533 * scatter / np.sqrt(len(difference)), len(difference), found


def agrees(plate: Plate, positions: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether stars at positions (n, 2) lie where the plate puts the bright stars of the sky; True where nothing tells.

    Capture programs write plates from the mount's pointing, which may be a minute of arc off.
    """
    height, width = size
    try:
        sky_map = SkyMap.of(plate)
        (ra, dec), corner = sky_map.sky(np.array([[width / 2, height / 2], [0.0, 0.0]]))
        catalog = cone(AUTO, float(ra), float(dec), separation(ra, dec, *corner))
    except (FrameError, InputError):
        return True
    there = sky_map.positions(np.column_stack([catalog.ra, catalog.dec]))
    with np.errstate(invalid="ignore"):
        inside = ((there > 5) & (there < [width - 6, height - 6])).all(axis=1)
    there = there[inside][:BRIGHT]
    if len(there) < FEWEST or not len(positions):
        return True
    distance = np.hypot(*(there[:, None] - positions[None]).transpose(2, 0, 1)).min(axis=1)
    return bool(np.mean(distance < OFF) >= SHARE)


def named_place(name: str, catalog: str) -> tuple[float, float] | None:
    """Right ascension and declination of what is called so: a star of the catalogue, where it has names, or an object
    of OpenNGC; None where nobody knows it."""
    from firstlight.io.catalogs import open_catalog
    from firstlight.io.deep_sky import find_object

    plain = "".join(name.lower().split())
    if catalog not in (AUTO, "none"):
        stars = open_catalog(catalog)
        for k, each in enumerate(stars.names or ()):
            if "".join(each.lower().split()) == plain:
                return float(stars.ra[k]), float(stars.dec[k])
    try:
        found = find_object(name)
    except InputError:
        return None
    return float(found.ra), float(found.dec)


def solved_plate(image: Image, name: str) -> tuple[Plate | None, str]:
    """The plate of an image that came without one, solved with what is here, and what became of it in words."""
    from firstlight.ops.align.plate_solve import SolvePlate
    from firstlight.pipeline.solve import solve_plate

    try:
        found = solve_plate(image, SolvePlate(timeout=PATIENCE))
    except (FrameError, InputError) as error:
        return None, f"{name} could not be solved: {error}"
    return found.plate, f"{name} was solved by {found.engine}, {found.plate.n_matched} stars"


def known_stars(
    sky: np.ndarray, name: str, year: float, plate: SkyMap, size: tuple[int, int]
) -> tuple[Known, list[str]]:
    """Look stars at places (n, 2), degrees, up in a catalogue, at an epoch, and say how many were found.

    ``auto`` without any catalogue here is no fault: nothing is known then.
    """
    height, width = size
    corners = plate.sky(
        np.array([[width / 2, height / 2], [0, 0], [width - 1, height - 1], [width - 1, 0], [0, height - 1]])
    )
    (ra, dec), *rest = corners
    radius = max(separation(ra, dec, *corner) for corner in rest)
    scale = radius * 3600 / (np.hypot(width, height) / 2)
    nothing = Known(None, np.full(len(sky), -1), sky)
    if radius > LARGEST:
        return nothing, [f"catalogue: a field of {2 * radius:.0f} degrees is not looked up"]
    try:
        catalog = cone(name, ra, dec, 1.2 * radius).at(year)
    except InputError as error:
        if name != AUTO:
            raise
        return nothing, [f"no magnitudes: {error}"]
    index, _ = catalog.match(sky[:, 0], sky[:, 1], max(NEAREST, PX * scale))
    found = int((index >= 0).sum())
    return Known(catalog, index, sky), [f"catalogue {catalog.source or name}: {found} of {len(sky)} stars are in it"]
