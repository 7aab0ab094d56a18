"""Light of the same stars in every frame of a series."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.flags import EXCLUDED, Flag
from firstlight.model.photometry import magnitude
from firstlight.model.registration import Transform
from firstlight.model.stars import Stars
from firstlight.ops.align.match import match_stars
from firstlight.ops.catalog.apertures import Apertures, crowd_of, measure_apertures
from firstlight.ops.catalog.planes import ColourPlane, colour_plane
from firstlight.ops.inspect.stars import find_stars
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.executors import ordered
from firstlight.pipeline.measure import Light
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.register import Placed
from firstlight.pipeline.series_settings import SeriesSettings

FACTORS = (0.7, 0.85, 1.0, 1.2, 1.45, 1.75, 2.1, 2.6, 3.2)
"""Radii that are tried, FWHM."""
SMALLEST = 1.5
"""px: smaller circles than this see where on a pixel a star lies."""
NEAR = 1.0
"""px: a star that was found so near its place is measured where it was found."""
CROWD = 2.0
"""FWHM: neighbours are kept out of the ring to here."""
FULL = 0.98
"""Of full scale: from here on pixels are saturated."""


@dataclass(frozen=True, eq=False)
class Look:
    """One frame, calibrated, ready to be measured."""

    placed: Placed
    plane: ColourPlane
    stars: Stars
    """Of the frame, in its own px."""
    fwhm: float
    """px of the plane."""
    transform: Transform
    """Frame to reference."""
    white: float
    """adu, of the calibrated plane."""


def look_at(placed: Placed, calibration: Calibration, settings: SeriesSettings) -> Look:
    """Calibrate a frame and find its stars anew where its bad pixels are better known now than when it was measured."""
    light = placed.light
    frame = light.frame
    band = calibration.band(frame, 0, frame.shape[1])
    flags = np.zeros(band.data.shape, np.uint16)
    for channel, ((ys, xs), (full_ys, full_xs)) in enumerate(zip(band.missing, band.saturated)):
        flags[channel, ys, xs] |= np.uint16(Flag.HOT)
        flags[channel, full_ys, full_xs] |= np.uint16(Flag.SATURATED)
    plane = colour_plane(band.data, frame.meta.cfa, settings.channel, flags)
    white = FULL * ((frame.meta.saturation or np.inf) - calibration.pedestal)
    stars, fwhm = light.stars, light.quality.fwhm
    if calibration is not light.calibration and frame.meta.cfa is None:
        stars, quality = find_stars(
            plane.data, settings.stars, excluded=(plane.flags & np.uint16(EXCLUDED | Flag.HOT)) != 0, saturation=white,
            gain=plane.gain(frame.meta.gain),
        )  # fmt: skip
        fwhm = quality.fwhm
    return Look(placed, plane, stars, fwhm / plane.shrink, placed.registration.transform, white)


@dataclass(eq=False)
class Fluxes:
    """Measurements of a series: arrays are (frames, stars) or (frames, stars, apertures)."""

    placed: list[Placed]
    radii: np.ndarray
    """(frames, apertures), px of the plane."""
    names: list[str]
    """Of the apertures, in words."""
    flux: np.ndarray
    pixels: np.ndarray
    """Standard error by the pixels alone, without the photons of the star."""
    sky: np.ndarray
    x: np.ndarray
    """Frame px."""
    y: np.ndarray
    peak: np.ndarray
    saturated: np.ndarray
    """bool."""
    mended: np.ndarray
    fwhm: np.ndarray
    """(frames,), frame px."""
    matched: np.ndarray
    """(frames,): stars that tie the frame to the reference; and ``rms``, px."""
    rms: np.ndarray
    gain: np.ndarray
    """(frames,): e- per unit of the plane; NaN where not known."""
    lost: dict[str, str] = field(default_factory=dict)
    """Frames that could not be measured, with the reason."""

    def magnitudes(self, k: int) -> np.ndarray:
        """(frames, stars): instrumental, of one second; NaN where there is none or the star is saturated."""
        exposures = np.array([p.light.frame.meta.exposure or 1.0 for p in self.placed])
        flux = np.where(self.saturated, np.nan, self.flux[..., k])
        return magnitude(flux / exposures[:, None])


def measure_series(
    placed: Sequence[Placed],
    calibrations: dict[int, Calibration],
    reference: Stars,
    positions: np.ndarray,
    settings: SeriesSettings,
    executor: Executor,
    workers: int,
    progress: Progress,
) -> Fluxes:
    """Measure places of the reference frame (n, 2) in every frame, in each of the apertures that are tried.

    ``reference`` are the stars of the reference frame: each frame's stars are matched to them once more, with what was
    found before as a guess. A star that was found where the transform puts it is measured there, others at the place
    itself, so that nothing is left out because it was faint.
    """
    widths = np.array([p.light.quality.fwhm for p in placed])
    typical = float(np.nanmedian(widths)) if np.isfinite(widths).any() else 3.0

    def measure(each: Placed) -> dict[str, np.ndarray] | str:
        try:
            look = look_at(each, calibrations[id(each.light)], settings)
            return _measured(look, reference, positions, settings, typical / look.plane.shrink)
        except FrameError as error:
            return f"{each.light.name}: {error}"

    rows, kept, lost = [], [], {}
    for each, found in zip(placed, ordered(executor, measure, placed, workers + 1)):
        if isinstance(found, str):
            lost[str(each.light.frame.path)] = found
        else:
            rows.append(found)
            kept.append(each)
        progress.advance()
    if not rows:
        raise FrameError("no frame of the series could be measured: " + "; ".join(list(lost.values())[:3]))
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Fluxes(kept, names=aperture_names(settings.apertures), lost=lost, **columns)


def aperture_names(apertures: Apertures) -> list[str]:
    """Of the apertures that are tried, in words."""
    if apertures.choice == "fixed":
        return [f"radius {apertures.radius:g} px"]
    if apertures.choice == "fwhm":
        return [f"{apertures.factor:g} FWHM of each frame"]
    same = [f"{factor:g} FWHM of the median frame" for factor in FACTORS]
    return same + [f"{factor:g} FWHM of each frame" for factor in FACTORS]


def _radii(apertures: Apertures, fwhm: float, typical: float) -> np.ndarray:
    if apertures.choice == "fixed":
        return np.array([apertures.radius])
    if apertures.choice == "fwhm":
        return np.array([max(apertures.factor * fwhm, SMALLEST)])
    factors = np.array(FACTORS)
    return np.maximum(np.concatenate([factors * typical, factors * fwhm]), SMALLEST)


def _measured(
    look: Look, reference: Stars, positions: np.ndarray, settings: SeriesSettings, typical: float
) -> dict[str, np.ndarray]:
    from scipy.spatial import cKDTree

    light: Light = look.placed.light
    transform, rms, matched = look.transform, look.placed.registration.rms, look.placed.registration.n_matched
    if look.stars is not light.stars:
        again = match_stars(look.stars, reference, settings.match, guess=look.transform)
        transform, rms, matched = again.transform, again.rms, again.n_matched
    expected = transform.inverse(positions)
    if len(look.stars):
        distance, index = cKDTree(look.stars.positions).query(expected, distance_upper_bound=NEAR)
        found = np.isfinite(distance)
        expected[found] = look.stars.positions[index[found]]
    on_plane = look.plane.positions(expected)
    fwhm = look.fwhm if np.isfinite(look.fwhm) else typical
    radii = _radii(settings.apertures, fwhm, typical)
    stars = look.plane.positions(look.stars.positions)
    crowd = crowd_of(look.plane.data.shape, stars[:, 0], stars[:, 1], CROWD * max(fwhm, typical))
    ring = settings.apertures.ring(float(radii.max()), max(fwhm, typical))
    measured = measure_apertures(
        look.plane.data, on_plane[:, 0], on_plane[:, 1], radii, ring, flags=look.plane.flags, crowd=crowd
    )
    if settings.of_all:
        # Near the border the ring sees less than half of the sky around, and the profile is at its worst.
        height, width = look.plane.data.shape
        rim = np.min([on_plane[:, 0], on_plane[:, 1], width - 1 - on_plane[:, 0], height - 1 - on_plane[:, 1]], axis=0)
        measured.flux[rim < ring[0]] = np.nan
    full = (measured.flags[:, 0] & np.uint16(Flag.SATURATED)) != 0
    gain = look.plane.gain(light.frame.meta.gain)
    return {
        "radii": radii, "flux": measured.flux, "pixels": measured.error, "sky": measured.sky, "x": expected[:, 0],
        "y": expected[:, 1], "peak": measured.peak, "saturated": full | (measured.peak + measured.sky >= look.white),
        "mended": measured.mended, "fwhm": np.float64(fwhm * look.plane.shrink), "matched": np.int64(matched),
        "rms": np.float64(rms), "gain": np.float64(gain or np.nan),
    }  # fmt: skip
