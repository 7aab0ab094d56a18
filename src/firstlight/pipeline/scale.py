"""How bright the same stars are in files that lie on one another already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np

from firstlight.library.explain import names_words
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.executors import ordered
from firstlight.pipeline.members import LOST, Member
from firstlight.pipeline.register import weighted_median

MOST = 100
"""Stars that a scale is measured from; their median is right to about 0.1 %."""
CORE = 0.6
"""FWHM: radius of the small aperture that tells how sharp the stars are."""
BAND = 2**20
"""Pixels that are searched for them at first."""
FEWEST = 5
LEAST_SNR = 20.0
REACH = (4.0, 2.5, 16.0)
"""Radius of the aperture: 2.5 FWHM, at least 4 and at most 16 px. Changes of the seeing hardly reach so far out."""
ASTRAY = 0.5
"""px: stars further off those of the reference were not registered; those that were lie within 0.2 px."""
UNLIKE = 0.4
"""Where the ratio of the light in two files differs by more than this share from star to star, they are not the same
stars."""


def compare_stars(
    members: Sequence[Member], reference: int, settings: FindStars, executor: Executor, workers: int,
    done: Callable[[int], None] = lambda n: None,
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:  # fmt: skip
    """Factor that brings each file to the brightness of the reference; the FWHM of its stars, px; and a note where
    they do not lie on those of the reference.

    The stars are found on the reference alone; in each file the light in apertures about them is summed, and only the
    pages of the file that hold them are read. The FWHM follows from the share of the light in a small aperture, as a
    Gaussian has it. Without enough stars the factors are those of the exposures and gains, and no FWHM is known (None).
    """
    ours = members[reference]
    positions, fwhm = _bright_stars(ours, settings)
    scales = np.array([_ratio(ours.exposure, m.exposure) * _ratio(m.electrons, ours.electrons) for m in members])
    if len(positions) < FEWEST:
        return scales, None, []
    wanted, core, middles = _fluxes(ours, positions, fwhm)

    def compare(member: Member) -> tuple[float | None, float, float]:
        fluxes, cores, centres = (wanted, core, middles) if member is ours else _fluxes(member, positions, fwhm)
        seen = np.isfinite(fluxes) & np.isfinite(wanted) & (wanted > 0)
        known = seen & (fluxes > 0)
        if known.sum() < FEWEST:
            return None, np.nan, np.inf if seen.sum() >= FEWEST else 0.0
        # Bright stars measure both best; the weighted median shrugs off blends and variables.
        weights = np.sqrt(wanted[known])
        off = [weighted_median(axis, weights) for axis in (centres - middles)[:, known]]
        ratios, heavy = fluxes[seen] / wanted[seen], np.sqrt(wanted[seen])
        middle = weighted_median(ratios, heavy)
        if weighted_median(np.abs(ratios - middle), heavy) > UNLIKE * middle:
            return None, np.nan, np.inf
        return (
            weighted_median(wanted[known] / fluxes[known], weights),
            weighted_median(cores[known] / fluxes[known], weights),
            float(np.hypot(*off)),
        )

    shares, offsets = np.full(len(members), np.nan), np.zeros(len(members))
    for i, (scale, shares[i], offsets[i]) in enumerate(ordered(executor, compare, members, 2 * workers)):
        if scale is not None:
            scales[i] = scale
        done(1)
    widths = 1 / np.sqrt(-np.log(1 - np.clip(shares, 0.01, 0.99)))
    return scales, fwhm * widths / widths[reference], _astray(members, reference, offsets)


def _astray(members: Sequence[Member], reference: int, offsets: np.ndarray) -> list[str]:
    far = [(member.name, off) for member, off in zip(members, offsets) if off > ASTRAY]
    if not far:
        return []
    most = max(off for _, off in far)
    how = f"they lie up to {most:.1f} px off" if np.isfinite(most) else "they are elsewhere"
    names = names_words([name for name, _ in far]).replace(" lights)", " files)")
    return [
        f"{names}: the stars do not lie on those of {members[reference].name}, {how}; "
        "--registration-method stars brings them there"
    ]


def _ratio(a: float | None, b: float | None) -> float:
    return a / b if a and b else 1.0


def lost_pixels(member: Member) -> np.ndarray | None:
    """Boolean (channels, y, x): pixels that the file's own flags, or its border, call worthless."""
    height = member.frame.shape[1]
    flags = member.beside.flag_rows(0, height)
    if flags is not None:
        return (flags & np.uint16(LOST)) != 0
    if member.has_border:
        return np.asarray(member.frame.rows(0, height) == 0)
    return None


def defects_of(member: Member) -> Calibration:
    """A calibration that corrects nothing, and knows the pixels that are worthless."""
    lost = lost_pixels(member)
    return Calibration() if lost is None else Calibration(defects=tuple(Defects.of(plane) for plane in lost))


def _bright_stars(member: Member, settings: FindStars) -> tuple[np.ndarray, float]:
    """Positions (n, 2) of unsaturated stars, whole pixels, well inside, and their FWHM.

    A band across the middle is searched first, and all of the frame where that has too few.
    """
    _, height, width = member.frame.shape
    rows = min(max(BAND // width, 256), height)
    if rows < height / 2:
        positions, fwhm = _stars_between((height - rows) // 2, (height + rows) // 2, member, settings)
        if len(positions) >= MOST:
            return positions, fwhm
    return _stars_between(0, height, member, settings)


def _stars_between(top: int, bottom: int, member: Member, settings: FindStars) -> tuple[np.ndarray, float]:
    frame = member.frame
    band = defects_of(member).band(frame, top, bottom)
    excluded = np.zeros(band.data.shape[1:], bool)
    for ys, xs in band.missing:
        within = (ys >= top) & (ys < bottom)
        excluded[ys[within] - top, xs[within]] = True
    plane = band.data[0] if frame.shape[0] == 1 else band.data.mean(axis=0)
    stars, quality = find_stars(
        np.ascontiguousarray(plane), settings, excluded=excluded if excluded.any() else None,
        saturation=0.98 * (frame.meta.saturation or np.inf), gain=frame.meta.gain,
    )  # fmt: skip
    if not np.isfinite(quality.fwhm):
        return np.empty((0, 2), int), 0.0
    edge = 2 * _radius(quality.fwhm) + 2
    x, y, (height, width) = stars.x, stars.y, plane.shape
    inside = (x > edge) & (y > edge) & (x < width - 1 - edge) & (y < height - 1 - edge)
    usable = np.flatnonzero(inside & (stars.saturated == 0) & (stars.snr >= LEAST_SNR))[:MOST]
    return np.round(stars.positions[usable]).astype(int) + np.array([0, top]), quality.fwhm


def _radius(fwhm: float) -> int:
    least, times, most = REACH
    return round(min(max(least, times * fwhm), most))


def _fluxes(member: Member, positions: np.ndarray, fwhm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Light within the aperture about each position, and within its core; NaN near lost pixels. And where its middle
    lies about the position, (2, n), y and x.

    The background is the median of a ring around the aperture.
    """
    radius = _radius(fwhm)
    yy, xx = np.mgrid[-2 * radius : 2 * radius + 1, -2 * radius : 2 * radius + 1]
    distance = np.hypot(yy, xx)
    # In order of distance: the core comes first.
    inner = np.stack(np.nonzero(distance <= radius))
    inner = inner[:, np.argsort(distance[*inner], kind="stable")]
    n_core = int(np.count_nonzero(distance <= max(CORE * fwhm, 1.0)))
    # Every third pixel of the ring tells its median well enough.
    ring = np.stack(np.nonzero((distance > radius + 1) & (distance <= 2 * radius)))[:, ::3]
    places = np.concatenate([inner, ring], axis=1) - 2 * radius
    planes = member.frame.rows(0, member.frame.shape[1])
    # Numbers of pixels: NumPy takes them three times as fast as rows and columns.
    x, y = positions.T
    width = planes.shape[2]
    pixels = (y * width + x)[:, None] + (places[0] * width + places[1])
    values = np.mean([plane.take(pixels).astype(np.float32) for plane in planes], axis=0)
    lost = ~np.isfinite(values)
    if member.beside.flags is not None:
        flags = member.beside.flag_rows(0, member.frame.shape[1])
        lost |= np.any([plane.take(pixels) & np.uint16(LOST) for plane in flags], axis=0)  # type: ignore[union-attr]
    if member.has_border:
        lost |= values == 0
    count = inner.shape[1]
    values[lost] = 0.0
    light = values[:, :count] - np.median(values[:, count:], axis=1)[:, None]
    light[lost.any(axis=1)] = np.nan
    whole, core = (light[:, :k].sum(axis=1, dtype=np.float64) for k in (count, n_core))
    with np.errstate(divide="ignore", invalid="ignore"):
        middles = np.stack([(light * along).sum(axis=1) / whole for along in places[:, :count]])
    return whole * member.frame.scale, core * member.frame.scale, middles
