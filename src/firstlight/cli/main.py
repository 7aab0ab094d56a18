"""``firstlight``: the command group. Commands and operations are imported when they are asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from firstlight import __version__
from firstlight.cli.answer import answered, equipped
from firstlight.cli.errors import reported
from firstlight.errors import nearest
from firstlight.kernels.lean import be_program

COMMANDS: dict[str, tuple[str, str]] = {
    "process": (
        "firstlight.cli.process",
        "From a folder of raw frames to masters, stacks, pictures and tables.",
    ),
    "recipe": ("firstlight.cli.recipe", "Recipes: all that is done with a night, in one file."),
    "runs": ("firstlight.cli.runs", "List runs: what is finished, when, and what has changed since."),
    "clean": ("firstlight.cli.clean", "Remove what runs keep only to save time, after a question."),
    "config": ("firstlight.cli.config", "Show every setting that a file gives, and which file wins."),
    "completion": ("firstlight.cli.completion", "Print the script that completes commands and options in your shell."),
    "stack": ("firstlight.cli.stack", "Combine files that are calibrated (and registered) already: images or stacks."),
    "live": ("firstlight.cli.live", "Watch a folder and add each new frame to a running stack."),
    "plan": ("firstlight.cli.plan", "Say what `process` would do with SESSION, and write nothing."),
    "library": ("firstlight.cli.library", "Keep calibration masters, and let every session use those that fit."),
    "info": ("firstlight.cli.info", "Show what firstlight understands of files, and from which keyword."),
    "detector": ("firstlight.cli.detector", "Measure a detector from its own bias frames, darks and flats."),
    "solve": ("firstlight.cli.solve", "Find out where on the sky images lie, and write it into their headers."),
    "catalogs": ("firstlight.cli.catalogs", "Star catalogues and deep-sky objects: list, search, find by name, fetch."),
    "meta": ("firstlight.cli.meta", "Airmass, Moon, night and site of frames; edit keywords; the table of sites."),
    "organize": (
        "firstlight.cli.organize",
        "Sort frames into a collection: folders by night, object and filter.",
    ),
    "clear": ("firstlight.cli.clear", "Remove what `process` or `organize` made in FOLDER, after a question."),
    "report": ("firstlight.cli.report", "Write the report of a run: one web page with pictures, plots and reasons."),
    "explain": ("firstlight.cli.explain", "How was this file made?"),
    "reproduce": ("firstlight.cli.reproduce", "Make a file again, from its recorded inputs and settings, and compare."),
    "cite": (
        "firstlight.cli.cite",
        "A paragraph on the methods behind a file, for a publication, citing what was used and nothing else.",
    ),
    "flow": ("firstlight.cli.flow", "Run sessions under Prefect: retries, a page with what was made, schedules."),
    "apply": ("firstlight.cli.apply", "Apply one or more operations to an image and write the result."),
    "resample": ("firstlight.cli.resample", "Bring images with plates onto one grid on the sky."),
    "cutout": (
        "firstlight.cli.cutout",
        "Cut the pixels around a place on the sky out of an image that has a plate.",
    ),
    "annotate": (
        "firstlight.cli.annotate",
        "Write the names of objects and stars on a picture of an image that has a plate.",
    ),
    "astromatic": (
        "firstlight.cli.astromatic",
        "Run the programs of astromatic.net on images with a first plate.",
    ),
    "history": ("firstlight.cli.history", "List the steps that were applied to an image."),
    "replay": (
        "firstlight.cli.replay",
        "Apply the steps of a file again: to undo some, or to treat another image alike.",
    ),
    "picture": ("firstlight.cli.picture", "Make a picture of an image: PNG, JPEG or TIFF, or FITS for ds9."),
    "combine": ("firstlight.cli.combine", "Combine images of different filters into one."),
    "wb": ("firstlight.cli.wb", "White balance: list what is known, calibrate colours by the stars of a solved image."),
    "ops": ("firstlight.cli.ops", "List the operations."),
    "stars": ("firstlight.cli.stars", "List the stars of images: places, light, widths, shapes, the PSF."),
    "measure": (
        "firstlight.cli.measure",
        "Measure how good images are: sky, noise, stars, widths, tilt, saturation, statistics.",
    ),
    "inspect": (
        "firstlight.cli.inspect",
        "Draw how good images are: corners, tilt, maps of width and elongation, stars, histogram.",
    ),
    "quality": ("firstlight.cli.quality", "Tell good frames from poor ones, and say why."),
    "photometry": (
        "firstlight.cli.photometry",
        "Measure the stars of images: calibrated magnitudes, zero point, limits.",
    ),
    "continuum": ("firstlight.cli.continuum", "Subtract the continuum from a narrowband image."),
    "aavso": ("firstlight.cli.aavso", "Check reports of AAVSO's Extended Format 1.2 against the rules of the format."),
    "timeseries": ("firstlight.cli.timeseries", "From a folder of frames to a light curve."),
    "simulate": ("firstlight.cli.simulate", "Write a simulated night of raw frames, and the truth beside it."),
}
"""Command to its module, which holds it as ``command``, and the line that ``firstlight --help`` shows."""


class Commands(click.Group):
    """Knows its commands by name; imports only the one that is invoked. ``family:name`` is an operation."""

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
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])
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
    can put right. 130: interrupted.
    """

    def invoke() -> Any:
        return cli.main(args=list(arguments), prog_name="firstlight", standalone_mode=False)

    return answered(invoke, arguments, reported)


def main() -> None:
    """Entry point of the ``firstlight`` program."""
    be_program()
    sys.exit(run(sys.argv[1:]))
