"""Filter wheels and focusers of INDI."""

from __future__ import annotations

from collections.abc import Sequence

from firstlight.errors import EquipmentError, nearest
from firstlight.observe.indi import IndiServer

TURN = 60.0
"""Seconds that a wheel may take."""
MOVE = 300.0
"""Seconds that a focuser may take."""


class IndiWheel:
    """A wheel; ``names`` go before those that the driver has."""

    def __init__(self, server: IndiServer, device: str, names: Sequence[str] = ()) -> None:
        self.name, self.server = device, server
        server.connect(device)
        slot = server.get(device, "FILTER_SLOT")
        told = server.find(device, "FILTER_NAME")
        own = [str(value).strip() for value in told.values.values()] if told else []
        last = int(slot.limits.get("FILTER_SLOT_VALUE", (1, len(own)))[1])
        self._names = tuple(names) or tuple(own) or tuple(f"Filter {i}" for i in range(1, last + 1))
        if last and len(self._names) > last:
            raise EquipmentError(f"{device}: {len(self._names)} names of filters; the wheel has {last} places")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the filters, in order of their places."""
        return self._names

    @property
    def current(self) -> str:
        """The filter in the light."""
        slot = int(self.server.get(self.name, "FILTER_SLOT").values["FILTER_SLOT_VALUE"])
        return self._names[slot - 1] if 0 < slot <= len(self._names) else f"Filter {slot}"

    def select(self, name: str) -> None:
        """Turn the wheel."""
        if name not in self._names:
            raise EquipmentError(
                f"{self.name}: there is no filter {name!r}{nearest(name, self._names)}; it has {', '.join(self._names)}"
            )
        slot = self._names.index(name) + 1
        found = self.server.get(self.name, "FILTER_SLOT")
        if found.state != "Busy" and int(found.values["FILTER_SLOT_VALUE"]) == slot:
            return
        self.server.set(self.name, "FILTER_SLOT", {"FILTER_SLOT_VALUE": slot}, TURN, f"turning to {name}")


class IndiFocuser:
    """A focuser that knows its position."""

    def __init__(self, server: IndiServer, device: str) -> None:
        self.name, self.server = device, server
        server.connect(device)
        try:
            self._limits = server.get(device, "ABS_FOCUS_POSITION").limits["FOCUS_ABSOLUTE_POSITION"]
        except EquipmentError as error:
            raise EquipmentError(f"{error}; a focuser that knows its position is needed") from None
        self._key = "FOCUS_ABSOLUTE_POSITION"

    @property
    def position(self) -> int:
        """Steps."""
        return round(self.server.get(self.name, "ABS_FOCUS_POSITION").values[self._key])

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest position."""
        most = self.server.find(self.name, "FOCUS_MAX")
        greatest = min(
            self._limits[1], most.values.get("FOCUS_MAX_VALUE", self._limits[1]) if most else self._limits[1]
        )
        return int(self._limits[0]), int(greatest)

    def move_to(self, position: int) -> None:
        """Move; when that fails or is interrupted, the focuser is stopped."""
        least, most = self.limits
        if not least <= position <= most:
            raise EquipmentError(f"{self.name}: position {position}; {least} to {most} is allowed")
        if position == self.position:
            return
        try:
            self.server.set(self.name, "ABS_FOCUS_POSITION", {self._key: position}, MOVE, f"moving to {position}")
        except BaseException:
            self._abort_quietly()
            raise

    def abort(self) -> None:
        """Stop."""
        if self.server.find(self.name, "FOCUS_ABORT_MOTION"):
            self.server.send(self.name, "FOCUS_ABORT_MOTION", {"ABORT": True})

    def _abort_quietly(self) -> None:
        try:
            self.abort()
        except EquipmentError:
            return
