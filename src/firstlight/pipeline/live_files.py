"""The file of a running stack: the image for everybody, and all that is needed to go on with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.beside import plane_named
from firstlight.io.pictures import write_picture
from firstlight.io.read import open_frame
from firstlight.io.write import read_provenance, write
from firstlight.library.raw import adu_rows
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.ops.align.bin import Mean, bin_mean
from firstlight.pipeline.measure import Light
from firstlight.pipeline.products import make_picture
from firstlight.pipeline.running import Entry, Planes, RunningStack
from firstlight.pipeline.settings import Output, Settings

PREVIEW = 1600
"""px: longest side of a preview, about."""


def save_stack(stack: RunningStack, key: str, folder: Path, output: Output) -> tuple[Path, dict[str, Any]]:
    """Write a stack and its preview, whole or not at all; returns the path of the stack and what its file says."""
    image, planes = stack.image()
    path = folder / "stacks" / f"{stack.name}.fits"
    path.parent.mkdir(parents=True, exist_ok=True)
    absorbed = [entry.as_record() for entry in stack.entries]
    held = [sample.entry.file for sample in stack.held]
    record = {
        "key": key, "name": stack.name, "target": stack.target, "reference": stack.file, "absorbed": absorbed,
        "held": held, "hits": stack.hits, "noise": _numbers(stack.noise), "photons": _numbers(stack.photons),
    }  # fmt: skip
    extra = {"WEIGHT": planes.weight, "SCATTER": planes.scatter} if stack.planes is not None else {}
    write(path, image, coverage=planes.count, rejection=planes.rejected, extra=extra, provenance={"live": record})
    if output.pictures:
        _preview(image, folder / "pictures" / f"{stack.name}.png", output.picture_steps)
    return path, _known(path, record)


def _numbers(values: np.ndarray | None) -> list[float]:
    return [] if values is None else [float(v) for v in values]


def _known(path: Path, record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "path": path, "frames": [*(entry["file"] for entry in record["absorbed"]), *record["held"]]}


def _preview(image: Image, path: Path, steps: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    factor = max(1, max(image.shape[1:]) // PREVIEW)
    small = bin_mean(image.replace(variance=None), Mean(factor=factor)) if factor > 1 else image
    picture = make_picture(small, steps)
    write_picture(path, picture.data, bottom_up=picture.meta.bottom_up)


def stacks_in(folder: Path) -> dict[Path, dict[str, Any]]:
    """Running stacks that lie in a folder, by path: what their files say, without the pixels.

    Half-written files that a crash has left (they are hidden, see `firstlight.io.atomic`) are removed.
    """
    found = {}
    for path in sorted(folder.glob("*.fits")):
        if path.name.startswith("."):
            path.unlink(missing_ok=True)
            continue
        provenance = read_provenance(path) or {}
        if "live" in provenance:
            found[path] = _known(path, provenance["live"])
    return found


def load_stack(record: dict[str, Any], reference: Light, settings: Settings) -> RunningStack:
    """Go on with a stack from its file. The frames it holds in memory only are left to the caller.

    Raises
    ------
    FrameError
        The file is broken.
    """
    stack = RunningStack(record["name"], record["target"], reference, settings, record["reference"])
    if record["noise"]:
        stack.noise, stack.photons = np.array(record["noise"]), np.array(record["photons"])
    stack.hits = dict(record["hits"])
    if not record["absorbed"]:
        return stack
    frame = open_frame(record["path"])
    frame.check()
    height = frame.shape[1]
    planes = {name: plane_named(frame, name) for name in ("SCATTER", "WEIGHT", "COVERAGE", "REJECTION")}
    missing = [name for name, plane in planes.items() if plane is None]
    if missing:
        raise FrameError(f"{frame.name}: has no extension {', '.join(missing)}; it cannot be gone on with")
    scatter, weight, count, rejected = (adu_rows(planes[name], 0, height) for name in planes)  # type: ignore[arg-type]
    flags, _ = frame.source.planes()
    saturated = np.zeros(frame.shape, bool) if flags is None else (flags & np.uint16(Flag.SATURATED)) != 0
    stack.planes = Planes(
        adu_rows(frame, 0, height), scatter, weight, count.astype(np.uint16), rejected.astype(np.uint16), saturated
    )
    stack.entries = [Entry.of_record(entry) for entry in record["absorbed"]]
    return stack
