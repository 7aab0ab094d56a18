"""From the light of the stars in every frame to light curves: comparison stars, errors, trends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.meta import Meta, julian_date
from firstlight.model.observing import Observing
from firstlight.model.photometry import MAG_PER_SHARE
from firstlight.ops.catalog.comparison import Choice, choose, rank
from firstlight.ops.catalog.detrend import Detrended, Event, detrend
from firstlight.ops.catalog.ensemble import median_of_finite, robust_sigma
from firstlight.ops.catalog.noise import NoiseModel, fit_noise, scintillation
from firstlight.ops.meta.observing import observing_of
from firstlight.pipeline.series_measure import Fluxes
from firstlight.pipeline.series_settings import SeriesSettings

BRIGHT = 25.0
"""SNR that a comparison star has in a typical frame at least."""
ALONE = 0.03
"""Share of a star's light that a neighbour nearer than four FWHM may have."""
ALIKE = 1.2
"""mag from the target: stars that say which aperture is best for it."""
FEWEST = 3
MENDED = 0.02
"""Share of an aperture made up from the other side: from here on a point is flagged."""
DIMMED = 0.5
"""mag that a frame's zero point lies below the median: clouds."""


@dataclass(eq=False)
class Curve:
    """One star's light curve; arrays (frames,), in order of time."""

    star: int
    name: str
    magnitude: np.ndarray
    """Against the comparison stars; of a catalogue's scale where there is one."""
    error: np.ndarray
    flux: np.ndarray
    detrended: Detrended
    flags: list[str]
    """Words; empty where nothing is wrong."""

    @property
    def good(self) -> np.ndarray:
        return np.array([not words for words in self.flags]) & np.isfinite(self.magnitude)


@dataclass(eq=False)
class Reduced:
    """A series reduced: which aperture, which comparison stars, how well, and the curves."""

    fluxes: Fluxes
    aperture: int
    choice: Choice
    noise: NoiseModel
    scint: np.ndarray
    """(frames,): relative, 0 where it is not known."""
    magnitudes: np.ndarray
    """(frames, stars): against the ensemble."""
    errors: np.ndarray
    times: np.ndarray
    """(frames,): BJD_TDB where known, else JD (UTC)."""
    jd: np.ndarray
    airmass: np.ndarray
    observing: list[Observing]
    standard: tuple[float, float, int, str] | None = None
    """Added to magnitudes: value, error, stars, band."""
    check: Curve | None = None
    curves: list[Curve] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_bjd(self) -> bool:
        return all(o.bjd_tdb is not None for o in self.observing)


def in_order(fluxes: Fluxes) -> np.ndarray:
    """Indices of the frames in order of time.

    Raises
    ------
    FrameError
        A frame without a time.
    """
    metas = [p.light.frame.meta for p in fluxes.placed]
    if any(meta.mid_time is None for meta in metas):
        nameless = next(p.light.name for p, meta in zip(fluxes.placed, metas) if meta.mid_time is None)
        raise FrameError(f"{nameless}: no time in the header; a light curve needs DATE-OBS (firstlight meta edit)")
    return np.argsort([meta.mid_time.timestamp() for meta in metas], kind="stable")  # type: ignore[union-attr]


def reduce(
    fluxes: Fluxes,
    positions: np.ndarray,
    target: int | None,
    settings: SeriesSettings,
    *,
    given: np.ndarray | None = None,
    check: int | None = None,
    colours: np.ndarray | None = None,
    sky_place: tuple[float, float] | None = None,
) -> Reduced:
    """Choose aperture and comparison stars, and work out the noise.

    Parameters
    ----------
    target : index of the star; None for all stars.
    given, check : indices of comparison stars and of the check star that the user names.
    colours : (stars,), mag; NaN where not known.
    sky_place : of the target, degrees, for BJD_TDB and airmass; else the headers' pointing.
    """
    metas = [_aimed(p.light.frame.meta, sky_place) for p in fluxes.placed]
    observing = observing_of(metas)
    airmass = np.array([o.airmass or m.airmass or np.nan for o, m in zip(observing, metas)])
    scint, notes = _scintillation(metas, airmass, settings)
    allowed = _allowed(fluxes, positions)
    if colours is not None and target is not None and np.isfinite(colours[target]):
        like = allowed & (np.abs(colours - colours[target]) <= settings.colour_range)
        if like.sum() >= 5:
            allowed = like
            notes.append(f"comparison stars within {settings.colour_range:g} mag of the target's colour")
    middle = len(fluxes.names) // 4 if len(fluxes.names) > 1 else 0
    typical = median_of_finite(fluxes.flux[..., middle])
    field_size = float(max(*np.ptp(positions, axis=0), 1.0))
    candidates = given if given is not None else rank(
        typical, positions, target, allowed, settings.most_comparisons, field_size
    )  # fmt: skip
    if len(candidates) == 0:
        raise FrameError(
            "comparison stars: no star is bright and clear enough; give some with --comparisons 'x,y; x,y'"
        )

    def chosen(k: int, zero_point: str) -> Choice:
        m = fluxes.magnitudes(k)
        like = (
            None if target is None else float(np.nanmedian(m[:, target])) if np.isfinite(m[:, target]).any() else None
        )
        return choose(
            m, _errors(fluxes, k, scint), positions, candidates, zero_point=zero_point, given=given is not None,
            check=check, like=like, keep_check=target is not None,
        )  # fmt: skip

    best = min(range(len(fluxes.names)), key=lambda k: _score(fluxes, k, chosen(k, "constant"), target))
    choice = chosen(best, settings.zero_point)
    m = fluxes.magnitudes(best)
    zero, zero_error = choice.ensemble.zero_at(positions)
    magnitudes = m - zero
    noise = _noise(fluxes, best, choice, magnitudes, scint)
    floor = noise if settings.floor else NoiseModel(noise.gain, noise.is_measured, 0.0, noise.n_stars)
    sky_part = _pixels(fluxes, best)
    errors = np.sqrt(
        floor.error(fluxes.flux[..., best], sky_part) ** 2 + zero_error**2 + (MAG_PER_SHARE * scint[:, None]) ** 2
    )
    jd = np.array([julian_date(meta.mid_time) for meta in metas])  # type: ignore[arg-type]
    bjd = np.array([o.bjd_tdb or np.nan for o in observing])
    return Reduced(
        fluxes, best, choice, noise, scint, magnitudes, errors, bjd if np.isfinite(bjd).all() else jd, jd, airmass,
        observing, notes=notes,
    )  # fmt: skip


def _aimed(meta: Meta, sky_place: tuple[float, float] | None) -> Meta:
    return meta if sky_place is None else meta.replace(ra=sky_place[0], dec=sky_place[1])


def _scintillation(
    metas: Sequence[Meta], airmass: np.ndarray, settings: SeriesSettings
) -> tuple[np.ndarray, list[str]]:
    diameter = settings.diameter
    for keyword, value, _ in metas[0].cards:
        if not diameter and keyword == "APTDIA" and isinstance(value, (int, float)):
            diameter = float(value)
    if not diameter:
        note = "scintillation is not in the errors: the telescope's aperture is not known (--diameter)"
        return np.zeros(len(metas)), [note]
    exposure = np.array([meta.exposure or 1.0 for meta in metas])
    air = np.where(np.isfinite(airmass), airmass, 1.0)
    return scintillation(diameter, air, exposure, metas[0].elevation or 0.0), []


def _allowed(fluxes: Fluxes, positions: np.ndarray) -> np.ndarray:
    """Stars that could be comparison stars: never full, bright, alone."""
    from scipy.spatial import cKDTree

    k = len(fluxes.names) // 4 if len(fluxes.names) > 1 else 0
    with np.errstate(invalid="ignore"):
        snr = np.nan_to_num(fluxes.flux[..., k] / fluxes.pixels[..., k])
        light = np.nan_to_num(np.median(np.nan_to_num(fluxes.flux[..., k]), axis=0))
    bright = np.median(snr, axis=0) > BRIGHT
    clear = ~fluxes.saturated.any(axis=0)
    near = cKDTree(positions).query_pairs(4.0 * float(np.nanmedian(fluxes.fwhm)))
    alone = np.ones(len(positions), bool)
    for i, j in near:
        alone[i] &= light[j] < ALONE * light[i]
        alone[j] &= light[i] < ALONE * light[j]
    return bright & clear & alone


def _pixels(fluxes: Fluxes, k: int) -> np.ndarray:
    """Errors by the pixels alone, mag."""
    flux = fluxes.flux[..., k]
    with np.errstate(invalid="ignore", divide="ignore"):
        return MAG_PER_SHARE * fluxes.pixels[..., k] / np.where(flux > 0, flux, np.nan)


def _errors(fluxes: Fluxes, k: int, scint: np.ndarray) -> np.ndarray:
    """Errors as far as they are known beforehand, mag: pixels, photons (where there is a gain), air."""
    flux = fluxes.flux[..., k]
    with np.errstate(invalid="ignore", divide="ignore"):
        photons = MAG_PER_SHARE**2 / (fluxes.gain[:, None] * np.where(flux > 0, flux, np.nan))
    return np.sqrt(_pixels(fluxes, k) ** 2 + np.nan_to_num(photons) + (MAG_PER_SHARE * scint[:, None]) ** 2)


def _score(fluxes: Fluxes, k: int, choice: Choice, target: int | None) -> float:
    """Scatter of comparison stars as bright as the target, each against the others."""
    scatter = choice.ensemble.scatter
    if target is not None:
        m = fluxes.magnitudes(k)
        middle = np.nanmedian(m[:, target]) if np.isfinite(m[:, target]).any() else np.nan
        alike = np.abs(choice.ensemble.mean - middle) < ALIKE
        if alike.sum() >= 5:
            scatter = scatter[alike]
    return float(np.nanmedian(scatter)) if np.isfinite(scatter).any() else np.inf


def _noise(fluxes: Fluxes, k: int, choice: Choice, magnitudes: np.ndarray, scint: np.ndarray) -> NoiseModel:
    stars = choice.stars if choice.check is None else np.append(choice.stars, choice.check)
    apart = choice.ensemble.apart
    if choice.check is not None:
        apart = np.column_stack([apart, magnitudes[:, choice.check]])
    flux = np.nanmedian(fluxes.flux[:, stars, k], axis=0)
    sky = np.sqrt(np.nanmedian(_pixels(fluxes, k)[:, stars] ** 2, axis=0) + MAG_PER_SHARE**2 * np.median(scint**2))
    gain = float(np.nanmedian(fluxes.gain)) if np.isfinite(fluxes.gain).all() else None
    return fit_noise(flux, sky, robust_sigma(apart), gain)


def curve_of(reduced: Reduced, star: int, name: str, settings: SeriesSettings, *, plain: bool = False) -> Curve:
    """The light curve of one star; ``plain`` leaves trends and event out, as for the check star."""
    fluxes = reduced.fluxes
    magnitude, error = reduced.magnitudes[:, star], reduced.errors[:, star]
    if reduced.standard is not None:
        magnitude = magnitude + reduced.standard[0]
    seen = int(np.isfinite(magnitude).sum())
    if seen < FEWEST:
        x, y = fluxes.x[0, star], fluxes.y[0, star]
        why = "saturated" if fluxes.saturated[:, star].any() else "too faint, or off the frames"
        raise FrameError(
            f"{name}, at ({x:.1f}, {y:.1f}) px of {fluxes.placed[0].light.name}: it has a magnitude in {seen} of "
            f"{len(magnitude)} frames; {FEWEST} are needed; it is {why}: is this the right place?"
        )
    against = {} if plain else {name: _trend(reduced, star, name) for name in settings.trends}
    event = Event.parse(settings.event) if settings.event and not plain else None
    found = detrend(magnitude, error, reduced.times, against, event, settings.outlier)
    zero = reduced.choice.ensemble.zero
    flags = []
    for i in range(len(magnitude)):
        words = []
        if fluxes.saturated[i, star]:
            words.append("saturated")
        elif not np.isfinite(magnitude[i]):
            words.append("not measured")
        if fluxes.mended[i, star, reduced.aperture] > MENDED:
            words.append("bad pixels")
        if zero[i] - np.nanmedian(zero) > DIMMED:
            words.append("clouds")
        if found.outliers[i]:
            words.append("outlier")
        flags.append(", ".join(words))
    return Curve(star, name, magnitude, error, fluxes.flux[:, star, reduced.aperture], found, flags)


def _trend(reduced: Reduced, star: int, name: str) -> np.ndarray:
    fluxes = reduced.fluxes
    return {
        "airmass": reduced.airmass,
        "x": fluxes.x[:, star],
        "y": fluxes.y[:, star],
        "fwhm": fluxes.fwhm,
        "sky": fluxes.sky[:, star],
        "time": reduced.times,
    }[name]
