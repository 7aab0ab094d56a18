"""How Prefect is kept to itself: its database in our cache, no telemetry, a server of this machine only."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firstlight.errors import InputError
from firstlight.io.places import cache_folder
from firstlight.io.prefect_server import answers, server

PORT = 4200
WANTED = {
    # The server's heartbeat to its makers, and the events of the client.
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    # On a busy machine it takes far longer to start than the 20 s that it is given: 90 were too few at a load of 16.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    # The machine that stacks is the one that serves: a reply may wait for the work.
    "PREFECT_API_REQUEST_TIMEOUT": "600",
    "PREFECT_SERVER_DATABASE_TIMEOUT": "120",
    "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
    "PREFECT_CLI_PROMPT": "false",
}


def prefect_home() -> Path:
    """Folder of Prefect's database and results: ``PREFECT_HOME``, else in our cache."""
    given = os.environ.get("PREFECT_HOME")
    return Path(given).expanduser() if given else cache_folder() / "prefect"


def prepare_prefect() -> None:
    """Settings for Prefect, which reads them when it is imported; what the user has set stays.

    Raises
    ------
    InputError
        It is not installed.
    """
    if importlib.util.find_spec("prefect") is None:
        raise InputError("flow: Prefect is not installed; pip install 'firstlight[prefect]'")
    home = prefect_home()
    home.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PREFECT_HOME", str(home))
    for name, value in WANTED.items():
        os.environ.setdefault(name, value)


@contextmanager
def prefect_server(port: int = PORT) -> Iterator[str]:
    """Address of a Prefect server that stays: the one named by ``PREFECT_API_URL``, or one that is started here and
    ended with the block. Schedules need it; single runs do not.

    Raises
    ------
    InputError
        It does not start, or something else sits on the port.
    """
    prepare_prefect()
    named = os.environ.get("PREFECT_API_URL")
    if named:
        if not answers(named):
            raise InputError(f"PREFECT_API_URL: no Prefect server answers at {named}")
        yield named
        return
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/api"
    with server(command, url, prefect_home() / "server.log"):
        os.environ["PREFECT_API_URL"] = url
        try:
            yield url
        finally:
            os.environ.pop("PREFECT_API_URL", None)
