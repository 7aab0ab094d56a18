"""A field with the stars that are really there, from a catalogue on this machine."""

from __future__ import annotations

import numpy as np

from firstlight.errors import InputError
from firstlight.io.catalogs import cone
from firstlight.simulate.field import Field, field_from_catalog, invent_field
from firstlight.simulate.geometry import pointing, sky_of
from firstlight.simulate.settings import Night

SUN = 5772.0
"""K: of stars whose colour the catalogue does not know."""
COMPLETE = 0.75
"""Of the stars fainter than this quantile of the magnitudes in the field the catalogue is taken to lack many."""


def known_field(night: Night, box: tuple[float, float, float, float], rng: np.random.Generator) -> Field:
    """The stars of the night's catalogue, moved to its epoch, and invented ones that are too faint for the catalogue.

    Parameters
    ----------
    box : left, low, right, high of what the lights see, reference px.

    Raises
    ------
    InputError
        No such catalogue, or no star of it in the field.
    """
    ra, dec = pointing(night)
    left, low, right, high = box
    corners = np.array([[left, low], [right, low], [left, high], [right, high]])
    corner_ra, corner_dec = (np.radians(v) for v in sky_of(night, corners))
    cosine = np.sin(corner_dec) * np.sin(np.radians(dec)) + np.cos(corner_dec) * np.cos(np.radians(dec)) * np.cos(
        corner_ra - np.radians(ra)
    )
    radius = float(np.degrees(np.arccos(np.clip(cosine.min(), -1, 1))))
    stars = cone(night.catalog, ra, dec, min(radius, 80.0))
    stars = stars.at(night.start.year + (night.start.timetuple().tm_yday - 1) / 365.25)
    stars = stars.take(np.isfinite(stars.mag))
    if not len(stars):
        raise InputError(
            f"simulate: catalogue {night.catalog!r} has no star within {radius:.2f} degrees of {ra:.3f}, {dec:+.3f}; "
            "take a deeper one, a wider field (telescope.focal_length) or another place (ra, dec)"
        )
    blue, red = (stars.mags.get(band, np.full(len(stars), np.nan)) for band in ("BP", "RP"))
    known = field_from_catalog(night, stars.ra, stars.dec, stars.mag, temperature_of(blue - red))
    invented = invent_field(night, box, rng)
    faint = invented.flux < np.quantile(known.flux, 1.0 - COMPLETE)
    return Field(*(
        np.concatenate([getattr(known, name), getattr(invented, name)[faint]])
        for name in ("x", "y", "flux", "temperature")
    ))  # fmt: skip


def temperature_of(colour: np.ndarray) -> np.ndarray:
    """Temperature (K) of a star of colour BP - RP; where it is not known, the Sun's.

    The relation of Ballesteros (2012, EPL 97, 34008) for B - V, with B - V = 0.85 (BP - RP): right to 10 % for dwarfs.

    >>> temperature_of(np.array([0.82, np.nan])).round(-2).tolist()
    [5600.0, 5800.0]
    """
    index = 0.92 * 0.85 * np.clip(colour, -0.4, 4.0)
    return np.where(np.isfinite(index), 4600.0 * (1.0 / (index + 1.7) + 1.0 / (index + 0.62)), SUN)
