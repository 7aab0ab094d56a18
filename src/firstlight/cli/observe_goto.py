"""``firstlight observe goto``, ``where``, ``park`` and ``stop``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.errors import NOTHING
from firstlight.cli.observe_options import (
    ended_properly,
    exposure_options,
    place_of,
    profile_of,
    profile_options,
    session_of,
)
from firstlight.errors import InputError

if TYPE_CHECKING:
    from firstlight.observe.equipment import Equipment
    from firstlight.observe.frames import Session
    from firstlight.observe.pointing import Centred, Centring


def go(equipment: Equipment, session: Session, how: Centring | None = None) -> Centred:
    """Go to the target of a session and centre it, saying each step."""
    from firstlight.observe.pointing import Centring, goto_and_centre

    if session.place is None:
        raise InputError(f"{session.target or 'goto'}: the catalogues here do not know this place; give --at RA,DEC")
    how = how or Centring()
    found = goto_and_centre(equipment, session, session.place, how, click.echo)
    if not found.within:
        raise InputError(
            f"goto: {found.away:.0f} arcsec off after {len(found.steps)} frames; {how.tolerance:g} are wanted: raise "
            "--tolerance, or look at the mount (polar alignment, backlash, balance)"
        )
    return found


@click.command("goto")
@click.argument("target", nargs=-1, required=True)
@click.option("--tolerance", type=click.FloatRange(0, min_open=True), default=30.0, help="arcsec.  [default: 30]")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=5.0,
              help="Exposure of the frames that are solved.  [default: 5]")  # fmt: skip
@click.option("--tries", type=click.IntRange(1), default=5, help="Frames at most.  [default: 5]")
@click.option("--no-sync", is_flag=True, help="Do not tell the mount where it points: send it elsewhere instead.")
@click.option("--no-solve", is_flag=True, help="Slew only.")
@click.option("--lowest", type=click.FloatRange(-90, 90), default=10.0,
              help="Degrees above the horizon, where the profile has a site.  [default: 10]")  # fmt: skip
@click.option("--unpark", is_flag=True, help="Unpark the mount first.")
@exposure_options
@profile_options
def goto(target: tuple[str, ...], no_sync: bool, no_solve: bool, unpark: bool, profile_name: str, server: str,
         **options: Any) -> dict[str, Any]:  # fmt: skip
    """Go to TARGET (a name, or RA,DEC) and centre it: frames are solved until it is within tolerance.

    \b
    firstlight observe goto M 27
    firstlight observe goto 20:12:07,+38:21:18 --tolerance 10

    Names are those of `firstlight catalogs find`; no network is used. The mount is told where it points after each
    frame (--no-sync: it is not). It tracks at the end.
    """
    from firstlight.observe.connect import equipment_of
    from firstlight.observe.pointing import Centring, check_height, check_place, words

    text = " ".join(target)
    place = place_of(text)
    profile = profile_of(profile_name, server)
    session = session_of(profile, Path(), text, at=f"{place.ra},{place.dec}")
    how = Centring(sync=not no_sync, **options)
    check_place(place)
    need = ("mount",) if no_solve else ("mount", "camera")
    with ended_properly(), equipment_of(profile, need) as found:
        if unpark:
            found.mount.unpark()  # type: ignore[union-attr]
        if no_solve:
            check_height(place, session, found.clock.now(), how.lowest)
            click.echo(f"slewing to {words(place)}")
            found.mount.goto(*place)  # type: ignore[union-attr]
            return {"ra": place.ra, "dec": place.dec}
        centred = go(found, session, how)
    click.echo(f"centred within {centred.away:.1f} arcsec")
    return centred.as_record()


@click.command("where")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=5.0, help="Exposure.  [default: 5]")
@click.option("--sync", is_flag=True, help="Tell the mount, too.")
@exposure_options
@profile_options
def where(seconds: float, sync: bool, gain: float | None, offset: float | None, binning: int, profile_name: str,
          server: str) -> dict[str, Any]:  # fmt: skip
    """Take a frame and say where the telescope points, by the stars."""
    from firstlight.errors import FrameError
    from firstlight.observe.connect import equipment_of
    from firstlight.observe.frames import Shot
    from firstlight.observe.pointing import solve_exposure, words

    profile = profile_of(profile_name, server)
    session = session_of(profile, Path())
    with ended_properly(), equipment_of(profile, ("camera", *(("mount",) if sync else ())), ("mount",)) as found:
        taken = found.camera.expose(seconds, "light", gain, offset, binning)  # type: ignore[union-attr]
        try:
            place, scale = solve_exposure(found, session, taken, Shot("light", seconds, "", gain, offset, binning))
        except FrameError as error:
            click.echo(f"Not solved: {error}")
            click.get_current_context().exit(NOTHING)
        click.echo(f"{words(place)} ({place.ra:.5f}, {place.dec:+.5f}), {scale:.4g} arcsec/px")
        if sync:
            found.mount.sync(*place)  # type: ignore[union-attr]
            click.echo("The mount has been told.")
    return {"ra": place.ra, "dec": place.dec, "scale": scale}


@click.command("park")
@click.option("--unpark", is_flag=True, help="Unpark it instead.")
@profile_options
def park(unpark: bool, profile_name: str, server: str) -> None:
    """Park the mount: it goes where it is safe, and stands still."""
    from firstlight.observe.connect import equipment_of

    with ended_properly(), equipment_of(profile_of(profile_name, server), ("mount",)) as found:
        (found.mount.unpark if unpark else found.mount.park)()  # type: ignore[union-attr]
    click.echo("unparked" if unpark else "parked")


@click.command("stop")
@profile_options
def stop(profile_name: str, server: str) -> None:
    """Stop all motion and exposures of the devices of a profile, at once; the mount tracks on."""
    from firstlight.errors import EquipmentError
    from firstlight.observe.connect import PARTS, equipment_of

    with equipment_of(profile_of(profile_name, server), want=PARTS) as found:
        for device in (found.mount, found.focuser, found.camera, found.guide_camera):
            try:
                if device is not None:
                    device.abort()
                    click.echo(f"{device.name}: stopped")
            except EquipmentError as error:
                click.echo(f"note: {error}", err=True)
        if found.guide_port is not None:
            found.guide_port.stop()
