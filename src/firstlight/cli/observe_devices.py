"""``firstlight observe devices`` and ``profile``."""

from __future__ import annotations

from typing import Any

import click

from firstlight.cli.observe_options import SERVER, profile_of, profile_options
from firstlight.cli.tables import show_table


@click.command("devices")
@SERVER
@click.option("--properties", "device", metavar="DEVICE", help="List the properties of this device, and their values.")
@click.option("--connect", is_flag=True, help="With --properties: have the driver connect to it first.")
def devices(server: str, device: str | None, connect: bool) -> dict[str, Any]:
    """List the devices of an INDI server, and what they are.

    \b
    firstlight observe devices
    firstlight observe devices --server pi.local:7624 --properties "ZWO CCD ASI533MM"
    """
    from firstlight.observe.connect import interfaces_of
    from firstlight.observe.indi import PORT, IndiServer

    with IndiServer(server or f"localhost:{PORT}") as indi:
        names = indi.devices()
        if device is None:
            rows = []
            for name in names:
                state = indi.find(name, "CONNECTION")
                connected = "yes" if state is not None and state.on == "CONNECT" else "no"
                rows.append((name, ", ".join(interfaces_of(indi, name)), connected))
            show_table(("device", "is", "connected"), rows)
            return {"devices": [dict(zip(("name", "is", "connected"), row)) for row in rows]}
        if connect:
            indi.connect(device)
            indi.devices()
        if device not in names:
            indi.connect(device)
        found = indi.properties(device).values()
        rows = [
            (each.name, key, _shown(value), _range(each, key), each.state, each.label)
            for each in sorted(found, key=lambda each: each.name)
            for key, value in each.values.items()
        ]
        show_table(("property", "element", "value", "allowed", "state", "what"), rows)
        return {"device": device, "properties": {each.name: dict(each.values) for each in found if each.kind != "blob"}}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _range(found: Any, key: str) -> str:
    least, most = found.limits.get(key, (0.0, 0.0))
    if not found.writable:
        return "read only"
    return f"{least:g} to {most:g}" if least < most else ""


@click.group("profile")
def profile() -> None:
    """Equipment profiles: what is on the mount, in one file each.

    \b
    firstlight observe profile new newton --server pi.local    from what the server has
    firstlight observe profile show newton                     its file, and what stands in it
    firstlight observe profile list
    """


@profile.command("new")
@click.argument("name")
@SERVER
@click.option("--empty", is_flag=True, help="Ask no server: write every entry, switched off.")
def new(name: str, server: str, empty: bool) -> dict[str, Any]:
    """Write a profile of what an INDI server has; then look through it, and put the rest in."""
    from firstlight.observe.connect import profile_from
    from firstlight.observe.indi import PORT, IndiServer
    from firstlight.observe.profile import Profile, as_toml, profile_path, write_profile

    path = profile_path(name)
    address = server or f"localhost:{PORT}"
    if empty:
        found = Profile(name=path.stem, server=address)
    else:
        with IndiServer(address) as indi:
            found = profile_from(indi, path.stem)
    write_profile(found, path)
    click.echo(f"{path}:\n\n{as_toml(found)}")
    click.echo("Look through it: focal length, filters, gain and backlash are yours to say.")
    return {"file": str(path), "profile": found}


@profile.command("show")
@click.argument("name", default="")
def show(name: str) -> dict[str, Any]:
    """Show a profile, and where its file lies."""
    from firstlight.observe.profile import as_toml, profile_path

    found = profile_of(name, "")
    path = profile_path(name or found.name)
    click.echo(f"{path}:\n\n{as_toml(found)}")
    return {"file": str(path), "profile": found}


@profile.command("list")
def list_() -> dict[str, Any]:
    """List the profiles."""
    from firstlight.observe.profile import profile_folder, profile_names

    names = profile_names()
    click.echo(
        "\n".join(names)
        if names
        else f"No profiles in {profile_folder()}; make one: firstlight observe profile new NAME"
    )
    return {"folder": str(profile_folder()), "profiles": names}


@click.command("check")
@profile_options
def check(profile_name: str, server: str) -> dict[str, Any]:
    """Connect to every device of a profile, and tell how each stands; nothing is moved."""
    from firstlight.observe.connect import PARTS, equipment_of

    with equipment_of(profile_of(profile_name, server), want=PARTS) as found:
        rows = []
        for camera in filter(None, (found.camera, found.guide_camera)):
            height, width = camera.size
            warm = "" if camera.temperature is None else f", {camera.temperature:.1f} C"
            rows.append((camera.name, f"{width} x {height} px of {camera.pixel_size or 0:g} um{warm}"))
        if found.mount is not None:
            ra, dec = found.mount.position
            state = "parked" if found.mount.parked else "tracking" if found.mount.tracking else "standing"
            side = f", pier side {found.mount.pier_side}" if found.mount.pier_side else ""
            rows.append((found.mount.name, f"{ra:.4f}, {dec:+.4f}, {state}{side}"))
        if found.wheel is not None:
            rows.append(("filter wheel", f"{found.wheel.current}, of {', '.join(found.wheel.names)}"))
        if found.focuser is not None:
            least, most = found.focuser.limits
            rows.append((found.focuser.name, f"at {found.focuser.position}, {least} to {most}"))
    show_table(("device", "stands"), rows)
    return {"devices": dict(rows)}
