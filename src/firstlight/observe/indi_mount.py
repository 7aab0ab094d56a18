"""Mounts and guide ports of INDI."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from firstlight.errors import EquipmentError
from firstlight.model.catalog import separation
from firstlight.observe.equipment import PierSide, Pointing
from firstlight.observe.indi import IndiServer
from firstlight.observe.indi_property import Property
from firstlight.observe.of_date import from_date, to_date

SLEW = 300.0
"""Seconds that a slew may take."""
NEAR = 0.5
"""Degrees from where it was sent that a mount may stop: then it has arrived."""
LATE = 10.0
"""Seconds that a pulse may take beyond its length."""


class IndiGuidePort:
    """What takes guide pulses: a mount, or a camera with a cable to one."""

    def __init__(self, server: IndiServer, device: str) -> None:
        self.name, self.server = device, server
        server.connect(device)
        server.get(device, "TELESCOPE_TIMED_GUIDE_NS")

    @property
    def guide_rate(self) -> float | None:
        """Speed of pulses in right ascension, of the sidereal rate; None where the device does not tell."""
        found = self.server.find(self.name, "GUIDE_RATE")
        return None if found is None else found.values.get("GUIDE_RATE_WE")

    def pulse(self, north_south: float, east_west: float) -> None:
        """Move for that many seconds, north and east positive."""
        axes = (
            ("TELESCOPE_TIMED_GUIDE_NS", "TIMED_GUIDE_N", "TIMED_GUIDE_S", north_south),
            ("TELESCOPE_TIMED_GUIDE_WE", "TIMED_GUIDE_E", "TIMED_GUIDE_W", east_west),
        )
        moving = [axis for axis in axes if round(abs(axis[3]) * 1000)]
        started = time.monotonic()
        try:
            told = {}
            for name, plus, minus, seconds in moving:
                ms = float(round(abs(seconds) * 1000))
                values = {plus: ms, minus: 0.0} if seconds > 0 else {plus: 0.0, minus: ms}
                told[name] = self.server.send(self.name, name, values)
            for name, _, _, seconds in moving:
                self._finish(name, told[name], abs(seconds), started)
        except BaseException:
            self._stop_quietly()
            raise

    def _finish(self, name: str, told: int, seconds: float, started: float) -> None:
        doing = f"guide pulse of {seconds:g} s"

        def done(found: Property) -> bool:
            # Some drivers say at once that they have done what they have only begun.
            return found.count > told and found.state != "Busy" and time.monotonic() - started >= seconds

        self.server.wait(self.name, name, done, seconds + LATE, doing, fail_on_alert=True, after=told)

    def stop(self) -> None:
        """End pulses under way."""
        for name, keys in (
            ("TELESCOPE_TIMED_GUIDE_NS", ("TIMED_GUIDE_N", "TIMED_GUIDE_S")),
            ("TELESCOPE_TIMED_GUIDE_WE", ("TIMED_GUIDE_E", "TIMED_GUIDE_W")),
        ):
            found = self.server.find(self.name, name)
            if found is not None and found.state == "Busy":
                self.server.send(self.name, name, dict.fromkeys(keys, 0.0))

    def _stop_quietly(self) -> None:
        try:
            self.stop()
        except EquipmentError:
            return


class IndiMount(IndiGuidePort):
    """A mount."""

    def __init__(self, server: IndiServer, device: str, slew: float = SLEW) -> None:
        self.name, self.server, self._slew = device, server, slew
        server.connect(device)
        # Most mounts count from the equinox of date, a few from that of J2000.
        server.get(device, "ON_COORD_SET")
        self._of_date = server.find(device, "EQUATORIAL_EOD_COORD") is not None
        self._place = "EQUATORIAL_EOD_COORD" if self._of_date else "EQUATORIAL_COORD"
        server.get(device, self._place)

    @property
    def position(self) -> Pointing:
        """Where the mount believes to point, ICRS."""
        return self._pointing(self.server.get(self.name, self._place))

    def _pointing(self, found: Property) -> Pointing:
        ra, dec = found.values["RA"] * 15.0, found.values["DEC"]
        return Pointing(*(from_date(ra, dec, datetime.now(UTC)) if self._of_date else (ra, dec)))

    @property
    def pier_side(self) -> PierSide:
        """Side of the pier that the telescope is on."""
        found = self.server.find(self.name, "TELESCOPE_PIER_SIDE")
        return {"PIER_EAST": "east", "PIER_WEST": "west"}.get(found.on if found else "", "")  # type: ignore[return-value]

    @property
    def tracking(self) -> bool:
        """Whether it follows the sky; True where it does not tell."""
        found = self.server.find(self.name, "TELESCOPE_TRACK_STATE")
        return found is None or found.on == "TRACK_ON"

    @property
    def parked(self) -> bool:
        """Whether it is parked."""
        found = self.server.find(self.name, "TELESCOPE_PARK")
        return found is not None and found.on == "PARK"

    def track(self, on: bool) -> None:
        """Follow the sky, or stand still."""
        self.server.choose(
            self.name, "TELESCOPE_TRACK_STATE", "TRACK_ON" if on else "TRACK_OFF", doing="switching tracking"
        )

    def goto(self, ra: float, dec: float) -> None:
        """Slew, and track there; when it fails or is interrupted, the mount is stopped."""
        if self.parked:
            raise EquipmentError(f"{self.name}: is parked; unpark it first (`firstlight observe goto --unpark`)")
        self._mode("TRACK")
        try:
            self._send(ra, dec, f"slewing to {ra:.4f}, {dec:+.4f}", self._slew)
        except BaseException:
            self._abort_quietly()
            raise

    def sync(self, ra: float, dec: float) -> None:
        """Tell the mount where it points."""
        if self.parked:
            raise EquipmentError(f"{self.name}: is parked; unpark it first")
        self._mode("SYNC")
        try:
            self._send(ra, dec, f"synchronising at {ra:.4f}, {dec:+.4f}", self.server.timeout)
        finally:
            # The next goto of any program must be one.
            self._mode("TRACK")

    def _mode(self, mode: str) -> None:
        self.server.choose(self.name, "ON_COORD_SET", mode, doing=f"choosing {mode}")

    def _send(self, ra: float, dec: float, doing: str, timeout: float) -> None:
        there = to_date(ra, dec, datetime.now(UTC)) if self._of_date else (ra, dec)
        values = {"RA": there[0] % 360.0 / 15.0, "DEC": there[1]}
        told = self.server.send(self.name, self._place, values)

        def arrived(found: Property) -> bool:
            # Positions are told all the time: one told before the mount has begun to move is not its arrival.
            away = separation(*self._pointing(found), ra, dec)
            return found.count > told and found.state != "Busy" and away < NEAR

        self.server.wait(self.name, self._place, arrived, timeout, doing, fail_on_alert=True, after=told)

    def abort(self) -> None:
        """Stop slewing."""
        found = self.server.find(self.name, "TELESCOPE_ABORT_MOTION")
        if found is not None:
            self.server.send(self.name, "TELESCOPE_ABORT_MOTION", dict.fromkeys(found.values, True))

    def _abort_quietly(self) -> None:
        try:
            self.abort()
        except EquipmentError:
            return

    def park(self) -> None:
        """Go where it is safe, and stand still."""
        self.server.choose(self.name, "TELESCOPE_PARK", "PARK", self._slew, "parking")

    def unpark(self) -> None:
        """Be ready to move."""
        self.server.choose(self.name, "TELESCOPE_PARK", "UNPARK", self._slew, "unparking")
