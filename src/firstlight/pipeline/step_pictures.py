"""A recipe's step: pictures of the images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from firstlight.errors import SpecError
from firstlight.io.icc import Space
from firstlight.io.pictures import write_picture
from firstlight.io.read import read
from firstlight.ops.align.bin import Mean, bin_mean
from firstlight.ops.registry import Params
from firstlight.pipeline.flow_of_images import Images
from firstlight.pipeline.products import make_picture
from firstlight.pipeline.settings import PICTURE_STEPS
from firstlight.pipeline.step_apply import operations
from firstlight.units import Px

FORMATS = ("png", "tif", "jpg")


class Options(Params):
    """Pictures of images."""

    steps: str = PICTURE_STEPS
    """Operations that make the picture, separated by blanks (or a list); colour is left out where there is none."""
    images: str = "*"
    """Which images, by name; several patterns are separated by blanks."""
    formats: str = "png"
    """``png`` (8 bit), ``tif`` (16 bit), ``jpg``; several are separated by blanks."""
    profile: Space = "srgb"
    """Colour space, as of `firstlight picture`."""
    to: str = "pictures"
    """Folder (in that of the run)."""
    largest: Annotated[Px, Field(ge=0)] = 0
    """Longest side, about: larger images are binned; 0: as they are."""


def check(options: Options) -> None:
    """Whether the operations and formats exist."""
    operations(options.steps)
    for each in options.formats.split():
        if each not in FORMATS:
            raise SpecError(f"format {each!r}; {', '.join(FORMATS)} are allowed")


def work(images: Images, options: Options) -> None:
    """Draw every chosen image."""
    asked = [[step.pinned() for step in operations(options.steps)], options.largest, options.profile]
    for name, path in images.chosen(options.images).items():
        targets = [images.folder / options.to / f"{name}.{ending}" for ending in options.formats.split()]

        def make(path: Path = path, targets: list[Path] = targets) -> None:
            image = read(path)
            factor = max(1, max(image.shape[1:]) // options.largest) if options.largest else 1
            if factor > 1:
                image = bin_mean(image.replace(variance=None), Mean(factor=factor))
            picture = make_picture(image, options.steps)
            for target in targets:
                target.parent.mkdir(parents=True, exist_ok=True)
                bits = 16 if target.suffix == ".tif" else 8
                write_picture(
                    target, picture.data, bottom_up=picture.meta.bottom_up, bits=bits, image=picture,
                    space=options.profile,
                )  # fmt: skip

        images.do(name, [path], asked, make, targets)
