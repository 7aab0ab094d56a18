"""What was measured of a detector: as words, as numbers for programs, and as one page of plots."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.io.atomic import atomic_path
from firstlight.io.table_files import write_json
from firstlight.library.bad_pixels import make_map, write_map
from firstlight.library.profile import write_profile
from firstlight.pipeline.detector_numbers import Colour, Measured
from firstlight.pipeline.detector_pixels import DEAD, STEPS, WARM_SIGMA

FORMAT = 1


def lines_of(measured: Measured) -> list[tuple[str, str]]:
    """The numbers as rows of name and value, in the order a person asks for them."""
    rows: list[tuple[str, str]] = []
    many = len(measured.colours) > 1
    for name, c in measured.colours.items():
        of = f" {name}" if many else ""
        if math.isfinite(c.gain):
            how = "photon transfer curve" if c.by_curve else "pairs of flats"
            rows.append((f"gain{of}", f"{_pm(c.gain, c.gain_error)} e-/adu ({how})"))
        if c.read_noise:
            electrons = f"{_pm(c.read_noise.adu * c.gain, c.read_noise.error * c.gain)} e-, " if c.gain > 0 else ""
            rows.append((f"read noise{of}", f"{electrons}{c.read_noise.adu:.4g} adu ({c.read_noise.pairs} pairs)"))
    if len(measured.noises) > 1:
        said = ", ".join(f"{n:.4g} adu at {_degrees(t)}" for t, n in measured.noises.items())
        rows.append(("at temperatures", said))
    if measured.bias_level is not None:
        pattern = f", fixed pattern {measured.bias_pattern:.3g} adu" if measured.bias_pattern is not None else ""
        rows.append(("bias level", f"{measured.bias_level:.1f} adu{pattern}"))
    if measured.row_noise is not None:
        rows.append(("row noise", f"{measured.row_noise:.2g} adu"))
    well = measured.full_well
    if well:
        rows.append(("full well", f"{well[0]:.0f} e- ({well[1]})"))
    rows += _linearity_rows(measured)
    for rate in measured.rates:
        if math.isfinite(rate.rate):
            rows.append((f"dark current at {_degrees(rate.temperature)}", f"{_pm(rate.rate, rate.error)} e-/s"))
    if measured.doubling:
        rows.append(("doubles every", f"{_pm(*measured.doubling)} C ({measured.doubling_from})"))
    return rows + _pixel_rows(measured)


def _pm(value: float, error: float) -> str:
    """A number and its error, with the digits that mean something.

    >>> _pm(12.98937, 0.0178)
    '12.989 +- 0.018'
    """
    digits = 3 if not (math.isfinite(error) and error > 0) else min(max(1 - math.floor(math.log10(error)), 0), 8)
    return f"{value:.{digits}f} +- {error:.{digits}f}"


def _degrees(temperature: float | None) -> str:
    return "unknown temperature" if temperature is None else f"{temperature:g} C"


def _linearity_rows(measured: Measured) -> list[tuple[str, str]]:
    rows = []
    for name, c in measured.colours.items():
        if c.linearity:
            of = f" {name}" if len(measured.colours) > 1 else ""
            rows.append((f"linearity{of}", f"R2 {c.linearity.r2:.6f}, at most {c.linearity.worst:.2f} % off the line"))
    fix = measured.correction
    if fix:
        rows.append(
            ("its correction", f"cal:linearity:second={fix.second:.3g},third={fix.third:.3g} "
             f"({fix.before:.2f} % -> {fix.after:.2f} %, up to {fix.highest:.0f} adu)")
        )  # fmt: skip
    return rows


def _pixel_rows(measured: Measured) -> list[tuple[str, str]]:
    bad = measured.bad
    if bad is None:
        return []
    size = bad.flags.size
    rows = []
    if bad.dark:
        hot, warm = np.count_nonzero(bad.hot), np.count_nonzero(bad.warm)
        rows.append(
            ("hot pixels", f"{hot} ({100 * hot / size:.2g} %), and {warm} warm ones (above {WARM_SIGMA:g} sigma)")
        )
        if bad.counts:
            rows.append(("brighter than others", ", ".join(f"{n} by {s:g} e-/s" for s, n in bad.counts.items())))
    if bad.flat is not None:
        rows.append(
            (
                "cold pixels",
                f"{np.count_nonzero(bad.cold)}, of which {np.count_nonzero(bad.dead)} dead (below {DEAD:g})",
            )
        )
    if bad.noisy is not None and bad.jumping is not None:
        rows.append(
            ("noisy pixels", f"{np.count_nonzero(bad.noisy)}, of which {np.count_nonzero(bad.jumping)} jump (RTN)")
        )
    for source, line in bad.lines[:12]:
        part = f"{line.first + 1} to {line.last + 1}"
        rows.append((f"bad {line.axis} {line.index + 1}", f"{part}, on the {source}, {line.excess:+.3g}"))
    if len(bad.lines) > 12:
        rows.append(("more bad lines", str(len(bad.lines) - 12)))
    if bad.glow is not None:
        gain = measured.gain
        peak, unit = (bad.glow.peak * gain, "e-/s") if gain else (bad.glow.peak, "adu/s")
        what = (
            f"{peak:.3g} {unit} above the rest, {bad.glow.place}"
            if bad.glow.certain
            else f"none seen (below {peak:.2g} {unit})"
        )
        rows.append(("amplifier glow", what))
    return rows


def numbers_of(measured: Measured) -> dict[str, Any]:
    """Everything measured as JSON can hold it; names carry their units."""
    meta, bad, well = measured.frames.meta, measured.bad, measured.full_well
    return {
        "format": FORMAT,
        "camera": meta.camera, "serial": meta.serial, "gain_setting": meta.gain_setting, "offset": meta.offset,
        "readout_mode": meta.readout_mode, "binning": list(meta.binning), "cfa": meta.cfa,
        "shape": list(measured.frames.shape), "frames": measured.frames.n_frames,
        "gain_e_per_adu": measured.gain, "read_noise_e": measured.read_noise,
        "colours": {name: _colour(c) for name, c in measured.colours.items()},
        "read_noise_adu_by_temperature": [[t, n] for t, n in measured.noises.items()],
        "bias_level_adu": measured.bias_level, "bias_pattern_adu": measured.bias_pattern,
        "row_noise_adu": measured.row_noise, "neighbour_correlation": measured.correlation,
        "saturation_adu": measured.saturation, "saturation_from": measured.saturation_from,
        "full_well_e": well[0] if well else None, "full_well_from": well[1] if well else None,
        "linearity_correction": None if measured.correction is None else measured.correction.__dict__,
        "dark_current": [
            {"temperature_c": r.temperature, "e_per_s": r.rate, "error": r.error,
             "exposures_s": list(r.exposures), "levels_adu": list(r.levels)} for r in measured.rates
        ],
        "doubling_c": measured.doubling[0] if measured.doubling else None,
        "doubling_error_c": measured.doubling[1] if measured.doubling else None,
        "doubling_from": measured.doubling_from,
        "pixels": None if bad is None else {
            "hot": int(np.count_nonzero(bad.hot)), "warm": int(np.count_nonzero(bad.warm)),
            "cold": int(np.count_nonzero(bad.cold)), "dead": int(np.count_nonzero(bad.dead)),
            "noisy": None if bad.noisy is None else int(np.count_nonzero(bad.noisy)),
            "jumping": None if bad.jumping is None else int(np.count_nonzero(bad.jumping)),
            "above_e_per_s": [[s, bad.counts[s]] for s in STEPS if s in bad.counts],
            "lines": [{"on": source, **line.__dict__} for source, line in bad.lines],
            "glow_adu_per_s": bad.glow.peak if bad.glow else None, "glow_error": bad.glow.error if bad.glow else None,
            "glow_place": bad.glow.place if bad.glow and bad.glow.certain else None,
        },
        "notes": list(measured.notes),
    }  # fmt: skip


def _colour(c: Colour) -> dict[str, Any]:
    fit, line = c.transfer, c.linearity
    return {
        "gain_e_per_adu": c.gain, "gain_error": c.gain_error, "gain_from": "curve" if c.by_curve else "pairs",
        "gain_of_pairs": c.pair_gain, "gain_of_pairs_error": c.pair_error,
        "read_noise_adu": c.read_noise.adu if c.read_noise else None,
        "read_noise_e": c.read_noise.adu * c.gain if c.read_noise else None,
        "read_noise_error_adu": c.read_noise.error if c.read_noise else None,
        "transfer": None if fit is None else {
            "gain": fit.gain, "gain_error": fit.gain_error, "read_variance_adu2": fit.read_variance, "bend": fit.bend,
            "points": fit.points, "chi2": fit.chi2, "from_adu": fit.lowest, "to_adu": fit.highest,
        },
        "noise_breaks_at_adu": c.breaks_at,
        "linearity": None if line is None else {
            "rate_adu_per_s": line.rate, "intercept_adu": line.intercept, "r2": line.r2, "worst_percent": line.worst,
            "exposures_s": [v.exposure for v in c.levels], "signals_adu": [v.signal for v in c.levels],
            "saturated": [v.saturated for v in c.levels], "deviations_percent": list(line.deviations),
        },
    }  # fmt: skip


def write_report(
    measured: Measured, folder: str | Path, *, user_list: np.ndarray | None = None, profile: bool = True
) -> list[Path]:
    """Write the page (PDF and PNG), the numbers (JSON) and the map of bad pixels (FITS); and the profile.

    ``user_list`` is a mask (y, x) of pixels that the user calls bad. Returns the files, in that order.
    """
    from firstlight.pipeline.detector_page import draw_page

    folder = Path(folder)
    stem = measured.profile.file_name.removesuffix(".toml")
    files = []
    page = draw_page(measured, lines_of(measured))
    for suffix, options in ((".pdf", {"metadata": {"CreationDate": None}}), (".png", {"dpi": 110})):
        path = folder / f"{stem}{suffix}"
        with atomic_path(path) as temporary:
            page.savefig(temporary, format=suffix[1:], **options)
        files.append(path)
    files.append(write_json(folder / f"{stem}.json", numbers_of(measured)))
    if measured.bad is not None:
        bad = make_map(measured.bad.flags, user_list, measured.frames.meta)
        files.append(write_map(folder / f"{stem}_badpixels.fits", bad))
    if profile and measured.frames.meta.camera and (measured.gain or measured.read_noise):
        files.append(write_profile(measured.profile))
    return files
