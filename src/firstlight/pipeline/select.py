"""Set poor frames aside, by a rule that says why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firstlight.library.match import same_exposure, same_gain
from firstlight.ops.stack.choice import SELECT_BY, not_among_best, not_chosen_by
from firstlight.pipeline.measure import Light
from firstlight.pipeline.register import Placed
from firstlight.pipeline.settings import Select

FEWEST = 5
"""Groups smaller than this are not judged by their own median."""
WORTH = 0.15
"""A FWHM less than 15 % above the median is never a reason: in steady nights the MAD is tiny."""


def reasons_against(lights: Sequence[Light], rule: Select) -> list[str]:
    """For each light of a group, why it is set aside; empty where it is good.

    Each is judged by those of its own exposure and gain.
    """
    reasons = [""] * len(lights)
    for members in _alike(lights):
        for i, why in zip(members, _against([lights[i] for i in members], rule)):
            reasons[i] = why
    return reasons


def _alike(lights: Sequence[Light]) -> list[list[int]]:
    """Indices of the lights of each exposure and gain."""
    sets: list[list[int]] = []
    for i, light in enumerate(lights):
        for members in sets:
            other = lights[members[0]].frame
            if same_exposure(other.meta.exposure, light.frame.meta.exposure) and same_gain(other, light.frame):
                members.append(i)
                break
        else:
            sets.append([i])
    return sets


def _against(lights: Sequence[Light], rule: Select) -> list[str]:
    reasons = [""] * len(lights)
    if rule.everything:
        return reasons
    return _chosen(lights, rule, _outliers(lights, rule) if len(lights) >= FEWEST else reasons)


def _outliers(lights: Sequence[Light], rule: Select) -> list[str]:
    reasons = [""] * len(lights)
    fwhm = _column(lights, "fwhm")
    background = np.array([light.level.mean() for light in lights])
    noise = np.array([light.noise.mean() for light in lights])
    stars = _column(lights, "n_stars")
    shape = _column(lights, "eccentricity")
    fwhm_limit = max(np.nanmedian(fwhm) + rule.fwhm * _mad(fwhm), (1 + WORTH) * np.nanmedian(fwhm))
    sky_limit = np.median(background) + rule.background * _mad(background)
    fewest = rule.stars / 100 * np.median(stars)
    for i, light in enumerate(lights):
        why = []
        if fwhm[i] > fwhm_limit:
            why.append(f"FWHM {fwhm[i]:.2f} px above {fwhm_limit:.2f} px")
        if background[i] > sky_limit and noise[i] > 2 * np.median(noise):
            why.append(f"background {background[i]:.0f} adu above {sky_limit:.0f} adu")
        if stars[i] < fewest:
            why.append(
                f"{light.quality.n_stars} stars, fewer than {np.ceil(fewest):.0f} ({rule.stars:g} % of the median)"
            )
        if shape[i] > rule.eccentricity > np.nanmedian(shape):
            why.append(f"eccentricity {shape[i]:.2f} above {rule.eccentricity:g}")
        reasons[i] = "; ".join(why)
    return reasons


def _chosen(lights: Sequence[Light], rule: Select, reasons: list[str]) -> list[str]:
    """What the user's formula and share leave."""
    metrics = metrics_of_lights(lights)
    if rule.where:
        reasons = [old or new for old, new in zip(reasons, not_chosen_by(rule.where, metrics))]
    left = np.array([not reason for reason in reasons])
    return [old or new for old, new in zip(reasons, not_among_best(metrics, rule.best, rule.best_by, left))]


def metrics_of_lights(lights: Sequence[Light]) -> dict[str, np.ndarray]:
    """Every one of `SELECT_BY`, float64; NaN where it is not known."""
    rows = [
        {
            "stars": light.quality.n_stars,
            "fwhm": light.quality.fwhm,
            "hfr": light.quality.hfr,
            "eccentricity": light.quality.eccentricity,
            "snr": light.quality.snr,
            "background": float(light.level.mean()),
            "gradient": light.quality.gradient,
            "noise": float(light.noise.mean()),
            "exposure": light.frame.meta.exposure,
            "airmass": light.frame.meta.airmass,
            "temperature": light.frame.meta.temperature,
        }
        for light in lights
    ]
    return {name: np.array([row[name] for row in rows], np.float64) for name in SELECT_BY}


def reasons_after_registration(placed: Sequence[Placed], rule: Select) -> list[str]:
    """For each registered light of a group, why it is set aside after all: stars too faint against the others'."""
    reasons = [""] * len(placed)
    for members in _alike([p.light for p in placed]):
        if rule.everything or len(members) < FEWEST:
            continue
        exposures = np.array([placed[i].light.frame.meta.exposure or 1.0 for i in members])
        shares = 1.0 / (np.array([placed[i].flux_ratio for i in members]) * exposures)
        shares *= 100 / np.median(shares)
        for i, share in zip(members, shares):
            if share < rule.transparency:
                reasons[i] = f"its stars have {share:.0f} % of the median flux; at least {rule.transparency:g} %"
    return reasons


def _column(lights: Sequence[Light], name: str) -> np.ndarray:
    return np.array([getattr(light.quality, name) for light in lights], dtype=np.float64)


def _mad(values: np.ndarray) -> float:
    return float(1.4826 * np.nanmedian(np.abs(values - np.nanmedian(values))))
