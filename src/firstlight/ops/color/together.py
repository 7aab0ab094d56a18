"""What all combinations of images share: that they fit, and what the header of the result says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta

BLOCK = 8
"""px: side of the blocks whose means stand for an image where levels are compared: their noise is an eighth."""
ROUNDS = 12


def need_alike(step: str, image: Image, **others: Image) -> None:
    """Whether images have one size, unit and state.

    Raises
    ------
    InputError
        If not.
    """
    for name, other in others.items():
        if other.shape[1:] != image.shape[1:]:
            (_, height, width), (_, tall, wide) = image.shape, other.shape
            raise InputError(
                f"{step}: the image is {width} x {height} px, the {name} {wide} x {tall} px; they must be equal; "
                "`firstlight combine` brings images onto each other"
            )
        for what in ("unit", "state"):
            mine, theirs = getattr(image, what), getattr(other, what)
            if mine != theirs:
                raise InputError(f"{step}: the image is {mine}, the {name} {theirs}; they must be equal")


def need_mono(step: str, **images: Image) -> None:
    """Whether images have one channel, and are no mosaics.

    Raises
    ------
    InputError
        If not.
    """
    for name, image in images.items():
        if image.shape[0] != 1:
            raise InputError(f"{step}: the {name} has {image.shape[0]} channels; one is needed; color:grey makes it")
        if image.meta.cfa:
            raise InputError(f"{step}: the {name} is a mosaic ({image.meta.cfa}); debayer it first (cal:debayer)")


def joined_meta(images: Sequence[Image]) -> Meta:
    """The header of images that were put together: exposures and frames are sums, filters a list, the times span all.

    Gain, read noise and saturation stay where all have the same.
    """
    metas = [image.meta for image in images]
    first = metas[0]
    if len(metas) == 1:
        return first
    filters = [m.filter for m in metas]
    exposures = [m.exposure for m in metas]
    starts = [m.start for m in metas]
    ends = [m.end for m in metas]
    saturations = [m.saturation for m in metas]
    return first.replace(
        kind=Kind.STACK,
        filter=joined_filters(images) if all(filters) else None,
        exposure=None if None in exposures else float(sum(exposures)),  # type: ignore[arg-type]
        n_combined=sum(m.n_combined for m in metas),
        start=None if None in starts else min(starts),  # type: ignore[type-var]
        end=None if None in ends else max(ends),  # type: ignore[type-var]
        middle=None,
        gain=first.gain if len({m.gain for m in metas}) == 1 else None,
        read_noise=first.read_noise if len({m.read_noise for m in metas}) == 1 else None,
        saturation=None if None in saturations else min(saturations),  # type: ignore[type-var]
        calibrated=frozenset.intersection(*(m.calibrated for m in metas)),
    )


def joined_filters(images: Sequence[Image]) -> str | None:
    """Names of the filters of images, each once: L+R+G+B.

    >>> joined_filters([Image([[0.0]], meta=Meta(filter=name)) for name in ("R+G", "G", "B")])
    'R+G+B'
    """
    names = [name for image in images for name in (image.meta.filter or "").split("+") if name]
    return "+".join(dict.fromkeys(names)) or None


def flags_of(*images: Image) -> np.ndarray:
    """Flags (1, y, x) OR-ed over all channels of all images."""
    return np.bitwise_or.reduce([np.bitwise_or.reduce(i.flags, axis=0, keepdims=True) for i in images])


def mean_of_good(image: Image) -> float:
    """Mean of the good pixels of all channels; 0 without any."""
    good = image.good
    return float(np.mean(image.data, where=good, dtype=np.float64)) if good.any() else 0.0


def block_means(image: Image, channel: int = 0) -> np.ndarray:
    """Means of blocks of 8 x 8 px of a channel, flat; NaN where a block has a pixel without a number.

    An image smaller than two blocks stands for itself.
    """
    plane = np.where(image.good[channel], image.data[channel], np.float32(np.nan))
    rows, columns = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    if rows * columns < 4:
        return plane.ravel().astype(np.float64)
    cut = plane[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return cut.mean(axis=(1, 3), dtype=np.float64).ravel()


def fit_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and summand of the line that leads from x to y, both noisy; outliers by 3 sigma are left out repeatedly.

    The slope is the geometric mean of those of y over x and of x over y (reduced major axis). 1 and the difference of
    the medians where x shows nothing.
    """
    keep = np.isfinite(x) & np.isfinite(y)
    if not keep.any():
        return 1.0, 0.0
    slope, summand = 1.0, float(np.median(y[keep]) - np.median(x[keep]))
    for _ in range(ROUNDS):
        a, b = x[keep], y[keep]
        dx, dy = a - a.mean(), b - b.mean()
        sx, sy, sxy = (dx**2).sum(), (dy**2).sum(), (dx * dy).sum()
        if len(a) < 3 or sx <= 1e-12 * max((a**2).sum(), 1e-300) or sxy <= 0:
            return slope, summand
        slope = float(np.sqrt(sy / sx))
        summand = float(b.mean() - slope * a.mean())
        off = np.abs(y - (summand + slope * x))
        sigma = 1.4826 * float(np.median(off[keep]))
        inside = np.isfinite(off) & (off <= max(3 * sigma, 1e-12 * np.abs(b).max()))
        if np.array_equal(inside, keep) or inside.sum() < 3:
            break
        keep = inside
    return slope, summand
