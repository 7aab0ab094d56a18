"""Colour from one image, brightness from another."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.color import lightness
from firstlight.ops.color.channels import need_three
from firstlight.ops.color.together import flags_of, joined_filters, joined_meta, mean_of_good, need_alike, need_mono
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch import srgb
from firstlight.ops.stretch.levels import white_level

Weight = Annotated[float, Field(ge=0, le=1e6)]
ROWS = 64
"""Rows taken at a time: what lies between stays small."""


class Luminance(Params):
    space: Literal["cie", "hsv", "linear"] = "cie"
    """Where brightness lives: CIE L* (hue and chroma kept as seen), V of HSV (hue and saturation kept), or linear
    luminance (ratios of the colours kept: that of light)."""
    mix: Literal["replace", "weighted", "geometric"] = "replace"
    """The new brightness: that of the luminance image; its mean with that of the colours, by the weights; the root of
    its product with that of ``partner``."""
    partner: Literal["blue", "colours"] = "blue"
    """What ``geometric`` multiplies it with: the blue channel, or the brightness of the colours."""
    luminance_weight: Weight = 1.0
    """Of the luminance image in the weighted mean."""
    color_weight: Weight = 1.0
    """Of the colours in the weighted mean."""
    fit: bool = False
    """Scale the luminance image to the mean of the colours first."""
    value_fit: bool = False
    """Darken the colours first where the luminance image is darker than they are (in V of HSV): no pale stars."""


@operation("color:luminance", reach=Reach.FRAME)
def set_luminance(image: Image, p: Luminance, luminance: Image) -> Image:
    """Take the colours of the image and the brightness of another: LRGB, in all its kinds.

    ``weighted`` in ``cie`` and ``linear``: L' = (wl L + wc m mean(L) / mean(m)) / (wl + wc), m the mean of the colours;
    in ``hsv`` the weighted mean of the values. Linear images are taken as light over the white level; stretched ones
    are decoded (sRGB) first and coded again. Grey colours that equal the luminance are left as they are.

    Flags: OR-ed over all. Plate and unit: kept. Variance: first order for ``linear`` with ``replace`` on linear data,
    the mean's scale taken as exact; otherwise dropped, for the curves of perception are too bent for it. Exposures and
    frames in the header are sums.

    References
    ----------
    CIE 15:2004 (L*a*b*); Smith 1978, SIGGRAPH (HSV).

    Raises
    ------
    InputError
        No three channels, or a luminance of another size, unit or state.

    >>> grey = Image(np.full((3, 1, 1), 100.0)); brighter = Image([[200.0]])
    >>> set_luminance(grey, Luminance(), brighter).data.ravel().round(2).tolist()
    [200.0, 200.0, 200.0]
    """
    need_three("color:luminance", image)
    need_mono("color:luminance", luminance=luminance)
    need_alike("color:luminance", image, luminance=luminance)
    white = max(white_level(image), white_level(luminance)) if image.unit != PixelUnit.NORMALISED else 1.0
    scale = 1.0
    if p.fit:
        other = mean_of_good(luminance)
        scale = mean_of_good(image) / other if other > 0 else 1.0
    ratio = _mean_ratio(image, luminance) / max(scale, 1e-30)
    data = np.empty_like(image.data)
    for top in range(0, image.shape[1], ROWS):
        part = np.s_[:, top : top + ROWS]
        rgb, lum = image.data[part] / np.float64(white), luminance.data[part][0] * np.float64(scale / white)
        if image.state == State.STRETCHED:
            rgb, lum = srgb.inverse(rgb), srgb.inverse(lum)
        out = _brightened(rgb, lum, 1 / ratio if ratio > 0 else 1.0, p)
        data[part] = srgb.curve(out) if image.state == State.STRETCHED else out * white
    flags = np.broadcast_to(flags_of(image, luminance), image.shape).copy()
    # Light of no measure must not reach the pixels around it: it never does, for each pixel is by itself.
    meta = joined_meta([image, luminance]).replace(filter=joined_filters([luminance, image]))
    return image.replace(data=data, variance=_variance(image, luminance, scale, p), flags=flags, meta=meta)


def _mean_ratio(image: Image, luminance: Image) -> float:
    """Mean of the colours over that of the luminance image."""
    other = mean_of_good(luminance)
    return mean_of_good(image) / other if other > 0 else 1.0


def _brightened(rgb: np.ndarray, lum: np.ndarray, to_luminance: float, p: Luminance) -> np.ndarray:
    """Linear colours (3, rows, x) with the brightness that the parameters ask for."""
    if p.value_fit:
        rgb = lightness.with_value(rgb, np.minimum(lightness.value(rgb), np.maximum(lum, 0)))
    total = p.luminance_weight + p.color_weight or 1.0
    if p.mix == "weighted" and p.space != "hsv":
        synthetic = rgb.mean(axis=0) * to_luminance
        lum = (p.luminance_weight * lum + p.color_weight * synthetic) / total
    if p.space == "hsv":
        # As a screen shows it: HSV is defined on coded values.
        coded, shown = srgb.curve(np.maximum(rgb, 0)), srgb.curve(np.maximum(lum, 0))
        if p.mix == "weighted":
            shown = (p.luminance_weight * shown + p.color_weight * lightness.value(coded)) / total
        elif p.mix == "geometric":
            shown = np.sqrt(shown * (coded[2] if p.partner == "blue" else lightness.value(coded)))
        return srgb.inverse(lightness.with_value(coded, shown))
    if p.space == "linear":
        old = lightness.luminance(rgb)
        if p.mix == "geometric":
            lum = np.sqrt(np.maximum(lum, 0) * np.maximum(rgb[2] if p.partner == "blue" else old, 0))
        lit = old > 1e-9
        return np.where(lit, rgb * (lum / np.where(lit, old, 1)), lum)
    target = lightness.lstar(lum)
    if p.mix == "geometric":
        partner = lightness.lstar(rgb[2] if p.partner == "blue" else lightness.luminance(rgb))
        target = np.sqrt(np.maximum(target, 0) * np.maximum(partner, 0))
    return lightness.with_lstar(rgb, target)


def _variance(image: Image, luminance: Image, scale: float, p: Luminance) -> np.ndarray | None:
    if image.variance is None or luminance.variance is None or image.state != State.LINEAR:
        return None
    if p.space != "linear" or p.mix != "replace" or p.value_fit:
        return None
    old = lightness.luminance(image.data)
    lit = old > 0
    safe = np.where(lit, old, 1)
    gain = np.where(lit, luminance.data[0] * scale / safe, 0)
    out = np.empty_like(image.data)
    for c in range(3):
        share = np.where(lit, image.data[c] / safe, 1)
        terms = (share * scale) ** 2 * luminance.variance[0]
        for j in range(3):
            slope = gain * (float(c == j) - share * lightness.LUMINANCE[j])
            terms = terms + slope**2 * image.variance[j]
        out[c] = terms
    return out
