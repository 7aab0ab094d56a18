"""``firstlight observe snap`` and ``sequence``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.observe_goto import go
from firstlight.cli.observe_options import (
    ended_properly,
    exposure_options,
    profile_of,
    profile_options,
    session_of,
    tell_result,
)
from firstlight.cli.tables import show_table
from firstlight.errors import InputError

if TYPE_CHECKING:
    from firstlight.observe.equipment import Equipment
    from firstlight.observe.profile import Profile
    from firstlight.observe.sequence import Plan

KINDS = ("light", "dark", "bias", "flat", "dark flat")


@click.command("snap")
@click.argument("seconds", type=click.FloatRange(0))
@click.option("--filter", "filter_name", default="", help="Turn the wheel to this filter first.")
@click.option("--kind", type=click.Choice(KINDS), default="light", help="What it is.  [default: light]")
@click.option("--object", "target", default="", help="Name of the target, for the header.")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=Path("snaps"),
              help="Folder for the frame and its picture.  [default: snaps]")  # fmt: skip
@exposure_options
@profile_options
def snap(
    seconds: float, filter_name: str, kind: str, target: str, folder: Path, gain: float | None, offset: float | None,
    binning: int, profile_name: str, server: str,
) -> dict[str, Any]:  # fmt: skip
    """Take one frame, say what is on it, and make a stretched picture beside it."""
    from firstlight.observe.connect import equipment_of
    from firstlight.observe.frames import Shot, check_room
    from firstlight.observe.sequence import choose_filter, take
    from firstlight.observe.snapshot import facts_of, write_preview

    profile = profile_of(profile_name, server)
    session = session_of(profile, folder, target)
    check_room(folder)
    shot = Shot(kind, seconds, filter_name, gain, offset, binning)  # type: ignore[arg-type]
    with ended_properly(), equipment_of(profile, ("camera",), ("mount", "wheel", "focuser")) as found:
        if filter_name and found.wheel is None:
            raise InputError(f"--filter {filter_name}: the profile names no wheel; leave it out")
        choose_filter(found, session, filter_name, click.echo)
        if not filter_name and found.wheel is not None and kind != "dark":
            shot = replace(shot, filter=found.wheel.current)
        path, _ = take(found, session, shot, 0, [], click.echo)
    if not path.is_file():
        click.echo(f"On the camera's computer: {path}")
        return {"file": str(path)}
    facts = facts_of(path)
    picture = write_preview(path)
    click.echo(f"{path}: {facts.words}\n{picture}")
    return {"file": str(path), "picture": str(picture), **facts.as_record()}


@click.command("sequence")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("takes", nargs=-1)
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Read takes and options from this file.")
@click.option("--object", "target", help="Name of the target: for headers and file names, and to go to.")
@click.option("--at", metavar="RA,DEC", help="Its place, where the catalogues here do not know it.")
@click.option("--observer", help="For headers; default: that of the profile.")
@click.option("--goto", is_flag=True, default=None, help="Go to the target and centre it first.")
@click.option("--cycle", type=click.IntRange(0), help="Frames of a filter before the next; 0: all.  [default: 1]")
@click.option("--guide", is_flag=True, default=None, help="Start guiding, and wait for it before each frame.")
@click.option("--phd2", metavar="HOST[:PORT]", is_flag=False, flag_value="localhost",
              help="Have PHD2 guide, which runs there; without HOST on this machine.")  # fmt: skip
@click.option("--dither-every", type=click.IntRange(0), help="Frames between dithers; 0: never.  [default: 0]")
@click.option(
    "--dither", type=click.FloatRange(0, min_open=True), help="Farthest, px of the guide camera.  [default: 20]"
)
@click.option("--dry-run", is_flag=True, help="Say what would be taken, and move nothing.")
@click.option("--no-bell", is_flag=True, help="No sound at the end.")
@exposure_options
@profile_options
def sequence(folder: Path, takes: tuple[str, ...], plan_file: Path | None, phd2: str | None, dry_run: bool,
             no_bell: bool, profile_name: str, server: str, **options: Any) -> dict[str, Any]:  # fmt: skip
    """Take lights of a target into FOLDER/lights: TAKES are FILTER:SECONDSxCOUNT.

    \b
    firstlight observe sequence night L:120x20 Ha:300x10 --object "M 27" --goto
    firstlight observe sequence night --plan m27.toml
    firstlight process night

    Started again, it takes what is missing; nothing is ever replaced. A plan is TOML with the names of the options, and
    takes = ["L:120x20", "Ha:300x10"]; what the command line says goes before it. The mount tracks on at the end.
    """
    from firstlight.observe.connect import equipment_of
    from firstlight.observe.frames import n_there
    from firstlight.observe.sequence import run_sequence

    given = {key: value for key, value in options.items() if value is not None}
    if options["binning"] == 1:
        given.pop("binning")
    said = _merged(plan_file, takes, given)
    profile = profile_of(profile_name, server)
    session = session_of(profile, folder, said.get("object", ""), said.get("observer", ""), said.get("at", ""))
    plan = _plan(said)
    if dry_run:
        rows = [(each.shot.about, str(each.count), str(n_there(session, each.shot))) for each in plan.takes]
        show_table(("frames", "wanted", "are there"), rows)
        total = sum(each.shot.seconds * max(each.count - n_there(session, each.shot), 0) for each in plan.takes)
        click.echo(f"{total / 3600:.2f} h of exposure to come")
        return {"takes": rows, "seconds": total}
    plan = replace(plan, guide=plan.guide or phd2 is not None)
    need = ["camera", *(["mount"] if said.get("goto") else []), *(["wheel"] if _filters(plan) else [])]
    need += ["guide_camera", "guide_port"] if plan.guide and phd2 is None else []
    with ended_properly(), equipment_of(profile, need, ("mount", "wheel", "focuser")) as found:
        if said.get("goto"):
            go(found, session)
        with _guided(plan, phd2, found, profile) as guided:
            result = run_sequence(guided, session, plan, click.echo)
    return tell_result(result, not no_bell)


def _merged(plan_file: Path | None, takes: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    from firstlight.observe.plan_file import read_plan

    said = read_plan(plan_file) if plan_file else {}
    if "target" in given:
        given["object"] = given.pop("target")
    said |= given
    if takes:
        said["takes"] = list(takes)
    if not said.get("takes"):
        raise InputError("sequence: nothing to take; say what, such as Ha:300x20, or give a --plan")
    return said


def _plan(said: dict[str, Any]) -> Plan:
    from firstlight.observe.plan_file import parse_take
    from firstlight.observe.sequence import Plan

    settings = said.get("gain"), said.get("offset"), said.get("binning", 1)
    return Plan(
        tuple(parse_take(str(text), *settings) for text in said["takes"]),
        cycle=said.get("cycle", 1),
        guide=bool(said.get("guide") or said.get("dither_every")),
        dither_every=said.get("dither_every", 0),
        dither_pixels=float(said.get("dither", 20.0)),
    )


def _filters(plan: Plan) -> set[str]:
    return {each.shot.filter for each in plan.takes} - {""}


@contextmanager
def _guided(plan: Plan, phd2: str | None, found: Equipment, profile: Profile) -> Iterator[Equipment]:
    """The equipment with who guides, where the plan wants that; the sequence starts and stops it."""
    if not plan.guide:
        yield found
    elif phd2 is not None:
        from firstlight.observe.guiding.phd2 import phd2_at

        guider = phd2_at(phd2)
        try:
            yield replace(found, guider=guider)
        finally:
            guider.close()
    else:
        from firstlight.observe.guiding.build import guide_folder, guider_of
        from firstlight.observe.guiding.log import GuideLog

        log = GuideLog(guide_folder() / "logs", found.clock, profile.name)
        try:
            yield replace(found, guider=guider_of(profile, found, watchers=(log,)))
        finally:
            log.close()
            if log.path is not None:
                click.echo(f"guide log: {log.path}")
