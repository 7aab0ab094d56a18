"""What the commands at the telescope have in common."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from firstlight.observe.equipment import Pointing
    from firstlight.observe.frames import Session
    from firstlight.observe.profile import Profile
    from firstlight.observe.sequence import Result

F = TypeVar("F", bound=Callable[..., Any])

PROFILE = click.option(
    "--profile", "profile_name", metavar="NAME", default="",
    help="Equipment profile, or its file; default: FIRSTLIGHT_PROFILE, or the only one.",
)  # fmt: skip
SERVER = click.option("--server", metavar="HOST:PORT", default="", help="INDI server; default: that of the profile.")


def profile_options(command: F) -> F:
    """Decorator: the profile, and another server than its own."""
    return PROFILE(SERVER(command))


def exposure_options(command: F) -> F:
    """Decorator: settings of the camera."""
    for option in (
        click.option("--binning", type=click.IntRange(1, 16), default=1, help="Pixels joined along each axis."),
        click.option("--offset", type=float, help="Offset setting of the camera; default: that of the profile."),
        click.option("--gain", type=float, help="Gain setting of the camera; default: that of the profile."),
    ):
        command = option(command)
    return command


def profile_of(name: str, server: str) -> Profile:
    """The profile that was asked for."""
    from firstlight.observe.profile import read_profile

    found = read_profile(name)
    return found.model_copy(update={"server": server}) if server else found


def place_of(text: str) -> Pointing:
    """RA,DEC, or the place of an object that the catalogues here know."""
    from firstlight.cli.catalogs import position_of
    from firstlight.observe.equipment import Pointing

    return Pointing(*position_of(text))


def session_of(profile: Profile, folder: Path, target: str = "", observer: str = "", at: str = "") -> Session:
    """What all frames of a night share; the place of a target is looked up, and may be unknown."""
    from firstlight.errors import InputError
    from firstlight.io.sites import read_sites
    from firstlight.observe.frames import Session

    place = None
    if at:
        place = place_of(at)
    elif target:
        try:
            place = place_of(target)
        except InputError:
            place = None
    site = read_sites().find(profile.site) if profile.site else None
    return Session(folder, profile, target, place, site, observer)


@contextmanager
def ended_properly() -> Iterator[None]:
    """A terminal that is closed and a `kill` end the work as Ctrl-C does: exposures are ended, motion is stopped."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell_result(result: Result, bell: bool) -> dict[str, Any]:
    """The table of what was taken, the notes, and a bell."""
    from firstlight.cli.tables import show_table

    rows = [
        (count.shot.kind, count.shot.filter, f"{count.shot.seconds:g}" if count.shot.seconds else "",
         str(count.wanted), str(count.before), str(count.taken), str(count.wanted - count.before - count.taken))
        for count in result.counts
    ]  # fmt: skip
    show_table(("kind", "filter", "seconds", "wanted", "were there", "taken", "missing"), rows)
    for note in result.notes:
        click.echo(f"note: {note}")
    if bell:
        click.echo("\a", nl=False)
    return {
        "files": [str(path) for path in result.files],
        "taken": sum(count.taken for count in result.counts),
        "missing": sum(count.wanted - count.before - count.taken for count in result.counts),
        "dithers": result.dithers,
        "notes": result.notes,
    }
