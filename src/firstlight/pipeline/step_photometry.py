"""A recipe's step: the stars of the images measured and calibrated against a catalogue."""

from __future__ import annotations

from typing import Any

from firstlight.ops.registry import Params
from firstlight.pipeline.flow_of_images import Images
from firstlight.pipeline.photometry import PhotometrySettings, photometry
from firstlight.pipeline.step_options import options_like

Options: type[Params] = options_like(PhotometrySettings, without=("update",), images="*", to="photometry")


def work(images: Images, options: Any) -> None:
    """Measure every chosen image; the tables lie side by side."""
    chosen = images.chosen(options.images)
    settings = PhotometrySettings(**options.model_dump(exclude={"images", "to"}))

    def make() -> list[Any]:
        result = photometry(list(chosen.values()), settings, output=images.folder / options.to)
        images.notes += list(result.failed.values())
        return [path for each in result.images for path in each.files]

    images.do("stars", list(chosen.values()), options.model_dump(), make)
