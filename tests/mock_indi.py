"""A small INDI server for tests: devices with properties, on a port of this machine."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

Handler = Callable[["MockIndi", dict[str, Any]], None]

_KINDS = {"number": "Number", "switch": "Switch", "text": "Text", "blob": "BLOB"}


class MockIndi:
    """Use it in a ``with`` block. A new value is taken and told as Ok, unless a handler is given for its property."""

    def __init__(self) -> None:
        self.properties: dict[tuple[str, str], dict[str, Any]] = {}
        self.handlers: dict[tuple[str, str], Handler] = {}
        self.received: list[tuple[str, dict[str, Any]]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._peer: socket.socket | None = None
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def add(
        self, device: str, name: str, kind: str, values: dict[str, Any], *, perm: str = "rw", limits=(0, 0)
    ) -> None:
        """A property before the client comes, or while it is there."""
        found = {"kind": kind, "values": dict(values), "perm": perm, "limits": limits, "state": "Idle"}
        self.properties[device, name] = found
        if self._peer is not None:
            self._define(device, name)

    def device(self, device: str) -> None:
        self.add(device, "CONNECTION", "switch", {"CONNECT": False, "DISCONNECT": True})

    def on(self, device: str, name: str, handler: Handler) -> None:
        self.handlers[device, name] = handler

    def __enter__(self) -> MockIndi:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        # To close it does not wake who waits for a client.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def hang_up(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            if self._peer is not None:
                self._peer.shutdown(socket.SHUT_RDWR)
                self._peer.close()

    def tell(
        self, device: str, name: str, values: dict[str, Any] | None = None, state: str = "Ok", message: str = ""
    ) -> None:
        """Send new values of a property."""
        found = self.properties[device, name]
        found["values"] |= values or {}
        found["state"] = state
        word = _KINDS[found["kind"]]
        root = ET.Element(f"set{word}Vector", device=device, name=name, state=state)
        if message:
            root.set("message", message)
        for key, value in found["values"].items():
            member = ET.SubElement(root, f"one{word}", name=key)
            member.text = _text(value)
            if found["kind"] == "blob":
                member.set("size", str(len(value)))
                member.set("format", ".fits")
        self._send(root)

    def remove(self, device: str) -> None:
        """The driver has died."""
        self._send(ET.Element("delProperty", device=device))

    def define_again(self, device: str) -> None:
        """The driver was started again, and has not connected to its device."""
        self.properties[device, "CONNECTION"]["values"] = {"CONNECT": False, "DISCONNECT": True}
        for owner, name in self.properties:
            if owner == device:
                self._define(device, name)

    def say(self, device: str, message: str) -> None:
        self._send(ET.Element("message", device=device, message=message))

    def _define(self, device: str, name: str) -> None:
        found = self.properties[device, name]
        word = _KINDS[found["kind"]]
        root = ET.Element(
            f"def{word}Vector",
            device=device,
            name=name,
            label=name,
            group="Main",
            state=found["state"],
            perm=found["perm"],
        )
        if word == "Switch":
            root.set("rule", "OneOfMany")
        for key, value in found["values"].items():
            member = ET.SubElement(root, f"def{word}", name=key, label=key)
            if word == "Number":
                least, most = found["limits"]
                for attribute, text in (("format", "%g"), ("min", least), ("max", most), ("step", 0)):
                    member.set(attribute, str(text))
            if word != "BLOB":
                member.text = _text(value)
        self._send(root)

    def _send(self, root: ET.Element) -> None:
        with self._sending, contextlib.suppress(OSError):
            if self._peer is not None:
                self._peer.sendall(ET.tostring(root) + b"\n")

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            self._peer, _ = self._listener.accept()
            parser = ET.XMLPullParser(events=("start", "end"))
            parser.feed("<root>")
            depth = 0
            while data := self._peer.recv(65536):
                parser.feed(data)
                for event, element in parser.read_events():
                    depth += 1 if event == "start" else -1
                    if event == "end" and depth == 1:
                        self._take(element)

    def _take(self, element: ET.Element) -> None:
        if element.tag == "getProperties":
            for device, name in list(self.properties):
                self._define(device, name)
        if not element.tag.startswith("new"):
            return
        device, name = element.get("device", ""), element.get("name", "")
        kind = self.properties[device, name]["kind"]
        values = {child.get("name", ""): _value(kind, (child.text or "").strip()) for child in element}
        self.received.append((name, values))
        handler = self.handlers.get((device, name))
        if handler is not None:
            handler(self, values)
        else:
            self.tell(device, name, values)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, bool):
        return "On" if value else "Off"
    return str(value)


def _value(kind: str, text: str) -> Any:
    return float(text) if kind == "number" else text == "On" if kind == "switch" else text
