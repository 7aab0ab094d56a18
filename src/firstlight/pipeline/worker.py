"""How a process that works for another one starts. Little is imported here: it is said before anything else is."""

from __future__ import annotations

import signal

from firstlight.kernels.lean import be_program


def be_worker() -> None:
    """A worker leaves Ctrl-C to the process that leads: it ends the run in good order."""
    be_program()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
