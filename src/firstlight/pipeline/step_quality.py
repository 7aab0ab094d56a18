"""A recipe's step: a table of every light's numbers and faults."""

from __future__ import annotations

from typing import Any

from firstlight.ops.registry import Params
from firstlight.pipeline.flow_of_images import Images
from firstlight.pipeline.quality import QualitySettings, judge_session, write_quality
from firstlight.pipeline.step_options import options_like

Options: type[Params] = options_like(QualitySettings, without=("threads", "calibrate"), to="quality")


def check(options: Any) -> None:
    """Whether the settings go together."""
    QualitySettings(**options.model_dump(exclude={"to"}))


def work(images: Images, options: Any) -> None:
    """Judge the lights of the session; none is moved or changed."""
    settings = QualitySettings(**options.model_dump(exclude={"to"}), threads=images.settings.threads)

    def make() -> list[Any]:
        result = judge_session([images.session], settings, output=images.folder, progress=images.progress)
        images.notes += [f"{each.seen.name}: {each.reason}" for each in result.frames if each.reason]
        return write_quality(result, images.folder / options.to)

    images.do("lights", [], [images.session_key(), options.model_dump()], make)
