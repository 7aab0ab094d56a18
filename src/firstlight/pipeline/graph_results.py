"""What a step found, as bytes and back: measurements of a light, its place on the reference, the scale of its dark."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.frame import Frame
from firstlight.io.results import pack, pack_indices, unpack, unpack_indices
from firstlight.library.plans import Assignment
from firstlight.model.distortion import Bend, Distorted, Unbend
from firstlight.model.lattice import Lattice
from firstlight.model.registration import Registration, Transform
from firstlight.model.stars import Quality, Stars
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.measure import Light, Spikes
from firstlight.pipeline.refine import Refinement
from firstlight.pipeline.register import Placed


def light_as_bytes(light: Light, shared: Calibration) -> bytes:
    """All that was measured on a light; ``shared`` is the calibration that its masters gave."""
    arrays = {f"stars.{f.name}": getattr(light.stars, f.name) for f in fields(Stars)}
    arrays |= {"level": light.level, "noise": light.noise}
    if light.spikes is not None:
        for name, indices in light.spikes._asdict().items():
            arrays |= {f"spikes.{name}.{part}": array for part, array in pack_indices(indices).items()}
    if light.cells is not None:
        arrays["cells"] = light.cells
    own = light.calibration if light.calibration is not shared else None
    if own is not None:
        for channel, defects in enumerate(own.defects):
            arrays |= {f"defects.{channel}.ys": defects.ys, f"defects.{channel}.xs": defects.xs}
        if own.row_offsets is not None and own.column_offsets is not None:
            arrays |= {"rows": own.row_offsets, "columns": own.column_offsets}
    return pack(arrays, {"quality": asdict(light.quality), "own": own is not None})


def light_of_bytes(content: bytes, frame: Frame, assignment: Assignment, shared: Calibration) -> Light | None:
    """The light as it was measured; None if the bytes are damaged."""
    try:
        arrays, facts = unpack(content)
        stars = Stars(**{f.name: arrays[f"stars.{f.name}"] for f in fields(Stars)})
        spikes = None
        if "spikes.above.near" in arrays:
            parts = ((arrays[f"spikes.{name}.near"], arrays[f"spikes.{name}.far"]) for name in Spikes._fields)
            spikes = Spikes(*(unpack_indices(near, far) for near, far in parts))
        calibration = _own_calibration(arrays, frame, shared) if facts["own"] else shared
        return Light(
            frame, assignment, calibration, stars, Quality(**facts["quality"]), arrays["level"], arrays["noise"],
            spikes, arrays.get("cells"),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None


def _own_calibration(arrays: dict[str, np.ndarray], frame: Frame, shared: Calibration) -> Calibration:
    channels, height, width = frame.shape
    defects = []
    for channel in range(channels if "defects.0.ys" in arrays else 0):
        ys, xs = arrays[f"defects.{channel}.ys"], arrays[f"defects.{channel}.xs"]
        defects.append(Defects(ys, xs, np.searchsorted(ys, np.arange(height + 1)), width))
    own = replace(shared.of_one_light(), defects=tuple(defects))
    return own.with_banding(arrays["rows"], arrays["columns"]) if "rows" in arrays else own


def placed_as_bytes(outcome: Placed | str) -> bytes | None:
    """A light's place, or why it has none; None where its transform is of a kind that is not kept."""
    if isinstance(outcome, str):
        return pack({}, {"reason": outcome})
    found = outcome.registration
    packed = _packed(found.transform)
    if packed is None:
        return None
    arrays, parts = packed
    facts = {
        "n_matched": int(found.n_matched), "rms": float(found.rms), "method": found.method,
        "flux_ratio": float(outcome.flux_ratio), "notes": list(outcome.notes), "parts": parts,
        "refinement": outcome.refinement and asdict(outcome.refinement),
    }  # fmt: skip
    return pack(arrays, facts)


def _packed(transform: Transform) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]] | None:
    """The numbers of the parts of a transform, and what they are."""
    arrays, told = {}, []
    for k, part in enumerate(transform.parts if isinstance(transform, Distorted) else (transform,)):
        inner = part.bend if isinstance(part, Unbend) else part
        facts: dict[str, Any] = {"undone": isinstance(part, Unbend)}
        if type(inner) is Transform:
            facts |= {"kind": "matrix"}
            arrays[f"part.{k}"] = inner.matrix
        elif isinstance(inner, Bend):
            facts |= {"kind": "bend", "centre": list(inner.centre), "size": float(inner.size)}
            arrays[f"part.{k}"] = inner.coefficients
        elif isinstance(inner, Lattice):
            facts |= {"kind": "lattice", "spacing": float(inner.spacing)}
            arrays[f"part.{k}"] = inner.coefficients
        else:
            return None
        told.append(facts)
    return arrays, told


def _unpacked(arrays: dict[str, np.ndarray], told: list[dict[str, Any]]) -> Transform:
    parts: list[Any] = []
    for k, facts in enumerate(told):
        numbers = arrays[f"part.{k}"]
        if facts["kind"] == "matrix":
            parts.append(Transform(numbers))
            continue
        if facts["kind"] == "bend":
            inner: Bend | Lattice = Bend((facts["centre"][0], facts["centre"][1]), facts["size"], numbers)
        else:
            inner = Lattice(facts["spacing"], numbers)
        parts.append(Unbend(inner) if facts["undone"] else inner)
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Transform) else Distorted.of(*parts)


def placed_of_bytes(content: bytes, light: Light) -> Placed | None:
    """The place as it was found; None if the bytes are damaged.

    Raises
    ------
    FrameError
        It was found that the light has none.
    """
    try:
        arrays, facts = unpack(content)
    except ValueError:
        return None
    if "reason" in facts:
        raise FrameError(facts["reason"])
    try:
        transform = _unpacked(arrays, facts["parts"])
        registration = Registration(transform, facts["n_matched"], facts["rms"], facts["method"])
        refinement = facts["refinement"] and Refinement(**facts["refinement"])
        return Placed(light, registration, facts["flux_ratio"], tuple(facts["notes"]), refinement)
    except (KeyError, TypeError, ValueError):
        return None


def assignment_as_bytes(assignment: Assignment) -> bytes:
    """The scale of a light's dark that its pixels told."""
    return pack({}, {"scale": assignment.dark_scale, "reasons": list(assignment.reasons)})


def assignment_of_bytes(content: bytes, assignment: Assignment) -> Assignment | None:
    """The assignment with that scale; None if the bytes are damaged."""
    try:
        _, facts = unpack(content)
    except ValueError:
        return None
    return replace(assignment, dark_scale=facts["scale"], find_scale="no", reasons=tuple(facts["reasons"]))
