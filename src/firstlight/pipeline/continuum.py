"""The light of a spectral line alone: `firstlight continuum`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError, InputError
from firstlight.io.read import read
from firstlight.io.targets import FITS, check_target
from firstlight.io.write import write
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, State
from firstlight.model.psf import Psf
from firstlight.model.registration import Registration
from firstlight.model.stars import Quality, Stars
from firstlight.ops.align.match import MatchStars, match_stars
from firstlight.ops.align.onto import brought_onto
from firstlight.ops.catalog.apertures import crowd_of, measure_apertures
from firstlight.ops.catalog.match_psf import convolved, matching_kernel
from firstlight.ops.catalog.star_ratio import StarRatio, fit_star_ratio
from firstlight.ops.color.channels import sky_level
from firstlight.ops.color.together import need_alike, need_mono
from firstlight.ops.inspect.psf_model import MeasurePsf, measure_psf
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.registry import Params
from firstlight.ops.spec import step
from firstlight.pipeline.progress import Clock, Progress
from firstlight.units import Sigma, SubPx

CROWD = 2.0
FULL = 0.98
ALIKE = 0.05
"""Profiles that differ in width by less are not matched."""
STILL = 0.05
"""px: images that lie so near on each other are not moved."""


class ContinuumSettings(Params):
    """All settings of `firstlight continuum`."""

    factor: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """What the broadband image is multiplied with; 0: the ratio of the stars."""
    align: Literal["auto", "none"] = "auto"
    """``auto``: the broadband image is brought onto the narrowband one by their stars, if it does not lie there."""
    match_psf: bool = False
    """Give the sharper image the star profile of the broader one first: no rings are left of stars."""
    snr: Annotated[Sigma, Field(ge=3, le=1000)] = 20.0
    """Signal to noise that a star must have in both images to be asked."""
    radius: Annotated[SubPx, Field(ge=0, le=100)] = 0.0
    """Of the circles in which stars are measured; 0: twice the FWHM of the broader image."""
    stars: FindStars = FindStars(max_stars=1000)
    picture: bool = True
    """A picture of the result, and of what is left of each star."""


@dataclass(eq=False)
class ContinuumResult:
    """The line's light and how it was found."""

    path: Path
    image: Image
    factor: float
    factor_error: float
    ratio: StarRatio | None
    """None where the factor was given and stars could not be measured."""
    x: np.ndarray
    """Of the stars, px."""
    y: np.ndarray
    left: np.ndarray
    """(stars,): share of each star's narrowband light that is left."""
    matched: str = ""
    """Which image was given the other's profile, in words."""
    notes: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def left_over(self) -> float:
        """Robust standard deviation of what is left of the stars, as a share of their light."""
        rest = self.left[np.isfinite(self.left)]
        return 1.4826 * float(np.median(np.abs(rest - np.median(rest)))) if len(rest) else float("nan")


def continuum(
    narrow: str | Path,
    broad: str | Path,
    output: str | Path,
    settings: ContinuumSettings | None = None,
    *,
    progress: Progress | None = None,
) -> ContinuumResult:
    """Subtract the continuum, as a broadband image shows it, from a narrowband image.

    The narrowband image's background stays, the broadband one's is taken off. Flags: of both, OR-ed. Variance: of both
    images and of the factor. The file carries RESIDUAL, the result above its background over its noise.

    Raises
    ------
    InputError
        The images do not fit each other, or show too few stars for the factor.
    """
    settings = settings or ContinuumSettings()
    clock = Clock(progress or Progress())
    path = Path(output)
    check_target(path, overwrite=True, endings=FITS)
    for given in (narrow, broad):
        if path.exists() and path.resolve() == Path(given).resolve():
            raise InputError(f"{path}: this is an input; give the result another name")
    notes: list[str] = []
    with clock.stage("continuum"):
        line, wide = (_opened(Path(each)) for each in (narrow, broad))
        need_mono("continuum", narrowband=line, broadband=wide)
        if settings.align == "auto":
            wide = _aligned(wide, line, Path(broad).name, Path(narrow).name, settings, notes)
        need_alike("continuum", line, broadband=wide)
        matched = ""
        if settings.match_psf:
            line, wide, matched = _matched(line, wide)
        try:
            ratio, places, fluxes, trouble = _ratio(line, wide, settings)
        except FrameError as error:
            raise InputError(f"{Path(narrow).name}, {Path(broad).name}: {error}") from error
        if ratio is None and not settings.factor:
            raise InputError(f"continuum: {trouble}: --factor")
        factor = settings.factor or ratio.ratio  # type: ignore[union-attr]
        error = 0.0 if settings.factor else ratio.error  # type: ignore[union-attr]
        image = _subtracted(line, wide, factor, error)
        x, y = places
        with np.errstate(invalid="ignore", divide="ignore"):
            left = (fluxes[0] - factor * fluxes[1]) / fluxes[0]
        result = ContinuumResult(path, image, factor, error, ratio, x, y, left, matched, notes)
        _write(result, narrow, broad, settings)
    return result


def _opened(path: Path) -> Image:
    try:
        image = read(path)
    except FrameError as error:
        raise InputError(str(error)) from error
    if image.state is not State.LINEAR:
        raise InputError(f"{path.name}: is stretched; continuum subtraction needs linear data")
    return image


def _stars(image: Image, settings: ContinuumSettings) -> tuple[Stars, Quality]:
    excluded = has(image.flags[0], EXCLUDED)
    white = FULL * (image.meta.saturation or np.inf)
    return find_stars(
        image.data[0], settings.stars, excluded=excluded if excluded.any() else None, saturation=white,
        gain=image.meta.gain,
    )  # fmt: skip


def _aligned(wide: Image, line: Image, name: str, other: str, settings: ContinuumSettings, notes: list[str]) -> Image:
    try:
        found: Registration = match_stars(_stars(wide, settings)[0], _stars(line, settings)[0], MatchStars())
    except FrameError as error:
        if wide.shape == line.shape:
            notes.append(f"{name} is taken as it lies: {error}")
            return wide
        raise InputError(f"{name}: cannot be brought onto {other}: {error}") from error
    _, height, width = line.shape
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float64)
    moved = float(np.hypot(*(found.transform(corners) - corners).T).max())
    if moved < max(STILL, 3 * found.rms / np.sqrt(max(found.n_matched, 1))) and wide.shape == line.shape:
        return wide
    notes.append(
        f"{name} was brought onto {other}: up to {moved:.1f} px, {found.n_matched} stars, rms {found.rms:.2f} px"
    )
    return brought_onto(wide, found.transform, (height, width), plate=line.plate)


def _matched(line: Image, wide: Image) -> tuple[Image, Image, str]:
    try:
        profiles: list[Psf] = [measure_psf(each, MeasurePsf(variation="none")) for each in (line, wide)]
        one, other = profiles
        words = f"narrowband FWHM {one.fwhm:.2f} px, broadband {other.fwhm:.2f} px"
        if abs(one.fwhm / other.fwhm - 1) < ALIKE:
            return line, wide, f"{words}: alike, left as they are"
        if one.fwhm < other.fwhm:
            return convolved(line, matching_kernel(one, other)), wide, f"{words}: the narrowband image was broadened"
        return line, convolved(wide, matching_kernel(other, one)), f"{words}: the broadband image was broadened"
    except FrameError as error:
        raise InputError(f"continuum: {error}; leave out --match-psf") from error


def _ratio(
    line: Image, wide: Image, settings: ContinuumSettings
) -> tuple[StarRatio | None, tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], str]:
    """The ratio of the stars, where they are, their light in both images, and why there is no ratio."""
    stars, quality = _stars(wide, settings)
    _, other = _stars(line, settings)
    widths = [q.fwhm for q in (quality, other) if np.isfinite(q.fwhm)]
    fwhm = max(widths) if widths else 3.0
    stars = stars.take((stars.saturated == 0) & (stars.snr >= settings.snr))
    radius = settings.radius or 2.0 * fwhm
    ring = (radius + 1.5 * fwhm, float(np.hypot(radius + 1.5 * fwhm, 12.0)))
    found = []
    for image in (line, wide):
        crowd = crowd_of(image.data.shape[1:], stars.x, stars.y, CROWD * fwhm)
        variance = None if image.variance is None else image.variance[0]
        found.append(
            measure_apertures(
                image.data[0], stars.x, stars.y, np.array([radius]), ring, variance=variance, flags=image.flags[0],
                gain=image.meta.gain, crowd=crowd,
            )
        )  # fmt: skip
    good = np.ones(len(stars), bool)
    for measured, image in zip(found, (line, wide)):
        white = FULL * (image.meta.saturation or np.inf)
        with np.errstate(invalid="ignore"):
            good &= (measured.snr[:, 0] >= settings.snr) & (measured.peak + measured.sky < white)
        good &= ~has(measured.flags[:, 0], Flag.SATURATED)
    light = tuple(np.where(good, measured.flux[:, 0], np.nan) for measured in found)
    places = stars.x, stars.y
    try:
        ratio = fit_star_ratio(light[0], found[0].error[:, 0], light[1], found[1].error[:, 0])
    except FrameError as error:
        return None, places, light, str(error)  # type: ignore[return-value]
    return ratio, places, light, ""  # type: ignore[return-value]


def _subtracted(line: Image, wide: Image, factor: float, error: float) -> Image:
    image = step("color:continuum", factor=factor)(line, wide)
    if image.variance is not None and error:
        above = wide.data - np.float32(sky_level(wide, 0))
        image = image.replace(variance=image.variance + np.float32(error) ** 2 * above**2)
    return image


def _write(result: ContinuumResult, narrow: str | Path, broad: str | Path, settings: ContinuumSettings) -> None:
    from firstlight.pipeline.continuum_plot import draw_residuals
    from firstlight.pipeline.series_plot import save

    image = result.image
    level = np.float32(sky_level(image, 0))
    if image.variance is not None:
        noise = np.sqrt(np.maximum(image.variance, 1e-30))
    else:
        from firstlight.pipeline.measure import channel_statistics

        noise = np.float32(channel_statistics(image.data, None)[1][0])
    residual = ((image.data - level) / noise).astype(np.float32)
    provenance = {
        "narrowband": Path(narrow).name, "broadband": Path(broad).name, "factor": result.factor,
        "factor_error": result.factor_error, "stars": 0 if result.ratio is None else int(result.ratio.used.sum()),
        "colour_spread": None if result.ratio is None else result.ratio.spread, "profiles": result.matched,
        "left_of_stars": result.left_over, "notes": result.notes,
    }  # fmt: skip
    write(result.path, image, extra={"RESIDUAL": residual}, provenance=provenance)
    result.files.append(result.path)
    if settings.picture:
        result.files.append(save(draw_residuals(result, residual[0]), result.path.with_suffix(".png")))
