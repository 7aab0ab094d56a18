"""Bad pixels from their neighbours."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.kernels import calibrate as kernels
from firstlight.kernels.neighbours import scatter
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image, State
from firstlight.ops.calibrate.counts import with_cards
from firstlight.ops.calibrate.masters import WORTHLESS
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px

FEWEST = 4
"""Good neighbours needed."""


class Repair(Params):
    distance: Annotated[Px, Field(ge=1, le=16)] = 2
    """Neighbours up to this far, in pixels of the same colour, take part."""


@operation("cal:repair", reach=Reach.WINDOW, demands=State.LINEAR)
def repair(image: Image, p: Repair) -> Image:
    """Replace bad pixels by the median of their good neighbours, of the same colour on a CFA mosaic.

    Bad are pixels flagged HOT, COLD, LOW_FLAT, NO_DATA or NOT_FINITE; neighbours are all others in a box of
    2 distance + 1. Pixels with fewer than 4 good neighbours keep their value.

    Flags: repaired pixels gain INTERPOLATED and keep the flag that called for it. Variance: of a repaired pixel, the
    scatter of its neighbours, never less than their own variance: how well they foretell a pixel. Plate and unit: kept.
    The header counts them (BPIXNBAD, BPIXNFIX, BPIXNREM: bad, mended, remaining).

    >>> data = np.ones((5, 5)); data[2, 2] = 900
    >>> flags = np.zeros((5, 5), np.uint16); flags[2, 2] = Flag.HOT
    >>> fixed = repair(Image(data, flags), Repair())
    >>> float(fixed.data[0, 2, 2]), Flag(int(fixed.flags[0, 2, 2])).name
    (1.0, 'HOT|INTERPOLATED')
    """
    bad = has(image.flags, WORTHLESS)
    mended = mend(image, bad, p.distance)
    n_bad = int(np.count_nonzero(bad))
    if not n_bad:
        return image
    left = int(np.count_nonzero(bad & ~has(mended.flags, Flag.INTERPOLATED)))
    meta = with_cards(
        image.meta,
        ("BPIXNBAD", n_bad, "bad pixels"),
        ("BPIXNFIX", n_bad - left, "of them mended"),
        ("BPIXNREM", left, "of them without good neighbours"),
    )
    return mended.replace(meta=meta)


def mend(image: Image, bad: np.ndarray, distance: int) -> Image:
    """Replace the pixels of a mask (channel, y, x) by the median of the others around them; see `repair`."""
    if not bad.any():
        return image
    data, flags = image.data.copy(), image.flags.copy()
    variance = None if image.variance is None else image.variance.copy()
    step = 2 if image.meta.cfa else 1
    for channel in range(image.shape[0]):
        plane, mask = np.ascontiguousarray(image.data[channel]), bad[channel].astype(np.uint8)
        ys, xs = np.nonzero(mask)
        values, spread = np.empty(len(ys), np.float32), np.empty(len(ys), np.float32)
        kernels.repair(plane, mask, ys, xs, step, distance, FEWEST, values)
        scatter(plane, mask, ys, xs, step, distance, FEWEST, values, spread)
        done = np.isfinite(spread)
        ys, xs = ys[done], xs[done]
        data[channel, ys, xs] = values[done]
        flags[channel, ys, xs] |= np.uint16(Flag.INTERPOLATED)
        if variance is not None:
            own, claimed = np.ascontiguousarray(image.variance[channel]), np.empty(len(ys), np.float32)
            kernels.repair(own, mask, ys, xs, step, distance, FEWEST, claimed)
            variance[channel, ys, xs] = np.maximum(spread[done], claimed)
    return image.replace(data=data, flags=flags, variance=variance)
