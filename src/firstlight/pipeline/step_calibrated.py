"""A recipe's step: each light, calibrated, as a file of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.write import write
from firstlight.library.plans import Assignment
from firstlight.model.image import Image
from firstlight.ops.calibrate.masters import typical
from firstlight.ops.registry import Params
from firstlight.ops.spec import step
from firstlight.pipeline.clean import with_noise
from firstlight.pipeline.executors import memory_budget, thread_count
from firstlight.pipeline.flow_of_images import Images
from firstlight.pipeline.graph_session import SessionSteps, light_name
from firstlight.pipeline.masters import MasterShelf
from firstlight.pipeline.plan import plan
from firstlight.pipeline.step_apply import operations


class Options(Params):
    """Calibrated lights."""

    steps: str = ""
    """Operations on each after its calibration, such as ``bin:mean:factor=2``, separated by blanks."""
    to: str = "calibrated"
    """Folder (in that of the run)."""


def check(options: Options) -> None:
    """Whether the operations exist."""
    operations(options.steps)


def calibrated(assignment: Assignment, shelf: MasterShelf) -> Image:
    """A light, by the plain operations: bias, dark, flat, bad pixels mended; variance where gain and noise are known.

    A dark that holds its bias takes that along; its level is then what has no photon noise.
    """
    image = assignment.light.read()
    bias, dark, flat = (
        None if (m := getattr(assignment, name)) is None else shelf.get(m) for name in ("bias", "dark", "flat")
    )
    thermal = None if dark is None else dark.image
    if bias is not None:
        image = step("cal:subtractbias")(image, bias.image)
        if thermal is not None and "bias" not in thermal.meta.calibrated:
            thermal = step("cal:subtractbias")(thermal, bias.image)
    level = 0.0 if bias is not None or dark is None else typical(dark.image)
    if (bias is not None or dark is not None) and image.meta.gain and image.meta.read_noise:
        image = step("cal:noisemodel", bias=level)(image)
    if thermal is not None:
        k = np.float32(assignment.dark_scale)
        if k != 1:
            spread = None if thermal.variance is None else k**2 * thermal.variance
            thermal = thermal.replace(data=k * thermal.data, variance=spread)
        image = step("cal:subtractdark")(image, thermal)
    if flat is not None:
        image = step("cal:divideflat")(image, flat.image)
    return step("cal:repair")(image)


def work(images: Images, options: Options) -> None:
    """Write every light that has a place in the session's groups."""
    from firstlight.io.scratch import Scratch

    todo = plan(images.session, images.settings, output=images.folder)
    shelf = MasterShelf(todo, images.graph)
    makers = SessionSteps(todo.settings, images.graph.results.hash_of)
    chain = operations(options.steps)
    asked = [[each.pinned() for each in chain], options.to]
    workers, budget = thread_count(todo.settings.threads), memory_budget(todo.settings.memory)
    with Scratch(None if images.dry else images.folder) as scratch:
        for master in shelf.wanted():
            if images.dry:
                shelf.planned(master)
            else:
                shelf.make(master, images.executor, workers, budget, scratch, lambda n: None)
        shelf.finish()
    taken: set[str] = set()
    for assignment in (a for group in todo.groups for a in group.assignments):
        light = with_noise(assignment.light, todo.settings.calibrate)
        name = light.path.name.partition(".")[0] + (f"_{light.number:04d}" if light.number is not None else "")
        while name in taken:
            name += "_2"
        taken.add(name)
        target = images.folder / options.to / f"{name}.fits"
        key = makers.measure(assignment, shelf.key, False).key

        def make(assignment: Assignment = assignment, target: Path = target) -> None:
            ready = replace(assignment, light=with_noise(assignment.light, todo.settings.calibrate))
            image = calibrated(ready, shelf)
            for each in chain:
                image = each(image)
            write(target, image)

        try:
            images.do(light_name(light), [], [key, asked], make, [target])
        except FrameError as error:
            images.notes.append(str(error))
