"""Images with plates, of any telescope, onto one grid on the sky; and cut-outs around places on the sky."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError, InputError
from firstlight.io.read import open_frame, read
from firstlight.io.write import write
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.model.plate import Plate
from firstlight.ops.align.cut_out import cut_out
from firstlight.ops.align.onto import brought_onto
from firstlight.ops.align.resample import Kernel
from firstlight.ops.align.sky_target import SkyGrid, map_to, positions_of, scale_of
from firstlight.ops.registry import Params
from firstlight.pipeline.executors import ordered, thread_count, thread_pool
from firstlight.pipeline.star_files import stem_of
from firstlight.units import Arcsec, Degrees, Px, Sigma


class Resample(Params):
    """The common grid, and how images are brought onto it."""

    framing: Literal["first", "union"] = "first"
    """``first``: the grid of the first image, without its distortion; ``union``: enlarged until it holds all images."""
    ra: Annotated[Degrees, Field(ge=-1, lt=360)] = -1.0
    """Right ascension of the middle of a grid of its own; -1: that of the first image (see ``framing``)."""
    dec: Annotated[Degrees, Field(ge=-90, le=90)] = 0.0
    """Declination of the middle, with ``ra``."""
    scale: Annotated[Arcsec, Field(ge=0)] = 0.0
    """Pixel scale of the grid, arcsec/px; 0: that of the first image."""
    width: Annotated[Px, Field(ge=0)] = 0
    """Columns, with ``ra``; 0: those of the first image."""
    height: Annotated[Px, Field(ge=0)] = 0
    """Rows, with ``ra``; 0: those of the first image."""
    rotation: Annotated[Degrees, Field(ge=-360, le=360)] = 0.0
    """With ``ra``: direction of north, counter-clockwise from up."""
    kernel: Kernel = "lanczos3"
    """Interpolation."""
    clamp: Annotated[Sigma, Field(ge=0)] = 1.0
    """Lanczos may dig this far (in noise sigma) below the lowest of the inner samples; 1000 switches it off."""
    keep: Literal["brightness", "flux"] = "brightness"
    """``brightness``: a pixel holds the light of an equal area of sky as before; ``flux``: sums over stars stay, where
    the pixel scale changes."""
    per_second: bool = False
    """Divide by the exposure time, so that images of different exposures are alike."""


@dataclass(frozen=True)
class Resampled:
    """What became of one image."""

    source: Path
    target: Path | None
    """None: it has no part on the grid, or no plate."""
    covered: float = 0.0
    """Share of the grid that it covers."""
    reason: str = ""


def plan_sky_grid(plates: Sequence[tuple[Plate, tuple[int, int]]], settings: Resample) -> SkyGrid:
    """The grid that the settings ask for, of images (plate, (height, width)).

    >>> plate = SkyGrid.around(10.0, 40.0, 2.0, (100, 80)).plate
    >>> grid = plan_sky_grid([(plate, (80, 100))], Resample(scale=1.0))
    >>> grid.width, round(scale_of(grid.plate), 6)
    (200, 1.0)
    """
    plate, (height, width) = plates[0]
    first = SkyGrid.like(plate, (height, width))
    known = scale_of(first.plate)
    scale = settings.scale or known
    if settings.ra >= 0:
        size = (settings.width or round(width * known / scale), settings.height or round(height * known / scale))
        grid = SkyGrid.around(settings.ra, settings.dec, scale, size, settings.rotation)
    else:
        grid = _rescaled(first, scale / known) if settings.scale else first
    return grid.containing(plates) if settings.framing == "union" and settings.ra < 0 else grid


def _rescaled(grid: SkyGrid, ratio: float) -> SkyGrid:
    height, width = (max(round(side / ratio), 1) for side in (grid.height, grid.width))
    cards = dict(grid.plate.cards)
    for i in (1, 2):
        cards[f"CRPIX{i}"] = ((width, height)[i - 1] + 1) / 2
        for j in (1, 2):
            cards[f"CD{j}_{i}"] *= ratio
    return SkyGrid(height, width, Plate(cards))


def resample_image(image: Image, grid: SkyGrid, settings: Resample) -> Image:
    """One image with a plate onto a grid on the sky.

    Raises
    ------
    FrameError
        No plate, or the image does not reach the grid.
    InputError
        A CFA mosaic.
    """
    if image.plate is None:
        raise FrameError("no plate; solve it first: firstlight solve FILE")
    if image.meta.cfa is not None:
        raise InputError("resample: a CFA mosaic; debayer it first: firstlight apply IN OUT cal:debayer")
    forward = map_to(image.plate, image.shape[1:], grid)
    clamp = settings.clamp * _noise(image) if settings.clamp < 1000 else np.inf
    result = brought_onto(
        image, forward, (grid.height, grid.width), plate=grid.plate, kernel=settings.kernel, clamp=clamp,
        conserve_flux=settings.keep == "flux",
    )  # fmt: skip
    meta = result.meta.replace(origin=(0, 0))
    if meta.pixel_size is not None:
        meta = meta.replace(pixel_size=meta.pixel_size * scale_of(grid.plate) / scale_of(image.plate))
    result = result.replace(meta=meta)
    if not result.good.any():
        raise FrameError("it has no part on the grid")
    if settings.ra >= 0:
        result = result.replace(meta=result.meta.replace(bottom_up=True))
    if settings.per_second:
        seconds = image.meta.exposure
        if not seconds:
            raise FrameError("the header tells no exposure, which --per-second needs")
        variance = None if result.variance is None else result.variance / np.float32(seconds**2)
        result = result.replace(data=result.data / np.float32(seconds), variance=variance)
    said = f"resampled onto {grid.width} x {grid.height} px of {scale_of(grid.plate):.4f} arcsec ({settings.kernel})"
    return result.replace(history=(*image.history, said))


def _noise(image: Image) -> float:
    """Of the sky between neighbouring pixels: enough for a limit."""
    plane = image.data[0]
    steps = np.abs(np.diff(plane[:: max(plane.shape[0] // 256, 1)], axis=1))
    return float(np.median(steps[np.isfinite(steps)]) / 0.954) if steps.size else 0.0


def weight_maps(image: Image) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Coverage of each pixel (1 or 0), and the planes EXPOSURE (s) and, of known variance, WEIGHT (its inverse)."""
    covered = (~has(image.flags, EXCLUDED)).astype(np.float32)
    extra = {"EXPOSURE": covered * np.float32(image.meta.exposure or 0.0)}
    if image.variance is not None:
        extra["WEIGHT"] = np.where(image.variance > 0, covered / np.maximum(image.variance, 1e-30), 0).astype(
            np.float32
        )
    return covered, extra


def resample_files(
    sources: Sequence[Path],
    output: Path,
    settings: Resample | None = None,
    *,
    like: Path | None = None,
    threads: int = 0,
    overwrite: bool = True,
    told: Callable[[Resampled], None] = lambda done: None,
) -> list[Resampled]:
    """Bring images onto one grid; each becomes a file in ``output``, with COVERAGE, EXPOSURE and WEIGHT beside it.

    Parameters
    ----------
    like : an image whose grid is taken, distortion left out; else as the settings say.
    overwrite : files of before may be replaced; an image that is read never is.
    told : called after each image, in their order.

    Raises
    ------
    InputError
        No image has a plate, two would have the same name, or a file is in the way.
    """
    settings = settings or Resample()
    plates, lost = [], {}
    for source in sources:
        frame = open_frame(source)
        if frame.plate is None:
            lost[source] = "no plate; solve it first: firstlight solve FILE"
        else:
            plates.append((frame.plate, frame.shape[1:]))
    if like is not None:
        frame = open_frame(like)
        if frame.plate is None:
            raise InputError(
                f"{like}: no plate that the grid could be taken from; solve it first: firstlight solve {like}"
            )
        grid = SkyGrid.like(frame.plate, frame.shape[1:])
    elif plates:
        grid = plan_sky_grid(plates, settings)
    else:
        raise InputError("resample: none of the images has a plate; solve them first: firstlight solve FILES")
    targets = {source: output / f"{stem_of(source)}.fits" for source in sources}
    if len(set(targets.values())) < len(set(sources)):
        raise InputError("resample: two of the images have the same name; take them one folder at a time")
    taken = [source for source in sources if targets[source].exists() and targets[source].resolve() == source.resolve()]
    if taken:
        raise InputError(f"{taken[0]}: the output folder is that of the input; give another one")
    there = [target for target in targets.values() if target.exists()]
    if there and not overwrite:
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise InputError(f"{there[0]}{more}: exists already; give another folder, or --overwrite to replace it")

    def work(source: Path) -> Resampled:
        if source in lost:
            return Resampled(source, None, reason=lost[source])
        try:
            result = resample_image(read(source), grid, settings)
        except FrameError as error:
            return Resampled(source, None, reason=str(error))
        coverage, extra = weight_maps(result)
        write(targets[source], result, coverage=coverage, extra=extra)
        return Resampled(source, targets[source], float(coverage.mean()))

    done = []
    with thread_pool(threads) as executor:
        for one in ordered(executor, work, sources, thread_count(threads) + 1):
            told(one)
            done.append(one)
    return done


def cut_outs(image: Image, ra: float, dec: float, size: tuple[float, float]) -> Image:
    """The pixels around a place on the sky (degrees), untouched; ``size`` is width and height in arcsec.

    Raises
    ------
    InputError
        No plate, or the place is outside the image.
    """
    if image.plate is None:
        raise InputError("cut-out: the image has no plate; solve it first: firstlight solve FILE")
    ((x, y),) = positions_of(image.plate, np.array([[ra, dec]]))
    height, width = image.shape[1:]
    if not (np.isfinite(x) and -0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
        where = f"at pixel {x:.0f}, {y:.0f}" if np.isfinite(x) else "on the other side of the sky"
        raise InputError(f"cut-out: {ra:.5f}, {dec:+.5f} is {where}; the image has {width} x {height} px")
    half = [0.5 * side / scale_of(image.plate) for side in size]
    box = (round(x - half[0]), round(y - half[1]), round(x + half[0]) + 1, round(y + half[1]) + 1)
    return cut_out(image, box)
