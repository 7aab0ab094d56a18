"""``firstlight observe prompt``: one command after the other."""

from __future__ import annotations

import os
import shlex
import sys

import click

from firstlight.cli.observe_options import PROFILE, profile_of

WORD = "observe> "
LEAVE = ("exit", "quit", "bye", "q")


@click.command("prompt")
@PROFILE
def prompt(profile_name: str) -> None:
    """Take commands one after the other: the same words as `firstlight observe` has, without these two.

    \b
    observe> snap 3
    observe> goto M 27
    observe> help goto
    observe> exit

    Ctrl-C ends a command, and its exposure and motion, but not the prompt. An error ends nothing. Commands can also
    come from a file: firstlight observe prompt < night.txt
    """
    from firstlight.observe.profile import ENVIRONMENT

    found = profile_of(profile_name, "")
    # Commands name no profile: they take this one.
    before = os.environ.get(ENVIRONMENT)
    os.environ[ENVIRONMENT] = profile_name or found.name
    _with_history()
    try:
        click.echo(f"Profile {found.name}, server {found.server}. `help` lists the commands, `exit` leaves.")
        while (line := _line()) is not None:
            words = _words(line)
            if words and words[0] in LEAVE:
                break
            if words:
                _do(words)
    finally:
        if before is None:
            del os.environ[ENVIRONMENT]
        else:
            os.environ[ENVIRONMENT] = before


def _with_history() -> None:
    if sys.stdin.isatty():
        try:
            import readline  # noqa: F401
        except ImportError:
            return


def _line() -> str | None:
    """The next line; None at the end, or at Ctrl-C in place of a line."""
    try:
        line = input(WORD if sys.stdin.isatty() else "")
    except (EOFError, KeyboardInterrupt):
        click.echo("")
        return None
    if not sys.stdin.isatty():
        click.echo(f"{WORD}{line}")
    return line


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        click.echo(f"error: {line!r}: {str(error).lower()}", err=True)
        return []
    if words[:2] == ["firstlight", "observe"]:
        words = words[2:]
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    return words


def _do(words: list[str]) -> None:
    from firstlight.cli.errors import reported
    from firstlight.cli.observe import command

    if words[0] == "prompt":
        click.echo("This is the prompt already.")
        return
    reported(lambda: command.main(args=words, prog_name="", standalone_mode=False))
