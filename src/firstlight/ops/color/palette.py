"""Narrowband images in false colours."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import InputError
from firstlight.model.image import Image, State
from firstlight.ops.color.join import stacked
from firstlight.ops.color.mix import mixed
from firstlight.ops.color.together import block_means, fit_line, flags_of, need_alike, need_mono
from firstlight.ops.registry import Params, Reach, operation

ORDER = "hos"
"""Letters of the channels: hydrogen, oxygen, sulphur."""


class Palette(Params):
    palette: Literal["sho", "hoo", "hso", "hos", "osh", "ohs", "soh", "dynamic"] = "sho"
    """Which line is shown red, green and blue: s sulphur, h hydrogen, o oxygen. ``dynamic``: gold and teal, the green
    following what red and blue share in each pixel."""
    fit: Literal["none", "background", "line"] = "background"
    """How oxygen and sulphur are brought to hydrogen first: not at all; to its background and the range of its bright
    pixels; by the line that fits their pixels best."""
    boost: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Oxygen and sulphur are multiplied by this above their background."""


@operation("color:palette", reach=Reach.FRAME)
def palette(image: Image, p: Palette, oxygen: Image, sulphur: Image | None = None) -> Image:
    """Show hydrogen (the image), oxygen and sulphur as red, green and blue.

    ``dynamic``: with the share of oxygen f = o^2 / (o^2 + h^2) above the background, red = (1 - f) h + f s (without
    sulphur, f h), blue = o, green = (1 - f) times the mean of h and o weighted 0.45 to 0.55, plus f o: hydrogen turns
    gold, oxygen teal, and where both are it is nearly white.

    Flags: of each channel, OR-ed where lines are mixed. Variance: of each line, times the squares of its factor;
    dropped by ``dynamic``. Plate and unit: kept. Exposures and frames in the header are sums.

    Raises
    ------
    InputError
        A palette needs sulphur and none is given; the images differ in size, unit or state.

    >>> h, o = Image([[4.0]]), Image([[1.0]])
    >>> palette(h, Palette(palette="hoo", fit="none"), o).data.ravel().tolist()
    [4.0, 1.0, 1.0]
    """
    lines = {"h": image, "o": oxygen} | ({} if sulphur is None else {"s": sulphur})
    named = {"image": image, "oxygen": oxygen} | ({} if sulphur is None else {"sulphur": sulphur})
    need_mono("color:palette", **named)
    need_alike("color:palette", image, **{n: i for n, i in named.items() if n != "image"})
    if sulphur is None and "s" in p.palette and p.palette != "dynamic":
        raise InputError(
            f"color:palette: palette={p.palette} shows sulphur, and none is given; give it, or use palette=hoo"
        )
    fitted = {letter: line if letter == "h" else _fitted(line, image, p) for letter, line in lines.items()}
    present = [letter for letter in ORDER if letter in fitted]
    cube = stacked([fitted[letter] for letter in present])
    if p.palette != "dynamic":
        return mixed(cube, np.array([[float(letter == want) for letter in present] for want in p.palette]))
    return _dynamic(cube, present)


def _fitted(line: Image, hydrogen: Image, p: Palette) -> Image:
    if p.fit == "none" and p.boost == 1:
        return line
    mine, theirs = block_means(line), block_means(hydrogen)
    if p.fit == "line":
        factor, summand = fit_line(mine, theirs)
    elif p.fit == "background":
        (low, high), (base, top) = (np.nanpercentile(m, [20, 99.5]) if np.isfinite(m).any() else (0.0, 1.0)
                                    for m in (mine, theirs))  # fmt: skip
        factor = float((top - base) / (high - low)) if high > low and top > base else 1.0
        summand = float(base - factor * low)
    else:
        factor, summand = 1.0, 0.0
    level = _level(mine)
    # Above the background, which stays.
    summand += factor * level * (1 - p.boost)
    factor *= p.boost
    variance = None if line.variance is None else line.variance * np.float32(factor**2)
    return line.replace(data=line.data * np.float32(factor) + np.float32(summand), variance=variance)


def _dynamic(cube: Image, present: list[str]) -> Image:
    base = np.array([_level(block_means(cube, c)) for c in range(len(present))])
    if cube.state == State.STRETCHED:
        # Black is black: the background of a picture is light as well.
        base[:] = 0
    light = dict(zip(present, cube.data - base.astype(np.float32)[:, None, None]))
    h, o = light["h"], light["o"]
    squares = np.maximum(o, 0) ** 2 + np.maximum(h, 0) ** 2
    f = np.divide(np.maximum(o, 0) ** 2, squares, out=np.zeros_like(h), where=squares > 0)
    red = (1 - f) * h + f * light.get("s", f * h)
    green = (1 - f) * (np.float32(0.45) * h + np.float32(0.55) * o) + f * o
    flags = np.broadcast_to(flags_of(cube), (3, *cube.shape[1:])).copy()
    return cube.replace(data=np.stack([red, green, o]) + np.float32(base[0]), variance=None, flags=flags)


def _level(means: np.ndarray) -> float:
    """The background: what a fifth of the blocks lies below."""
    return float(np.nanpercentile(means, 20)) if np.isfinite(means).any() else 0.0
