"""The connection to an INDI server: a table of properties that a thread keeps up to date.

References
----------
Downey, INDI: Instrument-Neutral Distributed Interface, protocol 1.7.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from firstlight.errors import EquipmentError, InputError, nearest
from firstlight.observe.indi_client import client_class
from firstlight.observe.indi_property import Property, is_same, property_of

PORT = 7624
ANSWER = 15.0
"""Seconds in which a server or a driver has to answer."""
QUIET = 0.6
"""Seconds without a new property after which a device has told them all."""
SLICE = 0.5
"""Seconds between two looks at whether the connection stands."""


def server_address(text: str) -> tuple[str, int]:
    """Host and port of ``host``, ``host:port`` or ``[v6 address]:port``.

    >>> server_address("pi.local"), server_address("localhost:7700"), server_address("[::1]:7624")
    (('pi.local', 7624), ('localhost', 7700), ('::1', 7624))
    """
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(PORT)
    bare = host.startswith("[") == host.endswith("]") and (host.startswith("[") or ":" not in host)
    host = host.strip("[]")
    if not host or not bare or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"INDI server {text!r}: host or host:port is allowed, such as localhost:{PORT}")
    return host, int(port)


def gone(device: str, doing: str) -> EquipmentError:
    """A device that is not there any more."""
    return EquipmentError(f"{device}: went away while {doing}; look at its cable, and at the server's log")


class IndiServer:
    """A connection; use it in a ``with`` block. All methods may be called from any thread.

    A connection that is lost is not made again: every call raises, and whoever was waiting stops.
    """

    def __init__(self, address: str = f"localhost:{PORT}", timeout: float = ANSWER) -> None:
        self.host, self.port = server_address(address)
        self.timeout = timeout
        self._table: dict[str, dict[str, Property]] = {}
        self._messages: dict[str, str] = {}
        self._defined: dict[str, float] = {}
        """When the newest property of a device has come."""
        self._changed = threading.Condition()
        self._lost = ""
        self._made = False
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def where(self) -> str:
        """How errors name it."""
        return f"INDI server {self.host}:{self.port}"

    def __enter__(self) -> IndiServer:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Connect, and ask for what is there.

        Raises
        ------
        EquipmentError
            Nothing answers there.
        """
        make = client_class()
        self._thread = threading.Thread(target=self._run, args=(make,), name="INDI", daemon=True)
        self._thread.start()
        try:
            self._wait(lambda: self._made, self.timeout, "does not answer")
        except EquipmentError as error:
            self.close()
            raise EquipmentError(
                f"{error}; start it there (`indiserver indi_...`, KStars, INDI Web Manager), or name another one"
            ) from None

    def close(self) -> None:
        """Let go of the server; devices stay connected to it."""
        if self._client is not None:
            self._client.shutdown()
        if self._thread is not None:
            self._thread.join(5.0)
        with self._changed:
            self._lost = self._lost or "is not connected any more"
            self._changed.notify_all()

    def devices(self, settle: float = 1.0) -> tuple[str, ...]:
        """Names of the devices, once none has been added for ``settle`` seconds."""
        end = time.monotonic() + self.timeout
        before, since = -1, time.monotonic()
        while time.monotonic() < end:
            with self._changed:
                self._check()
                n = sum(map(len, self._table.values()))
                if n != before:
                    before, since = n, time.monotonic()
                elif n and time.monotonic() - since >= settle:
                    break
                self._changed.wait(0.1)
        with self._changed:
            return tuple(sorted(self._table))

    def properties(self, device: str) -> dict[str, Property]:
        """All properties of a device."""
        with self._changed:
            self._check()
            return dict(self._table.get(device, {}))

    def find(self, device: str, name: str) -> Property | None:
        """A property as it is now; None where the device has none of that name."""
        with self._changed:
            self._check()
            return self._table.get(device, {}).get(name)

    def get(self, device: str, name: str, timeout: float | None = None) -> Property:
        """A property, waiting until the device has it."""
        return self.wait(device, name, lambda _: True, timeout)

    def wait(
        self,
        device: str,
        name: str,
        until: Callable[[Property], bool],
        timeout: float | None = None,
        doing: str = "",
        fail_on_alert: bool = False,
        after: int = -1,
    ) -> Property:
        """Wait until a property is as it should be; with ``fail_on_alert``, an Alert told after ``after`` raises."""

        def done() -> bool:
            found = self._table.get(device, {}).get(name)
            if found is None:
                if doing:
                    raise gone(device, doing)
                return False
            if fail_on_alert and found.state == "Alert" and found.count > after:
                raise EquipmentError(f"{device}: {doing or name}: refused{self._said(device)}")
            return until(found)

        timeout = self.timeout if timeout is None else timeout
        self._wait(done, timeout, doing, device, name)
        with self._changed:
            return self._table[device][name]

    def send(self, device: str, name: str, values: Mapping[str, Any]) -> int:
        """Send new values and return at once; returns how often the property had been told before.

        Switches are given as bool, numbers as numbers.
        """
        found = self.get(device, name)
        if unknown := sorted(set(values) - set(found.values)):
            raise EquipmentError(
                f"{device}: {name} has no {unknown[0]!r}{nearest(unknown[0], found.values)}; it has "
                f"{', '.join(found.values)}"
            )
        if found.kind == "switch":
            plain: dict[str, Any] = {key: "On" if value else "Off" for key, value in values.items()}
        elif found.kind == "number":
            plain = {key: self._within(found, key, value) for key, value in values.items()}
        else:
            plain = {key: str(value) for key, value in values.items()}
        self._call(lambda: self._client.send_newVector(device, name, members=plain))
        return found.count

    def set(
        self, device: str, name: str, values: Mapping[str, Any], timeout: float | None = None, doing: str = ""
    ) -> Property:
        """Send new values and wait until the device says that they hold.

        Raises
        ------
        EquipmentError
            It refuses, does not answer in time, or the connection is lost.
        """
        before = self.send(device, name, values)

        def holds(found: Property) -> bool:
            return (
                found.count > before and found.state != "Busy" and all(is_same(found, k, v) for k, v in values.items())
            )

        doing = doing or f"{name} = {', '.join(f'{key} {value}' for key, value in values.items())}"
        return self.wait(device, name, holds, timeout, doing, fail_on_alert=True, after=before)

    def choose(self, device: str, name: str, switch: str, timeout: float | None = None, doing: str = "") -> Property:
        """Turn one switch of several on."""
        found = self.get(device, name)
        if found.on == switch and found.state != "Alert":
            return found
        return self.set(device, name, {key: key == switch for key in found.values} | {switch: True}, timeout, doing)

    def connect(self, device: str, timeout: float = 30.0) -> None:
        """Have the driver connect to its device, where it has not.

        Raises
        ------
        EquipmentError
            There is no such device at this server, or it cannot be connected.
        """
        try:
            self.get(device, "CONNECTION")
        except EquipmentError:
            self._refuse_unknown(device)
            raise
        self.choose(device, "CONNECTION", "CONNECT", timeout, "connecting")
        self._settle(device)

    def _settle(self, device: str) -> None:
        """Drivers define their properties one after the other: wait until none has come for a while."""
        end = time.monotonic() + self.timeout
        with self._changed:
            while (now := time.monotonic()) < end and now - self._defined.get(device, now) < QUIET:
                self._check()
                self._changed.wait(0.05)

    def take_blobs(self, device: str) -> None:
        """Have the server send what this device measures."""
        self._call(lambda: self._client.send_enableBLOB("Also", device))

    def pause(self, seconds: float) -> None:
        """Wait until something is told, or so long."""
        with self._changed:
            self._check()
            self._changed.wait(seconds)

    def drop(self, device: str, name: str) -> None:
        """Forget the bytes of a BLOB."""
        with self._changed:
            found = self._table.get(device, {}).get(name)
            if found is not None:
                self._table[device][name] = replace(found, values={})

    def said(self, device: str) -> str:
        """The last message of a device."""
        with self._changed:
            return self._messages.get(device, "")

    def _said(self, device: str) -> str:
        text = self._messages.get(device, "")
        return f": {text}" if text else ""

    def _refuse_unknown(self, device: str) -> None:
        known = self.devices(0.2)
        if device not in known:
            there = ", ".join(known) or "none"
            raise EquipmentError(f"{self.where}: there is no device {device!r}{nearest(device, known)}; it has {there}")

    def _within(self, found: Property, key: str, value: Any) -> float:
        least, most = found.limits.get(key, (0.0, 0.0))
        # Equal limits mean none; a step of rounding is not a mistake.
        if least < most and not least - 1e-6 <= float(value) <= most + 1e-6:
            raise EquipmentError(f"{found.device}: {found.name} {key} {value:g}; {least:g} to {most:g} is allowed")
        return float(value)

    def _check(self) -> None:
        if self._lost:
            raise EquipmentError(f"{self.where}: {self._lost}")

    def _wait(
        self, done: Callable[[], bool], timeout: float, doing: str = "", device: str = "", name: str = ""
    ) -> None:
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                self._check()
                if done():
                    return
                left = end - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, SLICE))
            said = self._said(device)
            present = device in self._table
        if not device:
            raise EquipmentError(f"{self.where}: {doing} within {timeout:g} s")
        if doing:
            raise EquipmentError(f"{device}: {doing}: not done within {timeout:g} s{said}")
        raise EquipmentError(
            f"{device}: has no property {name}" if present else f"{self.where}: there is no device {device!r}"
        )

    def _call(self, act: Callable[[], Any]) -> None:
        with self._changed:
            self._check()
        if self._loop is None:
            raise EquipmentError(f"{self.where}: is not connected")
        try:
            asyncio.run_coroutine_threadsafe(act(), self._loop).result(self.timeout)
        except TimeoutError:
            raise EquipmentError(f"{self.where}: takes nothing within {self.timeout:g} s") from None

    def _run(self, make: Callable[[IndiServer], Any]) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            self._client = make(self)
            await self._client.asyncrun()

        try:
            asyncio.run(serve())
        finally:
            self.lose("the connection was closed")

    def lose(self, why: str) -> None:
        """The connection is gone: wake who waits."""
        with self._changed:
            self._lost = self._lost or why
            self._changed.notify_all()

    def take(self, event: Any) -> None:
        """What the client's loop was told."""
        with self._changed:
            kind = event.eventtype
            if kind == "ConnectionMade":
                self._made = True
            elif kind == "Message":
                self._messages[event.devicename or ""] = event.message
            elif kind == "Delete":
                known = self._table.get(event.devicename, {})
                for name in [event.vectorname] if event.vectorname else list(known):
                    known.pop(name, None)
                if not known:
                    self._table.pop(event.devicename, None)
            elif kind in ("Define", "DefineBLOB", "Set", "SetBLOB"):
                known = self._table.setdefault(event.devicename, {})
                old = known.get(event.vectorname)
                if old is None:
                    self._defined[event.devicename] = time.monotonic()
                if message := getattr(event, "message", ""):
                    self._messages[event.devicename] = message
                known[event.vectorname] = property_of(event, 0 if old is None else old.count + 1)
            self._changed.notify_all()
