"""Files of a light curve: tables, AAVSO's report, plot, text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstlight import __version__
from firstlight.errors import FrameError, InputError
from firstlight.io.aavso import Observation, write_aavso
from firstlight.io.atomic import atomic_path
from firstlight.io.star_tables import Column, write_columns
from firstlight.library.plans import slug
from firstlight.ops.catalog.detrend import Event
from firstlight.ops.catalog.ensemble import median_of_finite
from firstlight.ops.catalog.variability import Variability, find_variables
from firstlight.pipeline.series_report import report_of

if TYPE_CHECKING:
    from firstlight.pipeline.series_curve import Curve
    from firstlight.pipeline.series_settings import SeriesSettings
    from firstlight.pipeline.timeseries import Series

NO_CODE = "XXX"
"""Observer code of a report whose observer gave none; AAVSO refuses it."""


def write_series(series: Series, folder: Path, settings: SeriesSettings) -> None:
    """Write all files of a series; a file is whole or not there."""
    from firstlight.pipeline.series_plot import draw_curve, draw_scatter, save

    name = f"{slug(series.target) or 'target'}_{slug(series.filter) or 'nofilter'}"
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / name
    variables = None
    if series.star is None:
        variables = find_variables(series.reduced.magnitudes, series.reduced.errors)
        series.files.append(_write_stars(stem, series, variables))
        series.files.append(save(draw_scatter(series, variables), Path(f"{stem}_scatter.png")))
        for star in _variable_stars(variables):
            _write_one_of_all(stem, series, star, settings)
    else:
        curve = series.reduced.curves[0]
        event = Event.parse(settings.event) if settings.event else None
        columns = curve_columns(series, curve)
        facts = _facts(series)
        series.files += [write_columns(f"{stem}.csv", columns), write_columns(f"{stem}.ecsv", columns, facts)]
        series.files.append(_write_aavso(Path(f"{stem}_aavso.txt"), series, curve, settings))
        series.files.append(save(draw_curve(series, curve, event), Path(f"{stem}.png")))
    text = report_of(series, settings, variables)
    with atomic_path(f"{stem}.txt") as temporary:
        temporary.write_text(text, encoding="utf-8")
    series.files.append(Path(f"{stem}.txt"))


MOST_VARIABLES = 40


def _variable_stars(variables: Variability) -> np.ndarray:
    found = np.flatnonzero(variables.is_variable)
    return found[np.argsort(-variables.significance[found])][:MOST_VARIABLES]


def _write_one_of_all(stem: Path, series: Series, star: int, settings: SeriesSettings) -> None:
    from firstlight.pipeline.series_curve import curve_of
    from firstlight.pipeline.series_plot import draw_curve, save

    try:
        curve = curve_of(series.reduced, int(star), star_name(series, int(star)), settings)
    except (InputError, FrameError):
        return
    series.reduced.curves.append(curve)
    series.files.append(write_columns(f"{stem}_star{star + 1}.csv", curve_columns(series, curve)))
    series.files.append(save(draw_curve(series, curve), Path(f"{stem}_star{star + 1}.png")))


def star_name(series: Series, star: int) -> str:
    """What a star is called: by the catalogue, its place on the sky, or its number in the table."""
    return series.known.name_of(star) or f"star {star + 1}"


def curve_columns(series: Series, curve: Curve) -> list[Column]:
    """Columns of a light curve's table."""
    r, fluxes = series.reduced, series.fluxes
    star = curve.star
    metas = [p.light.frame.meta for p in fluxes.placed]
    bjd = np.array([o.bjd_tdb or np.nan for o in r.observing])
    check = r.check
    empty = np.full(len(r.jd), np.nan)
    return [
        Column("file", [p.light.name for p in fluxes.placed], about="frame"),
        Column("bjd_tdb", bjd, "d", "barycentric Julian date (TDB), middle of the exposure", 7),
        Column("jd_utc", r.jd, "d", "Julian date (UTC), middle of the exposure", 7),
        Column("magnitude", curve.magnitude, "mag", _scale_words(series), 5),
        Column("error", curve.error, "mag", "standard error: photons, sky, detector, air, comparison stars, floor", 5),
        Column("detrended", curve.detrended.magnitude, "mag", "magnitude without the trends", 5),
        Column("trend", curve.detrended.trend, "mag", "what was taken off", 5),
        Column("check", empty if check is None else check.magnitude, "mag", "the check star", 5),
        Column("check_error", empty if check is None else check.error, "mag", "its standard error", 5),
        Column("flux", curve.flux, "adu", "of the star in the aperture", 2),
        Column("zero_point", r.choice.ensemble.zero, "mag", "of the frame: brighter is below zero", 5),
        Column("exposure", np.array([m.exposure or np.nan for m in metas]), "s", "exposure time", 3),
        Column("airmass", r.airmass, "", "Young 1994", 4),
        Column("x", fluxes.x[:, star], "px", "place in the frame, first pixel 0", 3),
        Column("y", fluxes.y[:, star], "px", "place in the frame, first pixel 0", 3),
        Column("fwhm", fluxes.fwhm, "px", "of the stars of the frame", 3),
        Column("sky", fluxes.sky[:, star], "adu", "level of the ring", 3),
        Column("radius", fluxes.radii[:, r.aperture], "px", "of the aperture", 3),
        Column("flags", curve.flags, about="what is wrong with the point"),
    ]


def _scale_words(series: Series) -> str:
    standard = series.reduced.standard
    return "against the comparison stars" if standard is None else f"on the scale of {standard[3]} of the catalogue"


def _facts(series: Series) -> dict[str, object]:
    r = series.reduced
    return {
        "target": series.target,
        "filter": series.filter,
        "software": f"firstlight {__version__}",
        "aperture": r.fluxes.names[r.aperture],
        "comparison_stars": [int(s) + 1 for s in r.choice.stars],
        "gain": r.noise.gain,
        "gain_is_measured": r.noise.is_measured,
        "floor_mag": r.noise.floor,
        "reference": series.reference,
    }


def _write_stars(stem: Path, series: Series, variables: Variability) -> Path:
    r = series.reduced
    used = np.zeros(len(series.positions), bool)
    used[r.choice.stars] = True
    sky = series.known.sky if series.known.sky is not None else np.full((len(series.positions), 2), np.nan)
    zero = r.standard[0] if r.standard is not None else 0.0
    expected = np.sqrt(median_of_finite(r.errors**2))
    columns = [
        Column("star", np.arange(1, len(used) + 1), about="number"),
        Column("x", series.positions[:, 0], "px", "of the reference frame, first pixel 0", 3),
        Column("y", series.positions[:, 1], "px", "of the reference frame, first pixel 0", 3),
        Column("ra", sky[:, 0], "deg", "ICRS", 6),
        Column("dec", sky[:, 1], "deg", "ICRS", 6),
        Column("magnitude", variables.magnitude + zero, "mag", "median", 4),
        Column("scatter", variables.scatter, "mag", "standard deviation", 5),
        Column("expected", expected, "mag", "by the errors", 5),
        Column("usual", variables.usual, "mag", "median scatter of stars as bright", 5),
        Column("significance", variables.significance, "", "of the scatter above the usual one, sigma", 2),
        Column("variable", variables.is_variable, about="scatters clearly more than its likes"),
        Column("comparison", used, about="is a comparison star"),
        Column("measured", np.isfinite(r.magnitudes).sum(axis=0), about="frames"),
    ]
    write_columns(f"{stem}_stars.ecsv", columns, _facts(series))
    return write_columns(f"{stem}_stars.csv", columns)


def _write_aavso(path: Path, series: Series, curve: Curve, settings: SeriesSettings) -> Path:
    """AAVSO's report of the points that are good."""
    r = series.reduced
    metas = [p.light.frame.meta for p in series.fluxes.placed]
    code = settings.observer_code or metas[0].observer_code or NO_CODE
    check = r.check
    observations = []
    for i in np.flatnonzero(curve.good):
        notes = f"BJD_TDB={r.times[i]:.6f}" if r.is_bjd else ""
        observations.append(
            Observation(
                series.target, float(r.jd[i]), float(curve.magnitude[i]), float(curve.error[i]), series.code,
                is_standard=r.standard is not None,
                check=None if check is None else star_name(series, check.star),
                check_magnitude=None if check is None else float(check.magnitude[i]),
                airmass=float(r.airmass[i]), chart=settings.chart or None, notes=notes,
            )
        )  # fmt: skip
    remarks = [f"{len(curve.magnitude) - len(observations)} flagged points are not in this report"]
    if code == NO_CODE:
        remarks.append("no observer code was given: put yours into OBSCODE before you submit this (--observer-code)")
    if r.standard is None:
        remarks.append("magnitudes are differences to the ensemble: no catalogue was at hand")
    obstype = "DSLR" if series.fluxes.placed[0].light.frame.meta.cfa else "CCD"
    return write_aavso(
        path, observations, observer_code=code, software=f"firstlight {__version__}", obstype=obstype, remarks=remarks
    )
