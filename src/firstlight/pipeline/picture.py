"""Pictures of images: cuts, colours, a scale bar, north and east, words, two side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.icc import into_space
from firstlight.io.pictures import write_float_tiff, write_picture
from firstlight.io.read import read
from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.pixel_map import PixelMap, plate_after
from firstlight.ops.chain import apply
from firstlight.ops.spec import step
from firstlight.pipeline.picture_marks import framed, marked
from firstlight.pipeline.picture_settings import PictureSettings, in_colours, with_cuts

SERIES = ((1.0, 1.2, 1.4), (1.0, 1.5, 2.0))
"""Factors of gamma and of saturation."""


def make_picture(image: Image, p: PictureSettings = PictureSettings()) -> Image:
    """The image as it is to be shown: stretched, 0..1, in one or three channels, the right way up."""
    image = image.replace(variance=None)
    if image.shape[0] not in (1, 3):
        image = image.replace(data=image.data[:1], flags=image.flags[:1])
    if image.meta.cfa and image.shape[0] == 1:
        image = apply(image, step("cal:debayer"))
    factor = max(p.bin, -(-image.shape[2] // p.width) if p.width else 1)
    if factor > 1:
        image = apply(image, step("bin:mean", factor=min(factor, min(image.shape[1:]))))
    linear = image
    shown = with_cuts(image, p)
    data = np.where(has(shown.flags, EXCLUDED), np.float32(0), np.nan_to_num(shown.data))
    if p.gamma != 1:
        data = np.clip(data, 0, 1) ** np.float32(1 / p.gamma)
    if p.saturation != 1 and data.shape[0] == 3:
        data = apply(shown.replace(data=data), step("color:saturation", factor=p.saturation)).data
    if p.profile == "srgb" or p.negative or p.map:
        data = np.clip(data, 0, 1)
    if p.negative:
        data = 1 - data
    if p.map:
        data = in_colours(data, p.map)
    if shown.meta.bottom_up:
        data = data[:, ::-1]
    data = marked(data, image, p)
    height = data.shape[1]
    data, above = framed(data, linear, p)
    plate = shown.plate
    if plate is not None:
        turned = PixelMap.upside_down(height) if shown.meta.bottom_up else PixelMap()
        plate = plate_after(plate, replace(turned, y0=turned.y0 + above))
    flat = np.ascontiguousarray(data, np.float32)
    meta = shown.meta.replace(bottom_up=False)
    return shown.replace(data=flat, flags=np.zeros(flat.shape, np.uint16), plate=plate, meta=meta)


def for_the_eye(image: Image) -> Image:
    """Stretched, if it is not yet."""
    return image if image.state == State.STRETCHED else apply(image, step("stretch:midtones"))


def write(path: Path, picture: Image, p: PictureSettings = PictureSettings()) -> None:
    """Write a picture that `make_picture` made.

    Raises
    ------
    InputError
        The format does not hold so many bits.
    """
    if path.suffix.lower() in (".fits", ".fit", ".fts"):
        write_colours(path, picture)
    elif p.bits == 32:
        if path.suffix.lower() not in (".tif", ".tiff"):
            raise InputError(f"{path}: 32 bits a colour; only TIFF holds them; write .tif")
        data = into_space(picture.data, p.profile)
        write_float_tiff(path, picture.replace(data=data), space=p.profile)
    else:
        write_picture(path, picture.data, bits=p.bits, image=picture, quality=p.quality, space=p.profile)


def write_colours(path: Path, image: Image) -> None:
    """A colour image as FITS of three image extensions, Red, Green and Blue, as ds9 -rgb takes it.

    Raises
    ------
    InputError
        It has no three channels.
    """
    from firstlight.io.fits_writer import Unit, write_units
    from firstlight.io.product_header import product_cards
    from firstlight.io.write import FORMAT_VERSION

    if image.shape[0] != 3:
        raise InputError(f"{path}: {image.shape[0]} channel(s); red, green and blue are needed for three extensions")
    cards = [c for c in product_cards(image, FORMAT_VERSION) if c[0] != "FILTER"]
    units = [Unit(cards, None)]
    plate = [] if image.plate is None else [(k, v, "") for k, v in image.plate.cards.items()]
    for name, plane in zip(("Red", "Green", "Blue"), image.data):
        units.append(Unit([("EXTNAME", name.upper(), ""), ("FILTER", name, "colour of this plane"), *plate], plane))
    write_units(path, units)


def side_by_side(left: Image, right: Image, gap: int = 0) -> Image:
    """Two pictures, stretched, beside each other with a thin line between; the lower one is given black rims."""
    planes = []
    height = max(left.shape[1], right.shape[1])
    for each in (left, right):
        shown = for_the_eye(each.replace(variance=None))
        data = np.where(has(shown.flags, EXCLUDED), np.float32(0), shown.data)
        data = data[:, ::-1] if shown.meta.bottom_up else data
        data = data if len(data) == 3 else np.repeat(data[:1], 3, axis=0)
        above = (height - data.shape[1]) // 2
        planes.append(np.pad(data, ((0, 0), (above, height - data.shape[1] - above), (0, 0))))
    gap = gap or max(height // 200, 2)
    line = np.full((3, height, gap), 0.8, np.float32)
    data = np.clip(np.concatenate([planes[0], line, planes[1]], axis=2), 0, 1)
    meta = right.meta.replace(bottom_up=False, cfa=None)
    return Image(data, unit=PixelUnit.NORMALISED, state=State.STRETCHED, meta=meta)


def write_side_by_side(path: Path, left: Image, right: Image) -> None:
    """Before and after as one picture."""
    picture = side_by_side(left, right)
    write_picture(path, picture.data, image=picture)


def write_comparison(path: Path, before: Path, after: Path) -> None:
    """Before and after of two files, no wider than 1200 px each."""
    from firstlight.pipeline.preview import reduced

    write_side_by_side(path, reduced(before)[0], reduced(after)[0])


def write_series(image: Image, target: Path) -> list[Path]:
    """Nine pictures beside a file: gamma times saturation."""
    if image.shape[0] != 3:
        raise InputError(f"series: the image has {image.shape[0]} channel(s); red, green and blue are needed")
    shown = for_the_eye(image.replace(variance=None))
    found = []
    for gamma in SERIES[0]:
        for saturation in SERIES[1]:
            p = PictureSettings(gamma=gamma, saturation=saturation, cuts="none")
            path = target.with_name(f"{target.stem}_gamma{gamma:g}_saturation{saturation:g}.png")
            write(path, make_picture(shown, p), p)
            found.append(path)
    return found


def picture_file(
    source: Path, target: Path, p: PictureSettings = PictureSettings(), beside: Path | None = None
) -> None:
    """Read, show, write; with another file beside it if one is given.

    Raises
    ------
    InputError
        A file cannot be read, or as `make_picture` and `write`.
    """
    try:
        image = read(source)
        other = None if beside is None else read(beside)
    except FrameError as error:
        raise InputError(f"picture: {error}") from error
    if target.suffix.lower() in (".fits", ".fit", ".fts"):
        write_colours(target, image)
        return
    picture = make_picture(image, p)
    if other is not None:
        picture = side_by_side(picture, make_picture(other, p))
    write(target, picture, p)
