"""Removing a model of the sky: what is looked at, the surface of each plane, and the work on rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.ops.calibrate.nodes import Surface
from firstlight.ops.calibrate.sights import ALL, Model, Pixels, Sample, Want
from firstlight.ops.parts import each_part, row_parts
from firstlight.ops.survey import Look, Rows, Survey
from firstlight.ops.words import spelled

Mode = Annotated[
    Literal["subtract", "divide", "luminance", "model"],
    spelled({"sub": "subtract", "div": "divide", "ldiv": "luminance", "set": "model"}),
]


@dataclass(frozen=True)
class Plane:
    """Pixels of one colour: a channel, or one of the four pixels of each cell of a mosaic."""

    channel: int
    j: int = 0
    i: int = 0
    px: int = 1
    """Pixels of the sensor from one pixel of the plane to the next."""

    def of(self, rows: np.ndarray, first: int = 0) -> np.ndarray:
        """A view of an array (channel, row, x) whose rows begin at ``first`` of the image."""
        return rows[self.channel % len(rows), (self.j - first) % self.px :: self.px, self.i :: self.px]

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """Its own rows among those of the image from ``top`` to ``bottom``."""
        return np.arange(-((self.j - top) // self.px), -((self.j - bottom) // self.px))


def planes_of(image: Image) -> list[Plane]:
    """Of a mosaic red, green, green, blue."""
    channels, _, width = image.shape
    if channels > 1 or image.meta.cfa is None or width < 2:
        return [Plane(channel) for channel in range(channels)]
    from firstlight.ops.calibrate.split_cfa import plane_places

    places = plane_places(image.meta.cfa)
    return [Plane(0, *places[name], 2) for name in ("red", "green1", "green2", "blue")]


@dataclass(frozen=True, eq=False)
class Removal:
    """A surface for each plane, and what is done with it."""

    planes: list[Plane]
    surfaces: list[Surface | None]
    factors: list[float]
    """What ``factor`` / surface is to be multiplied with, where it is divided out."""
    mode: Mode

    def __call__(self, band: Image, top: int) -> Image:
        """The band whose first row is the one called ``top`` of the image."""
        power = {"subtract": -1, "model": 0}.get(self.mode, 1)
        data = self._treated(band.data, top, power)
        if power == 1 and band.variance is not None:
            return band.replace(data=data, variance=self._treated(band.variance, top, 2))
        return band.replace(data=data, variance=None if power == 0 else band.variance)

    def _treated(self, given: np.ndarray, top: int, power: int) -> np.ndarray:
        out = np.empty_like(given)

        def treat(part: tuple[int, int]) -> None:
            first = top + part[0]
            before, after = (array[:, slice(*part)] for array in (given, out))
            for plane, surface, factor in zip(self.planes, self.surfaces, self.factors):
                pixels, into = plane.of(before, first), plane.of(after, first)
                if surface is None:
                    into[:] = 0 if power == 0 else pixels
                else:
                    surface.on(plane.rows(first, top + part[1]), pixels, into, power, factor)

        each_part(treat, row_parts(given.shape))
        return out


def survey_gradient(step: str, like: Image, height: int, model: Model, mode: Mode, keep_level: bool = True) -> Survey:
    """What is looked at of an image ``height`` rows high, all else as ``like``, to take its sky away.

    A mosaic is treated colour by colour; its two greens share a model. ``luminance`` divides all channels by the mean
    of their models, so that colours stay. ``model`` gives the surfaces themselves, without variance. Each channel keeps
    its median: that of half a million of its pixels. Without ``keep_level`` what is subtracted is not given back.

    Raises
    ------
    InputError
        When it settles: ``divide`` or ``luminance`` where the model is not above 0 everywhere.
    """
    planes = planes_of(like)
    px = planes[0].px if height > 1 else 1
    if px == 1:
        planes = [Plane(channel) for channel in range(like.shape[0])]
    # An odd row or column of a mosaic is left to the continuation of the surface.
    shape = (height // px, like.shape[2] // px)
    sight = model(shape, px)
    levels = mode in ("divide", "luminance") or (mode == "subtract" and keep_level)
    wants: list[Want] = [*sight.wants, *([Pixels(shape, under_mask=True)] if levels else [])]
    parts = [(want, k) for want in wants for k in range(len(want.parts))]

    def look(want: Want, part: int) -> Look:
        rows = want.parts[part]
        return Look(
            rows if px == 1 else (rows[:, None] * 2 + [0, 1]).ravel(),
            lambda seen: [want.see(part, *_plane_of(seen, p, shape[1], want)) for p in planes],
        )

    def settle(found: list[Any]) -> Removal:
        shown = [
            [want.joined([f[k] for f, (of, _) in zip(found, parts) if of is want]) for want in wants]
            for k in range(len(planes))
        ]
        surfaces = each_part(lambda show: sight.fit(*show[: len(sight.wants)]), shown)
        if px == 2:
            surfaces[1] = surfaces[2] = _mean(surfaces[1:3])
        if mode == "luminance":
            scaled = [s * (1 / _middle(s)) for s in surfaces if s is not None and _middle(s) > 0]
            surfaces = [s and _mean(scaled or [s]) for s in surfaces]
        factors = [1.0] * len(planes)
        if levels:
            kept = each_part(lambda k: _level_kept(step, like, shown[k][-1], surfaces[k], mode), range(len(planes)))
            surfaces, factors = (list(each) for each in zip(*kept))
        return Removal(planes, surfaces, factors, mode)

    return Survey([look(*each) for each in parts], settle)


def _plane_of(seen: Rows, plane: Plane, width: int, want: Want) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a plane in some rows, and where they are good."""
    good = ~has(plane.of(seen.flags)[:, :width], EXCLUDED)
    if seen.mask is not None and not want.under_mask:
        good &= ~(plane.of(seen.mask)[:, :width] > 0)
    return np.ascontiguousarray(plane.of(seen.data)[:, :width]), ALL if good.all() else good


def _level_kept(
    step: str, like: Image, sample: Sample, surface: Surface | None, mode: Mode
) -> tuple[Surface | None, float]:
    """The surface and the factor with which the median of a plane stays."""
    if surface is None:
        return None, 1.0
    before = sample.level()
    if mode == "subtract":
        return surface + (sample.level(surface) - before), 1.0
    lowest = surface.lowest()
    if not lowest > 0:
        raise InputError(
            f"{step}: mode={mode}, but the sky goes down to {lowest:.3g} {like.unit}; "
            "only light can be divided: use mode=subtract, or leave the sky in the image"
        )
    over = sample.level(surface, divide=True)
    return surface, before / over if before > 0 and over > 0 else _middle(surface)


def without_gradient(step: str, survey: Survey, image: Image, mask: Image | None = None) -> Image:
    """An image in memory without the model of its sky.

    ``mask`` is above 0 where the model may not look.

    Raises
    ------
    InputError
        A mask of another size; ``divide`` or ``luminance`` where the model is not above 0 everywhere.
    """
    if mask is not None and (mask.shape[1:] != image.shape[1:] or mask.shape[0] not in (1, image.shape[0])):
        sizes = (" x ".join(map(str, each.shape)) for each in (mask, image))
        raise InputError(
            f"{step}: the mask is {next(sizes)}, the image {next(sizes)}; a mask has the size of the image and one "
            "channel, or as many as it"
        )
    return survey.settle(survey.seen(image, mask))(image, 0)


def _mean(surfaces: list[Surface | None]) -> Surface | None:
    known = [s for s in surfaces if s is not None]
    return Surface(np.mean([s.nodes for s in known], axis=0), known[0].shape) if known else None


def _middle(surface: Surface) -> float:
    return float(np.median(surface.nodes))
