"""``firstlight library``: the calibration library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.errors import NOTHING, WRONG_INPUT
from firstlight.cli.library_transfer import add_commands
from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import options_of, settings_from
from firstlight.cli.tables import show_table
from firstlight.errors import InputError
from firstlight.pipeline.library_build import BuildSettings

if TYPE_CHECKING:
    from firstlight.library.store import Library
    from firstlight.pipeline.library_build import BuildResult

_path = click.option(
    "--path",
    type=click.Path(path_type=Path),
    help="Folder of the library; default FIRSTLIGHT_LIBRARY, else firstlight/library among your data.",
)
_quiet = click.option("-q", "--quiet", is_flag=True, help="No progress.")
_sources = click.option(
    "-s", "--sources", multiple=True, required=True, type=click.Path(path_type=Path),
    help="Folder of calibration frames, searched with all below it; may be given again.",
)  # fmt: skip


def _library(path: Path | None) -> Library:
    from firstlight.library.store import Library, default_folder

    return Library(path.expanduser() if path is not None else default_folder())


@click.group("library")
def command() -> None:
    """Keep calibration masters, and let every session use those that fit.

    \b
    firstlight library build -s DARKS -s BIAS    make the masters that are missing
    firstlight library list                      what there is
    firstlight plan SESSION                      which of them each light gets, and why

    A master is a FITS file that names its frames with their hashes; the library is a folder of them. `process`, `plan`
    and `live` use your own library unless told otherwise (--library FOLDER, --library none).
    """


@command.command("build")
@_sources
@_path
@_quiet
@options_of(BuildSettings)
def build(sources: tuple[Path, ...], path: Path | None, quiet: bool, **options: Any) -> None:
    """Make the masters that the library lacks.

    Frames are sorted by header alone: camera, serial number, size, sub-frame, binning, CFA, gain, offset, readout mode,
    exposure, temperature, filter, telescope, calibration done before, and time. Frames that are unlike the others of
    their set (light in a dark, another level) are left out and named. A new master is compared with the last one of its
    settings: if more than 5 % of its pixels differ by more than 6 sigma it is kept, but not used, until --accept.

    No master is ever deleted. May be interrupted at any moment; run again, it goes on.
    """
    _build(_library(path), list(sources), settings_from(options, BuildSettings), quiet)


@command.command("update")
@_path
@_quiet
@options_of(BuildSettings)
def update(path: Path | None, quiet: bool, **options: Any) -> None:
    """Build again from all sources ever given.

    Masters that have new frames are remade; the older ones stay.
    """
    from firstlight.errors import InputError

    library = _library(path)
    known = library.sources()
    if not known:
        raise InputError(f"{library.path}: no sources are remembered; firstlight library build -s FOLDER comes first")
    there = [p for p in known if p.exists()]
    for gone in sorted(set(known) - set(there)):
        click.echo(f"{gone}: is not there now; the masters made of it stay.")
    options["set____refresh"] = True
    _build(library, there, settings_from(options, BuildSettings), quiet)


def _build(library: Library, sources: list[Path], settings: BuildSettings, quiet: bool) -> None:
    from firstlight.pipeline.library_build import build_library

    result = build_library(library, sources, settings, TerminalProgress(quiet))
    click.echo(build_summary(result))
    if not result.n_frames:
        click.echo(f"No bias frame, dark or flat in {', '.join(map(str, sources))}.", err=True)
    if not (result.made or result.standing):
        if result.failed:
            click.get_current_context().exit(NOTHING)
        if not result.n_frames:
            click.get_current_context().exit(WRONG_INPUT)


def build_summary(result: BuildResult) -> str:
    """What a build came to, in words."""
    lines = [f"Library {result.library}: {result.n_frames} calibration frames in the sources"]
    for head, rows in (
        ("Made", result.made),
        ("Refused, too unlike the last one (--accept takes them)", result.refused),
        ("Have new or changed frames (--refresh remakes them)", result.waiting),
        ("Not made", result.skipped),
        ("Failed", result.failed),
    ):
        if rows:
            lines.append(f"{head} ({len(rows)}):")
            lines += [f"  {name}: {words.removeprefix(name + ': ')}" for name, words in rows]
    if result.set_aside:
        lines.append(f"Frames set aside ({len(result.set_aside)}):")
        lines += [
            f"  {Path(path).name}: {reason.removeprefix(Path(path).name + ': ')}"
            for path, reason in sorted(result.set_aside.items())
        ]
    lines += [f"Note: {words}" for words in dict.fromkeys(result.odd)]
    waiting = {name for name, _ in result.waiting}
    standing = len([name for name in result.standing if name not in waiting])
    lines.append(f"{len(result.made)} made, {standing} were there already.")
    return "\n".join(lines)


@command.command("list")
@_path
@click.option("--kind", type=click.Choice(["bias", "dark", "flat"]), help="Only these.")
@click.option("--camera", help="Only cameras whose name holds this.")
def list_(path: Path | None, kind: str | None, camera: str | None) -> None:
    """List the masters."""
    from firstlight.library.describe import HEADS, list_rows

    library = _library(path)
    entries = library.entries()
    chosen = [
        e for e in entries
        if (kind is None or e.kind == kind)
        and (camera is None or camera.casefold() in (e.frame.meta.camera or "").casefold())
    ]  # fmt: skip
    if chosen:
        show_table(HEADS, list_rows(chosen))
    _say_state(library, len(chosen))


def _say_state(library: Library, shown: int) -> None:
    counts = Counter(e.kind.value for e in library.known)
    words = ", ".join(f"{n} {kind}" for kind, n in counts.items()) or "no masters yet"
    click.echo(f"{library.path}: {words}" + (f"; {shown} listed" if shown != sum(counts.values()) else ""))
    for _, reason in library.damaged:
        click.echo(f"not usable: {reason}")


@command.command("show")
@click.argument("name")
@_path
def show(name: str, path: Path | None) -> None:
    """Tell all of one master.

    Settings, noise, hot pixels, its frames with their hashes, what was left out of it and why.
    """
    from firstlight.library.describe import describe

    click.echo(describe(_library(path).find(name)))


@command.command("classify")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@_path
@_quiet
def classify(sources: tuple[Path, ...], path: Path | None, quiet: bool) -> None:
    """Say which sets frames fall into, and why.

    What decided the kind of each, the key of each set, and whether the library has it. Makes nothing.
    """
    from firstlight.pipeline.library_build import describe_sources

    click.echo(describe_sources(_library(path), list(sources), TerminalProgress(quiet)))


@command.command("verify")
@_path
def verify(path: Path | None) -> None:
    """Compare every byte with the checksums.

    Raw frames that have changed since a master was made of them are told too.
    """
    library = _library(path)
    if not library.path.is_dir():
        # Of a disk that is not there, no problem would be found.
        raise InputError(f"{library.path}: there is no library here; --path FOLDER names one")
    problems, n = library.verify()
    for problem in problems:
        click.echo(problem)
    click.echo(f"{library.path}: {n} masters, {len(problems)} problems")
    if problems:
        click.get_current_context().exit(1)


@command.command("remove")
@click.argument("names", nargs=-1, required=True)
@_path
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(names: tuple[str, ...], path: Path | None, yes: bool) -> None:
    """Delete masters; asks first.

    Shows what will go. The raw frames are never touched.
    """
    from firstlight.library.describe import settings_words

    library = _library(path)
    found = [library.find(name) for name in names]
    for entry in found:
        click.echo(f"{entry.frame.path} (master {entry.kind}, {settings_words(entry)}, {entry.n_frames} frames)")
    if not yes:
        click.confirm(f"Delete {'this file' if len(found) == 1 else f'these {len(found)} files'}?", abort=True)
    with library.lock(_say):
        for entry in found:
            entry.frame.path.unlink(missing_ok=True)
    click.echo(f"{len(found)} removed.")


_say: Callable[[str], None] = lambda words: click.echo(words, err=True)  # noqa: E731

add_commands(command, _library, _path)
