"""One luminance of all light."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three
from firstlight.ops.color.together import flags_of, joined_filters, joined_meta, mean_of_good, need_alike, need_mono
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import white_level

Weight = Annotated[float, Field(ge=0, le=1e6)]
BIAS = 0.25
"""Of the largest value, added to differences so that they stay above 0."""


class SuperLuminance(Params):
    mode: Literal["weighted", "noise", "screen", "difference", "absolute"] = "weighted"
    """The weighted mean; the mean with the weights that give the least noise; screen, 1 - (1 - a)(1 - b); the
    difference, raised by a quarter of the largest value; its absolute."""
    lum_weight: Weight = 1.0
    """Of the luminance image in the weighted mean."""
    weight: Weight = 1.0
    """Of the mean of the colours in the weighted mean."""


@operation("color:superluminance", reach=Reach.FRAME)
def super_luminance(image: Image, p: SuperLuminance, luminance: Image) -> Image:
    """Make one luminance of a luminance image and the mean of the colours, which is scaled to it first.

    s = mean(RGB) mean(L) / mean(mean(RGB)) and then, ``weighted``, (wl L + ws s) / (wl + ws); the other modes take the
    same s. ``noise`` weighs by the mean variances. ``screen`` works on fractions of the white level.

    Flags: OR-ed over all. Plate and unit: kept. Variance: of the sum with the scale taken as exact; to first order for
    ``screen``; dropped for ``absolute``. Exposures and frames in the header are sums.

    Raises
    ------
    InputError
        No three channels, or a luminance of another size, unit or state.

    >>> super_luminance(Image(np.full((3, 1, 1), 3.0)), SuperLuminance(), Image([[6.0]])).data.ravel().tolist()
    [6.0]
    """
    need_three("color:superluminance", image)
    need_mono("color:superluminance", luminance=luminance)
    need_alike("color:superluminance", image, luminance=luminance)
    colour, level = mean_of_good(image), mean_of_good(luminance)
    scale = level / colour if colour > 0 and level > 0 else 1.0
    synthetic = image.data.mean(axis=0, keepdims=True) * np.float32(scale)
    noise = None
    if image.variance is not None and luminance.variance is not None:
        noise = image.variance.sum(axis=0, keepdims=True) * np.float32((scale / 3) ** 2)
    data, variance = _blended(luminance, synthetic, noise, image, p)
    meta = joined_meta([image, luminance]).replace(filter=joined_filters([luminance, image]))
    return luminance.replace(
        data=data, variance=variance, flags=flags_of(image, luminance), meta=meta, history=image.history
    )


def _blended(
    luminance: Image, s: np.ndarray, noise: np.ndarray | None, image: Image, p: SuperLuminance
) -> tuple[np.ndarray, np.ndarray | None]:
    a, va = luminance.data, luminance.variance
    if p.mode in ("weighted", "noise"):
        wa, ws = p.lum_weight, p.weight
        if p.mode == "noise" and noise is not None and va is not None:
            good = luminance.good
            wa, ws = (1 / max(float(np.mean(v, where=good)), 1e-30) if good.any() else 1.0 for v in (va, noise))
        total = wa + ws or 1.0
        wa, ws = np.float32(wa / total), np.float32(ws / total)
        return wa * a + ws * s, None if noise is None or va is None else wa**2 * va + ws**2 * noise
    if p.mode == "screen":
        white = np.float32(max(white_level(luminance), white_level(image)))
        x, y = 1 - a / white, 1 - s / white
        return white * (1 - x * y), None if noise is None or va is None else y**2 * va + x**2 * noise
    if p.mode == "absolute":
        return np.abs(a - s), None
    bias = np.float32(BIAS * white_level(luminance))
    return a - s + bias, None if noise is None or va is None else va + noise
