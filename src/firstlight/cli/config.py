"""``firstlight config``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.tables import show_table
from firstlight.errors import InputError


@click.command("config")
@click.argument("session", type=click.Path(path_type=Path), required=False)
@click.option("--all", "everything", is_flag=True, help="Every option of `process`, not only those that a file gives.")
@click.option("--init", is_flag=True, help="Write your file with every option in it, each switched off.")
def command(session: Path | None, everything: bool, init: bool) -> dict[str, Any]:
    """Show every setting that a file gives, and which file wins.

    Weight, from the least: the defaults; your file (~/.config/firstlight/config.toml, or FIRSTLIGHT_CONFIG); a file
    firstlight.toml in the folder of SESSION; the recipe; --set; the options of the command line. The files are TOML and
    have the sections of a recipe: [session], [calibration], [stacking] ...
    """
    from firstlight.pipeline.configuration import configuration
    from firstlight.pipeline.configuration_files import BESIDE, user_file

    if init:
        return _init(user_file())
    if session is not None and not session.exists():
        raise InputError(f"{session}: no such file or folder; give a session, or none for your own file")
    found = configuration(session)
    places = [user_file()] + ([] if session is None else [(session if session.is_dir() else session.parent) / BESIDE])
    for path in places:
        click.echo(f"{path}: {'read' if path in found.files else 'not there'}")
    rows = _rows(found, everything)
    if rows:
        show_table(("option", "value", "from", "instead of"), rows)
    elif not everything:
        click.echo("No file gives a setting: all are at their defaults (--all lists them).")
    return {
        "files": [str(path) for path in found.files],
        "options": [dict(zip(("option", "value", "from", "instead_of"), row)) for row in rows],
    }


def _rows(found: Any, everything: bool) -> list[tuple[str, str, str, str]]:
    from firstlight.pipeline.configuration import MODELS, has_option
    from firstlight.pipeline.recipe_text import as_toml
    from firstlight.pipeline.settings import Settings

    rows = []
    origins = found.origins()
    for (section, option), origin in origins.items():
        name = f"{section}.{option}" if section else option
        beaten = [each for each in found.given if (each.section, each.option) == (section, option)][:-1]
        model = next(m for m in MODELS if has_option(m, section, option))
        default = model().model_dump()
        default = default.get(option) if section == "" else default[section].get(option)
        instead = "; ".join([*(f"{as_toml(b.value)} ({b.place})" for b in beaten), f"{as_toml(default)} (default)"])
        rows.append((name, as_toml(origin.value), origin.place, instead))
    if everything:
        for section, value in Settings().model_dump().items():
            options = value if isinstance(value, dict) else {section: value}
            for option, plain in options.items():
                key = (section if isinstance(value, dict) else "", option)
                if key not in origins:
                    rows.append((".".join(filter(None, key)), as_toml(plain), "default", ""))
    return sorted(rows)


def _init(path: Path) -> dict[str, Any]:
    from firstlight.io.atomic import atomic_path
    from firstlight.pipeline.recipe_text import every_option

    if path.exists():
        raise InputError(f"{path}: exists already; edit it, or move it away first")
    body = every_option().partition("\n\n")[2].partition("# [[then]]")[0]
    head = "# For all your sessions; a firstlight.toml beside the frames and the command line go before it.\n"
    with atomic_path(path) as temporary:
        Path(temporary).write_text(head + body, encoding="utf-8")
    click.echo(f"Written: {path}.")
    return {"file": str(path)}
