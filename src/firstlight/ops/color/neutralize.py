"""A grey background."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.kernels.mixing import ADD, MULT, SMOOTH, shift_plane
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.ops.calibrate.sights import ALL
from firstlight.ops.calibrate.surface import Cells
from firstlight.ops.color.channels import need_three
from firstlight.ops.parts import each_part, each_plane_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.stretch.levels import set_bits
from firstlight.ops.stretch.sample import sample
from firstlight.units import Px, Sigma

NO_SKY = Flag.NO_DATA | Flag.NOT_FINITE | Flag.SATURATED
MODES = {"smooth": SMOOTH, "uniform": ADD, "add": ADD, "mult": MULT}
ENOUGH = 1_000_000
"""Pixels that settle a level to a thousandth of the noise."""


class Neutralize(Params):
    mode: Literal["smooth", "uniform", "add", "mult"] = "smooth"
    """``smooth``: the whole shift at the level of the sky, less and less of it the brighter a pixel is. ``uniform``:
    the same shift everywhere. ``add``: the whole shift below the threshold, none at twice the threshold. ``mult``: as
    ``smooth``, but by a factor."""
    level: Literal["mean", "lowest", "highest"] = "mean"
    """Where the backgrounds meet: at their mean, at the lowest or at the highest of them."""
    scale: Annotated[Px, Field(ge=4)] = 128
    """The background is looked for in medians of squares of this size."""
    sigma: Annotated[Sigma, Field(ge=1, le=100)] = 4.0
    """Squares brighter than this are no background; and the threshold: so many times the noise, or the shift where that
    is larger, above the background a pixel counts as bright."""


@operation("color:neutralize", reach=Reach.FRAME, version=3)
def neutralize(image: Image, p: Neutralize, mask: Image | None = None) -> Image:
    """Bring the backgrounds of the three channels together: the sky turns grey, bright pixels keep their colour.

    The mean of the three backgrounds stays as it was, so that nothing need be removed again. With the shift d of a
    channel and the threshold t, a pixel a above the background is shifted by d t / max(a, t). ``mask`` (above 0:
    objects) is not looked at.

    Flags, plate and unit: kept. Variance: carried through the shift, which is taken as exact.

    References
    ----------
    The modes and their numbers are those of the neutralisation of cvastrophoto; there the sky rises to the brightest
    channel.

    Raises
    ------
    InputError
        If the image has no three channels; ``mult`` where a background is not above 0.

    >>> sky = np.ones((3, 8, 8)) * np.array([1.0, 2.0, 6.0])[:, None, None]
    >>> neutralize(Image(sky), Neutralize()).data[:, 0, 0].tolist()
    [3.0, 3.0, 3.0]
    """
    need_three("color:neutralize", image)
    found = each_part(lambda channel: background_and_noise(image, channel, p.scale, p.sigma, mask), range(3))
    levels = np.array([level for level, _ in found])
    target = {"mean": levels.mean(), "lowest": levels.min(), "highest": levels.max()}[p.level]
    if p.mode == "mult" and not (levels > 0).all():
        raise InputError(
            f"color:neutralize: mode=mult, but the backgrounds are {', '.join(f'{v:.4g}' for v in levels)} "
            f"{image.unit}; all must be above 0; use mode=smooth"
        )
    data = np.empty(image.shape, np.float32)
    given, variance = image.variance, None if image.variance is None else np.empty(image.shape, np.float32)
    nothing = np.empty(0, np.float32)

    def work(channel: int, rows: slice) -> None:
        level, noise = found[channel]
        shift, threshold = target - level, p.sigma * max(abs(target - level), noise)
        mode = MODES[p.mode]
        if p.mode == "uniform" or threshold == 0:
            # Nothing is bright then.
            mode, threshold = ADD, np.inf
        plane, done = (planes[channel, rows].reshape(-1) for planes in (image.data, data))
        noisy = nothing if given is None else given[channel, rows].reshape(-1)
        left = nothing if variance is None else variance[channel, rows].reshape(-1)
        gain = target / level - 1 if mode == MULT else 0.0
        numbers = (np.float32(n) for n in (level, shift, threshold, gain))
        shift_plane(plane, noisy, *numbers, mode, done, left)

    each_plane_part(image.shape, work)
    return image.replace(data=data, variance=variance)


def background_and_noise(
    image: Image, channel: int, scale: int = 128, sigma: float = 4.0, mask: Image | None = None
) -> tuple[float, float]:
    """Background of a channel, and the noise of its pixels.

    Of the medians of squares those above the median by ``sigma`` times their scatter (taken from below, where there are
    no objects) are left out until none is; the mean of the others is the background. Stars lift a median a little, in
    each channel: what a finer look at the pixels near it says is added.
    """
    plane, flags = image.data[channel], image.flags[channel]
    objects = None if mask is None else np.broadcast_to(mask.data, image.shape)[channel]
    good = ALL if objects is None and not set_bits(image) & NO_SKY else _sky(flags, objects)
    pixels = sample(plane)[_sky(sample(flags), None if objects is None else sample(objects))]
    if not pixels.size:
        return 0.0, 0.0
    cells = Cells.of(plane, good, min(scale, *plane.shape)).value
    values = np.sort(cells[np.isfinite(cells)])
    if len(values) > 1:
        values = _without_bright(values, sigma)
    pixels = np.sort(pixels[:: max(pixels.size // ENOUGH, 1)]).astype(np.float64)
    if len(values):
        # Pixels of the darker squares alone, as far as levels tell them.
        pixels = pixels[pixels <= values[-1] + 3 * max(values[-1] - values[0], _spread(pixels))]
    pixels = _without_bright(pixels, 3.0)
    return float(np.median(pixels)), _spread(pixels)


def _sky(flags: np.ndarray, objects: np.ndarray | None) -> np.ndarray:
    """Where pixels may be sky."""
    free = ~has(flags, NO_SKY)
    return free if objects is None else free & ~(objects > 0)


def _without_bright(values: np.ndarray, sigma: float) -> np.ndarray:
    """Sorted values without those far above the median, repeatedly."""
    for _ in range(20):
        middle = values[len(values) // 2]
        last = np.searchsorted(values, middle + sigma * _spread(values), side="right")
        if last == len(values) or last == 0:
            break
        values = values[:last]
    return values


def _spread(values: np.ndarray) -> float:
    """Standard deviation of sorted values, from the lower half."""
    return 1.4826 * float(values[len(values) // 2] - values[len(values) // 4])
