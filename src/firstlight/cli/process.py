"""``firstlight process``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.answer import tell
from firstlight.cli.errors import NOTHING, WRONG_INPUT
from firstlight.cli.progress import TerminalProgress
from firstlight.cli.recipe import CHANGES
from firstlight.cli.settings import SettingsCommand, settings_from, settings_options

if TYPE_CHECKING:
    from firstlight.pipeline.group import GroupResult
    from firstlight.pipeline.kept import KeptStack
    from firstlight.pipeline.process import Result


@click.command("process", cls=SettingsCommand)
@click.argument("session", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where the products go; default SESSION/firstlight."
)
@click.option(
    "--recipe",
    "recipe_name",
    metavar="RECIPE",
    default="",
    help="A recipe's name or file (`firstlight recipe list`): its settings, and the steps after the session.",
)
@CHANGES
@click.option("--again", is_flag=True, help="Do the work even if nothing has changed since the last run.")
@click.option(
    "--from",
    "start",
    metavar="STEP",
    default="",
    help="Do this step anew and those after it: master, scale, measure, register, stack, picture, or one and a name "
    "('stack M31_R_60s').",
)
@click.option("-n", "--dry-run", is_flag=True, help="Say which steps would be done and which stand, and write nothing.")
@click.option("--no-stack", is_flag=True, help="End when the lights are registered and selected.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, only the summary.")
@settings_options
def command(
    session: Path, output: Path | None, recipe_name: str, changes: tuple[str, ...], again: bool, start: str,
    dry_run: bool, no_stack: bool, quiet: bool, **options: Any,
) -> None:  # fmt: skip
    """From a folder of raw frames to masters, stacks, pictures and tables.

    Frames are recognised by header, folder and file name; calibrated with the masters that fit; registered; the poor
    ones set aside with the reason; and combined into one stack per target, filter and exposure. Raw frames are only
    read. `firstlight plan SESSION` says beforehand what will happen.

    \b
    SESSION/firstlight/stacks/      FITS: image, variance, flags, coverage, provenance
    SESSION/firstlight/pictures/    stretched PNG and 16-bit TIFF
    SESSION/firstlight/masters/     bias, dark and flat masters
    SESSION/firstlight/frames.csv   one row per frame
    SESSION/firstlight/run.json     inputs with hashes, settings, timings
    SESSION/firstlight/steps/       what is finished: a run that was stopped, or has one more light, goes on from there
    """
    if no_stack:
        options["set__output__stacks"] = False
    if recipe_name or changes:
        from firstlight.cli.recipe import do_recipe
        from firstlight.pipeline.recipe import Recipe, changed, load_recipe

        recipe = (
            load_recipe(recipe_name, (), settings_from({}))
            if recipe_name
            else Recipe("", "", settings_from({}), (), "the command line")
        )
        recipe = replace(recipe, settings=settings_from(options, type(recipe.settings), base=recipe.settings))
        do_recipe(session, changed(recipe, changes), output, again, start, dry_run, quiet)
        return
    from firstlight.pipeline.outlook import outlook
    from firstlight.pipeline.process import process

    settings, progress = settings_from(options), TerminalProgress(quiet)
    if dry_run:
        ahead = outlook(session, settings, output=output, again=again, start=start, progress=progress)
        tell(ahead, "\n".join(ahead.lines()))
        return
    if not quiet and session.exists() and first_run():
        click.echo("First run: compiling the kernels takes about half a minute, once.", err=True)
    result = process(session, settings, output=output, progress=progress, again=again, start=start)
    tell(result, summary(result))
    if code := code_of(result):
        click.get_current_context().exit(code)


def first_run() -> bool:
    """Whether the kernels have never been compiled on this machine."""
    from firstlight.kernels.jit import cached_kernels

    return not cached_kernels()


def code_of(result: Result) -> int:
    """2: no file could be read. 1: a group of lights has no stack, or one frame of three or more."""
    if result.unchanged:
        return 0
    if not result.plan.sightings:
        return WRONG_INPUT
    return NOTHING if result.came_to_nothing() else 0


def summary(result: Result) -> str:
    """What was made, in words."""
    if result.unchanged:
        return f"Nothing has changed since the last run: its products stand in {result.output} (--again does it anew)."
    lines = []
    said = Counter(note for stack in result.stacks for note in stack.notes)
    shared = {note: n for note, n in said.items() if n > 1}
    for stack in result.stacks:
        lines += _stack_lines(stack, shared)
    lines += [f"{'All' if n == len(result.stacks) else n} stacks: {note}" for note, n in shared.items()]
    lights = sum(len(group.assignments) for group in result.plan.groups)
    used = sum(stack.n_frames for stack in result.stacks if stack.layer not in ("stars", "comet"))
    if result.masters:
        masters = "1 master" if len(result.masters) == 1 else f"{len(result.masters)} masters"
        lines.append(f"{masters}: " + ", ".join(m.plan.name.removeprefix("master_") for m in result.masters))
    if not result.plan.settings.output.stacks:
        good = sum(str(a.light.path) not in result.set_aside for g in result.plan.groups for a in g.assignments)
        lines.append(f"{good} of {lights} lights are registered and good; no stacks were asked for.")
    elif result.plan.groups:
        lines.append(f"{used} of {lights} lights are in the stacks.")
    else:
        lines.append("No lights in this session: nothing to stack.")
    if result.set_aside:
        lines.append(f"Set aside ({len(result.set_aside)}):")
        lines += [
            f"  {Path(path).name}: {reason.removeprefix(Path(path).name + ': ')}"
            for path, reason in sorted(result.set_aside.items())
        ]
    from firstlight.library.explain import missing_words

    lines += missing_words(result.plan.calibrations.assignments)
    lines += [f"Note: {note}" for note in result.plan.notes]
    lines += filter(None, [kept_words(result.record.get("steps", {}))])
    spent = result.record.get("timings", {})
    if spent:
        wall = sum(t["wall_s"] for t in spent.values())
        lines.append(f"Done in {wall:.1f} s; peak memory {result.record['peak_memory_bytes'] / 1e6:.0f} MB.")
    report = " (report.html shows them)" if (result.output / "report.html").is_file() else ""
    lines.append(f"Products: {result.output}{report}")
    return "\n".join(lines)


def _stack_lines(stack: GroupResult | KeptStack, shared: Container[str]) -> list[str]:
    """``shared`` notes are left to the end: those of several stacks."""
    told = stack.summary()
    exposure = f", {told['total_exposure_s']:g} s in all" if told["total_exposure_s"] is not None else ""
    frames = "1 frame" if stack.n_frames == 1 else f"{stack.n_frames} frames"
    chosen = " (chosen by auto)" if told["method_chosen_by"] == "auto" else ""
    many = stack.n_frames > 1
    how = f", {told['rule']}{chosen}" if many else ""
    lines = [f"{stack.name}: {frames}{exposure}{how}"]
    noise, single = told["noise_adu"], told["single_noise_adu"]
    if told["is_level"] and noise and single:
        beside = f", single frame {single:.3g} adu: {single / noise:.2f} times lower" if many else ""
        lines.append(f"  noise  {noise:.3g} adu{beside}")
    fwhm, best = told["fwhm_px"], told["single_fwhm_px"]
    if told["stars"] and fwhm is not None and best is not None:
        scale = told["drizzle"]["scale"] if told["drizzle"] else 1.0
        drizzled = f" ({fwhm:.2f} px of the drizzled stack)" if scale != 1 else ""
        beside = f", best single frame {best:.2f} px" if many else ""
        lines.append(f"  FWHM   {fwhm / scale:.2f} px{drizzled}{beside}")
    lines.append(f"  stars  {told['stars']}" + (f", best single frame {told['single_stars']}" if many else ""))
    lines += [f"  note   {note}" for note in stack.notes if note not in shared]
    lines += [f"  {path.parent.name}/{path.name}" for path in stack.files]
    return lines


def kept_words(steps: dict[str, dict[str, int]]) -> str:
    """What stood from earlier runs, in words; empty where nothing did."""
    names = {"master": "masters", "measure": "lights measured", "register": "registered", "stack": "stacks",
             "picture": "pictures"}  # fmt: skip
    kept = [f"{steps[kind]['kept']} {words}" for kind, words in names.items() if steps.get(kind, {}).get("kept")]
    return f"Kept from earlier runs: {', '.join(kept)}." if kept else ""
