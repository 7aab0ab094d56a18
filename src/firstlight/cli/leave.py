"""How the program ends."""

from __future__ import annotations

import atexit
import os
import sys
from threading import active_count
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process at once: all is written, and to take apart what was imported costs up to a tenth of a second.

    What was registered to be done at the end is done. A thread that still works, a profiler or a debugger, and a reader
    that has gone have Python end as it always does.
    """
    if active_count() > 1 or sys.gettrace() is not None or sys.getprofile() is not None:
        sys.exit(code)
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code)
