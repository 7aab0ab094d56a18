"""``firstlight library import``, ``export`` and ``history``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.io.targets import check_folder, check_target

if TYPE_CHECKING:
    from firstlight.library.store import Library

Opener = Callable[[Path | None], "Library"]


def add_commands(group: click.Group, opened: Opener, path_option: Callable[[Any], Any]) -> None:
    """Add the commands that bring masters in and out, and show how cameras age."""

    @group.command("import")
    @click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
    @path_option
    @click.option("--kind", type=click.Choice(["bias", "dark", "flat"]), help="What they are, where no header says.")
    @click.option("--camera", help="The camera, as your lights name it.")
    @click.option("--exposure", type=float, help="[s]")
    @click.option("--temperature", type=float, help="[degrees C]")
    @click.option("--gain", type=float, help="The camera's gain or ISO setting.")
    @click.option("--offset", type=float, help="The camera's offset setting.")
    @click.option("--filter", "filter_", help="Of flats.")
    @click.option("--frames", type=click.IntRange(min=1), help="How many frames each was made of.")
    @click.option("--holds-bias/--bias-free", default=None, help="Of darks: whether the bias is still in them.")
    def import_(files: tuple[Path, ...], path: Path | None, kind: str | None, holds_bias: bool | None,
                filter_: str | None, gain: float | None, **told: Any) -> None:  # fmt: skip
        """Take in masters that other programs made.

        What a header says counts; options fill what it lacks. Noise that the file does not carry is estimated from its
        pixels, and the master says so. The files themselves are only read.
        """
        from firstlight.library.transfer import Told, import_master
        from firstlight.model.meta import Kind

        given = Told(kind=None if kind is None else Kind(kind), gain_setting=gain, filter=filter_,
                     holds_bias=holds_bias, **told)  # fmt: skip
        library = opened(path)
        with library.lock(lambda words: click.echo(words, err=True)):
            for file in files:
                click.echo(f"{file} -> {import_master(library, file, given).name}")

    @group.command("export")
    @click.argument("names", nargs=-1, required=True)
    @click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the copies.")
    @click.option("--overwrite", is_flag=True, help="Replace files that are there.")
    @path_option
    def export(names: tuple[str, ...], output: Path, overwrite: bool, path: Path | None) -> None:
        """Copy masters out of the library.

        They are plain FITS, which any program reads. ALL stands for all that are usable.
        """
        from firstlight.library.transfer import export_masters

        check_folder(output)
        library = opened(path)
        chosen = library.usable() if names == ("ALL",) else [library.find(name) for name in names]
        written = export_masters(chosen, output, overwrite=overwrite)
        click.echo(f"{len(written)} masters in {output}")

    @group.command("history")
    @path_option
    @click.option("-o", "--output", type=click.Path(path_type=Path), help="Plots (.png, .pdf) or numbers (.csv).")
    @click.option("--camera", help="Only cameras whose name holds this.")
    def history(path: Path | None, output: Path | None, camera: str | None) -> None:
        """Show how cameras age: level, noise, hot pixels.

        Refused masters are part of it: a jump of the level shows when an offset was changed.
        """
        from firstlight.library.drift import history_words, series_of

        if output is not None:
            check_target(output, overwrite=True)
        library = opened(path)
        series = [s for s in series_of(library.entries()) if camera is None or camera.casefold() in s.camera.casefold()]
        click.echo(history_words(series) or f"{library.path}: no dated masters yet")
        if output is not None:
            from firstlight.pipeline.library_history import write_history

            click.echo(f"written: {write_history(series, output)}")
