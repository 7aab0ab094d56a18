"""Deconvolution of an image: floor, method, and what is kept of the original."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.contrast.inpaint import whole_plane
from firstlight.ops.contrast.star_mask import star_mask
from firstlight.ops.deconvolve.blur import Blur
from firstlight.ops.deconvolve.fourier import learnt_balance, split_bregman, wiener
from firstlight.ops.deconvolve.richardson_lucy import Noise, richardson_lucy
from firstlight.ops.deconvolve.settings import Deconvolve
from firstlight.ops.inspect.background import measure_background
from firstlight.ops.inspect.plane import plane_of
from firstlight.ops.inspect.starlet import smoothed
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.noise.starlet import Starlet, clean_plane
from firstlight.ops.noise.strength import sigma_plane

BOX = 128
FLOOR = 3.0
"""Sigma below the sky: light is not restored below it, and the sky's own noise is hardly cut."""
MOST_OF_IT = 0.9
"""Share of a kernel's light for which an image must have room."""
NEARLY = 0.02
"""Misfit (in variances of the noise) at which light without its noise is restored."""
RIM = 8
"""px around full cores that keep the original."""
SOFT = 2.0
"""Sigma of the rims of masks, px."""


def deconvolved(image: Image, p: Deconvolve, kernel_of: Callable[[int], np.ndarray], step: str) -> Image:
    """Every channel deconvolved by its kernel (``kernel_of(channel)``), with what is protected put back.

    Raises
    ------
    InputError
        On a CFA mosaic; an image smaller than the kernel.
    """
    refuse_mosaic(step, image)
    data = np.empty_like(image.data)
    stars = star_mask(image) if p.target != "both" else None
    full = _full_cores(image, p)
    for channel, given in enumerate(image.data):
        plane, holes = whole_plane(given, image.flags[channel])
        if holes is not None and holes.all():
            data[channel] = given
            continue
        blur = Blur.of(_fitting(kernel_of(channel), plane.shape, step))
        sharp = _restored(image, channel, plane, holes, blur, p)
        kept = _weights(plane, holes, blur, full, stars, p)
        sharp -= plane
        sharp *= kept
        np.add(plane, sharp, out=data[channel])
        if holes is not None:
            data[channel][holes] = given[holes]
    return image.replace(data=data, variance=None)


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


def _restored(
    image: Image, channel: int, plane: np.ndarray, holes: np.ndarray | None, blur: Blur, p: Deconvolve
) -> np.ndarray:
    try:
        sky = measure_background(plane, holes, BOX)
    except FrameError:
        return plane.copy()
    sigma = sky.noise
    floor = sky.at()
    floor -= np.float32(FLOOR * sigma)
    light = plane - floor
    signal = _signal(image, channel, light, holes, sigma, p)
    if p.method == "rl":
        noise = _noise(image, channel, light, sigma)
        # Of what is free of noise, data and model could agree to any degree.
        sharp = richardson_lucy(
            signal, blur, noise, p.iterations, stop=p.stop, smoothness=p.smoothness, damping=p.damping,
            enough=1.0 if signal is light else NEARLY,
        ).plane  # fmt: skip
    elif p.method == "bregman":
        sharp = split_bregman(signal, blur, sigma if sigma > 0 else float(np.ptp(light)) * 1e-3, p.iterations)
    else:
        balance = learnt_balance(light, blur) if p.method == "unsupervised" else p.balance
        sharp = wiener(signal, blur, balance)
    if p.dering > 0:
        _fill_rings(sharp, signal, blur, p.dering, FLOOR * sigma if signal is light else 0.0)
    if signal is not light:
        # The noise as it was: without it the picture would look polished between the stars.
        light -= signal
        sharp += light
    sharp += floor
    return sharp


def _signal(
    image: Image, channel: int, light: np.ndarray, holes: np.ndarray | None, sigma: float, p: Deconvolve
) -> np.ndarray:
    """The light without its noise; the light itself where nothing is set aside."""
    if p.aside == 0 or sigma == 0:
        return light
    signal = np.empty_like(light)
    settings = Starlet(threshold=p.aside, rounds=3)
    if image.variance is not None:
        noise = sigma_plane(image, channel, light, holes, "variance")
    else:
        noise = np.full((1, 1), sigma, np.float32)
        model = _noise(image, channel, light, sigma)
        if model.photons > 0:
            noise = np.sqrt(model.base + np.float32(model.photons) * np.maximum(smoothed(light, 0), 0))
    clean_plane(light, noise.astype(np.float32), holes, settings, signal)
    return signal


def _noise(image: Image, channel: int, light: np.ndarray, sigma: float) -> Noise:
    """Variance against light: from the variance plane, the gain, or the scatter of the sky alone."""
    if sigma == 0:
        return Noise(1e-12 * max(float(np.abs(light).max()), 1e-12) ** 2, 0.0)
    if image.variance is not None:
        variance = image.variance[channel]
        rows = slice(None, None, max(light.size >> 20, 1))
        x, y = light[rows].reshape(-1), variance[rows].reshape(-1)
        base = float(np.median(y[np.abs(x - FLOOR * sigma) < sigma])) if len(x) else sigma**2
        bright = x > 10 * sigma
        slope = float(np.median((y[bright] - base) / x[bright])) if np.count_nonzero(bright) > 20 else 0.0
        return Noise(base if base > 0 else sigma**2, max(slope, 0.0))
    if image.unit == PixelUnit.ELECTRON:
        return Noise(sigma**2, 1.0)
    return Noise(sigma**2, 1.0 / image.meta.gain if image.meta.gain and image.unit == PixelUnit.ADU else 0.0)


def _fill_rings(sharp: np.ndarray, light: np.ndarray, blur: Blur, share: float, slack: float) -> None:
    """Lift, in place, what lies below all that lay around it before.

    The lowest of the blurred light within two FWHM of the blur: further in it would be the skirts of a star, which
    ought to be gathered. What is less than ``slack`` below it is noise.
    """
    from scipy.ndimage import minimum_filter

    lowest = minimum_filter(blur(light), 2 * max(round(2 * _fwhm(blur)), 1) + 1, mode="nearest")
    lowest -= np.float32(slack)
    lifted = np.maximum(sharp, lowest)
    sharp += np.float32(share) * (lifted - sharp)


def _fwhm(blur: Blur) -> float:
    """Diameter of a disc that holds the pixels above half of the peak, px."""
    return float(2 * np.sqrt(np.count_nonzero(blur.kernel >= 0.5 * blur.kernel.max()) / np.pi))


def _weights(
    plane: np.ndarray, holes: np.ndarray | None, blur: Blur, full: np.ndarray | None, stars: np.ndarray | None,
    p: Deconvolve,
) -> np.ndarray | np.float32:  # fmt: skip
    """How much of the deconvolved picture each pixel takes, 0..1."""
    from scipy.ndimage import gaussian_filter

    weight: np.ndarray | np.float32 = np.float32(p.strength)
    if p.protect_sky > 0:
        weight = weight * _above_sky(plane, holes, blur, p.protect_sky)
    if full is not None:
        weight = weight * (1 - full)
    if stars is not None:
        soft = gaussian_filter(stars.astype(np.float32), SOFT, mode="nearest")
        weight = weight * (soft if p.target == "stars" else 1 - soft)
    return weight


def _full_cores(image: Image, p: Deconvolve) -> np.ndarray | None:
    """1 on cores that are full in any channel, and around them, softly 0 elsewhere; None if there are none.

    One channel deconvolved beside another that is not would colour the star.
    """
    from scipy.ndimage import binary_dilation, gaussian_filter

    if p.protect_full > 1:
        return None
    full = np.zeros(image.shape[1:], bool)
    for channel, plane in enumerate(image.data):
        full |= has(image.flags[channel], Flag.SATURATED)
        level = plane_of(image, channel + 1).saturation
        if np.isfinite(level):
            full |= (plane >= p.protect_full * level) & ~has(image.flags[channel], EXCLUDED)
    if not full.any():
        return None
    rim = binary_dilation(full, iterations=RIM)
    # A little more, so that the cores themselves stay to the last bit.
    return np.minimum(np.float32(1.05) * gaussian_filter(rim.astype(np.float32), SOFT, mode="nearest"), 1)


def _above_sky(plane: np.ndarray, holes: np.ndarray | None, blur: Blur, least: float) -> np.ndarray:
    """1 where light is clear of the noise over the area of the kernel, softly 0 where it is not; float32.

    What shines is widened by the reach of the kernel: the light that a star gathers comes from its skirts.
    """
    from scipy.ndimage import maximum_filter

    try:
        sky = measure_background(plane, holes, BOX)
    except FrameError:
        return np.ones_like(plane)
    if sky.noise == 0:
        return np.ones_like(plane)
    signal = blur(plane - sky.at())
    signal /= np.float32(sky.noise * np.sqrt(np.sum(blur.kernel**2)))
    signal = maximum_filter(signal, 2 * max(round(_fwhm(blur)), 1) + 1, mode="nearest")
    # Noise alone reaches about 3 somewhere within a kernel: from one and a half times the limit on all is sharpened.
    t = np.clip((signal / np.float32(least) - 1) * 2, 0, 1)
    return blur(t * t * (3 - 2 * t))
