"""The report of a light curve, in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstlight import __version__
from firstlight.ops.catalog.detrend import Event
from firstlight.ops.catalog.ensemble import robust_sigma
from firstlight.ops.catalog.variability import Variability

if TYPE_CHECKING:
    from firstlight.pipeline.series_curve import Curve
    from firstlight.pipeline.series_settings import SeriesSettings
    from firstlight.pipeline.timeseries import Series

MMAG = 1000.0


def quiet(series: Series, curve: Curve, settings: SeriesSettings) -> np.ndarray:
    """Points that are good and outside of the event."""
    good = curve.good
    if settings.event:
        good = good & (Event.parse(settings.event).shape(series.reduced.times) == 0)
    return good


def scatter_of(curve: Curve, points: np.ndarray, detrended: bool = True) -> tuple[float, float]:
    """Standard deviation of these points and what their errors let expect, mag."""
    values = (curve.detrended.magnitude if detrended else curve.magnitude)[points]
    if len(values) < 3:
        return float("nan"), float("nan")
    unknowns = 1 + (len(curve.detrended.coefficients) if detrended else 0)
    middle = np.average(values, weights=curve.error[points] ** -2.0)
    scatter = np.sqrt(((values - middle) ** 2).sum() / max(len(values) - unknowns, 1))
    return float(scatter), float(np.sqrt(np.mean(curve.error[points] ** 2)))


def report_of(series: Series, settings: SeriesSettings, variables: Variability | None) -> str:
    """All that a person wants to know of a series before believing it."""
    r = series.reduced
    times = r.times
    scale = "BJD_TDB" if r.is_bjd else "JD (UTC)"
    lines = [
        f"{series.target}, {series.filter or 'no filter'} (AAVSO {series.code})",
        f"{len(times)} of {series.n_lights} lights, {scale} {times[0]:.5f} to {times[-1]:.5f} "
        f"({24 * (times[-1] - times[0]):.2f} h)",
        f"reference frame {series.reference}",
        "",
        f"Aperture: {r.fluxes.names[r.aperture]} (median {np.median(r.fluxes.radii[:, r.aperture]):.2f} px)"
        + ("" if len(r.fluxes.names) == 1 else f", of {len(r.fluxes.names)} that of the steadiest comparison stars"),
        *_comparison_lines(series),
        *_noise_lines(series, settings),
    ]
    for curve in r.curves if series.star is not None else ():
        lines += ["", *_curve_lines(series, curve, settings)]
    if r.check is not None:
        scatter, expected = scatter_of(r.check, r.check.good, detrended=False)
        lines.append(
            f"Check star: scatter {MMAG * scatter:.2f} mmag, expected {MMAG * expected:.2f}: "
            f"{scatter / expected:.2f} times"
        )
    if variables is not None:
        lines += ["", *_variable_lines(series, variables)]
    if series.set_aside:
        lines += ["", f"Frames set aside ({len(series.set_aside)}):"]
        lines += [
            f"  {Path(path).name}: {reason.removeprefix(Path(path).name + ': ')}"
            for path, reason in sorted(series.set_aside.items())
        ]
    if series.notes:
        lines += ["", *(f"Note: {note}" for note in dict.fromkeys(series.notes))]
    return "\n".join([*lines, "", f"firstlight {__version__}", ""])


def _comparison_lines(series: Series) -> list[str]:
    r = series.reduced
    kind = "a plane over the field" if r.choice.is_plane else "one number"
    scatter = np.nanmedian(r.choice.ensemble.scatter)
    lines = [
        f"Comparison stars: {len(r.choice.stars)}, each against the others {MMAG * scatter:.2f} mmag (median); "
        f"zero point of a frame: {kind}"
    ]
    if len(r.choice.dropped):
        lines.append(f"  left out because they vary: {len(r.choice.dropped)}")
    shown = r.choice.stars[:12]
    for star, value in zip(shown, r.choice.ensemble.scatter[: len(shown)]):
        x, y = series.positions[star]
        lines.append(
            f"  star {star + 1} at ({x:.1f}, {y:.1f}) {series.known.name_of(int(star))}: {MMAG * value:.2f} mmag"
        )
    if len(r.choice.stars) > len(shown):
        lines.append(f"  and {len(r.choice.stars) - len(shown)} more")
    if r.standard is not None:
        value, error, n, band = r.standard
        lines.append(
            f"Zero point: {value:.4f} +/- {error:.4f} mag to {band} of the catalogue, from {n} stars, no colour term"
        )
    return lines


def _noise_lines(series: Series, settings: SeriesSettings) -> list[str]:
    noise = series.reduced.noise
    gain = "not known, and not to be told from the stars: photons are in the floor" if noise.gain is None else (
        f"{noise.gain:.3g} e-/adu, " + (f"from the scatter of {noise.n_stars} stars" if noise.is_measured else "header")
    )  # fmt: skip
    air = float(np.median(series.reduced.scint))
    return [
        f"Gain: {gain}",
        f"Floor: {MMAG * noise.floor:.2f} mmag, what comparison stars scatter beyond photons, sky and air"
        + ("" if settings.floor else " (not in the errors)"),
        *([f"Scintillation: {1085.7 * air:.2f} mmag (Osborn et al. 2015)"] if air > 0 else []),
    ]


def _curve_lines(series: Series, curve: Curve, settings: SeriesSettings) -> list[str]:
    points = quiet(series, curve, settings)
    scatter, expected = scatter_of(curve, points)
    x, y = series.fluxes.x[0, curve.star], series.fluxes.y[0, curve.star]
    where = " outside of the event" if settings.event else ""
    lines = [
        f"Target: {curve.name} at ({x:.1f}, {y:.1f}) px of {series.fluxes.placed[0].light.name}",
        f"  median {np.nanmedian(curve.magnitude):.4f} mag, range {np.ptp(curve.magnitude[curve.good]):.4f}",
        f"  scatter{where} {MMAG * scatter:.2f} mmag, expected {MMAG * expected:.2f}: {scatter / expected:.2f} times",
    ]
    steps = np.diff(curve.detrended.magnitude[points])
    if len(steps) > 3:
        lines.append(f"  from point to point {MMAG * float(robust_sigma(steps)) / np.sqrt(2):.2f} mmag")
    for name, (value, error) in curve.detrended.coefficients.items():
        lines.append(f"  trend with {name}: {value:.6g} +/- {error:.2g} mag a unit, taken out")
    if curve.detrended.depth is not None:
        depth, error = curve.detrended.depth
        lines.append(f"  depth of the event: {MMAG * depth:.2f} +/- {MMAG * error:.2f} mmag")
    flagged = [f"{p.light.name} ({words})" for p, words in zip(series.fluxes.placed, curve.flags) if words]
    if flagged:
        lines.append(
            f"  flagged points ({len(flagged)}): " + ", ".join(flagged[:10]) + (" ..." if len(flagged) > 10 else "")
        )
    return lines


def _variable_lines(series: Series, variables: Variability) -> list[str]:
    found = np.flatnonzero(variables.is_variable)
    found = found[np.argsort(-variables.significance[found])]
    measured = int(np.isfinite(variables.scatter).sum())
    lines = [f"Variable stars: {len(found)} of {measured} scatter clearly more than stars as bright"]
    for star in found[:40]:
        x, y = series.positions[star]
        lines.append(
            f"  star {star + 1} at ({x:.1f}, {y:.1f}) {series.known.name_of(int(star))}: "
            f"{MMAG * variables.scatter[star]:.1f} mmag, usual {MMAG * variables.usual[star]:.1f}, "
            f"{variables.significance[star]:.1f} sigma"
        )
    return lines
