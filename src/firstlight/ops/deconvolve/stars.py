"""Deconvolution by what the stars of the image look like."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.model.image import Image, State
from firstlight.model.psf import NO_WINGS
from firstlight.ops.contrast.inpaint import without_holes
from firstlight.ops.deconvolve.restore import deconvolved
from firstlight.ops.deconvolve.settings import Deconvolve
from firstlight.ops.deconvolve.shapes import moffat_kernel
from firstlight.ops.deconvolve.tiles import Spread
from firstlight.ops.inspect.plane import plane_of
from firstlight.ops.inspect.psf_model import MeasurePsf, measure_psf
from firstlight.ops.inspect.shape_fit import fit_bell
from firstlight.ops.inspect.stars import find_stars
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Reach, operation


class StarsPsf(Deconvolve):
    psf: Literal["measured", "moffat"] = "measured"
    """``measured``: the mean star, whatever its shape. ``moffat``: the Moffat profile nearest to it, elongated as the
    stars are."""
    per_channel: bool = True
    """Each channel by its own stars; otherwise all by those of their mean."""
    follow: bool = True
    """Where enough stars (15) show how the point spread function changes over the field, each part of the picture by
    that of its place, one part fading into the next; otherwise all of it by that of the middle."""


@operation("sharp:stars", version=2, reach=Reach.FRAME, demands=State.LINEAR)
def deconvolve_by_stars(image: Image, p: StarsPsf) -> Image:
    """Undo the blur that the stars of the image show: seeing, optics and tracking as they were.

    The effective point spread function of bright, single, unsaturated stars (`measure_psf`), at each place of the field
    what the stars around it show: coma and tilt are undone in the corners as the seeing is in the middle. Of fewer than
    three stars only the width is taken, for a Moffat profile (beta 4).

    Pixels without a number keep what they hold and take no part. Flags, plate and unit: kept. Variance: dropped, for
    deconvolved pixels share their noise with all around them.

    Raises
    ------
    InputError
        On a CFA mosaic; an image without stars, or smaller than they are.

    >>> from firstlight.simulate.scene import random_field, render_stars
    >>> rng = np.random.default_rng(1)
    >>> x, y, flux = random_field(rng, 40, (200, 200), (5e3, 1e5))
    >>> plane = render_stars((200, 200), x, y, flux, 3.2) + rng.normal(100, 5, (200, 200))
    >>> bool(deconvolve_by_stars(Image(plane), StarsPsf()).data.max() > 1.5 * plane.max())
    True
    """

    def spread_of(channel: int) -> Spread:
        place = channel + 1 if p.per_channel else 0
        try:
            psf = measure_psf(known, MeasurePsf(variation="auto" if p.follow else "none"), channel=place)
        except FrameError:
            return Spread.same(moffat_kernel(_width(known, place), 4.0))
        if p.psf == "measured":
            return Spread(lambda x, y: np.maximum(psf.kernel_at(x, y), 0), psf.degree > 0)
        offsets = np.arange(-psf.radius, psf.radius + 1)

        def nearest(x: float, y: float) -> np.ndarray:
            bell = psf.bell if psf.degree == 0 else fit_bell(psf, x, y, moffat=psf.moffat.beta < NO_WINGS)[0]
            return bell.in_pixels(offsets[None, :], offsets[:, None])

        return Spread(nearest, psf.degree > 0)

    refuse_mosaic("sharp:stars", image)
    known = without_holes(image)
    if not p.per_channel:
        shared = spread_of(0)
        return deconvolved(image, p, lambda channel: shared, "sharp:stars")
    return deconvolved(image, p, spread_of, "sharp:stars")


def _width(image: Image, channel: int) -> float:
    """FWHM of the few stars there are, px."""
    plane = plane_of(image, channel)
    try:
        _, quality = find_stars(plane.data, excluded=plane.excluded, saturation=plane.saturation, gain=plane.gain)
        fwhm = quality.fwhm
    except FrameError:
        fwhm = np.nan
    if not np.isfinite(fwhm):
        raise InputError(
            "sharp:stars: the image shows no star whose profile could be measured; name a width instead "
            "(sharp:moffat:fwhm=3) or give a star as an image (sharp:deconvolution)"
        )
    return float(fwhm)
