"""Sums, differences and exposures of any number of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from firstlight.errors import InputError
from firstlight.kernels.exposures import spread_weights
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.ops.color.together import flags_of, joined_meta, mean_of_good, need_alike
from firstlight.ops.parts import each_part
from firstlight.ops.registry import Params
from firstlight.ops.stretch.bends import bend_of
from firstlight.ops.stretch.exposures import Mesh, levels_of, shares_of_brightness, weights_by_entropy
from firstlight.ops.stretch.gamma import Gamma
from firstlight.ops.stretch.gamma import curve as power
from firstlight.ops.stretch.hdr import code, strips
from firstlight.ops.stretch.levels import white_level
from firstlight.ops.stretch.numbers import parse_numbers
from firstlight.units import Px


class Sum(Params):
    """How images are added up or compared."""

    do: Literal["add", "diff", "difference"] = "add"
    """Their weighted sum; the absolute difference of the first and the weighted sum of the others; that difference with
    its sign."""
    weights: str = ""
    """Factor of each image, such as 1/0.5/2; empty: 1 each."""
    fit: bool = False
    """Scale each image to the mean of the first."""

    @field_validator("weights")
    @classmethod
    def _numbers(cls, text: str) -> str:
        parse_numbers(text)
        return text


class Exposures(Params):
    """How exposures are blended."""

    radius: Annotated[Px, Field(ge=1, le=512)] = 32
    """Half the side of the square in which the entropy is measured."""
    smooth: Annotated[Px, Field(ge=0, le=512)] = 16
    """The weights are averaged over so many px (standard deviation)."""
    gamma: Annotated[float, Field(ge=0.2, le=10)] = 2.4
    """The result is raised to the power 1 / gamma."""
    white: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Each exposure is multiplied by this before it is cut at white."""


def added(images: Sequence[Image], p: Sum) -> Image:
    """The sum, or difference, of images of one size, float32: nothing is cut.

    Flags: OR-ed. Variance: of the sum, factors taken as exact; dropped for the absolute difference. Plate and unit: of
    the first.

    Raises
    ------
    InputError
        Sizes, units or the number of weights do not go together.
    """
    first, *others = images
    for k, other in enumerate(others, 2):
        need_alike(f"combine {p.do}", first, **{f"image {k}": other})
        if other.shape != first.shape:
            raise InputError(
                f"combine {p.do}: the first image has {first.shape[0]} channels, image {k} {other.shape[0]}"
            )
    factors = parse_numbers(p.weights) or [1.0] * len(images)
    if len(factors) != len(images):
        raise InputError(
            f"combine {p.do}: {len(factors)} weights ({p.weights}) for {len(images)} images; one for each is needed"
        )
    if p.fit:
        target = mean_of_good(first)
        means = [mean_of_good(image) for image in images]
        factors = [f * (target / m if m > 0 and target > 0 else 1.0) for f, m in zip(factors, means)]
    if p.do != "add":
        factors = [factors[0], *(-f for f in factors[1:])]
    data = sum(np.float32(f) * image.data for f, image in zip(factors, images))
    variance = None
    if all(image.variance is not None for image in images) and p.do != "diff":
        variance = sum(np.float32(f) ** 2 * image.variance for f, image in zip(factors, images))
    return first.replace(
        data=np.abs(data) if p.do == "diff" else data, variance=variance, meta=joined_meta(images),
        flags=np.bitwise_or.reduce([image.flags for image in images]),
    )  # fmt: skip


def blended_exposures(images: Sequence[Image], p: Exposures) -> Image:
    """Exposures of one field, blended where each shows most: shortest first, or in any order where headers tell.

    The result is stretched. Flags: OR-ed over all. Variance: dropped. Plate: of the first. Unit: normalised.

    Raises
    ------
    InputError
        Sizes or units do not go together.
    """
    for k, other in enumerate(images[1:], 2):
        need_alike("combine hdr", images[0], **{f"image {k}": other})
        if other.shape != images[0].shape:
            raise InputError(
                f"combine hdr: the first image has {images[0].shape[0]} channels, image {k} {other.shape[0]}"
            )
    known = all(image.meta.exposure for image in images)
    ordered = sorted(images, key=lambda image: image.meta.exposure or 0.0) if known else list(images)

    data = _blended(ordered, p)
    flags = np.broadcast_to(flags_of(*images), data.shape).copy()
    return images[0].replace(
        data=data,
        variance=None,
        flags=flags,
        unit=PixelUnit.NORMALISED,
        state=State.STRETCHED,
        meta=joined_meta(images),
    )


def _blended(images: Sequence[Image], p: Exposures) -> np.ndarray:
    """Mean of exposures, shortest first, weighted by their local entropy; its largest value 1, to the power 1 / gamma.

    The exposures are cut at white twice, some rows at a time, so that none is in memory once more.
    """
    channels, height, width = shape = images[0].shape
    mesh, shares = Mesh.of((height, width), p.radius, p.smooth), shares_of_brightness(channels)
    factors = [np.float32(p.white / white_level(image)) for image in images]

    def cut(image: Image, factor: np.float32, rows: slice) -> np.ndarray:
        gap = has(image.flags[:, rows], EXCLUDED)
        return np.clip(np.where(gap, np.float32(0), image.data[:, rows]) * factor, 0, 1)

    def look(rows: slice) -> list[np.ndarray]:
        lights = (np.tensordot(shares, cut(image, f, rows), 1) for image, f in zip(images, factors))
        return [levels_of(_means(light, mesh.side)) for light in lights]

    seen = each_part(look, strips(shape, mesh.cell))
    knots = weights_by_entropy([np.concatenate(each) for each in zip(*seen)], mesh)
    out = np.zeros(shape, np.float32)

    def blend(rows: slice) -> float:
        weight = np.empty((rows.stop - rows.start, width), np.float32)
        for image, factor, own in zip(images, factors, knots):
            spread_weights(own, mesh.cell, rows.start, weight)
            out[:, rows] += cut(image, factor, rows) * weight
        return float(out[:, rows].max())

    top = max(each_part(blend, strips(shape, 1)))
    scale, bend = np.float32(1 / (top if top > 0 else 1.0)), bend_of(power, Gamma(gamma=p.gamma))
    each_part(lambda rows: code(out[:, rows], scale, bend), strips(shape, 1))
    return out


def _means(plane: np.ndarray, side: int) -> np.ndarray:
    """Of squares of pixels."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    return plane[: rows * side, : columns * side].reshape(rows, side, columns, side).mean(axis=(1, 3))
