"""A grey background."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.kernels.mixing import ADD, MULT, SMOOTH, shift_plane
from firstlight.model.image import Image
from firstlight.ops.color.background import backgrounds
from firstlight.ops.color.channels import need_three
from firstlight.ops.parts import each_plane_part
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px, Sigma

MODES = {"smooth": SMOOTH, "uniform": ADD, "add": ADD, "mult": MULT}


class Neutralize(Params):
    mode: Literal["smooth", "uniform", "add", "mult"] = "smooth"
    """``smooth``: the whole shift at the level of the sky, less and less of it the brighter a pixel is. ``uniform``:
    the same shift everywhere. ``add``: the whole shift below the threshold, none at twice the threshold. ``mult``: as
    ``smooth``, but by a factor."""
    level: Literal["mean", "lowest", "highest"] = "mean"
    """Where the backgrounds meet: at their mean, at the lowest or at the highest of them."""
    scale: Annotated[Px, Field(ge=4)] = 128
    """The background is looked for in medians of squares of this size (at most an eighth of the shorter side), the
    darkest in all channels together first."""
    sigma: Annotated[Sigma, Field(ge=1, le=100)] = 4.0
    """Squares brighter than this are no background; and the threshold: so many times the noise, or the shift where that
    is larger, above the background a pixel counts as bright."""


@operation("color:neutralize", reach=Reach.FRAME, version=4)
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
    found = backgrounds(image, scale=p.scale, sigma=p.sigma, mask=mask)
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
