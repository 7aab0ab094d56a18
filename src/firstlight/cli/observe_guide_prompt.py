"""Commands typed while the mount is guided."""

from __future__ import annotations

import cmd
import shlex
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.observe_guide import Shown, about
from firstlight.cli.settings import settings_from
from firstlight.errors import FirstlightError, InputError, nearest
from firstlight.observe.guiding.settings import GuideSettings
from firstlight.observe.guiding.summary import rms_of

if TYPE_CHECKING:
    from firstlight.observe.guiding.guider import Guider
    from firstlight.observe.guiding.step import GuideStep

RECENT = 100


class Kept(Shown):
    """Says what happens, but not each frame: the line belongs to whoever types."""

    def step(self, step: GuideStep) -> None:
        """Only kept."""
        self.steps.append(step)
        if step.lost and (len(self.steps) < 2 or not self.steps[-2].lost):
            self._line(f"star lost: {step.lost}")


class GuidePrompt(cmd.Cmd):
    """``start``, ``stop``, ``dither 5`` ...: one line, one command. Guiding goes on in a thread meanwhile."""

    intro = "start, stop, status, calibrate, dither PX, shift DX DY, pulse EAST NORTH, set NAME VALUE, show, flip, quit"
    prompt = "guide> "

    def __init__(self, guider: Guider, kept: Kept) -> None:
        super().__init__()
        self.guider, self._kept = guider, kept

    def onecmd(self, line: str) -> bool:
        """A mistake is told, and the next line is awaited."""
        try:
            return bool(super().onecmd(line))
        except (FirstlightError, ValueError) as error:
            click.echo(f"{error}", err=True)
        except KeyboardInterrupt:
            self.guider.stop()
            click.echo("\nstopped", err=True)
        return False

    def emptyline(self) -> bool:
        """Nothing is done twice by mistake."""
        return False

    def default(self, line: str) -> None:
        """A word that is no command."""
        if line == "EOF":
            return
        word = line.split()[0]
        known = [name.removeprefix("do_") for name in self.get_names() if name.startswith("do_")]
        raise InputError(f"{word!r} is no command{nearest(word, known)}; there are {', '.join(known)}")

    def do_start(self, words: str) -> None:
        """start: calibrate where needed, guide, and wait until it has settled."""
        self.guider.start()

    def do_stop(self, words: str) -> None:
        """stop: end guiding; no pulse is under way afterwards."""
        self.guider.stop()

    def do_status(self, words: str) -> None:
        """status: the last frame, and the scatter of the last hundred."""
        steps = self._kept.steps
        if self.guider.problem is not None:
            click.echo(f"ended: {self.guider.problem}")
        if not steps:
            click.echo("not guiding yet")
            return
        last, scale = steps[-1], self.guider.scale
        where = f"lost: {last.lost}" if last.lost else f"RA {last.ra:+.2f} Dec {last.dec:+.2f} px, {last.n_stars} stars"
        click.echo(f"{last.time:.0f} s: {where}; {'settled' if self.guider.settled() else 'not settled'}")
        click.echo(rms_of(steps[-RECENT:]).text(scale))

    def do_calibrate(self, words: str) -> None:
        """calibrate: measure anew what pulses do; guiding has to be stopped."""
        self._at_rest("calibrate")
        self.guider.calibrate()

    def do_dither(self, words: str) -> None:
        """dither PX: to a random place within so many px, and wait until that has settled."""
        (pixels,) = _numbers(words, "dither PX")
        self.guider.dither(pixels)

    def do_shift(self, words: str) -> None:
        """shift DX DY: keep the star so many px further on the sensor."""
        self.guider.shift(*_numbers(words, "shift DX DY"))

    def do_pulse(self, words: str) -> None:
        """pulse EAST NORTH: move for so many seconds (negative: west, south); guiding has to be stopped."""
        self._at_rest("pulse")
        east, north = _numbers(words, "pulse EAST NORTH")
        longest = self.guider.settings.calibrate.max_pulse
        if max(abs(east), abs(north)) > longest:
            raise InputError(f"pulse: {longest:g} s is allowed")
        self.guider.port.pulse(north, east)

    def do_set(self, words: str) -> None:
        """set NAME VALUE: a setting, such as control.ra_aggressiveness 0.7 or exposure 3."""
        given = shlex.split(words)
        if len(given) != 2:
            raise InputError("set: needs NAME VALUE, such as control.ra_aggressiveness 0.7; `show` lists them")
        section, _, field = given[0].rpartition(".")
        flat = dict(_flat(self.guider.settings.model_dump()))
        if given[0] not in flat:
            raise InputError(f"set: {given[0]!r} is no setting{nearest(given[0], flat)}; `show` lists them")
        if given[0] == "binning" and self.guider.here is not None:
            raise InputError("set: binning cannot be changed after calibration; end, and give --binning")
        options: dict[str, Any] = {f"set__{section}__{field}": given[1]}
        self.guider.change(settings_from(options, GuideSettings, base=self.guider.settings))

    def do_show(self, words: str) -> None:
        """show: all settings, and the calibration."""
        for name, value in _flat(self.guider.settings.model_dump()):
            click.echo(f"{name} {value}")
        if self.guider.here is not None:
            click.echo(about(self.guider.here))

    def do_flip(self, words: str) -> None:
        """flip: the telescope is on the other side of the pier now, and the mount does not tell; guiding stopped."""
        self._at_rest("flip")
        self.guider.flip()

    def do_quit(self, words: str) -> bool:
        """quit: end guiding and the prompt."""
        self.guider.stop()
        return True

    do_EOF = do_exit = do_quit

    def _at_rest(self, what: str) -> None:
        if self.guider.running:
            raise InputError(f"{what}: guiding is on; stop it first")


def _numbers(words: str, usage: str) -> list[float]:
    given, wanted = words.split(), len(usage.split()) - 1
    try:
        numbers = [float(word) for word in given]
    except ValueError:
        numbers = []
    if len(numbers) != wanted:
        raise InputError(f"{words!r}: {usage} is needed")
    return numbers


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        found += _flat(value, f"{name}.") if isinstance(value, dict) else [(before + name, value)]
    return found


def run_prompt(guider: Guider, kept: Kept) -> None:
    """Read commands until ``quit``, the end of the input or Ctrl-C on an empty line."""
    prompt = GuidePrompt(guider, kept)
    try:
        prompt.cmdloop()
    except KeyboardInterrupt:
        click.echo("", err=True)
    finally:
        guider.stop()
