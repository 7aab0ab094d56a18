"""An image brought to the sky and the light of another."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image, State
from firstlight.ops.color.background import backgrounds
from firstlight.ops.color.together import need_alike
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params, Reach, operation
from firstlight.ops.words import spelled

WORDS = spelled({"sub": "subtract", "mul": "multiply", "no": "keep", "none": "keep"})
FAINTEST = 5.0
"""Light above the sky that is less than this many times its error is no measure."""


class Match(Params):
    background: Annotated[Literal["subtract", "multiply", "keep"], WORDS] = "subtract"
    """How the sky comes to the level of the reference: by a summand, by a factor, or not."""
    signal: Annotated[Literal["multiply", "keep"], WORDS] = "multiply"
    """Whether what stands above the sky is multiplied, so that its mean is that of the reference."""


@operation("norm:match", version=2, reach=Reach.FRAME, demands=State.LINEAR)
def match(image: Image, p: Match, reference: Image) -> Image:
    """Bring sky and light of an image to those of another of the same field, channel by channel.

    The sky is the level of the darkest squares, the light the mean of the pixels less that level: the images need not
    lie on each other, but must show the same. `firstlight process` does the same by the stars of each frame
    (``--normalize-mode``), which is more exact.

    Flags, plate and unit: kept. Variance: times the squared factor, which is taken as exact. Saturation and gain in the
    header stay.

    Raises
    ------
    InputError
        On a CFA mosaic; images of other units or channels; too little light in one of them; a sky that is not above 0,
        to be multiplied.

    >>> y, x = np.mgrid[:128, :128]
    >>> light = np.hypot(x - 40, y - 60) < 6
    >>> noise = np.random.default_rng(1).normal(0, 1, (128, 128))
    >>> out = match(Image(100 + noise + 200 * light), Match(), Image(300 + noise + 400 * light))
    >>> bool(abs(np.median(out.data) - 300) < 1), bool(abs(out.data.max() - 700) < 12)
    (True, True)
    """
    refuse_mosaic("norm:match", image)
    if reference.shape[0] != image.shape[0]:
        raise InputError(
            f"norm:match: the image has {image.shape[0]} channel(s), the reference {reference.shape[0]}; they must be "
            "equal"
        )
    if reference.shape[1:] == image.shape[1:]:
        need_alike("norm:match", image, reference=reference)
    data = np.empty_like(image.data)
    variance = None if image.variance is None else image.variance.copy()
    for channel in range(image.shape[0]):
        sky, light = _levels(image, channel, "the image", p)
        wanted, bright = _levels(reference, channel, "the reference", p)
        factor = bright / light if p.signal == "multiply" else 1.0
        target = sky if p.background == "keep" else wanted
        if p.background == "multiply":
            if min(sky, wanted) <= 0:
                raise InputError(
                    f"norm:match: the skies are {sky:.4g} and {wanted:.4g}; background=multiply needs both above 0; "
                    "subtract brings them together as well"
                )
            factor = wanted / sky if p.signal == "keep" else factor
        data[channel] = (image.data[channel] - np.float32(sky)) * np.float32(factor) + np.float32(target)
        if variance is not None:
            variance[channel] *= np.float32(factor**2)
    return image.replace(data=data, variance=variance)


def _levels(image: Image, channel: int, what: str, p: Match) -> tuple[float, float]:
    """Level of the sky, and mean light above it."""
    [(sky, noise)] = backgrounds(image, [channel])
    if p.signal == "keep":
        return sky, 1.0
    good = ~has(image.flags[channel], Flag.NO_DATA | Flag.NOT_FINITE | Flag.SATURATED)
    n = int(good.sum())
    light = float(np.mean(image.data[channel] - np.float32(sky), where=good, dtype=np.float64)) if n else 0.0
    if not light > FAINTEST * noise / max(n, 1) ** 0.5:
        raise InputError(
            f"norm:match: {what} has a mean light of {light:.3g} above its sky (noise {noise:.3g}); that is too little "
            "to match; signal=keep leaves it"
        )
    return sky, light
