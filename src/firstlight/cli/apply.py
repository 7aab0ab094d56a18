"""``firstlight apply``, and what it shares with operations as commands."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from firstlight.errors import InputError, SpecError, nearest

if TYPE_CHECKING:
    from firstlight.ops.spec import Step

FOR_THE_EYE = (".png", ".jpg", ".jpeg")


@click.command("apply")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.argument("steps", metavar="STEP...", nargs=-1, required=True)
@click.option(
    "--frame", "frames", metavar="NAME=FILE", multiple=True,
    help="A further image that a step takes, such as bias=master_bias.fits; may be given several times.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def command(source: Path, target: Path, steps: tuple[str, ...], frames: tuple[str, ...], overwrite: bool) -> None:
    """Apply one or more operations to an image and write the result.

    A STEP is an operation with its parameters: family:name:key=value,key=value. Steps are applied left to right; all
    are checked before anything is read. The ending of OUT says the format: .fits keeps everything, .png and .jpg want
    a stretched image.

    \b
    firstlight apply stack.fits out.png abr:localgradient:scale=256 stretch:midtones
    firstlight apply light.fits cal.fits cal:subtractdark cal:divideflat --frame dark=d.fits --frame flat=f.fits

    `firstlight ops` lists the operations, `firstlight OPERATION --help` explains one.
    """
    from firstlight.ops.spec import parse_step

    apply_steps(source, target, [parse_step(text) for text in steps], _named(frames), overwrite)


def _named(frames: Sequence[str]) -> dict[str, Path]:
    found = {}
    for text in frames:
        name, separator, path = text.partition("=")
        if not separator or not path:
            raise InputError(f"--frame {text!r}: write NAME=FILE, such as bias=master_bias.fits")
        found[name] = Path(path)
    return found


def apply_steps(source: Path, target: Path, steps: Sequence[Step], frames: Mapping[str, Path], overwrite: bool) -> None:
    """Read, apply, write; everything that can be known beforehand is checked beforehand.

    Raises
    ------
    InputError
        A file is missing or in the way, a frame that a step takes was not given, or the result would be linear in a
        format for the eye.
    """
    _check_files(source, target, steps, frames, overwrite)
    # numpy, the readers and the compiler are loaded only once everything said has been found right.
    from firstlight.io.read import read
    from firstlight.io.story import read_story
    from firstlight.io.write import write
    from firstlight.model.image import State
    from firstlight.pipeline.story import story_of_steps

    image = read(source)
    if target.suffix.lower() in FOR_THE_EYE and image.state == State.LINEAR and not _stretches(steps):
        raise InputError(f"{target}: {_wants_a_stretch(target)}")
    further = {name: read(path) for name, path in frames.items()}
    for step in steps:
        image = step(image, *(further.get(name) for name in step.operation.frames))
    steps_made = image.history[len(image.history) - len(steps) :]
    inherited = read_story(source) if source.is_file() else None
    write(target, image, provenance=story_of_steps(source, frames, steps_made, inherited))


def _check_files(
    source: Path, target: Path, steps: Sequence[Step], frames: Mapping[str, Path], overwrite: bool
) -> None:
    taken = [name for step in steps for name in step.operation.frames]
    needed = {name for step in steps for name in step.operation.frames if name not in step.operation.optional}
    optional = set(taken) - needed
    for name in taken:
        if name not in frames and name not in optional:
            raise InputError(f"a {name} is needed: give it as --frame {name}=FILE")
    for name in frames:
        if name not in taken:
            raise SpecError(f"--frame {name}=...: none of the steps takes a {name}{nearest(name, taken)}")
    for path in (source, *frames.values()):
        if not path.exists() and "#" not in path.name:
            raise InputError(f"{path}: there is no such file")
    if target.exists():
        is_source = any(path.exists() and os.path.samefile(path, target) for path in (source, *frames.values()))
        if is_source and not overwrite:
            raise InputError(f"{target}: this is the input; give another name, or --overwrite to replace it")
        if not overwrite:
            raise InputError(f"{target}: exists already; give another name, or --overwrite to replace it")
    if not target.resolve().parent.is_dir():
        raise InputError(f"{target}: there is no folder {target.parent}; make it first")


def _stretches(steps: Sequence[Step]) -> bool:
    return any(step.gives == "stretched" for step in steps)


def _wants_a_stretch(target: Path) -> str:
    from firstlight.ops.registry import operations

    names = ", ".join(o.id for o in operations().values() if o.gives == "stretched")
    return (
        f"the image would still be linear, and {target.suffix} is for the eye: nearly all of it would be black; "
        f"add a stretch as the last step ({names}), or write .fits or .tif"
    )
