"""A recipe's step: the images on one grid on the sky."""

from __future__ import annotations

from firstlight.errors import InputError
from firstlight.pipeline.flow_of_images import Images
from firstlight.pipeline.resample_files import Resample, resample_files


class Options(Resample):
    """Images on one grid."""

    images: str = "*"
    """Which images, by name; several patterns are separated by blanks."""
    to: str = "resampled"
    """Folder (in that of the run) for the results, which take the images' place."""


def work(images: Images, options: Options) -> None:
    """Resample the chosen images together: the grid is that of the first, or holds all."""
    chosen = images.chosen(options.images)
    folder = images.folder / options.to
    settings = Resample(**{name: getattr(options, name) for name in Resample.model_fields})
    targets = {name: folder / path.name for name, path in chosen.items()}

    def make() -> None:
        done = resample_files(list(chosen.values()), folder, settings, threads=images.settings.threads)
        lost = [f"{each.source.name}: {each.reason}" for each in done if each.target is None]
        if lost:
            raise InputError("; ".join(lost))

    images.do(f"{len(chosen)} images", list(chosen.values()), options.model_dump(), make, list(targets.values()))
    images.paths |= targets
