"""``firstlight apply``, and what it shares with operations as commands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from firstlight.errors import InputError, SpecError, nearest
from firstlight.io.targets import FITS, PICTURES, check_target

if TYPE_CHECKING:
    from firstlight.ops.spec import Step

FOR_THE_EYE = (".png", ".jpg", ".jpeg")


@click.command("apply")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.argument("steps", metavar="STEP...", nargs=-1)
@click.option("--chain", "chain", metavar="FILE", type=click.Path(path_type=Path),
              help="A TOML file with steps = [...]; those of the command line come after them.")  # fmt: skip
@click.option(
    "--frame", "frames", metavar="NAME=FILE", multiple=True,
    help="A further image that a step takes, such as bias=master_bias.fits; may be given several times.",
)  # fmt: skip
@click.option("--preview", is_flag=True, help="Work on the image at a reduced size: a look at once.")
@click.option("--compare", metavar="PNG", type=click.Path(path_type=Path),
              help="Write a picture of before and after, side by side, too.")  # fmt: skip
@click.option("--bands", is_flag=True,
              help="Band by band, in little memory; large FITS files are done so by themselves.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def command(
    source: Path,
    target: Path,
    steps: tuple[str, ...],
    chain: Path | None,
    frames: tuple[str, ...],
    preview: bool,
    compare: Path | None,
    bands: bool,
    overwrite: bool,
) -> None:
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

    texts = list(steps)
    if chain is not None:
        from firstlight.io.chain_file import read_chain

        texts = [*read_chain(chain), *texts]
    if not texts:
        raise InputError("apply: no steps; name at least one, or a file of them with --chain")
    parsed = [parse_step(text) for text in texts]
    if compare is not None:
        check_target(compare, [source], overwrite=overwrite, endings=PICTURES)
        if compare.absolute() == target.absolute():
            raise InputError(f"--compare {compare}: this is OUT; give another name")
    if preview:
        _preview(source, target, parsed, compare, overwrite)
        return
    apply_steps(source, target, parsed, named_frames(frames), overwrite, bands=bands)
    if compare is not None:
        from firstlight.pipeline.picture import write_comparison

        write_comparison(compare, source, target)


def _preview(source: Path, target: Path, steps: Sequence[Step], compare: Path | None, overwrite: bool) -> None:
    """The chain on a reduced image; its picture is stretched if the chain does not."""
    check_files(source, target, steps, {}, overwrite)
    from firstlight.io.write import write
    from firstlight.pipeline.hands import hands
    from firstlight.pipeline.picture import for_the_eye, write_side_by_side
    from firstlight.pipeline.preview import preview

    with hands():
        before, after = preview(source, steps)
    write(target, for_the_eye(after) if target.suffix.lower() in FOR_THE_EYE else after)
    if compare is not None:
        write_side_by_side(compare, before, after)


def named_frames(frames: Sequence[str]) -> dict[str, Path]:
    found = {}
    for text in frames:
        name, separator, path = text.partition("=")
        if not separator or not path:
            raise InputError(f"--frame {text!r}: write NAME=FILE, such as bias=master_bias.fits")
        found[name] = Path(path)
    return found


LARGE = 100_000_000
"""Bytes of float32 pixels from which FITS files are done band by band, if the steps allow.

24 Mpx in three channels then take a quarter of the memory (0.4 GB for a gradient in place of 1.6) and a third less of
CPU time than as a whole.
"""


def apply_steps(
    source: Path, target: Path, steps: Sequence[Step], frames: Mapping[str, Path], overwrite: bool, *,
    bands: bool = False,
) -> None:  # fmt: skip
    """Read, apply, write; everything that can be known beforehand is checked beforehand.

    Raises
    ------
    InputError
        A file is missing or in the way, a frame that a step takes was not given, or the result would be linear in a
        format for the eye.
    """
    check_files(source, target, steps, frames, overwrite)
    # numpy, the readers and the compiler are loaded only once everything said has been found right.
    from firstlight.io.read import read
    from firstlight.io.story import read_story
    from firstlight.io.write import write
    from firstlight.model.image import State
    from firstlight.pipeline.hands import hands
    from firstlight.pipeline.story import story_of_steps

    if _in_bands(source, target, steps, frames, bands):
        return
    image = read(source)
    if target.suffix.lower() in FOR_THE_EYE and image.state == State.LINEAR and not _stretches(steps):
        refuse_linear(target)
    further = {name: read(path) for name, path in frames.items()}
    with hands():
        for step in steps:
            image = step(image, *(further.get(name) for name in step.operation.frames))
    steps_made = image.history[len(image.history) - len(steps) :]
    inherited = read_story(source) if source.is_file() else None
    write(target, image, provenance=story_of_steps(source, frames, steps_made, inherited))


def check_files(source: Path, target: Path, steps: Sequence[Step], frames: Mapping[str, Path], overwrite: bool) -> None:
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
    check_target(target, [source, *frames.values()], overwrite=overwrite, endings=(*FITS, *PICTURES))


def _in_bands(source: Path, target: Path, steps: Sequence[Step], frames: Collection[str], asked: bool) -> bool:
    """Do it band by band, if that can be and is worth it, or was asked for.

    Raises
    ------
    InputError
        It was asked for and cannot be.
    """
    from firstlight.pipeline.bands import FileSource, apply_to_file, in_the_way

    whole = in_the_way(steps, frames)
    why = None
    if target.suffix.lower() not in (".fits", ".fit", ".fts"):
        why = f"{target}: only FITS is written band by band; give a name that ends in .fits"
    elif whole is not None:
        why = f"{whole.operation.id}: looks at the whole frame, or takes further ones; it cannot be done band by band"
    found = None if why else FileSource.of(source)
    if why is None and found is None:
        why = f"{source}: is compressed, or no plain FITS or TIFF, so that it must be read as a whole"
    if asked and why:
        raise InputError(why)
    if found is None or not (asked or 4 * found.shape[0] * found.shape[1] * found.shape[2] >= LARGE):
        return False
    from firstlight.io.story import read_story
    from firstlight.pipeline.executors import thread_count, thread_pool
    from firstlight.pipeline.story import story_of_steps

    story = story_of_steps(source, {}, [each.pinned() for each in steps], read_story(source))
    with thread_pool() as pool:
        apply_to_file(found, target, steps, pool, thread_count(), story)
    return True


def _stretches(steps: Sequence[Step]) -> bool:
    return any(step.gives == "stretched" for step in steps)


def refuse_linear(target: Path, steps: str = "step") -> None:
    """Say that a linear image shall not become a picture for the eye; ``steps``: what the command calls them."""
    from firstlight.ops.registry import operations

    names = ", ".join(o.id for o in operations().values() if o.family == "stretch")
    raise InputError(
        f"{target}: the image would still be linear, and {target.suffix} is for the eye: nearly all of it would be "
        f"black; add a stretch as the last {steps} ({names}), or write .fits or .tif"
    )
