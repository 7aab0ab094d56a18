"""A recipe's step: operations on the images, the results taking their place."""

from __future__ import annotations

from pathlib import Path

from firstlight.errors import SpecError
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.ops.chain import apply
from firstlight.ops.registry import Params
from firstlight.ops.spec import Step, parse_step
from firstlight.pipeline.flow_of_images import Images


class Options(Params):
    """Operations on images."""

    steps: str = ""
    """Operations, such as ``abr:localgradient:scale=512``, separated by blanks (or a list of them)."""
    images: str = "*"
    """Which images, by name; ``*_Ha_*`` fits those of a filter. Several patterns are separated by blanks."""
    to: str = "finished"
    """Folder (in that of the run) for the results."""


def check(options: Options) -> None:
    """Whether the operations exist and need no further images."""
    if not options.steps.split():
        raise SpecError('no operations; give steps = "..."')
    for step in operations(options.steps):
        needed = [name for name in step.operation.frames if name not in getattr(step.operation, "optional", ())]
        if needed:
            raise SpecError(f"{step.operation.id} needs {', '.join(needed)} beside the image; not in a recipe")


def operations(text: str) -> list[Step]:
    """The operations of a chain."""
    return [parse_step(each) for each in text.split()]


def work(images: Images, options: Options) -> None:
    """Apply the chain to every chosen image."""
    chain = operations(options.steps)
    pinned = [step.pinned() for step in chain]
    for name, path in images.chosen(options.images).items():
        target = images.folder / options.to / f"{name}.fits"

        def make(path: Path = path, target: Path = target) -> None:
            image = read(path)
            # Colour is a matter of three channels.
            write(target, apply(image, *(s for s in chain if s.operation.family != "color" or image.shape[0] > 1)))

        images.do(name, [path], [pinned, options.to], make, [target])
        images.paths[name] = target
