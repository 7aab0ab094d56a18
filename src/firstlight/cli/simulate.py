"""``firstlight simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.errors import SpecError, nearest
from firstlight.io.targets import check_folder

if TYPE_CHECKING:
    from firstlight.simulate.settings import Night


@click.command("simulate")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--preset", "name", metavar="NAME", default="demo", show_default=True, help="The night: one of --list.")
@click.option("--seed", type=click.IntRange(min=0), help="The same seed gives the same bytes.  [default: 1]")
@click.option(
    "--set", "changes", metavar="KEY=VALUE", multiple=True,
    help="Change a setting of the night, such as n_lights=8 or camera.width=800; may be given several times.",
)  # fmt: skip
@click.option("--list", "show", is_flag=True, is_eager=True, expose_value=False, callback=lambda c, p, v: _list(c, v),
              help="List the nights and their settings.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the summary.")
def command(folder: Path, name: str, seed: int | None, changes: tuple[str, ...], quiet: bool) -> None:
    """Write a simulated night of raw frames, and the truth beside it.

    FOLDER must be new or empty, or hold an earlier simulated night. It gets Lights, Darks, Flats and Bias as a camera
    would leave them, and in .truth the stars, transforms and noise-free sky behind them.

    \b
    firstlight simulate night --preset demo
    firstlight simulate small --preset tiny --seed 7 --set n_lights=4 --set camera.cfa=RGGB
    """
    from firstlight.simulate.night import simulate
    from firstlight.simulate.settings import preset

    night = changed(preset(name), changes if seed is None else (*changes, f"seed={seed}"))
    check_folder(folder)
    truth = _with_progress(simulate, folder, night, quiet)
    counts: dict[str, int] = {}
    for frame in truth.frames:
        counts[str(frame.kind)] = counts.get(str(frame.kind), 0) + 1
    said = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    click.echo(f"{folder}: {said}; {night.camera.width} x {night.camera.height} px; the truth is in {folder}/.truth")


PAIRS = "panels"
"""The setting that is a list of pairs: x/y,x/y."""


def changed(night: Night, changes: tuple[str, ...]) -> Night:
    """The night with settings changed by ``key=value`` texts; a dot leads into its parts.

    Raises
    ------
    SpecError
        A setting does not exist or its value is not allowed.
    """
    from pydantic import ValidationError

    values: dict[str, Any] = night.model_dump()
    for text in changes:
        key, separator, value = text.partition("=")
        if not separator:
            raise SpecError(f"--set {text!r}: write KEY=VALUE, such as n_lights=8")
        *path, last = key.strip().split(".")
        place = values
        for part in path:
            place = place.get(part) if isinstance(place.get(part), dict) else _unknown(key, part, place)
        if last not in place:
            _unknown(key, last, place)
        if isinstance(place[last], (tuple, list)):
            parts = tuple(filter(None, value.split(",")))
            place[last] = tuple(tuple(part.split("/")) for part in parts) if key.strip() == PAIRS else parts
        else:
            place[last] = value
    try:
        return type(night).model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SpecError(f"--set {where}={first['input']}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


def _unknown(key: str, part: str, place: dict[str, Any]) -> Any:
    raise SpecError(f"--set {key}=...: there is no setting {part!r}{nearest(part, place)}; --list shows them all")


def _with_progress(simulate: Any, folder: Path, night: Night, quiet: bool) -> Any:
    from firstlight.cli.progress import TerminalProgress

    progress = TerminalProgress(quiet)
    written = 0

    def on_frame(done: int, total: int) -> None:
        nonlocal written
        if written == 0:
            progress.begin("simulate", total, "frames")
        progress.advance(max(done - written, 0))
        written = max(written, done)

    try:
        return simulate(folder, night, on_frame=on_frame)
    finally:
        progress.end()


def _list(context: click.Context, wanted: bool) -> None:
    if not wanted:
        return
    from firstlight.cli.tables import show_table
    from firstlight.ops.field_texts import field_texts
    from firstlight.simulate.settings import PRESETS
    from firstlight.units import unit_of

    rows = [
        (name, f"{night.n_lights} lights of {night.camera.width} x {night.camera.height} px"
         + (f", {night.camera.cfa}" if night.camera.cfa else ", mono"), night.target)
        for name, night in PRESETS.items()
    ]  # fmt: skip
    show_table(("preset", "frames", "target"), rows)
    settings = []
    night = next(iter(PRESETS.values()))
    for key, field in type(night).model_fields.items():
        part = getattr(night, key)
        inner = getattr(type(part), "model_fields", None)
        texts = field_texts(type(night) if inner is None else type(part))
        for prefix, one in {key: field}.items() if inner is None else inner.items():
            name = prefix if inner is None else f"{key}.{prefix}"
            settings.append((name, unit_of(one), " ".join(texts.get(prefix, "").split())))
    show_table(("setting", "unit", "meaning"), settings)
    context.exit()
