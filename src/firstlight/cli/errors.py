"""How errors reach the user: the one place."""

from __future__ import annotations

import errno
import sys
import textwrap
import traceback
from collections.abc import Callable
from typing import Any

import click

from firstlight.cli.answer import current
from firstlight.errors import FrameError, InputError

INTERRUPTED = 130
WRONG_INPUT = 2
NOTHING = 1
FAULT = 1


def reported(run: Callable[[], Any]) -> int:
    """Call ``run``; what it raises becomes words on stderr and an exit code."""
    try:
        result = run()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        return _usage(error)
    except (InputError, FrameError) as error:
        return say_error(str(error))
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"interrupted\n{_STANDS}", err=True)
        current().error = "interrupted"
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename is None and error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return _fault()
        where = f"{error.filename}: " if error.filename else ""
        return say_error(f"{where}{(error.strerror or str(error)).lower()}{_CURES.get(error.errno or 0, '')}")
    except Exception:
        return _fault()
    return result if isinstance(result, int) else 0


_STANDS = "What is finished stands: `process`, `recipe run`, `library build`, `live` and `observe sequence` go on."
_CURES = {
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "; look at the permissions, or choose another place for the output (-o, --output)",
    ),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "; a folder is needed here, and a file is in its place"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "; make room, or choose another place for the output (-o, --output)"),
    errno.ENAMETOOLONG: "; give a shorter one",
}


def say_error(message: str) -> int:
    """One paragraph on stderr, folded where it is a terminal; returns the exit code."""
    text = f"error: {message}"
    current().error = message
    if sys.stderr.isatty():
        text = textwrap.fill(text, width=100, break_long_words=False, break_on_hyphens=False)
    click.echo(text, err=True)
    return WRONG_INPUT


def _usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    message = error.format_message()
    message = message[:1].lower() + message[1:]
    click.echo(f"error: {message}", err=True)
    current().error = message
    if context is not None:
        click.echo(f"{context.get_usage()}\n'{context.command_path} --help' explains it.", err=True)
    return WRONG_INPUT


def _fault() -> int:
    traceback.print_exc()
    current().error = traceback.format_exc(limit=-1).strip().splitlines()[-1]
    click.echo(
        "\nThis is a bug in firstlight, not a mistake of yours. Please report it with the lines above and the command "
        "that led here.",
        err=True,
    )
    return FAULT
