"""Masters from elsewhere into the library, and copies of its own out of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path
from firstlight.io.content import content_hash
from firstlight.io.frame import FULL_SCALE, Frame
from firstlight.io.read import open_frame
from firstlight.io.write import write
from firstlight.library.assign import MASTER_KINDS
from firstlight.library.build import normalise
from firstlight.library.check import facts_of
from firstlight.library.defects import flag_cold, flag_hot
from firstlight.library.match import NEEDS, best
from firstlight.library.plans import MasterPlan
from firstlight.library.store import Entry, Library
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Kind, Meta


@dataclass(frozen=True)
class Told:
    """What the user says of a master where its header is silent; None: nothing."""

    kind: Kind | None = None
    camera: str | None = None
    exposure: float | None = None
    temperature: float | None = None
    gain_setting: float | None = None
    offset: float | None = None
    filter: str | None = None
    frames: int | None = None
    holds_bias: bool | None = None
    """Of a dark: whether its bias is still in it."""


def import_master(library: Library, path: Path, told: Told | None = None) -> Path:
    """Copy a master of another program into the library; call it under the library's lock.

    The pixels become float32 in adu with flags. Where the file carries no noise, one value for all its pixels is
    estimated from the scatter between neighbours; the fixed pattern is in that, so it is an upper limit, and the master
    says so.

    Raises
    ------
    InputError
        Neither the header nor ``told`` says what must be known: kind, camera, of a dark its exposure and whether its
        bias is still in it.
    FrameError
        The file cannot be read.
    """
    told = told or Told()
    frame = open_frame(path).in_adu()
    kind = _kind_of(frame, told)
    meta = _meta_of(frame, kind, told)
    image = frame.read().replace(meta=meta)
    notes = ["made by another program; its frames are not known", *frame.meta.notes]
    if image.data.size and kind is not Kind.FLAT and float(np.nanmax(image.data)) <= 1.0:
        notes.append(f"its pixels lie in 0..1: taken as parts of {FULL_SCALE:g} adu")
        variance = None if image.variance is None else image.variance * np.float32(FULL_SCALE**2)
        image = image.replace(data=image.data * np.float32(FULL_SCALE), variance=variance, unit=PixelUnit.ADU)
    if kind is Kind.DARK:
        image, remark = _with_bias_told(library, frame, image, told)
        notes.append(remark)
        image = image.replace(flags=image.flags | flag_hot(image.data, meta.cfa))
    if kind is Kind.FLAT:
        data, variance = image.data.copy(), None if image.variance is None else image.variance.copy()
        normalise(data, variance, meta.cfa)
        image = image.replace(data=data, variance=variance, unit=PixelUnit.NORMALISED)
        image = image.replace(flags=image.flags | flag_cold(data, meta.cfa))
    if image.variance is None:
        sigma = _scatter(image, 2 if meta.cfa else 1)
        image = image.replace(variance=np.full(image.shape, sigma**2, np.float32))
        notes.append(f"its noise of {sigma:.4g} is estimated from its pixels: an upper limit")
    content = content_hash(path)
    plan = MasterPlan(kind, (frame.replace(meta=image.meta),))
    target = library.place(plan, content)
    target = target.with_name(target.name.replace("master_", "imported_", 1))
    record = {
        "kind": kind.value,
        "imported": str(path),
        "hash": content,
        "facts": facts_of(image, by_scatter=False),
        "from": meta.start.isoformat() if meta.start else None,
        "to": meta.start.isoformat() if meta.start else None,
        "notes": notes,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    return write(target, image, provenance=record)


def _kind_of(frame: Frame, told: Told) -> Kind:
    found = told.kind or MASTER_KINDS.get(frame.meta.kind) or frame.meta.kind
    found = Kind.DARK if found is Kind.DARK_FLAT else found
    if found not in NEEDS:
        raise InputError(
            f"{frame.path.name}: is a {found}, by its header and names; a master bias, dark or flat is allowed; say "
            "what it is: --kind dark"
        )
    return found


def _meta_of(frame: Frame, kind: Kind, told: Told) -> Meta:
    """The header's facts, completed by what the user says; what contradicts is refused."""
    meta = frame.meta
    for name, value in (
        ("camera", told.camera), ("exposure", told.exposure), ("temperature", told.temperature),
        ("gain_setting", told.gain_setting), ("offset", told.offset), ("filter", told.filter),
    ):  # fmt: skip
        known = getattr(meta, name)
        if value is not None and known is not None and known != value:
            raise InputError(
                f"{frame.path.name}: its header gives {name.replace('_', ' ')} {known}, you say {value}; one of them "
                "is wrong: change the header, or leave the option out"
            )
        if value is not None:
            meta = meta.replace(**{name: value})
    if meta.camera is None:
        raise InputError(f"{frame.path.name}: its header names no camera; give it: --camera NAME, as in your lights")
    if kind is Kind.DARK and meta.exposure is None:
        raise InputError(f"{frame.path.name}: its header gives no exposure; give it: --exposure SECONDS")
    masters = {kind: master for master, kind in MASTER_KINDS.items()}
    return meta.replace(kind=masters[kind], n_combined=told.frames or meta.n_combined, cards=(), notes=())


def _with_bias_told(library: Library, frame: Frame, image: Image, told: Told) -> tuple[Image, str]:
    """Whether a dark still holds its bias: by its header, the user, or the level of the bias in the library."""
    done = image.meta.calibrated
    if "bias" in done:
        return image, "its bias is subtracted, its header says"
    holds, words = told.holds_bias, "you said so"
    if holds is None and any(key.startswith(("BIASCAL", "CALSTAT")) for key, _, _ in frame.meta.cards):
        holds, words = True, "its header does not name a bias among its corrections"
    if holds is None:
        biases = [e for e in library.usable() if e.kind is Kind.BIAS]
        index, _, _ = best(frame.replace(meta=image.meta), [(e.frame, e.n_frames) for e in biases], NEEDS[Kind.BIAS],
                           shared=[True] * len(biases))  # fmt: skip
        if index is not None and (bias := biases[index].facts.get("level")):
            level = float(np.nanmedian(image.data))
            holds = True if level > 0.7 * bias else False if abs(level) < 0.3 * bias else None
            words = f"its level is {level:.0f} adu, that of {biases[index].name} {bias:.0f}"
    if holds is None:
        raise InputError(
            f"{frame.path.name}: nothing says whether this dark still holds its bias; say so: --holds-bias or "
            "--bias-free"
        )
    if holds:
        return image, f"it holds its bias: {words}"
    meta = image.meta.replace(calibrated=done | {"bias"})
    return image.replace(meta=meta), f"its bias is subtracted: {words}"


def _scatter(image: Image, step: int) -> float:
    """Noise between neighbours of one colour, from second differences along rows: gradients do not count."""
    data = image.data.astype(np.float64)
    second = data[:, :, : -2 * step] - 2 * data[:, :, step:-step] + data[:, :, 2 * step :]
    second = second[np.isfinite(second)]
    return float(1.4826 * np.median(np.abs(second - np.median(second))) / np.sqrt(6.0)) if second.size else 0.0


def export_masters(entries: Sequence[Entry], folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Copies of masters in a folder, each whole; they read as plain FITS in any program.

    Raises
    ------
    InputError
        A file is in the way.
    """
    targets = [folder / entry.frame.path.name for entry in entries]
    for target in targets:
        if target.exists() and not overwrite:
            raise InputError(f"{target}: exists already; choose another folder, or --overwrite")
    for entry, target in zip(entries, targets):
        with atomic_path(target) as temporary:
            shutil.copyfile(entry.frame.path, temporary)
    return targets
