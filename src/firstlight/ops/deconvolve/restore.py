"""Deconvolution of an image: floor, method, and what is kept of the original."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image
from firstlight.ops.contrast.inpaint import whole_plane
from firstlight.ops.contrast.star_mask import star_mask
from firstlight.ops.deconvolve.blur import Blur
from firstlight.ops.deconvolve.fourier import split_bregman, wiener
from firstlight.ops.deconvolve.measure import FLOOR, Measured, aside_reach, measure
from firstlight.ops.deconvolve.richardson_lucy import richardson_lucy
from firstlight.ops.deconvolve.rings import fill_rings, fwhm_of
from firstlight.ops.deconvolve.settings import Deconvolve
from firstlight.ops.deconvolve.tiles import Spread, Tile, margin_of, tiles
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.parts import each_part
from firstlight.ops.windows import BandWork, ImageSource, Source

MOST_OF_IT = 0.9
"""Share of a kernel's light for which an image must have room."""
RIM = 8
"""px around full cores that keep the original."""
SOFT = 2.0
"""Sigma of the rims of masks, px."""
SOFT_REACH = 8
"""px: where a Gaussian of that sigma is cut off."""


def deconvolved(image: Image, p: Deconvolve, spread_of: Callable[[int], Spread], step: str) -> Image:
    """Every channel deconvolved by its kernel (``spread_of(channel)``), with what is protected put back.

    Raises
    ------
    InputError
        On a CFA mosaic; an image smaller than the kernel.
    """
    stars = star_mask(image) if p.target != "both" else None
    return learn_deconvolution(ImageSource(image), p, spread_of, step, stars)(image, 0)


def reach_of(p: Deconvolve, kernel: np.ndarray) -> int | None:
    """How far a deconvolution by this kernel looks, px; None: it looks at all the stars."""
    if p.target != "both":
        return None
    return aside_reach() + margin_of(Blur.of(kernel)) + RIM + SOFT_REACH


def learn_deconvolution(
    source: Source, p: Deconvolve, spread_of: Callable[[int], Spread], step: str, stars: np.ndarray | None = None
) -> BandWork:
    """What is done to each band of an image, after a look at some of its pixels; raises as `deconvolved`.

    ``stars``: mask of all the image, for ``target``.
    """
    refuse_mosaic(step, source.band(0, 1))

    def learn(channel: int) -> tuple[_Blurs, Measured | None, float]:
        blurs = _Blurs.of(spread_of(channel), source.shape[1:], step)
        return blurs, *measure(source, channel, p, blurs.at)

    channels = each_part(learn, range(source.shape[0]))

    def work(image: Image, top: int) -> Image:
        full = _full(image, p, [level for _, _, level in channels])
        data = np.empty_like(image.data)
        for channel, (blurs, known, _) in enumerate(channels):
            given, out = image.data[channel], data[channel]
            plane, holes = whole_plane(given, image.flags[channel])
            np.copyto(out, plane)
            if known is not None and (holes is None or not holes.all()):
                plane = np.ascontiguousarray(plane)
                signal = known.signal(plane, holes, image, channel, top)
                band = _Band(plane, signal, full, stars, top, known, blurs, p)
                for group in tiles(plane.shape, blurs.spread.varies):
                    each_part(lambda tile, band=band, out=out: band.sharpen(tile, out), group)
            if holes is not None:
                out[holes] = given[holes]
        return image.replace(data=data, variance=None)

    return work


@dataclass(frozen=True, eq=False)
class _Blurs:
    """The kernels of a channel."""

    spread: Spread
    at: Callable[[float, float], Blur]

    @classmethod
    def of(cls, spread: Spread, shape: tuple[int, ...], step: str) -> _Blurs:
        def at(x: float, y: float) -> Blur:
            return Blur.of(_fitting(spread.at(x, y), shape, step))

        if spread.varies:
            return cls(spread, at)
        everywhere = at(0.0, 0.0)
        return cls(spread, lambda x, y: everywhere)


@dataclass(frozen=True, eq=False)
class _Band:
    """One channel of a band of rows, while it is deconvolved."""

    plane: np.ndarray
    signal: np.ndarray
    """The plane without the noise that is set aside, or the plane itself."""
    full: np.ndarray | None
    """bool: cores that are full."""
    stars: np.ndarray | None
    top: int
    known: Measured
    blurs: _Blurs
    p: Deconvolve

    def sharpen(self, tile: Tile, out: np.ndarray) -> None:
        """Add to ``out`` what this tile changes; it holds the plane."""
        p, shape = self.p, self.plane.shape
        x, y = tile.middle
        blur = self.blurs.at(x, y + self.top)
        window = tile.window(tile.fade + margin_of(blur), shape)
        inner = tile.window(tile.fade, shape)
        cut = tuple(slice(i.start - w.start, i.stop - w.start) for i, w in zip(inner, window))
        light = self.signal[window] - self.known.floor(*window, self.top)
        sharp = self._restored(light, blur, (window[0].start == 0, window[0].stop == shape[0],
                                             window[1].start == 0, window[1].stop == shape[1]))  # fmt: skip
        if p.dering > 0:
            slack = FLOOR * self.known.sigma if self.signal is self.plane else 0.0
            fill_rings(sharp, light, blur, p.dering, slack)
        # The noise that was set aside is in both, and stays as it was.
        change = sharp[cut] - light[cut]
        share = self._share(window, blur)
        change *= share[cut] if share.ndim else share
        if tile.fade:
            change *= tile.weight(shape)
        out[inner] += change

    def _restored(self, light: np.ndarray, blur: Blur, edges: tuple[bool, bool, bool, bool]) -> np.ndarray:
        p, known = self.p, self.known
        if p.method == "rl":
            return richardson_lucy(light, blur, known.noise, known.how, mirror=edges).plane
        if p.method == "bregman":
            sigma = known.sigma if known.sigma > 0 else float(np.ptp(light)) * 1e-3
            return split_bregman(light, blur, sigma, p.iterations)
        return wiener(light, blur, known.balance)

    def _share(self, window: tuple[slice, slice], blur: Blur) -> np.ndarray:
        """How much of the deconvolved picture each pixel of a window takes, 0..1; or one number."""
        from scipy.ndimage import gaussian_filter

        p = self.p
        share = np.float32(p.strength) * np.ones((), np.float32)
        if p.protect_sky > 0 and self.known.sigma > 0:
            share = share * self._above_sky(window, blur)
        if self.full is not None:
            rows, columns = (slice(max(w.start - RIM - SOFT_REACH, 0), w.stop + RIM + SOFT_REACH) for w in window)
            if (full := self.full[rows, columns]).any():
                there = tuple(slice(w.start - s.start, w.stop - s.start) for w, s in zip(window, (rows, columns)))
                share = share * (1 - _rim(full)[there])
        if self.stars is not None:
            stars = self.stars[window].astype(np.float32)
            soft = gaussian_filter(stars, SOFT, mode="nearest")
            share = share * (soft if p.target == "stars" else 1 - soft)
        return share

    def _above_sky(self, window: tuple[slice, slice], blur: Blur) -> np.ndarray:
        """1 where light is clear of the noise over the area of the kernel, softly 0 where it is not; float32.

        What shines is widened by the reach of the kernel: the light that a star gathers comes from its skirts.
        """
        from scipy.ndimage import maximum_filter

        rows, columns = window
        sky = self.known.sky.window(slice(rows.start + self.top, rows.stop + self.top), columns)
        signal = blur(self.plane[window] - sky)
        signal /= np.float32(self.known.sigma * np.sqrt(np.sum(blur.kernel**2)))
        signal = maximum_filter(signal, 2 * max(round(fwhm_of(blur)), 1) + 1, mode="nearest")
        # Noise alone reaches about 3 somewhere within a kernel: from one and a half times the limit all is sharpened.
        t = np.clip((signal / np.float32(self.p.protect_sky) - 1) * 2, 0, 1)
        return blur(t * t * (3 - 2 * t))


def _fitting(kernel: np.ndarray, shape: tuple[int, ...], step: str) -> np.ndarray:
    """The kernel without the wings for which the image has no room."""
    room = (min(shape) - 1) // 2
    cut = len(kernel) // 2 - room
    inner = kernel[cut:-cut, cut:-cut] if cut > 0 else kernel
    if room < 1 or inner.sum() < MOST_OF_IT * kernel.sum():
        raise InputError(
            f"{step}: the image is {shape[1]} x {shape[0]} px, the point spread function {len(kernel)} px wide; "
            "the image must be the larger one"
        )
    return inner


def _full(image: Image, p: Deconvolve, levels: list[float]) -> np.ndarray | None:
    """Cores that are full in any channel; None if there are none.

    One channel deconvolved beside another that is not would colour the star.
    """
    if p.protect_full > 1:
        return None
    full = np.zeros(image.shape[1:], bool)
    for channel, level in enumerate(levels):
        full |= has(image.flags[channel], Flag.SATURATED)
        if np.isfinite(level):
            full |= (image.data[channel] >= p.protect_full * level) & ~has(image.flags[channel], EXCLUDED)
    return full if full.any() else None


def _rim(full: np.ndarray) -> np.ndarray:
    """1 on full cores and around them, softly 0 elsewhere."""
    from scipy.ndimage import binary_dilation, gaussian_filter

    rim = binary_dilation(full, iterations=RIM)
    # A little more, so that the cores themselves stay to the last bit.
    return np.minimum(np.float32(1.05) * gaussian_filter(rim.astype(np.float32), SOFT, mode="nearest"), 1)
