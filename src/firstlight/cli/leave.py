"""How the program ends."""

from __future__ import annotations

import atexit
import os
import sys
from threading import active_count
from typing import NoReturn

READER_GONE = 141
"""Exit code where whoever read our output has seen enough (`firstlight ops | head`): 128 and the number of SIGPIPE."""


def leave(code: int) -> NoReturn:
    """End the process at once: all is written, and to take apart what was imported costs up to a tenth of a second.

    What was registered to be done at the end is done. A thread that still works, a profiler or a debugger, and a reader
    that has gone have Python end as it always does.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        let_go()
        code = READER_GONE
    except (OSError, ValueError):
        sys.exit(code)
    if active_count() > 1 or sys.gettrace() is not None or sys.getprofile() is not None:
        sys.exit(code)
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code)


def let_go() -> None:
    """What is still to be said goes nowhere: nobody reads the pipe any more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except (OSError, ValueError):
            continue
