"""``firstlight observe guide``, ``calibrate`` and ``guide-log``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.observe_options import ended_properly, profile_of, profile_options
from firstlight.cli.settings import SettingsCommand, options_of, settings_from
from firstlight.cli.tables import show_table
from firstlight.io.targets import check_target
from firstlight.observe.guiding.settings import GuideSettings
from firstlight.observe.guiding.watcher import Watcher

if TYPE_CHECKING:
    from firstlight.observe.equipment import Equipment
    from firstlight.observe.guiding.axes import Calibration
    from firstlight.observe.guiding.calibrate import Step
    from firstlight.observe.guiding.guider import Guider
    from firstlight.observe.guiding.step import GuideStep
    from firstlight.observe.profile import Profile

PLAIN_EVERY = 10.0
"""s between two lines where the output is not a terminal."""
SIMULATED_MINUTES = 10.0
SIMULATED = click.option(
    "--simulated", is_flag=True, help="On a mount and a camera that exist only in the computer, faster than the clock."
)
DARK = click.option(
    "--dark", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A dark of the guide camera; default: the one that --darks has kept.",
)  # fmt: skip
DARKS = click.option(
    "--darks",
    type=click.IntRange(3, 200),
    metavar="N",
    help="Take N darks first (cover the guide scope), and keep them.",
)


class Shown(Watcher):
    """Says on the terminal what happens: one line that changes, or a line now and then where there is no terminal."""

    def __init__(self) -> None:
        from firstlight.observe.guiding.summary import Recent

        self._recent, self._scale = Recent(), None
        self._live = sys.stderr.isatty()
        self._spoken = 0.0
        self._open = False
        self.steps: list[GuideStep] = []

    def calibration_begins(self, guider: Guider) -> None:
        self._line("calibrating: the star moves to and fro along both axes")

    def calibration_step(self, step: Step) -> None:
        self._change(f"calibrating: {step.leg:8s} {step.number:2d}  {step.offset.dx:+7.2f} {step.offset.dy:+7.2f} px")

    def calibrated(self, calibration: Calibration) -> None:
        self._line(about(calibration))

    def guiding_begins(self, guider: Guider) -> None:
        self._scale = guider.scale
        stars = guider.origin.n_stars if guider.origin else 0
        self._line(f"guiding on {stars} star{'s' if stars != 1 else ''}; Ctrl-C ends it")

    def step(self, step: GuideStep) -> None:
        self.steps.append(step)
        rms = self._recent.add(step)
        if step.lost:
            self._change(f"{step.time:7.0f} s  star lost: {step.lost}")
        else:
            state = "dither" if step.dithering else f"{step.n_stars} stars"
            self._change(
                f"{step.time:7.0f} s  RA {step.ra:+6.2f} Dec {step.dec:+6.2f} px  {rms.text(self._scale)}  {state}"
            )

    def dithered(self, dx: float, dy: float, lock: tuple[float, float]) -> None:
        self._line(f"dither by {dx:+.1f}, {dy:+.1f} px")

    def settling(self, state: str) -> None:
        if state != "settling":
            self._line({"settled": "settled", "failed": "did not settle in time"}[state])

    def info(self, text: str) -> None:
        self._line(text)

    def guiding_ends(self) -> None:
        self._line("")

    def _line(self, text: str) -> None:
        if self._open:
            click.echo("", err=True)
            self._open = False
        if text:
            click.echo(text, err=True)

    def _change(self, text: str) -> None:
        if self._live:
            click.echo(f"\r\033[K{text}", nl=False, err=True)
            self._open = True
        elif time.monotonic() - self._spoken > PLAIN_EVERY:
            self._spoken = time.monotonic()
            click.echo(text, err=True)


def about(calibration: Calibration) -> str:
    """A calibration in words."""
    (east, north), (a, b) = calibration.rates, calibration.angles
    scale = calibration.pixel_scale
    speeds = [f"{rate:.2f} px/s" + (f' ({rate * scale:.1f}"/s)' if scale else "") for rate in (east, north)]
    side = f", {calibration.pier_side} of the pier" if calibration.pier_side else ""
    return (
        f"calibration of {calibration.when[:16] or 'unknown time'} at declination {calibration.dec:+.1f}{side}: "
        f"east {speeds[0]} at {a:.1f} deg, north {speeds[1]} at {b:.1f} deg, "
        f"{calibration.orthogonality:+.1f} deg from square, "
        f"backlash {calibration.east_backlash:.2f} and {calibration.north_backlash:.2f} s"
    )


@contextmanager
def _at_hand(simulated: bool, profile_name: str, server: str) -> Iterator[tuple[Profile, Equipment]]:
    """The profile, and its guide camera, port and mount, connected; or simulated ones."""
    if not simulated:
        from firstlight.observe.connect import equipment_of

        profile = profile_of(profile_name, server)
        with ended_properly(), equipment_of(profile, ("guide_camera", "guide_port"), ("mount",)) as found:
            yield profile, found
        return
    from firstlight.observe.equipment import Equipment
    from firstlight.observe.guiding.simulated import TYPICAL, SimulatedGuideCamera, SimulatedGuideMount
    from firstlight.observe.profile import GuideTrain, Profile

    mount = SimulatedGuideMount(TYPICAL)
    camera = SimulatedGuideCamera(mount)
    train = GuideTrain(camera=camera.name, focal_length=206.265 * camera.pixel_size / camera.optics.pixel_scale)
    with ended_properly():
        yield (
            Profile(name="simulated", guiding=train),
            Equipment(guide_camera=camera, guide_port=mount, mount=mount, clock=mount.clock),
        )


def _take_darks(profile: Profile, found: Equipment, settings: GuideSettings, n: int | None, simulated: bool) -> None:
    if n is None or found.guide_camera is None:
        return
    from firstlight.observe.guiding.build import guide_folder, settings_of
    from firstlight.observe.guiding.frames import dark_path, take_dark, write_dark

    settings = settings_of(profile, settings)
    if not simulated:
        click.confirm("Is the guide scope covered?", abort=True)
    path = dark_path(guide_folder(), found.guide_camera.name, settings)
    write_dark(path, take_dark(found.guide_camera, settings, n), settings, n)
    click.echo(f"dark: {path}", err=True)
    if not simulated:
        click.confirm("Is it uncovered again?", abort=True)


@click.command("guide", cls=SettingsCommand)
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="End after so long; default: Ctrl-C ends it.")
@click.option("--calibrate", is_flag=True, help="Calibrate anew, even where a calibration is kept.")
@click.option("--prompt", is_flag=True, help="Take commands while it guides: start, stop, dither 5, set, status ...")
@DARKS
@DARK
@click.option("--logs", type=click.Path(path_type=Path, file_okay=False),
              help="Folder of the guide log and its plot; default: guiding/logs among the program's data.")  # fmt: skip
@click.option("--phd2", metavar="HOST[:PORT]", is_flag=False, flag_value="localhost",
              help="Have PHD2 guide, which runs there; without HOST on this machine.")  # fmt: skip
@SIMULATED
@profile_options
@options_of(GuideSettings)
def guide(
    minutes: float | None, calibrate: bool, prompt: bool, darks: int | None, dark: Path | None, logs: Path | None,
    phd2: str | None, simulated: bool, profile_name: str, server: str, **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """Keep the mount on a star with the guide camera, until Ctrl-C.

    \b
    firstlight observe guide                         with the calibration that is kept, or a new one
    firstlight observe guide --darks 20              take darks first: hot pixels go
    firstlight observe guide --simulated --minutes 20
    firstlight observe guide-log firstlight_GuideLog_*.txt

    The scatter of the star about its place is shown as it is guided, over the last 100 frames. The log has PHD2's
    format; PHD2 Log Viewer reads it. Whatever ends it, no pulse is under way afterwards; the mount tracks on. To
    guide while frames are taken: `firstlight observe sequence --guide`.
    """
    if phd2 is not None:
        return _with_phd2(phd2, settings_from(options, GuideSettings), minutes)
    from firstlight.observe.guiding.build import guide_folder, guider_of
    from firstlight.observe.guiding.log import GuideLog
    from firstlight.observe.guiding.summary import draw_guiding, rms_of

    shown = Shown()
    if prompt:
        from firstlight.cli.observe_guide_prompt import Kept, run_prompt

        shown = Kept()
    if simulated and minutes is None:
        minutes = SIMULATED_MINUTES
    with _at_hand(simulated, profile_name, server) as (profile, found):
        settings = settings_from(options, GuideSettings, base=profile.guiding.settings)
        log = GuideLog(logs or guide_folder() / "logs", found.clock, profile.name)
        _take_darks(profile, found, settings, darks, simulated)
        guider = guider_of(
            profile, found, settings, calibrate=calibrate, dark=dark, watchers=(shown, log), keep=not simulated
        )
        if guider.calibration is not None:
            click.echo(about(guider.calibration), err=True)
        try:
            if prompt:
                run_prompt(guider, shown)
            else:
                _guide(guider, minutes)
        finally:
            guider.stop()
            log.close()
            rms = rms_of(shown.steps)
            plot = None
            if rms.n and log.path is not None:
                plot = draw_guiding(shown.steps, log.path.with_suffix(".png"), guider.scale, log.path.stem)
                click.echo(f"{rms.n} frames, {rms.lost} lost. {rms.text(guider.scale)}\n{log.path}\n{plot}")
    return {
        "frames": rms.n, "lost": rms.lost, "rms_px": {"ra": rms.ra, "dec": rms.dec, "total": rms.total},
        "pixel_scale": guider.scale, "log": str(log.path), "plot": str(plot),
    }  # fmt: skip


def _guide(guider: Guider, minutes: float | None) -> None:
    """Until the time is over or somebody interrupts; both are a good end once it guides."""
    guider.begin()
    begin = guider.clock.now()
    try:
        while minutes is None or (guider.clock.now() - begin).total_seconds() < 60.0 * minutes:
            guider.step()
    except KeyboardInterrupt:
        return


def _with_phd2(where: str, settings: GuideSettings, minutes: float | None) -> dict[str, Any]:
    from firstlight.observe.guiding.phd2 import phd2_at

    guider = phd2_at(where, settings.settle)
    end = None if minutes is None else time.monotonic() + 60.0 * minutes
    try:
        with ended_properly():
            guider.start()
            click.echo("PHD2 guides; Ctrl-C ends it" if guider.settled() else f"PHD2: {guider.problem}", err=True)
            while end is None or time.monotonic() < end:
                time.sleep(1.0)
                guider.check()
    except KeyboardInterrupt:
        click.echo("", err=True)
    finally:
        try:
            guider.stop()
        finally:
            guider.close()
    return {"guider": "PHD2", "version": guider.version}


@click.command("calibrate", cls=SettingsCommand)
@DARKS
@DARK
@SIMULATED
@profile_options
@options_of(GuideSettings)
def calibrate(
    darks: int | None, dark: Path | None, simulated: bool, profile_name: str, server: str, **options: Any
) -> dict[str, Any]:
    """Measure what guide pulses do, and keep it for this mount, guide scope, guide speed and camera.

    The star is watched at rest, then moved to and fro along both axes, 20 px at least; speeds, angles, backlash and
    drift come from a fit to all of it. Best near the celestial equator and the meridian. It holds until the guide
    camera is turned; declination and the side of the pier are allowed for.
    """
    from firstlight.observe.guiding.build import guider_of

    with _at_hand(simulated, profile_name, server) as (profile, found):
        settings = settings_from(options, GuideSettings, base=profile.guiding.settings)
        _take_darks(profile, found, settings, darks, simulated)
        guider = guider_of(profile, found, settings, calibrate=True, dark=dark, watchers=(Shown(),), keep=not simulated)
        result = guider.calibrate()
    (east, north), (a, b) = result.rates, result.angles
    scale = result.pixel_scale
    rows = [
        (
            name,
            f"{rate:.3f}",
            f"{rate * scale:.2f}" if scale else "",
            f"{angle:.1f}",
            f"{play:.2f}",
            f"{60 * drift:+.2f}",
        )
        for name, rate, angle, play, drift in (
            ("east", east, a, result.east_backlash, result.drift[0]),
            ("north", north, b, result.north_backlash, result.drift[1]),
        )
    ]
    show_table(("pulse", "px/s", "arcsec/s", "direction (deg)", "backlash (s)", "drift (px/min)"), rows)
    click.echo(f"{result.orthogonality:+.1f} degrees from square")
    from dataclasses import asdict

    return asdict(result)


@click.command("guide-log")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the longest session as PNG.")
def guide_log(files: tuple[Path, ...], plot: Path | None) -> dict[str, Any]:
    """How well was guided: figures of guide logs of firstlight, PHD2 and KStars."""
    if plot is not None:
        # Drawn anew each time the log is looked at.
        check_target(plot, files, overwrite=True, endings=(".png",))
    from firstlight.observe.guiding.log_reader import read_guide_log
    from firstlight.observe.guiding.summary import draw_guiding, rms_of

    sessions = [(path, session) for path in files for session in read_guide_log(path).sessions]
    rows, told = [], []
    for path, session in sessions:
        rms, scale = rms_of(session.steps), session.scale
        minutes = session.steps[-1].time / 60.0 if session.steps else 0.0
        factor, unit = (scale, '"') if scale else (1.0, " px")
        figures = [f"{factor * value:.2f}{unit}" for value in (rms.ra, rms.dec, rms.total)]
        rows.append((session.begins, f"{minutes:.1f}", str(rms.n), str(rms.lost), *figures, path.name))
        told.append({"file": str(path), "begins": session.begins, "minutes": minutes, "frames": rms.n, "lost": rms.lost,
                     "pixel_scale": scale, "rms_px": {"ra": rms.ra, "dec": rms.dec, "total": rms.total}})  # fmt: skip
    show_table(("begins", "minutes", "frames", "lost", "RMS RA", "RMS Dec", "total", "file"), rows)
    if plot is not None and sessions:
        path, longest = max(sessions, key=lambda each: len(each[1].steps))
        click.echo(draw_guiding(longest.steps, plot, longest.scale, f"{path.name}, {longest.begins}"))
    return {"sessions": told}
