"""From a profile to equipment that answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from firstlight.errors import EquipmentError, InputError
from firstlight.observe.equipment import Equipment, GuidePort
from firstlight.observe.indi import IndiServer
from firstlight.observe.indi_camera import IndiCamera
from firstlight.observe.indi_focus import IndiFocuser, IndiWheel
from firstlight.observe.indi_mount import IndiGuidePort, IndiMount
from firstlight.observe.profile import FocuserPart, GuideTrain, ImagingTrain, MountPart, Profile, WheelPart

PARTS = ("camera", "guide_camera", "mount", "guide_port", "wheel", "focuser")
INTERFACES = {1: "mount", 2: "camera", 4: "guide port", 8: "focuser", 16: "filter wheel", 32: "dome", 64: "GPS",
              128: "weather", 256: "adaptive optics", 512: "dust cap", 1024: "light box", 4096: "rotator"}  # fmt: skip
"""Bits of DRIVER_INTERFACE."""


@contextmanager
def equipment_of(profile: Profile, need: Collection[str] = (), want: Collection[str] = ()) -> Iterator[Equipment]:
    """What the profile names, connected, for the length of a ``with`` block.

    Parameters
    ----------
    need
        Of `PARTS`: an error where the profile does not name it.
    want
        Of `PARTS`: used where the profile names it. Devices that are in neither are left alone.

    Raises
    ------
    InputError
        The profile lacks a device that is needed.
    EquipmentError
        The server or a device does not answer.
    """
    named = {
        "camera": profile.imaging.camera,
        "guide_camera": profile.guiding.camera,
        "mount": profile.mount.device,
        "guide_port": _port_of(profile),
        "wheel": profile.wheel.device,
        "focuser": profile.focuser.device,
    }
    for part in need:
        if not named[part]:
            where = {"camera": "imaging.camera", "guide_camera": "guiding.camera", "guide_port": "guiding.port"}
            raise InputError(
                f"profile {profile.name}: names no {part.replace('_', ' ')}; write its device as "
                f"{where.get(part, part + '.device')} in it (`firstlight observe profile show` says which file)"
            )
    wanted = {part: named[part] for part in PARTS if part in {*need, *want} and named[part]}
    with IndiServer(profile.server) as server:
        yield _connected(server, profile, wanted)


def _port_of(profile: Profile) -> str:
    port = profile.guiding.port
    return {"mount": profile.mount.device, "camera": profile.guiding.camera}.get(port, port)


def _connected(server: IndiServer, profile: Profile, wanted: dict[str, str]) -> Equipment:
    camera = guide_camera = mount = wheel = focuser = None
    guide_port: GuidePort | None = None
    if name := wanted.get("camera"):
        camera = IndiCamera(server, name, profile.imaging.save_in)
    if name := wanted.get("guide_camera"):
        guide_camera = IndiCamera(server, name)
    if name := wanted.get("mount"):
        mount = IndiMount(server, name)
    if name := wanted.get("guide_port"):
        guide_port = mount if mount is not None and mount.name == name else IndiGuidePort(server, name)
    if name := wanted.get("wheel"):
        wheel = IndiWheel(server, name, profile.wheel.filters)
    if name := wanted.get("focuser"):
        focuser = IndiFocuser(server, name)
    return Equipment(camera, guide_camera, mount, guide_port, wheel, focuser)


def interfaces_of(server: IndiServer, device: str) -> tuple[str, ...]:
    """What a device is, as its driver says; empty where it does not."""
    found = server.find(device, "DRIVER_INFO")
    try:
        bits = int(str(found.values.get("DRIVER_INTERFACE", "0"))) if found else 0
    except ValueError:
        bits = 0
    return tuple(name for bit, name in INTERFACES.items() if bits & bit)


def profile_from(server: IndiServer, name: str) -> Profile:
    """A profile of what a server has: the first device of each kind, the second camera for guiding.

    Raises
    ------
    EquipmentError
        It has no device at all.
    """
    kinds = {device: interfaces_of(server, device) for device in server.devices()}
    if not kinds:
        raise EquipmentError(f"{server.where}: has no devices; start its drivers, then ask again")

    def first(kind: str, but: Collection[str] = ()) -> str:
        # A camera with a wheel in it is taken for a wheel only where there is no other.
        found = [device for device, each in kinds.items() if kind in each and device not in but]
        return min(found, key=lambda device: len(kinds[device]), default="")

    cameras = [device for device, each in kinds.items() if "camera" in each]
    guides = [device for device in cameras if "guid" in device.lower()] or cameras[1:]
    guide = guides[0] if len(cameras) > 1 else ""
    camera = next((device for device in cameras if device != guide), "")
    mount = first("mount")
    focal_length, aperture = 0.0, 0.0
    optics = server.find(mount, "TELESCOPE_INFO") if mount else None
    if optics is not None:
        focal_length = optics.values.get("TELESCOPE_FOCAL_LENGTH", 0.0)
        aperture = optics.values.get("TELESCOPE_APERTURE", 0.0)
    return Profile(
        name=name,
        server=f"{server.host}:{server.port}",
        imaging=ImagingTrain(camera=camera, focal_length=focal_length, aperture=aperture),
        guiding=GuideTrain(camera=guide),
        mount=MountPart(device=mount),
        wheel=WheelPart(device=first("filter wheel")),
        focuser=FocuserPart(device=first("focuser")),
    )
