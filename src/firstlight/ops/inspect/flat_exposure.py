"""Whether a flat was exposed well."""

from __future__ import annotations

import numpy as np

from firstlight.model.image import Image, PixelUnit
from firstlight.ops.calibrate.planes import colour_planes, spread_of

MOST_SATURATED = 0.05
"""Share of its pixels that may be full."""
LEAST_SNR = 10.0
"""Signal over noise of a pixel: fainter flats bring more noise than they take out."""


def why_unfit(image: Image, pedestal: float = 0.0) -> str | None:
    """Why a flat cannot be used, with numbers, or None: too many full pixels, no signal, or more noise than signal.

    ``pedestal`` (in the unit of the image) is the level that is no light. Every colour of a CFA mosaic is judged.

    >>> why_unfit(Image(np.full((8, 8), 65535.0)).replace(meta=Image(np.ones((1, 1))).meta.replace(saturation=65535.0)))
    '100 % of its pixels are saturated; at most 5 % may be; expose shorter'
    """
    white = image.meta.saturation
    good = image.good
    if white and image.unit == PixelUnit.ADU and good.any():
        full = float(np.mean(image.data[good] >= white))
        if full > MOST_SATURATED:
            most = 100 * MOST_SATURATED
            return f"{100 * full:.0f} % of its pixels are saturated; at most {most:.0f} % may be; expose shorter"
    for place in colour_planes(image):
        plane, ok = image.data[place], good[place]
        if not ok.any():
            continue
        signal = float(np.median(plane[ok])) - pedestal
        if not signal > 0:
            return f"its level above the pedestal is {signal:.3g}; it must be above 0; is it a flat?"
        noise = spread_of(plane, ok)
        if noise > 0 and signal / noise < LEAST_SNR:
            return (
                f"its signal is {signal / noise:.1f} times its noise; at least {LEAST_SNR:.0f} times are needed; "
                "expose longer, or average more of them first"
            )
    return None
