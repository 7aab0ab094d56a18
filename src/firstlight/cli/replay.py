"""``firstlight replay``."""

from __future__ import annotations

from pathlib import Path

import click

from firstlight.errors import InputError
from firstlight.io.targets import FITS, PICTURES, check_target


@click.command("replay")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--from", "source", metavar="SOURCE", type=click.Path(path_type=Path),
              help="The image that the steps are applied to.  [default: what FILE says]")  # fmt: skip
@click.option("--until", metavar="N", type=int, help="Stop after step N of `firstlight history FILE`; 0: none.")
@click.option("--without", metavar="N", type=int, multiple=True, help="Leave step N out; may be given several times.")
@click.option("--frame", "frames", metavar="NAME=FILE", multiple=True, help="A further image that a step takes.")
@click.option("--any-version", is_flag=True,
              help="Do steps of another version of firstlight as they are today; their pixels may differ.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
def command(
    path: Path,
    target: Path,
    source: Path | None,
    until: int | None,
    without: tuple[int, ...],
    frames: tuple[str, ...],
    any_version: bool,
    overwrite: bool,
) -> None:
    """Apply the steps of a file again: to undo some, or to treat another image alike.

    \b
    firstlight replay picture.fits earlier.fits --from stack.fits --until 2
    firstlight replay picture.fits other.fits --from other_stack.fits
    """
    from firstlight.cli.apply import named_frames
    from firstlight.io.story import read_story
    from firstlight.io.write import write
    from firstlight.pipeline.hands import hands
    from firstlight.pipeline.replay import frames_of, history_of_file, replay, source_of
    from firstlight.pipeline.story import story_of_steps

    for each in (path, *([source] if source else [])):
        if not each.exists():
            raise InputError(f"{each}: there is no such file")
    check_target(target, [path, *([source] if source else [])], overwrite=overwrite, endings=(*FITS, *PICTURES))
    length = len(history_of_file(path))
    source = source or source_of(path, min([length if until is None else until, *(number - 1 for number in without)]))
    check_target(target, [source], overwrite=overwrite)
    given = named_frames(frames) or frames_of(path)
    with hands():
        image, done = replay(path, source, until=until, without=without, frames=given, any_version=any_version)
    taken = {name: each for name, each in given.items() if any(name in s.operation.frames for s in done)}
    steps = image.history[len(image.history) - len(done) :]
    write(target, image, provenance=story_of_steps(source, taken, steps, read_story(source)))
    click.echo(f"{target}: {len(image.history)} step(s)")
