"""The light of stars taken off a picture: by the point spread function, by rings, and the rest filled in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError
from firstlight.kernels import psffit
from firstlight.kernels.star_light import subtract_rings
from firstlight.kernels.star_reach import paint_discs
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.psf import Psf
from firstlight.model.stars import Stars
from firstlight.ops.contrast.inpaint import fill, grain
from firstlight.ops.contrast.star_curve import MIDDLES, bent, curve_of
from firstlight.ops.contrast.star_search import BOX, Found, StarSearch, search_stars
from firstlight.ops.inspect.background import Background, measure_background
from firstlight.ops.inspect.plane import Plane
from firstlight.ops.inspect.psf_model import MeasurePsf, psf_of_plane
from firstlight.ops.inspect.psf_photometry import Field, fit_stars
from firstlight.ops.parts import each_part

PASSES = 2
FULL = 0.95
"""Share of the saturation level from which a core counts as full."""
RIM = 2
"""px: saturated pixels and what bled out of them are taken so much wider."""
HALO = 0.002
"""Of the peak of a star, the light of a ring that its point spread function does not know of."""
AMONG = 4000
"""Brightest stars among which they are sought."""
TELLING = 60
"""Stars that make the point spread function of a channel; more gain nothing that shows (0.1 % of the peak)."""


@dataclass(frozen=True, eq=False)
class Behind:
    """A picture without its stars."""

    data: np.ndarray
    """float32 (channel, y, x); pixels without a number hold what they held."""
    mask: np.ndarray
    """Boolean (y, x): where something was taken off."""


def take_off_stars(image: Image, p: StarSearch, *, with_grain: bool = False) -> Behind:
    """Find stars on the mean of the channels, and take their light off each channel; twice, for the faint ones behind.

    The point spread function of each channel is fitted to its stars and subtracted (places and fluxes free, stars that
    touch together); the light that is left in rings around a star, such as its halo, is subtracted too. Where more is
    left than noise, the same place of all channels is filled from around, ``with_grain`` with the noise of there.
    """
    data = image.data.copy()
    seen = int(np.bitwise_or.reduce(image.flags, axis=None))
    unknown = [has(flags, EXCLUDED) for flags in image.flags] if seen & EXCLUDED else None
    hidden = np.logical_and.reduce(unknown) if unknown else np.zeros(image.shape[1:], bool)
    for plane, lost in zip(data, unknown or ()):
        fill(plane, lost)
    full = full_level(image)
    straight = MIDDLES[0]
    if image.state == State.STRETCHED:
        straight = curve_of(data.mean(axis=0), full)
        for plane in data:
            plane[...] = bent(np.clip(plane, 0, 1), straight)
        full = float(bent(np.float32(full), straight))
    cores = np.zeros(hidden.shape, bool)
    for plane, flags in zip(data, image.flags):
        if seen & Flag.SATURATED:
            cores |= has(flags, Flag.SATURATED)
        if full < np.inf:
            cores |= plane >= full
    linear = image.state == State.LINEAR or straight != MIDDLES[0]
    work = _Work(data, unknown, hidden, cores, full, _gain(image), linear)
    mask = np.zeros(hidden.shape, bool)
    if cores.any():
        ys, xs = np.nonzero(cores)
        paint_discs(mask, xs, ys, np.full(len(xs), float(RIM)))
    fwhm = None
    for turn in range(PASSES):
        found = search_stars(*work.mean(), p, fwhm)
        holes = mask & ~hidden if turn == 0 else np.zeros(mask.shape, bool)
        work.take_off(found, holes)
        found.paint(mask)
        work.fill(holes, with_grain)
        if not len(found.stars):
            break
        fwhm = fwhm or found.fwhm
    if image.state == State.STRETCHED:
        for plane, given in zip(data, image.data):
            plane[...] = np.where(mask, bent(np.clip(plane, 0, 1), 1 - straight), given)
    for plane, given, lost in zip(data, image.data, unknown or ()):
        np.copyto(plane, given, where=lost)
    return Behind(data, mask & ~hidden)


def full_level(image: Image) -> float:
    """From what value on pixels are full; infinite where that is not known."""
    if image.state == State.STRETCHED:
        return 0.99
    if image.meta.saturation and image.unit == PixelUnit.ADU:
        return FULL * image.meta.saturation
    return np.inf


def _gain(image: Image) -> float | None:
    if image.state == State.STRETCHED:
        return None
    return image.meta.gain if image.unit == PixelUnit.ADU else 1.0 if image.unit == PixelUnit.ELECTRON else None


@dataclass(eq=False)
class _Work:
    """The planes from which stars are taken, in place."""

    data: np.ndarray
    unknown: list[np.ndarray] | None
    """Of each channel, pixels whose value was invented."""
    hidden: np.ndarray
    """Pixels that no channel knows."""
    cores: np.ndarray
    full: float
    gain: float | None
    linear: bool

    def __post_init__(self) -> None:
        self.good = ~self.cores
        """Pixels of any channel that lie in no full core."""
        self.psfs: list[Psf | None] = [None] * len(self.data)
        self.skies: dict[int, Background] = {}
        self.first = True

    def mean(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Mean of the channels; pixels that were invented; the level of full ones."""
        plane = self.data.mean(axis=0, dtype=np.float32) if len(self.data) > 1 else self.data[0].copy()
        full = np.inf
        if self.first and self.cores.any():
            # Of a star that is full in one channel the mean need not be.
            full = max(self.full if self.full < np.inf else 0.0, float(plane[self.cores].max()))
            plane[self.cores] = full
        return plane, self.hidden, full

    def take_off(self, found: Found, holes: np.ndarray) -> None:
        """Subtract what can be; paint the rest into ``holes``."""
        if len(found):
            reached = np.zeros(holes.shape, bool)
            found.paint(reached)
            channels = list(range(len(self.data)))
            # Few stars are left for later turns, and each channel at work takes a further plane.
            each = each_part if self.first else lambda work, parts: [work(part) for part in parts]
            cores = np.max(each(lambda c: self._subtract(c, found, reached), channels), axis=0)
            stars = found.stars
            some = cores > 0
            paint_discs(holes, stars.x[some], stars.y[some], np.minimum(cores, found.reach)[some])
            if len(found.spots):
                x, y, reach = np.ascontiguousarray(found.spots.T)
                paint_discs(holes, x, y, reach)
            holes &= ~self.hidden
        self.first = False

    def _subtract(self, channel: int, found: Found, reached: np.ndarray) -> np.ndarray:
        """Take the stars off one channel; radii (n,) within which more than noise is left."""
        plane, stars = self.data[channel], found.stars
        bad, good = self.cores, self.good
        if self.unknown is not None:
            bad = self.cores | self.unknown[channel]
            good = ~bad
        if bad.all():
            return np.full(len(stars), -1.0)
        if self.first:
            self.skies[channel] = measure_background(plane, bad, BOX)
        sky = self.skies[channel]
        # The level of the sky is fitted with each star: nothing need be subtracted before.
        field = Field(plane, bad, sky, 1.0 / self.gain if self.gain else 0.0)
        if self.first:
            self.psfs[channel] = self._psf(field, stars)
        psf = self.psfs[channel]
        if psf is not None:
            np.copyto(plane, _without_stars(field, stars, psf), where=reached)
        cores = np.empty(len(stars))
        if not len(stars):
            return cores
        _, noise = sky.sample(stars.x, stars.y)
        most = np.full(len(stars), np.inf)
        if psf is not None and self.linear:
            most = np.where(stars.saturated > 0, np.inf, HALO * stars.peak)
        subtract_rings(plane, good, stars.x, stars.y, found.reach, noise, found.fwhm, most, cores)
        return cores if self.linear else found.reach

    def _psf(self, field: Field, stars: Stars) -> Psf | None:
        plane = Plane(field.flat, field.bad, np.inf, self.gain)
        try:
            return psf_of_plane(plane, MeasurePsf(stars=TELLING), stars=stars.take(slice(AMONG)), field=field)
        except FrameError:
            return None

    def fill(self, holes: np.ndarray, with_grain: bool) -> None:
        """Continue the surroundings into holes, in every channel."""
        ys, xs = np.nonzero(holes)
        if not len(ys):
            return

        def one(channel: int) -> None:
            plane = self.data[channel]
            if self.unknown is None:
                fill(plane, holes, places=(ys, xs))
                taboo = holes
            else:
                taboo = holes | self.unknown[channel]
                fill(plane, taboo)
            if with_grain:
                grain(plane, ys, xs, taboo)

        each_part(one, list(range(len(self.data))))


def _without_stars(field: Field, stars: Stars, psf: Psf) -> np.ndarray:
    """The plane less its stars; those whose light is not found stay."""
    fitted, rest = fit_stars(field, psf, stars.x, stars.y, stars.flux)
    lost = ~(fitted.flux > 0)
    if lost.any():
        light = np.where(np.isnan(fitted.flux), np.maximum(stars.flux, 1e-3), fitted.flux)[lost]
        x, y = fitted.x[lost], fitted.y[lost]
        terms = np.ascontiguousarray(psf.terms(x, y))
        psffit.subtract_stars(rest, psf.coefficients, psf.oversampling, terms, x, y, -light, psf.radius)
    return rest
