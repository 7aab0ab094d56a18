"""``firstlight``: the command group. Commands and operations are imported when they are asked for."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from firstlight import __version__
from firstlight.cli.answer import answered, equipped
from firstlight.cli.errors import reported
from firstlight.cli.leave import READER_GONE, leave, let_go
from firstlight.errors import nearest
from firstlight.io.names import refuse_unreadable_name
from firstlight.kernels.lean import be_program

SECTIONS: dict[str, dict[str, str]] = {
    "At the telescope": {
        "observe": "Cameras, mount, wheel and focuser: take frames, focus, point, guide.",
    },
    "Sessions": {
        "process": "From a folder of raw frames to masters, stacks, pictures and tables.",
        "plan": "Say what `process` would do with SESSION, and write nothing.",
        "recipe": "Recipes: all that is done with a night, in one file.",
        "live": "Watch a folder and add each new frame to a running stack.",
        "stack": "Combine files that are calibrated (and registered) already: images or stacks.",
        "report": "Write the report of a run: one web page with pictures, plots and reasons.",
        "runs": "List runs: what is finished, when, and what has changed since.",
        "clean": "Remove what runs keep only to save time, after a question.",
        "clear": "Remove what `process` or `organize` made in FOLDER, after a question.",
    },
    "Calibration": {
        "library": "Keep calibration masters, and let every session use those that fit.",
        "detector": "Measure a detector from its own bias frames, darks and flats.",
    },
    "Files": {
        "info": "Show what firstlight understands of files, and from which keyword.",
        "meta": "Airmass, Moon, night and site of frames; edit keywords; the table of sites.",
        "organize": "Sort frames into a collection: folders by night, object and filter.",
        "simulate": "Write a simulated night of raw frames, and the truth beside it.",
    },
    "Stars and frames": {
        "quality": "Tell good frames from poor ones, and say why.",
        "measure": "Measure how good images are: sky, noise, stars, widths, tilt, saturation, statistics.",
        "stars": "List the stars of images: places, light, widths, shapes, the PSF.",
        "inspect": "Draw how good images are: corners, tilt, maps of width and elongation, stars, histogram.",
    },
    "The sky": {
        "solve": "Find out where on the sky images lie, and write it into their headers.",
        "catalogs": "Star catalogues and deep-sky objects: list, search, find by name, fetch.",
        "annotate": "Write the names of objects and stars on a picture of an image that has a plate.",
        "resample": "Bring images with plates onto one grid on the sky.",
        "cutout": "Cut the pixels around a place on the sky out of an image that has a plate.",
        "astromatic": "Run the programs of astromatic.net on images with a first plate.",
    },
    "Brightness": {
        "timeseries": "From a folder of frames to a light curve.",
        "photometry": "Measure the stars of images: calibrated magnitudes, zero point, limits.",
        "continuum": "Subtract the continuum from a narrowband image.",
        "aavso": "Check reports of AAVSO's Extended Format 1.2 against the rules of the format.",
    },
    "Images": {
        "apply": "Apply one or more operations to an image and write the result.",
        "ops": "List the operations.",
        "combine": "Combine images of different filters into one.",
        "wb": "White balance: list what is known, calibrate colours by the stars of a solved image.",
        "picture": "Make a picture of an image: PNG, JPEG or TIFF, or FITS for ds9.",
        "history": "List the steps that were applied to an image.",
        "replay": "Apply the steps of a file again: to undo some, or to treat another image alike.",
    },
    "How it was made": {
        "explain": "How was this file made?",
        "reproduce": "Make a file again, from its recorded inputs and settings, and compare.",
        "cite": "A paragraph on the methods behind a file, for a publication, citing what was used and nothing else.",
    },
    "The program": {
        "flow": "Run sessions under Prefect: retries, a page with what was made, schedules.",
        "config": "Show every setting that a file gives, and which file wins.",
        "completion": "Print the script that completes commands and options in your shell.",
    },
}
"""Commands by heading, with the line that ``firstlight --help`` shows. A module of that name has it as ``command``."""

COMMANDS = {name: (f"firstlight.cli.{name}", line) for lines in SECTIONS.values() for name, line in lines.items()}
"""Command to its module and its line."""


def _unless_the_reader_is_gone(act: Callable[[], Any]) -> Any:
    """Click would end with 1, as if the command had failed."""
    try:
        return act()
    except BrokenPipeError:
        let_go()
        raise click.exceptions.Exit(READER_GONE) from None


class Commands(click.Group):
    """Knows its commands by name; imports only the one that is invoked. ``family:name`` is an operation."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        return _unless_the_reader_is_gone(lambda: super(Commands, self).make_context(*arguments, **options))

    def invoke(self, context: click.Context) -> Any:
        return _unless_the_reader_is_gone(lambda: super(Commands, self).invoke(context))

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            return equipped(importlib.import_module(COMMANDS[name][0]).command)
        if ":" in name:
            from firstlight.cli.operation import command_of

            return equipped(command_of(name))
        return None

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(context, args[0]) is None:
            guess = nearest(args[0], COMMANDS)
            raise click.UsageError(
                f"there is no command {args[0]!r}{guess or '; firstlight --help lists them'}", context
            )
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for heading, lines in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), line) for name, line in lines.items()])
        with formatter.section("Operations"):
            formatter.write_dl([("FAMILY:NAME", "Any operation is a command: firstlight stretch:midtones --help")])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="firstlight %(version)s")
def cli() -> None:
    """From raw astronomical frames to calibrated, registered, stacked images and measurements.

    \b
    firstlight process SESSION       a folder of raw frames -> masters, stacks, pictures
    firstlight info FILE             what is in this file?
    firstlight apply stack.fits out.png abr:localgradient stretch:midtones
    """


def run(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit code.

    0: done. 1: the command says so (nothing came of it, files differ), or a fault of the program. 2: something the user
    can put right. 130: interrupted. 141: nobody reads what is said any more.
    """

    def invoke() -> Any:
        for word in arguments:
            refuse_unreadable_name(word)
        return cli.main(args=list(arguments), prog_name="firstlight", standalone_mode=False)

    try:
        return answered(invoke, arguments, reported)
    except BrokenPipeError:
        let_go()
        return READER_GONE


def main() -> None:
    """Entry point of the ``firstlight`` program."""
    be_program()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # Closed by whoever started us (`>&-`): what is said goes nowhere, and the work is done.
            setattr(sys, name, io.StringIO())
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        # Should the process itself die (a file cut while its pixels are being looked at), it says where it was.
        faulthandler.enable()
    leave(run(sys.argv[1:]))
