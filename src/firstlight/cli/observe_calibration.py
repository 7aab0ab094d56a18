"""``firstlight observe flats`` and ``darks``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firstlight.cli.observe_options import (
    ended_properly,
    exposure_options,
    profile_of,
    profile_options,
    session_of,
    tell_result,
)
from firstlight.errors import SpecError


@click.command("flats")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("filters", nargs=-1)
@click.option("-n", "--count", type=click.IntRange(1), default=20, help="Flats of each filter.  [default: 20]")
@click.option("--target", type=click.FloatRange(1), default=25000.0, help="Wanted median, adu.  [default: 25000]")
@click.option("--tolerance", type=click.FloatRange(0.02, 0.9), default=0.25,
              help="Share of the target that a median may be off.  [default: 0.25]")  # fmt: skip
@click.option("--shortest", type=click.FloatRange(0, min_open=True), default=0.1, help="Seconds.  [default: 0.1]")
@click.option("--longest", type=click.FloatRange(0, min_open=True), default=30.0, help="Seconds.  [default: 30]")
@click.option(
    "--start",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    help="First exposure that is tried, seconds.  [default: 1]",
)
@click.option(
    "--white", type=click.FloatRange(1), default=65535.0, help="Largest number of the camera, adu.  [default: 65535]"
)
@click.option("--dark-flats", type=click.IntRange(0), default=0, help="Then so many dark flats for each exposure.")
@click.option("--no-bell", is_flag=True, help="No sound at the end.")
@exposure_options
@profile_options
def flats(folder: Path, filters: tuple[str, ...], dark_flats: int, no_bell: bool, profile_name: str, server: str,
          **options: Any) -> dict[str, Any]:  # fmt: skip
    """Take flats of FILTERS into FOLDER/flats: the exposure is found, and follows light that changes.

    \b
    firstlight observe flats night L R G B Ha
    firstlight observe flats night Ha --target 30000 --longest 60 --dark-flats 20

    Exposures are few standard ones, so that few dark flats fit them all. At dusk name the filters from those that pass
    little light, at dawn the other way round. Without FILTERS the wheel stays where it is.
    """
    from firstlight.observe.connect import equipment_of
    from firstlight.observe.darks import darks_for, take_darks
    from firstlight.observe.flats import FlatPlan, take_flats

    profile = profile_of(profile_name, server)
    session = session_of(profile, folder)
    need = ("camera", "wheel") if filters else ("camera",)
    with ended_properly(), equipment_of(profile, need, ("wheel", "focuser")) as found:
        named = filters or ((found.wheel.current,) if found.wheel else ("",))
        result = take_flats(found, session, FlatPlan(tuple(named), **options), click.echo)
        if dark_flats and any(count.before or count.taken for count in result.counts):
            if click.confirm("Dark flats come next. Is the camera dark?"):
                more = take_darks(found, session, darks_for(session, "dark flat", dark_flats), click.echo)
                result.counts += more.counts
                result.files += more.files
            else:
                result.notes.append(f"no dark flats were taken; later: firstlight observe darks {folder} --for flats")
    return tell_result(result, not no_bell)


@click.command("darks")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("takes", nargs=-1)
@click.option("--for", "wanted", type=click.Choice(["lights", "flats"]), multiple=True,
              help="Darks that fit the lights of FOLDER, or dark flats that fit its flats.")  # fmt: skip
@click.option("--bias", "n_bias", type=click.IntRange(0), default=0, help="So many bias frames, too.")
@click.option(
    "-n", "--count", type=click.IntRange(1), default=20, help="Frames for each exposure, with --for.  [default: 20]"
)
@click.option("--no-bell", is_flag=True, help="No sound at the end.")
@exposure_options
@profile_options
def darks(folder: Path, takes: tuple[str, ...], wanted: tuple[str, ...], n_bias: int, count: int, no_bell: bool,
          profile_name: str, server: str, **settings: Any) -> dict[str, Any]:  # fmt: skip
    """Take darks into FOLDER/darks (dark flats, bias frames: darkflats, biases). The camera must be dark already.

    \b
    firstlight observe darks night 300x20 60x20
    firstlight observe darks night --for lights --for flats --bias 50
    """
    from firstlight.observe.connect import equipment_of
    from firstlight.observe.darks import darks_for, take_darks
    from firstlight.observe.frames import Shot
    from firstlight.observe.plan_file import parse_take
    from firstlight.observe.sequence import Take

    profile = profile_of(profile_name, server)
    session = session_of(profile, folder)
    plan: list[Take] = []
    for text in takes:
        take = parse_take(text, **settings)
        if take.shot.filter:
            raise SpecError(f"{text!r}: darks have no filter; SECONDSxCOUNT is allowed, such as 300x20")
        plan.append(Take(Shot("dark", take.shot.seconds, "", **settings), take.count))
    for each in wanted:
        plan += darks_for(session, "dark" if each == "lights" else "dark flat", count)
    if n_bias:
        plan.append(Take(Shot("bias", 0.0, "", **settings), n_bias))
    if not plan:
        raise SpecError("darks: nothing to take; say what, such as 300x20, --for lights, --for flats or --bias 50")
    with ended_properly(), equipment_of(profile, ("camera",)) as found:
        result = take_darks(found, session, tuple(plan), click.echo)
    return tell_result(result, not no_bell)
