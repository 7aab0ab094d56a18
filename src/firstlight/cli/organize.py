"""``firstlight organize``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import options_of, settings_from
from firstlight.cli.tables import plain_table, show_table
from firstlight.errors import SpecError
from firstlight.io.targets import check_folder
from firstlight.ops.meta.facts import Facts

if TYPE_CHECKING:
    from firstlight.pipeline.organize import Sorting

SHOWN = 20
"""Files listed before the rest is only counted."""


@click.command("organize")
@click.argument("sources", metavar="SOURCE... FOLDER", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--by", default="night,object,filter", show_default=True,
    help="Levels of folders: night, object, kind, filter, exposure, camera, telescope, site, observer.",
)  # fmt: skip
@click.option(
    "--link", type=click.Choice(["hard", "symbolic", "copy"]), default="hard", show_default=True,
    help="How the files come there. Hard links take no room and outlive the original's name.",
)  # fmt: skip
@click.option(
    "--names", type=click.Choice(["canonical", "original"]), default="canonical", show_default=True,
    help="Canonical: kind, object, filter, exposure, start and the first letters of the content's SHA-256.",
)  # fmt: skip
@click.option(
    "--only", metavar="LEVEL=VALUE", multiple=True,
    help="Take only such frames: --only object=M31 --only kind=lights; may be given several times.",
)  # fmt: skip
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be made, and make nothing.")
@click.option("--all", "show_all", is_flag=True, help="List every file, not only the first of them.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@options_of(Facts)
def command(
    sources: tuple[Path, ...], by: str, link: Any, names: Any, only: tuple[str, ...], dry_run: bool, show_all: bool,
    quiet: bool, **options: Any,
) -> int:  # fmt: skip
    """Sort frames into a collection: folders by night, object and filter.

    The last argument is the collection, new or there already: links to the frames, or copies. A content that it holds
    is not taken twice. Nothing is ever overwritten, and the sources stay as they are. A night lasts from noon to noon
    by the Sun of the site. What only names, side files or options tell of a frame goes into the collection's
    metadata.csv. Its record, collection.json, lists objects, filters, exposures and where each file came from;
    `firstlight clear FOLDER` takes the collection away again.

    \b
    firstlight organize ~/Downloads/night1 ~/astro/collection --dry-run
    firstlight organize card/DCIM deliveries/ ~/astro/collection --link copy
    firstlight process ~/astro/collection/2026-01-17
    """
    from firstlight.pipeline.collection import read_record, summary_rows
    from firstlight.pipeline.organize import carry_out, plan_sorting

    if len(sources) < 2:
        raise click.UsageError("give what to sort and, last, the folder of the collection", click.get_current_context())
    *given, folder = sources
    if not dry_run:
        check_folder(folder)
    progress = TerminalProgress(quiet)
    sorting = plan_sorting(
        given, folder, by=[level.strip() for level in by.split(",") if level.strip()], names=names, link=link,
        only=_only(only), facts=settings_from(options, Facts), progress=progress,
    )  # fmt: skip
    _say(sorting, None if show_all else SHOWN)
    if dry_run:
        click.echo("Nothing was made (--dry-run).")
    else:
        carry_out(sorting, progress)
        made = {"hard": "hard links", "symbolic": "symbolic links", "copy": "copies"}[link]
        click.echo(f"{len(sorting.new)} {made} made in {folder}; it holds:")
        show_table(("night", "object", "filter", "files", "light"), list(summary_rows(read_record(folder))))
    return 2 if sorting.broken else 0


def _only(texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        level, equals, value = text.partition("=")
        if not equals or not value:
            raise SpecError(f"--only {text!r}: write LEVEL=VALUE, such as object=M31")
        found[level.strip()] = value.strip()
    return found


def _say(sorting: Sorting, most: int | None) -> None:
    rows = [(Path(entry.source).name, entry.path) for entry in sorting.new]
    if rows:
        click.echo(plain_table([(a, f"-> {b}") for a, b in rows[:most]]))
        if most is not None and len(rows) > most:
            click.echo(f"... and {len(rows) - most} more (--all lists them)")
    if sorting.there:
        click.echo(f"{len(sorting.there)} files are in the collection already.")
    for path, other in sorting.twins[:most]:
        click.echo(f"{path}: has the content of {other}; not taken twice")
    for _, reason in sorting.broken:
        click.echo(f"set aside: {reason}", err=True)
    for note in sorting.notes:
        click.echo(f"note: {note}", err=True)
