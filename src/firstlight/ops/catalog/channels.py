"""Fluxes of stars in each channel of a colour image, with the catalogue's entries of the same stars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import InputError
from firstlight.model.catalog import Catalog
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.catalog.apertures import crowd_of, measure_apertures
from firstlight.ops.catalog.planes import colour_plane
from firstlight.ops.inspect.stars import FindStars, find_stars

RADIUS = 1.5
"""FWHM."""
CROWD = 2.0
SNR = 10.0


@dataclass(frozen=True, eq=False)
class ChannelFluxes:
    """Instrumental fluxes of catalogue stars."""

    index: np.ndarray
    """(n,): the entry of each star in the catalogue."""
    x: np.ndarray
    """px of the image."""
    y: np.ndarray
    flux: np.ndarray
    """(n, channels), in the unit of the image; red, green, blue."""
    error: np.ndarray
    """(n, channels), standard errors."""


def measure_channels(
    image: Image, catalog: Catalog, *, within: float = 3.0, max_stars: int = 500, year: float | None = None
) -> ChannelFluxes:
    """Measure the stars of a linear colour image or mosaic that a catalogue knows, in each channel.

    Stars are sought on the luminance and measured in circles of 1.5 FWHM (of the luminance: the same circle in all
    channels, so that colours are those of the stars even where channels differ in sharpness a little). Saturated ones,
    and such below SNR 10 in a channel, are left out.

    Parameters
    ----------
    within : arcsec between a star and its entry, or 1.5 px where that is more.
    year : Julian year of the image; None: of its time, else the catalogue's epoch.

    Raises
    ------
    InputError
        The image has no plate, or no colours.
    """
    if image.plate is None:
        raise InputError("channels: the image has no plate (WCS); solve it first (firstlight solve)")
    if image.shape[0] != 3 and image.meta.cfa is None:
        raise InputError(f"channels: the image has {image.shape[0]} channel(s) and no mosaic; a colour image is needed")
    planes = [
        colour_plane(image.data, image.meta.cfa, colour, image.flags, image.variance)
        for colour in ("luminance", "red", "green", "blue")
    ]
    light, colours = planes[0], planes[1:]
    excluded = has(light.flags, EXCLUDED)
    white = image.meta.saturation or np.inf
    stars, quality = find_stars(light.data, FindStars(max_stars=max_stars), excluded=excluded, saturation=white)
    stars = stars.take((stars.saturated == 0) & (stars.snr >= SNR))
    frame = light.on_frame(stars.positions)
    sky_map = SkyMap.of(image.plate)
    places = sky_map.sky(frame) if len(frame) else np.zeros((0, 2))
    time = image.meta.mid_time
    if year is None and time is not None:
        year = time.year + (time.timetuple().tm_yday - 0.5) / 365.25
    known = catalog if year is None else catalog.at(year)
    index, _ = known.match(places[:, 0], places[:, 1], max(within, 1.5 * _scale(sky_map, image)))
    kept = index >= 0
    stars, frame, index = stars.take(kept), frame[kept], index[kept]
    fwhm = quality.fwhm if np.isfinite(quality.fwhm) else 3.0
    crowd = crowd_of(light.data.shape, stars.x, stars.y, CROWD * fwhm)
    radius = RADIUS * fwhm
    measured = [
        measure_apertures(
            plane.data, stars.x, stars.y, np.array([radius]), (3.0 * fwhm, np.hypot(3.0 * fwhm, 12.0)),
            variance=plane.variance, flags=plane.flags, gain=plane.gain(image.meta.gain), crowd=crowd,
        )
        for plane in colours
    ]  # fmt: skip
    flux, error = (np.column_stack([getattr(m, name)[:, 0] for m in measured]) for name in ("flux", "error"))
    full = np.column_stack([has(m.flags[:, 0], Flag.SATURATED) | (m.peak + m.sky >= white) for m in measured])
    with np.errstate(invalid="ignore"):
        good = np.isfinite(flux).all(axis=1) & (flux / error >= SNR).all(axis=1) & ~full.any(axis=1)
    return ChannelFluxes(index[good], frame[good, 0], frame[good, 1], flux[good], error[good])


def _scale(sky_map: SkyMap, image: Image) -> float:
    """arcsec/px in the middle."""
    _, height, width = image.shape
    middle = np.array([width / 2, height / 2])
    one, other = sky_map.vectors(middle + np.array([[0.0, 0.0], [1.0, 0.0]]))
    return float(np.degrees(np.linalg.norm(one - other)) * 3600)
