"""``firstlight recipe``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.answer import tell
from firstlight.cli.errors import NOTHING
from firstlight.cli.progress import TerminalProgress
from firstlight.cli.settings import settings_from
from firstlight.cli.tables import show_table
from firstlight.errors import InputError
from firstlight.io.targets import check_target

if TYPE_CHECKING:
    from firstlight.pipeline.recipe import Recipe
    from firstlight.pipeline.recipe_run import RecipeResult

CHANGES = click.option(
    "--set", "changes", metavar="SECTION.OPTION=VALUE", multiple=True,
    help="Change one option of the recipe, such as stack.rejection=linearfit; may be given several times.",
)  # fmt: skip


@click.group("recipe")
def command() -> None:
    """Recipes: all that is done with a night, in one file.

    \b
    firstlight recipe list
    firstlight recipe show astrophoto-osc
    firstlight recipe new mine.toml --like astrophoto-osc
    firstlight recipe check mine.toml
    firstlight recipe run mine.toml SESSION
    """


@command.command("list")
def list_recipes() -> list[dict[str, str]]:
    """List the recipes that come with firstlight, and your own."""
    from firstlight.pipeline.recipe import known_recipes, load_recipe

    rows = []
    for name, path in known_recipes().items():
        try:
            about = load_recipe(name).about
        except InputError as error:
            about = f"cannot be used: {error}"
        rows.append((name, "yours" if path else "built in", about))
    show_table(("recipe", "", "what it is for"), rows)
    return [{"name": name, "whose": whose, "about": about} for name, whose, about in rows]


@command.command("show")
@click.argument("name", metavar="RECIPE")
@CHANGES
def show(name: str, changes: tuple[str, ...]) -> dict[str, Any]:
    """Print a recipe: its text as it stands, or with --set what it becomes."""
    from firstlight.pipeline.recipe import load_recipe
    from firstlight.pipeline.recipe_text import recipe_as_toml

    recipe = load_recipe(name, changes)
    click.echo((recipe_as_toml(recipe) if changes else recipe.text).rstrip())
    return _as_record(recipe)


@command.command("new")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--like", default="", metavar="RECIPE", help="Start from this recipe; without, every option is listed.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@CHANGES
def new(file: Path, like: str, overwrite: bool, changes: tuple[str, ...]) -> dict[str, str]:
    """Write a recipe to begin with.

    With a bare name it becomes one of your own, known by that name; with a path (mine.toml) it is written there.
    """
    from firstlight.io.atomic import atomic_path
    from firstlight.pipeline.recipe import load_recipe, own_folder
    from firstlight.pipeline.recipe_text import every_option, recipe_as_toml

    target = file if file.suffix == ".toml" or len(file.parts) > 1 else own_folder() / f"{file}.toml"
    check_target(target, overwrite=overwrite)
    if like:
        recipe = load_recipe(like, changes)
        text = recipe_as_toml(recipe) if changes else recipe.text
    else:
        text = every_option(changes)
    with atomic_path(target) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")
    click.echo(f"Written: {target}. `firstlight recipe check {target}` tells whether it is right.")
    return {"file": str(target)}


@command.command("check")
@click.argument("name", metavar="RECIPE")
@CHANGES
def check(name: str, changes: tuple[str, ...]) -> dict[str, Any]:
    """Say whether a recipe is right; if not, in which line and what is meant."""
    from firstlight.pipeline.recipe import load_recipe

    recipe = load_recipe(name, changes)
    steps = f", {len(recipe.steps)} steps after the session" if recipe.steps else ""
    click.echo(f"{recipe.source}: right{steps}.")
    return _as_record(recipe)


@command.command("explain")
@click.argument("name", metavar="RECIPE")
@CHANGES
def explain(name: str, changes: tuple[str, ...]) -> dict[str, Any]:
    """Say in sentences what a recipe does, and which of its options differ from the defaults."""
    from firstlight.pipeline.recipe import load_recipe
    from firstlight.pipeline.recipe_text import explain_recipe

    recipe = load_recipe(name, changes)
    click.echo(explain_recipe(recipe))
    return _as_record(recipe)


@command.command("run")
@click.argument("name", metavar="RECIPE")
@click.argument("session", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where the products go; default SESSION/firstlight."
)
@click.option("--again", is_flag=True, help="Do everything, even what is finished.")
@click.option("--from", "start", metavar="STEP", default="", help="Do this step anew, and those after it.")
@click.option("-n", "--dry-run", is_flag=True, help="Say which steps would be done and which stand, and write nothing.")
@click.option("--once", is_flag=True, help="Of a live recipe: work on what is there, and end.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the summary.")
@CHANGES
def run(
    name: str, session: Path, output: Path | None, again: bool, start: str, dry_run: bool, once: bool, quiet: bool,
    changes: tuple[str, ...],
) -> None:  # fmt: skip
    """Process SESSION as a recipe says; the same as `firstlight process SESSION --recipe RECIPE`."""
    from firstlight.pipeline.recipe import load_recipe

    recipe = load_recipe(name, changes, settings_from({}))
    do_recipe(session, recipe, output, again, start, dry_run, quiet, once)


def do_recipe(
    session: Path, recipe: Recipe, output: Path | None, again: bool, start: str, dry_run: bool, quiet: bool,
    once: bool = False,
) -> None:  # fmt: skip
    """Run a recipe and say what it made."""
    from firstlight.cli.process import code_of, first_run
    from firstlight.pipeline.executors import stop_when_asked
    from firstlight.pipeline.recipe_run import look_ahead, run_recipe

    progress = TerminalProgress(quiet)
    if dry_run:
        ahead = look_ahead(session, recipe, output=output, again=again, start=start, progress=progress)
        tell(ahead, "\n".join(ahead.lines()))
        return
    if not quiet and session.exists() and first_run():
        click.echo("First run: compiling the kernels takes about half a minute, once.", err=True)
    if recipe.is_live:
        with stop_when_asked() as stop:
            result = run_recipe(
                session, recipe, output=output, progress=progress, once=once, stop=stop
            )  # fmt: skip
    else:
        result = run_recipe(session, recipe, output=output, progress=progress, again=again, start=start)
    tell(result, summary(result))
    code = code_of(result.session) if not recipe.is_live else NOTHING if once and not result.session.stacks else 0  # type: ignore[arg-type]
    if code:
        click.get_current_context().exit(code)


def summary(result: RecipeResult) -> str:
    """What was made, in words."""
    from firstlight.cli import live, process

    if result.recipe.is_live:
        return live.summary(result.session)  # type: ignore[arg-type]
    lines = [process.summary(result.session)]  # type: ignore[arg-type]
    for step in result.steps:
        if step.missing:
            lines.append(f"{step.name}: left out: {step.missing}")
            continue
        folders = sorted({str(path.parent.relative_to(result.output)) for path in step.files})
        files = f"{len(step.files)} files in {', '.join(folders) or '.'}"
        if len(step.files) == 1:
            files = str(step.files[0].relative_to(result.output))
        stood = " (stood from earlier)" if step.kept and step.files else ""
        lines.append(f"{step.name}: {files}{stood}")
        lines += [f"  note   {note}" for note in step.notes]
    return "\n".join(lines)


def _as_record(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name, "about": recipe.about, "source": recipe.source,
        "settings": recipe.settings.model_dump(), "steps": [step.as_table() for step in recipe.steps],
    }  # fmt: skip
