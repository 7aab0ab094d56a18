"""A recipe's step: the light of a spectral line, the continuum taken off."""

from __future__ import annotations

from typing import Any

from firstlight.ops.registry import Params
from firstlight.pipeline.continuum import ContinuumSettings, continuum
from firstlight.pipeline.flow_of_images import Images
from firstlight.pipeline.step_options import options_like

Options: type[Params] = options_like(ContinuumSettings, images="*_Ha_*", to="continuum", broad="*_R_*")


def work(images: Images, options: Any) -> None:
    """Take the first of the broad images off each narrow one."""
    settings = ContinuumSettings(**options.model_dump(exclude={"images", "broad", "to"}))
    wide = next(iter(images.chosen(options.broad).values()))
    for name, path in images.chosen(options.images).items():
        target = images.folder / options.to / f"{name}_line.fits"

        def make(path: Any = path, target: Any = target) -> list[Any]:
            target.parent.mkdir(parents=True, exist_ok=True)
            result = continuum(path, wide, target, settings, progress=images.progress)
            images.notes += result.notes
            return list(dict.fromkeys([target, *result.files]))

        images.do(f"{name}_line", [path, wide], options.model_dump(), make)
        images.paths[f"{name}_line"] = target
