"""Cosmic rays on a single frame."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.calibrate.counts import with_cards
from firstlight.ops.calibrate.masters import WORTHLESS
from firstlight.ops.calibrate.planes import colour_planes, filled, spread_of
from firstlight.ops.calibrate.repair import Repair, mend
from firstlight.ops.inspect.background import measure_background
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Electrons, Sigma, SubPx, Unit

SMALLEST = 12
"""px: the Laplacian of smaller planes means nothing."""
STAR = 0.5
"""A star lights its pixel's neighbours on all sides: the sixth brightest of the eight has at least this share of the
light that a Gaussian of its FWHM sends to the corners."""
SURE = 2.0
"""... and stands so many sigma above the sky."""
SHARP = 2.0
"""px: FWHM where no stars tell it."""
FEWEST_STARS = 8


class CosmicRays(Params):
    limit: Annotated[Sigma, Field(ge=1, le=100)] = 4.5
    """A pixel this far above what the Laplacian of noise gives is a ray."""
    neighbours: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Its neighbours belong to it from this share of the limit on. (astroscrappy's own default, 0.3, finds 1 % more
    pixels and takes up to four times as much noise for rays.)"""
    contrast: Annotated[float, Field(ge=0, le=100)] = 5.0
    """Least contrast between the Laplacian and the fine structure; raise it if cores of stars are taken for rays."""
    iterations: Annotated[int, Field(ge=1, le=20)] = 4
    """Rounds; each follows tracks further."""
    structure: Literal["median", "convolve"] = "median"
    """How fine structure is told: by medians, or by convolution with a star of ``fwhm``."""
    fwhm: Annotated[SubPx, Field(ge=0, le=50)] = 0.0
    """Of a star, in pixels of one colour: what is as wide stays; 0: as the stars show, 2 where they are few."""
    gain: Annotated[float, Field(ge=0), Unit("e-/adu")] = 0.0
    """Electrons per adu; 0: as the header says. Used where the image carries no variance."""
    read_noise: Annotated[Electrons, Field(ge=0)] = 0.0
    """Noise of one reading; 0: as the header says."""
    mend: bool = True
    """Replace rays, as `cal:repair` does, by the median of their good neighbours of the same colour."""


@operation("cal:cosmicrays", reach=Reach.FRAME, demands=State.LINEAR)
def cosmic_rays(image: Image, p: CosmicRays) -> Image:
    """Find cosmic rays by L.A.Cosmic (van Dokkum 2001, PASP 113, 1420; through astroscrappy), and mend them.

    What has light on all its sides, as a star of this FWHM, stays, which the Laplacian alone does not tell on stars
    narrower than 3 px; where they are narrower than 2 px, one find in nine is a faint star: use a stack instead. The
    noise is the variance of the image, else that of gain and read noise, else what the sky shows. Each colour of a CFA
    mosaic is searched apart, where stars are half as wide. Wide blobs of alpha particles stay. Finding none is a normal
    result.

    Flags: rays gain COSMIC_RAY, and INTERPOLATED where they are mended; `inspect:flagged` makes an image of them. Bad
    pixels are mended with them (see `cal:repair`): a ray beside them has no part in it. Variance: of mended pixels the
    scatter of their neighbours. Plate and unit: kept. The header counts them (CR_CLEAN, CR_NPIX).

    >>> sky = np.random.default_rng(1).normal(100, 3, (64, 64)); sky[20, 20:24] += 500
    >>> found = cosmic_rays(Image(sky), CosmicRays(gain=1, read_noise=1))
    >>> np.argwhere(found.flags[0] & Flag.COSMIC_RAY).tolist()
    [[20, 20], [20, 21], [20, 22], [20, 23]]
    """
    rays = find_cosmic_rays(image, p)
    meta = with_cards(
        image.meta,
        ("CR_CLEAN", p.mend, "cosmic rays mended"),
        ("CR_NPIX", int(np.count_nonzero(rays)), "pixels hit by cosmic rays"),
    )
    found = image.replace(flags=image.flags | np.where(rays, np.uint16(Flag.COSMIC_RAY), np.uint16(0)), meta=meta)
    return mend(found, has(found.flags, WORTHLESS | Flag.COSMIC_RAY), Repair().distance) if p.mend else found


def find_cosmic_rays(image: Image, p: CosmicRays) -> np.ndarray:
    """Boolean (channel, y, x): pixels hit by cosmic rays."""
    rays = np.zeros(image.shape, bool)
    bad = has(image.flags, WORTHLESS)
    gain, read_noise = p.gain or image.meta.gain or 0.0, p.read_noise or image.meta.read_noise or 0.0
    if image.unit != PixelUnit.ADU:
        gain = 1.0 if image.unit == PixelUnit.ELECTRON else 0.0
    white = image.meta.saturation if image.unit == PixelUnit.ADU else None
    for place in colour_planes(image):
        plane, good = image.data[place], ~bad[place]
        if min(plane.shape) < SMALLEST or not good.any():
            continue
        data = filled(plane, good)
        known = None if image.variance is None else image.variance[place]
        rays[place] = _rays_of_plane(data, ~good, known, gain, read_noise, white, p)
    return rays


def _rays_of_plane(
    data: np.ndarray, masked: np.ndarray, variance: np.ndarray | None, gain: float, read_noise: float,
    white: float | None, p: CosmicRays,
) -> np.ndarray:  # fmt: skip
    from astroscrappy import detect_cosmics

    spread = spread_of(data, ~masked)
    fwhm = p.fwhm or _measured_fwhm(data, masked)
    if spread == 0:
        return np.zeros(data.shape, bool)
    if variance is not None:
        noise2 = filled(variance, np.isfinite(variance) & (variance > 0) & ~masked)
    elif gain > 0 and read_noise > 0:
        noise2 = (read_noise / gain) ** 2 + np.maximum(data, 0) / np.float32(gain)
    else:
        noise2 = np.full(data.shape, spread**2, np.float32)
    found, _ = detect_cosmics(
        data, inmask=masked, invar=np.ascontiguousarray(noise2, np.float32), sigclip=p.limit, sigfrac=p.neighbours,
        objlim=p.contrast, gain=1.0, readnoise=0.0, satlevel=white or 1e30, niter=p.iterations,
        sepmed=True, cleantype="medmask", fsmode=p.structure, psfmodel="gauss", psffwhm=fwhm,
        psfsize=2 * int(fwhm + 1) + 1,
    )  # fmt: skip
    return _without_stars(data, found & ~masked, masked, np.sqrt(noise2), fwhm)


def _measured_fwhm(data: np.ndarray, masked: np.ndarray) -> float:
    from firstlight.ops.inspect.stars import FindStars, find_stars

    try:
        _, quality = find_stars(data, FindStars(max_stars=200), excluded=masked)
    except FrameError:
        return SHARP
    return quality.fwhm if quality.n_stars >= FEWEST_STARS and np.isfinite(quality.fwhm) else SHARP


def _without_stars(
    data: np.ndarray, found: np.ndarray, masked: np.ndarray, noise: np.ndarray, fwhm: float
) -> np.ndarray:
    """What is found, without pixels lit on all sides and those that touch them: cores of stars and their rims."""
    from scipy.ndimage import binary_dilation

    ys, xs = np.nonzero(found)
    if not len(ys):
        return found
    try:
        above = data - measure_background(data, masked | found).at()
    except FrameError:
        return found
    padded = np.pad(above, 1, mode="reflect")
    around = [padded[ys + j, xs + i] for j in range(3) for i in range(3) if (j, i) != (1, 1)]
    sixth = np.sort(np.stack(around), axis=0)[2]
    # The ray's own charge is in the variance of its pixel: that of the sky decides.
    share = STAR * 2.0 ** (-8 / fwhm**2)
    lit = (sixth > share * above[ys, xs]) & (sixth > SURE * float(np.median(noise)))
    stars = np.zeros(found.shape, bool)
    stars[ys[lit], xs[lit]] = True
    return found & ~binary_dilation(stars, np.ones((3, 3), bool))
