"""Applying a model of the sky's gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.ops.words import spelled

Mode = Annotated[
    Literal["subtract", "divide", "luminance", "model"],
    spelled({"sub": "subtract", "div": "divide", "ldiv": "luminance", "set": "model"}),
]

NODES = 96
"""Nodes of a surface along the longer side, where its own scale asks for no more."""
_ROWS = 64
"""Rows treated at once: they stay in the cache."""
_ALL = np.empty((0, 0), bool)


@dataclass(frozen=True, eq=False)
class Surface:
    """A smooth surface over a plane: its values at evenly spread nodes, a cubic in between."""

    nodes: np.ndarray
    """float64 (n, m); node (j, i) lies at pixel ((j + 0.5) height / n - 0.5, (i + 0.5) width / m - 0.5)."""
    shape: tuple[int, int]

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """float32 (bottom - top, width)."""
        from firstlight.kernels.gradient import cubic_rows

        height, width = self.shape
        nodes = self.nodes
        for axis in (0, 1):
            nodes = _continued(nodes, axis)
        m = self.nodes.shape[1]
        begins = np.clip(np.ceil((np.arange(-1, m + 1) + 0.5) * width / m - 0.5), 0, width).astype(np.int64)
        begins[0], begins[-1] = 0, width
        out = np.empty((bottom - top, width), np.float32)
        cubic_rows(np.ascontiguousarray(nodes), begins, height, width, top, out)
        return out

    def __add__(self, level: float) -> Surface:
        return Surface(self.nodes + level, self.shape)

    def __mul__(self, factor: float) -> Surface:
        return Surface(self.nodes * factor, self.shape)


def _continued(nodes: np.ndarray, axis: int) -> np.ndarray:
    """Two nodes more on each side of an axis, in a straight line."""
    nodes = np.moveaxis(nodes, axis, 0)
    first = nodes[0] - nodes[1] if len(nodes) > 1 else 0 * nodes[0]
    last = nodes[-1] - nodes[-2] if len(nodes) > 1 else 0 * nodes[0]
    more = np.stack([nodes[0] + 2 * first, nodes[0] + first, *nodes, nodes[-1] + last, nodes[-1] + 2 * last])
    return np.moveaxis(more, 0, axis)


def node_places(shape: tuple[int, int], spacing: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns (pixels) of the nodes of a surface: no farther apart than ``spacing``."""
    spacing = max(min(spacing, max(shape) / NODES), 1.0)
    counts = [max(round(length / spacing), 1) for length in shape]
    ys, xs = ((np.arange(n) + 0.5) * length / n - 0.5 for n, length in zip(counts, shape))
    return ys, xs


Model = Callable[[np.ndarray, np.ndarray, int], Surface]
"""From a plane (y, x), where it shows sky that may be looked at (boolean), and the pixels of the sensor from one of its
pixels to the next (2 in the planes of a mosaic), to the surface of its sky."""


def without_gradient(
    step: str, image: Image, model: Model, mode: Mode, mask: Image | None = None, keep_level: bool = True
) -> Image:
    """The image with the model of each channel subtracted or divided out, and each channel's median kept.

    A mosaic is treated colour by colour; its two greens share a model. ``luminance`` divides all channels by the mean
    of their models, so that colours stay. ``model`` gives the surfaces themselves, without variance. ``mask`` is above
    0 where the model may not look. Without ``keep_level`` what is subtracted is not given back.

    Raises
    ------
    InputError
        A mask of another size; ``divide`` or ``luminance`` where the model is not above 0 everywhere.
    """
    good = _to_look_at(step, image, mask)
    data = np.empty_like(image.data)
    squares = mode in ("divide", "luminance") and image.variance is not None
    variance = np.empty_like(image.data) if squares else None if mode == "model" else image.variance
    parts = list(_parts(image))
    surfaces = [_surface(image.data[c][at], good[c][at], model, px) for c, at, px in parts]
    if len(parts) > image.shape[0]:
        surfaces[1] = surfaces[2] = _mean(surfaces[1:3])
    if mode == "luminance":
        scaled = [s * (1 / _middle(s)) for s in surfaces if s is not None and _middle(s) > 0]
        surfaces = [s and _mean(scaled or [s]) for s in surfaces]
    for (channel, at, _), surface in zip(parts, surfaces):
        plane, out = image.data[channel][at], data[channel][at]
        usable = ~has(image.flags[channel][at], EXCLUDED)
        if surface is None:
            out[:] = 0 if mode == "model" else plane
            if squares:
                variance[channel][at] = image.variance[channel][at]
        elif mode == "model":
            for rows, sky in _blocks(surface):
                out[rows] = sky
        elif mode == "subtract":
            _subtract(plane, usable, surface, out, keep_level)
        else:
            factor = _divide(step, plane, usable, surface, out, image)
            if squares:
                for rows, sky in _blocks(surface):
                    variance[channel][at][rows] = image.variance[channel][at][rows] * (factor / sky) ** 2
    return image.replace(data=data, variance=variance)


def _to_look_at(step: str, image: Image, mask: Image | None) -> list[np.ndarray]:
    good = [~has(flags, EXCLUDED) for flags in image.flags]
    if mask is None:
        return good
    if mask.shape[1:] != image.shape[1:] or mask.shape[0] not in (1, image.shape[0]):
        sizes = (" x ".join(map(str, each.shape)) for each in (mask, image))
        raise InputError(
            f"{step}: the mask is {next(sizes)}, the image {next(sizes)}; a mask has the size of the image and one "
            "channel, or as many as it"
        )
    return [g & ~(mask.data[c % mask.shape[0]] > 0) for c, g in enumerate(good)]


def _parts(image: Image) -> Iterator[tuple[int, tuple[slice, slice], int]]:
    """Planes of one colour: channel, rows and columns, pixels of the sensor per pixel. Of a mosaic red, green, green,
    blue."""
    channels, height, width = image.shape
    if channels > 1 or image.meta.cfa is None or min(height, width) < 2:
        for channel in range(channels):
            yield channel, (slice(None), slice(None)), 1
        return
    from firstlight.ops.calibrate.split_cfa import plane_places

    places = plane_places(image.meta.cfa)
    for name in ("red", "green1", "green2", "blue"):
        j, i = places[name]
        yield 0, (slice(j, None, 2), slice(i, None, 2)), 2


def _surface(plane: np.ndarray, good: np.ndarray, model: Model, px: int) -> Surface | None:
    if not good.any():
        return None
    return model(np.ascontiguousarray(plane), np.ascontiguousarray(good), px)


def _mean(surfaces: list[Surface | None]) -> Surface | None:
    """Of surfaces over planes of one size, or of nearly one: a mosaic with an odd row has greens of two sizes."""
    known = [s for s in surfaces if s is not None]
    if not known:
        return None
    alike = [s.nodes for s in known if s.nodes.shape == known[0].nodes.shape]
    return Surface(np.mean(alike, axis=0), known[0].shape)


def _middle(surface: Surface) -> float:
    return float(np.median(surface.nodes))


def _blocks(surface: Surface, height: int | None = None) -> Iterator[tuple[slice, np.ndarray]]:
    for top in range(0, surface.shape[0], _ROWS):
        bottom = min(top + _ROWS, surface.shape[0])
        yield slice(top, bottom), surface.rows(top, bottom)


def _subtract(plane: np.ndarray, usable: np.ndarray, surface: Surface, out: np.ndarray, keep_level: bool) -> None:
    for rows, sky in _blocks(surface):
        np.subtract(plane[rows], sky, out=out[rows])
    if keep_level and usable.any():
        out += np.float32(median_where(plane, usable) - median_where(out, usable))


def _divide(
    step: str, plane: np.ndarray, usable: np.ndarray, surface: Surface, out: np.ndarray, image: Image
) -> np.float32:
    """Divide; returns what the reciprocal of the surface was multiplied by."""
    lowest = min(float(sky.min()) for _, sky in _blocks(surface))
    if not lowest > 0:
        raise InputError(
            f"{step}: mode=divide, but the sky goes down to {lowest:.3g} {image.unit}; "
            "only light can be divided: use mode=subtract, or leave the sky in the image"
        )
    factor = np.float32(_middle(surface))
    for rows, sky in _blocks(surface):
        np.multiply(plane[rows], factor / sky, out=out[rows])
    before, after = (median_where(each, usable) if usable.any() else 0.0 for each in (plane, out))
    if before > 0 and after > 0:
        out *= np.float32(before / after)
        factor *= np.float32(before / after)
    return factor


def median_where(plane: np.ndarray, good: np.ndarray) -> float:
    """Exact median of the good pixels (at least one) of a float32 plane (y, x).

    >>> median_where(np.array([[1.0, 2.0, 9.0, 4.0]], np.float32), np.array([[True, True, False, True]]))
    2.0
    """
    from firstlight.kernels.gradient import middle_two

    whole = bool(good.all())
    total = plane.size if whole else int(np.count_nonzero(good))
    ranks = np.array(middle_two(np.ascontiguousarray(plane).view(np.uint32), _ALL if whole else good, total), np.uint32)
    bits = np.where(ranks & np.uint32(0x80000000), ranks ^ np.uint32(0x80000000), ~ranks)
    return float(bits.astype(np.uint32).view(np.float32).astype(np.float64).mean())
