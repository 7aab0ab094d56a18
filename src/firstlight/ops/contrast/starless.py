"""A picture taken apart into its stars and what lies behind them, and put together again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image, State
from firstlight.ops.contrast.background import background_of
from firstlight.ops.contrast.inpaint import inpainted, without_holes
from firstlight.ops.contrast.star_light import take_off_stars
from firstlight.ops.contrast.star_search import StarSearch
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Reach, operation

SEEN = 0.5 / 255
"""Of white: what changed by less was not taken out."""


class StarSplit(StarSearch):
    """How stars are taken out, for steps that do."""

    star_method: Literal["inpaint", "morphological", "starnet"] = "inpaint"
    """``inpaint``: stars are found by their profile, their light is subtracted, and behind their cores the sky is drawn
    in. ``morphological``: whatever is narrower than ``star_size`` goes, filaments too. ``starnet``: StarNet, a program
    of others; stretched pictures."""


class Starless(StarSplit):
    grain: bool = True
    """The sky drawn in behind cores is given the noise of its surroundings; without, it is smooth."""


@operation("extract:starless", version=2, reach=Reach.FRAME)
def take_stars_out(image: Image, p: Starless) -> Image:
    """Take the stars out and draw in the sky behind them; ``extract:stars`` is what was taken.

    Flags, plate and unit: kept. Variance: dropped, for what is drawn in has none.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> y, x = np.mgrid[:64, :64]
    >>> sky = np.random.default_rng(1).normal(100, 1, (64, 64))
    >>> dark = take_stars_out(Image(sky + 500 * np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 4)), Starless())
    >>> bool(dark.data.max() < 106)
    True
    """
    return split_stars(image, p, "extract:starless", with_grain=p.grain).starless


@dataclass(frozen=True, eq=False)
class Parts:
    """Stars and what lies behind them; data of the two add up to the picture."""

    image: Image
    """The picture."""
    starless: Image
    mask: np.ndarray
    """Boolean (y, x): where something was taken out."""

    @cached_property
    def stars(self) -> Image:
        """On 0, which they are too where the picture holds no number."""
        taken = self.mask & ~has(self.image.flags, EXCLUDED)
        data = np.zeros_like(self.image.data)
        np.subtract(self.image.data, self.starless.data, out=data, where=taken)
        return self.starless.replace(data=data)


def split_stars(image: Image, p: StarSplit = StarSplit(), step: str = "starless", *, with_grain: bool = False) -> Parts:
    """Take a picture apart. The parts carry no variance; flags, plate, unit and state are those of the picture.

    ``inpaint``: stars are found on the mean of the channels (`find_stars`); the point spread function, fitted to each
    star in each channel, is subtracted, and so is what else of its light lies in rings around it; only where more than
    noise is left the surroundings are continued (`take_off_stars`). Stretched pictures are brought near to linear
    light for it.
    ``morphological``: background of scale ``star_size``, taken wherever the picture stands above it by more than the
    noise. ``starnet``: what a learned network draws in, found by STARNET_BIN, STARNET_PATH or on the PATH and run in a
    private folder; it is invented, not measured, and passes through integers of 16 bit.

    Raises
    ------
    InputError
        On a CFA mosaic; StarNet wanted, but not installed, or for a linear image.

    >>> y, x = np.mgrid[:64, :64]
    >>> sky = np.random.default_rng(1).normal(100, 1, (64, 64))
    >>> parts = split_stars(Image(sky + 500 * np.exp(-((x - 30) ** 2 + (y - 20) ** 2) / 4)))
    >>> bool(parts.starless.data.max() < 106), bool(parts.stars.data.max() > 400)
    (True, True)
    """
    refuse_mosaic(step, image)
    if p.star_method == "starnet":
        return _by_starnet(image, step)
    if p.star_method == "morphological":
        return _morphological(image, p)
    behind = take_off_stars(image, p, with_grain=with_grain)
    return _parts(image, behind.data, behind.mask)


def on_starless(
    image: Image,
    function: Callable[[Image], Image],
    p: StarSplit = StarSplit(),
    *,
    join: Literal["add", "screen"] = "add",
    step: str = "starless",
) -> Image:
    """What a step makes of the picture behind the stars, with the stars put back.

    Parameters
    ----------
    function : applied to the starless picture; may change its state (a stretch).
    join : ``add``, or ``screen`` (1 - (1 - a) (1 - b)) for stretched parts that could pass white together.

    Returns
    -------
    The picture of ``function``'s state and unit. Variance is None: where stars were, neither part has one.
    """
    parts = split_stars(image, p, step)
    behind = function(parts.starless)
    front = parts.stars
    data = 1 - (1 - behind.data) * (1 - front.data) if join == "screen" else behind.data + front.data
    held = has(image.flags, EXCLUDED)
    if held.any():
        data = np.where(held, behind.data, data)
    return behind.replace(data=data, variance=None)


def _morphological(image: Image, p: StarSplit) -> Parts:
    behind = np.empty_like(image.data)
    mask = np.zeros(image.shape[1:], bool)
    for channel, plane in enumerate(image.data):
        unknown = has(image.flags[channel], EXCLUDED)
        filled = inpainted(plane, unknown) if unknown.any() else plane
        smooth = background_of(filled, p.star_size)
        above = filled - smooth
        noise = 1.4826 * float(np.median(np.abs(above - np.median(above))))
        taken = (above > p.star_threshold * noise) & ~unknown
        behind[channel] = np.where(taken, smooth, plane)
        mask |= taken
    return _parts(image, behind, mask)


def _by_starnet(image: Image, step: str) -> Parts:
    from firstlight.io.starnet import starless_by_starnet

    if image.state != State.STRETCHED:
        raise InputError(f"{step}: star_method=starnet wants a stretched picture; stretch it first, or use inpaint")
    behind = starless_by_starnet(without_holes(image), step)
    behind = np.where(has(image.flags, EXCLUDED), image.data, behind)
    with np.errstate(invalid="ignore"):
        taken = (np.abs(image.data - behind) > SEEN).any(axis=0)
    return _parts(image, behind, taken)


def _parts(image: Image, behind: np.ndarray, mask: np.ndarray) -> Parts:
    return Parts(image, image.replace(data=behind, variance=None), mask)
