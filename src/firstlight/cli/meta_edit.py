"""``firstlight meta edit``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.settings import options_of, settings_from
from firstlight.errors import InputError, SpecError
from firstlight.io.targets import check_folder
from firstlight.ops.meta.facts import Facts

if TYPE_CHECKING:
    from firstlight.io.edit_header import Change
    from firstlight.pipeline.edit_files import Job


@click.command("edit")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--set", "set_", metavar="KEY=VALUE", multiple=True, help="Give a keyword this value; it may be new.")
@click.option("--add", metavar="KEY=VALUE", multiple=True, help="The same, only where the header has no such value.")
@click.option("--remove", metavar="KEY", multiple=True, help="Remove a keyword.")
@click.option(
    "--fill", is_flag=True,
    help="Write what is known beside the header (file name, metadata.csv, site and telescope, the options below) and "
    "airmass, altitude, Moon and BJD, where the header has nothing.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the changed copies.")
@click.option(
    "--in-place", is_flag=True, help="Change the files themselves; each one's original stays as NAME.original."
)
@click.option("--restore", is_flag=True, help="Bring the originals of files changed in place back.")
@click.option("--all", "show_all", is_flag=True, help="Tell the changes of every file, not only of the first.")
@click.option("--overwrite", is_flag=True, help="Copies may replace files in the folder.")
@options_of(Facts)
def command(
    files: tuple[Path, ...], set_: tuple[str, ...], add: tuple[str, ...], remove: tuple[str, ...], fill: bool,
    output: Path | None, in_place: bool, restore: bool, overwrite: bool, show_all: bool, **options: Any,
) -> int:  # fmt: skip
    """Change keywords of FITS files.

    Without -o or --in-place it only says what would change. KEY is a keyword (FILTER) or a word of `firstlight info`
    (target, exposure, gain). Values are numbers, T or F, or text; 'quotes' make a number text. Numbers, dates and
    angles of known keywords are checked. Pixels and all other cards stay byte for byte, each change is told in HISTORY,
    checksums are made right. What says how the pixels are stored cannot be changed. Of an image whose colours lie in
    extensions of their own, all headers are changed.

    \b
    firstlight meta edit flats/ --set FILTER=Ha --set IMAGETYP="Flat Field"
    firstlight meta edit lights/ --set target="M 31" --remove SWOWNER -o renamed/
    firstlight meta edit lights/ --fill --site T31 --observer "Jane Doe" -o complete/
    """
    from firstlight.pipeline.edit_files import plan_edits, write_edits
    from firstlight.pipeline.edit_files import restore as bring_back

    if restore:
        if set_ or add or remove or fill or output or in_place:
            raise InputError("--restore: stands alone; it brings the files back as they were")
        click.echo(f"Restored: {', '.join(str(path) for path in bring_back(files))}")
        return 0
    if output is not None and in_place:
        raise InputError("--output and --in-place exclude one another; give one of them")
    if output is not None:
        check_folder(output)
    changes = changes_of(set_, add, remove)
    if not changes and not fill:
        raise InputError("nothing to change: give --set KEY=VALUE, --add, --remove or --fill")
    jobs = plan_edits(files, changes, facts=settings_from(options, Facts), fill=fill, output=output)
    if not jobs:
        raise InputError(f"{files[0]}: no frames in this folder")
    _say(jobs, None if show_all else SHOWN)
    if output is None and not in_place:
        click.echo("Nothing was written: give -o FOLDER for changed copies, or --in-place.")
    else:
        written = write_edits(jobs, overwrite=overwrite)
        where = f"into {output}" if output is not None else "in place; their originals end in .original"
        click.echo(f"{len(written)} file{'' if len(written) == 1 else 's'} written {where}.")
    return 2 if any(job.edit is None for job in jobs) else 0


def changes_of(set_: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> list[Change]:
    """Changes from what the options say.

    Raises
    ------
    SpecError
        No KEY=VALUE.
    InputError
        No keyword, or one that says how the pixels are stored; a value that the keyword cannot have.
    """
    from firstlight.io.edit_header import Change
    from firstlight.io.keyword_values import value_of
    from firstlight.io.side_files import keyword_of

    changes = [Change(keyword_of(key)) for key in remove]
    for texts, only_missing in ((add, True), (set_, False)):
        for text in texts:
            key, equals, value = text.partition("=")
            if not equals or not key.strip():
                raise SpecError(f"{text!r}: write KEY=VALUE, such as FILTER=Ha")
            keyword = keyword_of(key)
            changes.append(Change(keyword, value_of(keyword, value), if_missing=only_missing))
    return changes


SHOWN = 5
"""Groups of files with changes of their own that are told before the rest is only counted."""


def _say(jobs: Sequence[Job], most: int | None) -> None:
    """What changes, alike changes of several files once."""
    from firstlight.cli.errors import say_error

    alike: dict[tuple[str, ...], list[str]] = {}
    for job in jobs:
        if job.edit is None:
            say_error(job.problem)
        else:
            alike.setdefault(tuple(map(str, job.edit.done)), []).append(job.path.name)
    common = Counter(line for lines, names in alike.items() for line in lines for _ in names)
    total = sum(len(names) for names in alike.values())
    everywhere = [line for line, count in common.items() if count == total and total > 1]
    if everywhere:
        click.echo(f"all {total} files:")
        for line in everywhere:
            click.echo(f"  {line}")
    groups = list(alike.items())
    for lines, names in groups[:most]:
        rest = [line for line in lines if line not in everywhere]
        if rest or not lines:
            click.echo(names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more:")
            for line in rest:
                click.echo(f"  {line}")
            if not lines:
                click.echo("  nothing changes")
    if most is not None and len(groups) > most:
        hidden = groups[most:]
        keys = dict.fromkeys(line.split()[0] for lines, _ in hidden for line in lines if line not in everywhere)
        count = sum(len(names) for _, names in hidden)
        click.echo(f"{count} more files: {', '.join(keys) or 'nothing changes'} (--all tells each)")
