"""A Prefect server as a program of its own: started, waited for, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from firstlight.errors import InputError

PATIENCE = 120.0
"""Seconds until a server must answer; a slow machine takes 15 to make its database."""


def answers(url: str) -> bool:
    """Whether a Prefect server answers at an address (``http://host:4200/api``)."""
    try:
        # No proxy: it is a machine of ours.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url.rstrip('/')}/health", timeout=5) as reply:
            return reply.status == 200
    except (OSError, ValueError, urllib.error.URLError):
        return False


@contextmanager
def server(command: Sequence[str], url: str, log: Path) -> Iterator[None]:
    """Run a server for the time of the block.

    Raises
    ------
    InputError
        It ends before it answers, or does not answer in time; the message holds its last words.
    """
    if answers(url):
        raise InputError(
            f"{url}: a server answers there already; set PREFECT_API_URL to use it, or give another --port"
        )
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as told:
        process = subprocess.Popen(
            list(command), stdout=told, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        _wait(process, url, log)
        yield
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not answers(url):
        if process.poll() is not None or time.monotonic() > end:
            words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
            raise InputError(f"the Prefect server did not start ({log}): {' '.join(words)}")
        time.sleep(0.3)


def _end(process: subprocess.Popen[bytes]) -> None:
    # The whole group: it starts helpers of its own.
    for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
