"""Properties of INDI devices: what they hold, how they stand."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["Idle", "Ok", "Busy", "Alert"]


@dataclass(frozen=True)
class Property:
    """A property of a device, as it was when it was asked for."""

    device: str
    name: str
    kind: str
    """number, switch, text, light or blob."""
    state: State
    values: Mapping[str, Any]
    """Numbers as float, switches as bool, texts and lights as str, BLOBs as bytes."""
    label: str = ""
    group: str = ""
    writable: bool = False
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Least and greatest of each number."""
    formats: Mapping[str, str] = field(default_factory=dict)
    """Endings of BLOBs: ``.fits``."""
    count: int = 0
    """How often it was told; 0 at its definition."""

    @property
    def on(self) -> str:
        """The switch that is on; empty where none is."""
        return next((name for name, value in self.values.items() if value is True), "")


def is_same(found: Property, key: str, value: Any) -> bool:
    """Whether a property has a value that it was asked to have."""
    have = found.values.get(key)
    if found.kind == "switch":
        # Switches that act (ABORT, SYNC) go off again by themselves.
        return have is True or not value or len(found.values) == 1
    if found.kind == "number":
        return abs(have - float(value)) <= max(1e-6, 1e-4 * abs(float(value)))
    return have == str(value)


def property_of(event: Any, count: int) -> Property:
    """The property that an event of indipyclient defines or tells."""
    vector = event.vector
    kind = vector.vectortype.removesuffix("Vector").lower()
    values: dict[str, Any] = dict(vector.items())
    limits, formats = {}, {}
    if kind == "number":
        values = {name: vector.getfloatvalue(name) for name in values}
        for name in values:
            member = vector.member(name)
            with contextlib.suppress(TypeError):
                limits[name] = (member.getfloat(member.min), member.getfloat(member.max))
    elif kind == "switch":
        values = {name: value == "On" for name, value in values.items()}
    elif kind == "blob":
        sizes = getattr(event, "sizeformat", {})
        values = {name: value for name, value in values.items() if name in sizes}
        formats = {name: ending for name, (_, ending) in sizes.items()}
    return Property(
        event.devicename,
        event.vectorname,
        kind,
        vector.state,
        values,
        vector.label or "",
        vector.group or "",
        "w" in (vector.perm or ""),
        limits,
        formats,
        count,
    )
