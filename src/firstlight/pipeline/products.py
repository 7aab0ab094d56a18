"""What a run leaves on disk: stacks, pictures, ``frames.csv``, ``run.json``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path
from firstlight.io.frame import Frame
from firstlight.io.pictures import write_picture
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.ops.spec import parse_step
from firstlight.pipeline.facts import key_of
from firstlight.pipeline.group import GroupResult, Prepared, matrix_of
from firstlight.pipeline.kept import KeptStack
from firstlight.pipeline.masters import MasterShelf
from firstlight.pipeline.plan import Plan
from firstlight.pipeline.record import RUN_FILE
from firstlight.pipeline.story import story_of_picture, story_of_stack

COLUMNS = (
    "file", "kind", "target", "filter", "exposure", "accepted", "reason", "weight", "scale", "stars", "fwhm",
    "eccentricity", "background", "noise", "snr", "m00", "m01", "m02", "m10", "m11", "m12", "rejected", "stack",
    "middle", "airmass", "altitude", "azimuth", "hour_angle", "moon_distance", "moon_illumination", "moon_altitude",
    "sun_altitude", "bjd_tdb",
)  # fmt: skip


def stack_path(result: GroupResult, plan: Plan) -> Path:
    """Where the FITS file of a stack goes."""
    return plan.output / "stacks" / f"{result.name}.fits"


def write_stack(result: GroupResult, plan: Plan, shelf: MasterShelf) -> Path:
    """The FITS file of a stack."""
    path = stack_path(result, plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    stacked = result.stacked
    rejection = (stacked.rejected_low, stacked.rejected_high) if plan.settings.output.rejection_maps else None
    return write(
        path,
        result.image,
        coverage=stacked.coverage,
        rejection=rejection,
        extra=stacked.beside(),
        provenance=story_of_stack(result, plan, shelf),
    )


def write_pictures(name: str, image: Image, plan: Plan, executor: Executor) -> list[Path]:
    """The pictures of a stack, side by side."""
    picture = make_picture(image, plan.settings.output.picture_steps)
    folder = plan.output / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    story = json.dumps(story_of_picture(name, image, picture))
    writing: dict[Path, Future[Any]] = {}
    for suffix, bits in ((".png", 8), (".tif", 16)):
        target = folder / f"{name}{suffix}"
        writing[target] = executor.submit(
            write_picture, target, picture.data, bottom_up=picture.meta.bottom_up, bits=bits, image=picture,
            story=story,
        )  # fmt: skip
    for future in writing.values():
        future.result()
    return list(writing)


def make_picture(image: Image, steps: str) -> Image:
    """Apply the picture steps; colour steps need three channels and are left out on mono images.

    A white balance is left out as well where the image does not hold what it needs. The planes R, G1, B, G2 of mosaics
    taken apart are shown as red, mean green and blue. Pixels without data become black. The variance is carried as far
    as the steps that take noise off, which smooth rims with fewer frames more by it, and no further.
    """
    chain = [parse_step(text) for text in steps.split()]
    noisy = [number for number, step in enumerate(chain) if step.operation.family == "nr"]
    if image.shape[0] == 4:
        red, green, blue, green2 = image.data
        flags = image.flags[:3].copy()
        flags[1] |= image.flags[3]
        image = image.replace(data=np.stack([red, (green + green2) / 2, blue]), flags=flags, variance=None)
    for number, step in enumerate(chain):
        if step.operation.family == "color" and image.shape[0] == 1:
            continue
        if number > max(noisy, default=-1):
            image = image.replace(variance=None)
        try:
            image = step(image)
        except InputError:
            if step.operation.id != "color:whitebalance":
                raise
    return image.replace(data=np.where(image.good, image.data, np.float32(0)))


def write_tables(
    plan: Plan,
    results: Sequence[GroupResult | KeptStack],
    set_aside: dict[str, str],
    content: dict[str, Any],
    prepared: Sequence[Prepared] = (),
) -> None:
    """``frames.csv`` and, last of all, ``run.json``: where it stands, the run is whole."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(frame_rows(plan, results, set_aside, prepared))
    _write_text(plan.output / "frames.csv", buffer.getvalue())
    _write_text(plan.output / RUN_FILE, json.dumps(content, indent=1, default=str) + "\n")


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        # A name whose bytes are no UTF-8 keeps its bytes.
        Path(temporary).write_text(text, encoding="utf-8", errors="surrogateescape")


def frame_rows(
    plan: Plan, results: Sequence[GroupResult | KeptStack], set_aside: dict[str, str], prepared: Sequence[Prepared] = ()
) -> list[dict[str, Any]]:
    """One row per frame of the session, in order of path; ``prepared`` are the groups, stacked or not."""
    groups = [*prepared, *(r.prepared for r in results)]
    measured = {str(light.frame.path): light for group in groups for light in group.measured}
    registered = {str(p.light.frame.path): p for group in groups for p in group.placed}
    placed = {path: (r.name, share) for r in results for path, share in r.shares.items()}
    rows = []
    for sighting in plan.sightings:
        meta, path = sighting.frame.meta, str(sighting.frame.path)
        row: dict[str, Any] = {
            "file": _relative(sighting.frame.path, plan.session),
            "kind": sighting.kind.value,
            "target": meta.target or "",
            "filter": meta.filter or "",
            "exposure": "" if meta.exposure is None else f"{meta.exposure:g}",
            "accepted": int(path not in set_aside),
            "reason": set_aside.get(path, ""),
        }
        row |= _sky(sighting.frame, plan)
        if path in measured:
            light = measured[path]
            quality = light.quality
            row |= {
                "stars": quality.n_stars,
                "fwhm": _digits(quality.fwhm, 3),
                "eccentricity": _digits(quality.eccentricity, 3),
                "background": _digits(float(light.level.mean()), 2),
                "noise": _digits(float(light.noise.mean()), 3),
                "snr": _digits(quality.snr, 2),
            }
        if path in registered:
            names = ("m00", "m01", "m02", "m10", "m11", "m12")
            row |= {n: repr(v) for n, v in zip(names, matrix_of(registered[path].registration.transform))}
        if path in placed:
            row["stack"], share = placed[path]
            row |= {name: _digits(value, 5) for name, value in share.items()}
        rows.append(row)
    for path, reason in plan.broken:
        rows.append({"file": _relative(path, plan.session), "kind": "", "accepted": 0, "reason": reason})
    return sorted(rows, key=lambda row: row["file"])


_DIGITS = {"bjd_tdb": 7, "moon_illumination": 3}


def _sky(frame: Frame, plan: Plan) -> dict[str, str]:
    """Time and circumstances of a light; airmass as the header has it, where it has one."""
    there = plan.observing.get(key_of(frame))
    if there is None:
        return {}
    meta = frame.meta
    row = {"middle": "" if meta.mid_time is None else meta.mid_time.isoformat(timespec="milliseconds")}
    row["airmass"] = "" if meta.airmass is None else f"{meta.airmass:.4f}"
    for name in COLUMNS[COLUMNS.index("airmass") + 1 :]:
        value = getattr(there, name)
        row[name] = "" if value is None else f"{value:.{_DIGITS.get(name, 2)}f}"
    return row


def _relative(path: Path, session: Path) -> str:
    try:
        return str(path.relative_to(session))
    except ValueError:
        return path.name


def _digits(value: float, digits: int) -> str:
    return "" if not np.isfinite(value) else f"{value:.{digits}f}"
