"""The client of indipyclient, made fit for the telescope: it sees the stream's end, and does not connect again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from firstlight.errors import InputError

if TYPE_CHECKING:
    from firstlight.observe.indi import IndiServer


def client_class() -> Callable[[IndiServer], Any]:
    """The client of indipyclient that tells an `IndiServer`; loaded when it is first needed."""
    try:
        from indipyclient import IPyClient
    except ImportError:
        raise InputError(
            "INDI devices: the package indipyclient is missing; install it with: pip install 'firstlight[indi]'"
        ) from None
    # It reports each try to connect; we say it once, and in our words.
    log = logging.getLogger("indipyclient")
    log.addHandler(logging.NullHandler())
    log.propagate = False

    class Client(IPyClient):
        def __init__(self, server: IndiServer) -> None:
            super().__init__(indihost=server.host, indiport=server.port)
            self._server = server
            # Calls have time-outs of their own: an exposure of an hour is not a lost connection.
            self.timeout_enable = False
            self.enable_reports = False

        async def rxevent(self, event: Any) -> None:
            if event.eventtype == "ConnectionLost":
                self._server.lose("the connection was lost; look at the server, and start again")
                self.shutdown()
                return
            self._server.take(event)

        async def warning(self, message: str) -> None:
            if "refused" in message or "Connection Error" in message:
                self._server.lose("the connection was refused" if "refused" in message else "cannot be reached")
                self.shutdown()

        async def hardware(self) -> None:
            # indipyclient takes the end of the stream for a pause.
            while not self.stop:
                await asyncio.sleep(0.2)
                if self._reader is not None and self._reader.at_eof():
                    self._server.lose("the server has closed the connection; look at it, and start again")
                    self.shutdown()

    return Client
