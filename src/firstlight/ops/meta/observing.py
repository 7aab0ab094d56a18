"""Airmass, altitude, Moon and barycentric time of an image, worked out from its header."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.model.observing import Observing, Site
from firstlight.ops.registry import Params, Reach, operation

CARDS = {
    "altitude": ("CENTALT", "[deg] altitude of the target, no refraction", 4),
    "azimuth": ("CENTAZ", "[deg] azimuth, north over east", 4),
    "hour_angle": ("HA", "[deg] hour angle, west positive", 4),
    "moon_distance": ("MOONDIST", "[deg] target to Moon", 2),
    "moon_altitude": ("MOONALT", "[deg] altitude of the Moon", 2),
    "moon_illumination": ("MOONFRAC", "lit share of the Moon", 4),
    "sun_altitude": ("SUNALT", "[deg] altitude of the Sun", 2),
    "bjd_tdb": ("BJD_TDB", "[d] barycentric Julian date, TDB", None),
}
"""Field of `Observing` to keyword, comment and digits."""
_OF_ONE_EXPOSURE = frozenset([
    "CENTALT", "CENTAZ", "OBJCTALT", "OBJCTAZ", "OBJCTHA", "HA", "TELALT", "TELAZ", "ALTITUDE", "AZIMUTH", "ZD",
    "ST", "LST", "LST-OBS", "SIDEREAL", "MOONDIST", "MOONALT", "MOONANGL", "MOONPHAS", "MOONFRAC", "MOONSTAT",
    "SUNALT", "SUNDIST", "BJD_TDB", "BJD", "HJD", "JD-HELIO", "JD_HELIO", "AMSTART", "AMEND", "PARALLAC",
])  # fmt: skip
"""Keywords that hold at one moment only."""


class Observe(Params):
    """The moment that the numbers belong to."""

    moment: Literal["middle", "start", "end"] = "middle"
    """Of the exposure; of a stack the middle is that of its light."""


@operation("meta:observing", reach=Reach.PIXEL)
def add_observing(image: Image, p: Observe) -> Image:
    """Write airmass, altitude, azimuth, hour angle, Moon, Sun and BJD_TDB into the header.

    They follow from the time, the site and the position in the header; without a position only Moon and Sun, without a
    site only BJD_TDB (of the Earth's centre: 0.02 s). Keywords: AIRMASS (Young 1994), CENTALT, CENTAZ, HA, MOONDIST,
    MOONALT, MOONFRAC, SUNALT, BJD_TDB; those of the same meaning are replaced. Offline. Pixels, flags, variance, plate
    and unit: kept.

    Raises
    ------
    InputError
        No time, or neither site nor position; the message says what to give.

    >>> from datetime import UTC
    >>> meta = Meta(start=datetime(2026, 1, 17, 22, tzinfo=UTC), ra=83.8, dec=-5.4, latitude=48.0, longitude=11.6)
    >>> round(add_observing(Image([[1.0]], meta=meta), Observe()).meta.airmass, 3)
    1.736
    """
    meta = image.meta
    time = {"middle": meta.mid_time, "start": meta.start, "end": end_of(meta)}[p.moment]
    if time is None:
        raise InputError(
            f"meta:observing: the {p.moment} of the exposure is not known; give DATE-OBS (and EXPTIME) in the header: "
            "firstlight meta edit FILE --set DATE-OBS=2026-01-17T22:00:00"
        )
    place = place_of(meta)
    if place is None and meta.ra is None:
        raise InputError(
            "meta:observing: neither site nor position in the header; give them: firstlight meta edit FILE --set "
            "SITELAT=48.0 --set SITELONG=11.6 --set RA=83.8 --set DEC=-5.4"
        )
    (found,) = observing_of([meta], [time])
    return image.replace(meta=with_observing(meta, found))


def place_of(meta: Meta) -> Site | None:
    """The place of a frame, or None where it is not known."""
    if meta.latitude is None or meta.longitude is None:
        return None
    return Site(meta.site or "", meta.latitude, meta.longitude, meta.elevation or 0.0)


def end_of(meta: Meta) -> datetime | None:
    """End of the exposure, UTC."""
    if meta.end is not None or meta.start is None or meta.exposure is None:
        return meta.end
    return meta.start + timedelta(seconds=meta.exposure)


def observing_of(metas: Sequence[Meta], times: Sequence[datetime | None] | None = None) -> list[Observing]:
    """Circumstances of each frame: in the middle of its exposure, or at the times given; empty ones where unknown."""
    from firstlight.ops.meta.sky_at import circumstances

    moments = [meta.mid_time for meta in metas] if times is None else list(times)
    places = [place_of(meta) for meta in metas]
    # Where neither place nor position is known there is nothing to work out, and nothing heavy to load.
    useful = [
        i for i, meta in enumerate(metas) if moments[i] is not None and (places[i] is not None or meta.ra is not None)
    ]
    found = [Observing()] * len(metas)
    for place in dict.fromkeys(places[i] for i in useful):
        here = [i for i in useful if places[i] == place]
        ra, dec = [metas[i].ra for i in here], [metas[i].dec for i in here]
        for i, each in zip(here, circumstances([moments[i] for i in here], ra, dec, place)):  # type: ignore[misc]
            found[i] = each
    return found


def with_observing(meta: Meta, found: Observing) -> Meta:
    """Facts with these circumstances in the place of those that were there; an airmass stays where none is found."""
    kept = tuple(card for card in meta.cards if card[0] not in _OF_ONE_EXPOSURE)
    changed = meta.replace(cards=(*kept, *_cards(found)))
    if found.airmass is None:
        return changed
    sources = {**meta.sources, "airmass": "site, time and position"}
    return changed.replace(airmass=round(found.airmass, 4), sources=sources)


def observed(stack: Meta, metas: Sequence[Meta], weights: Sequence[float]) -> Meta:
    """Facts of a stack: circumstances in the middle of its light, as airmass the weighted mean of its frames'."""
    airmasses = [meta.airmass for meta in metas]
    mean = None
    if metas and all(value is not None for value in airmasses):
        shares = [weight * (meta.exposure or 1.0) for weight, meta in zip(weights, metas)]
        mean = round(sum(a * s for a, s in zip(airmasses, shares)) / sum(shares), 4)  # type: ignore[operator]
    (found,) = observing_of([stack])
    return with_observing(stack, replace(found, airmass=None)).replace(airmass=mean)


def _cards(found: Observing) -> Iterator[tuple[str, float, str]]:
    for name, (keyword, comment, digits) in CARDS.items():
        value = getattr(found, name)
        if value is not None:
            yield keyword, value if digits is None else round(value, digits), comment
