"""A recipe's step: light curves."""

from __future__ import annotations

from typing import Any

from firstlight.errors import InputError
from firstlight.ops.meta.facts import Facts
from firstlight.ops.registry import Params
from firstlight.pipeline.flow_of_images import Images
from firstlight.pipeline.series_settings import SeriesSettings
from firstlight.pipeline.step_options import options_like
from firstlight.pipeline.timeseries import timeseries

_OF_THE_SESSION = ("library", "threads", "memory", "first", *Facts.model_fields)
Options: type[Params] = options_like(SeriesSettings, without=_OF_THE_SESSION)


def check(options: Any) -> None:
    """Whether the settings go together."""
    SeriesSettings(**options.model_dump())


def work(images: Images, options: Any) -> None:
    """Measure a star (or all) in every light; the lights are taken as the session has measured them."""
    session = images.settings
    shared = {name: getattr(session, name) for name in (*_OF_THE_SESSION, "calibrate", "match")}
    settings = SeriesSettings(**options.model_dump(), **shared)

    def make() -> list[Any]:
        result = timeseries(images.session, settings, output=images.folder, progress=images.progress)
        if not result.series:
            raise InputError("; ".join(f"{name}: {why}" for name, why in result.failed.items()))
        images.notes += [f"{name}: {why}" for name, why in result.failed.items()]
        return [path for series in result.series for path in series.files]

    images.do("light curves", [], [images.session_key(), options.model_dump()], make)
