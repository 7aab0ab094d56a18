"""What a product says of how it was made: inputs with hashes of their content, masters, steps, settings, versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import firstlight
from firstlight.io.content import QUICK_HASH, known_hash
from firstlight.io.frame import file_of
from firstlight.pipeline.noise_budget import noise_budget

if TYPE_CHECKING:
    from firstlight.model.image import Image
    from firstlight.pipeline.group import GroupResult, Prepared
    from firstlight.pipeline.masters import MasterShelf
    from firstlight.pipeline.plan import Plan

FORMAT = 1
LIBRARIES = ("numpy", "numba", "scipy", "astropy")
"""Whose version may change a last digit."""


def versions() -> dict[str, str]:
    """What the work was done with."""
    found = {"firstlight": firstlight.__version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def story_of_stack(result: GroupResult, plan: Plan, shelf: MasterShelf) -> dict[str, Any]:
    """The provenance of a stack."""
    # Single steps tell their story too, and know no session.
    from firstlight.pipeline.graph_session import stack_settings

    contributions = result.engine.contributions
    hash_of = shelf.graph.results.hash_of if shelf.graph else known_hash
    hashes = [hash_of(file_of(c.frame)) for c in contributions]
    summary = {name: value for name, value in result.summary().items() if name != "files"}
    masters = masters_of(result.prepared, shelf)
    own = {id(p.light.frame): shelf.names_of(p.light.assignment) for p in result.prepared.placed}
    return {
        **summary,
        "format": FORMAT,
        "made_by": "process",
        "program": "firstlight",
        "versions": versions(),
        "session": str(plan.session.resolve()),
        "steps": list(result.image.history),
        "inputs": [
            {
                "file": str(c.frame.path),
                QUICK_HASH: content,
                "weight": round(c.weight, 6),
                "scale": round(float(np.mean(c.gain)), 6),
                "matrix": [float(v) for v in c.to_reference.matrix[:2].ravel()],
                "rejected": round(float(fraction), 6),
                "masters": own.get(id(c.frame), []),
            }
            for c, content, fraction in zip(contributions, hashes, result.stacked.rejected_fraction)
        ],
        "left_out": dict(result.prepared.set_aside),
        "calibration": masters,
        "masters": [m["file"].rpartition("/")[2] for m in masters],
        "noise_budget": noise_budget(result, shelf),
        "settings": stack_settings(plan.settings),
    }


def masters_of(prepared: Prepared, shelf: MasterShelf, *, reasons: bool = False) -> list[dict[str, Any]]:
    """Masters of a stack's lights: where they lie, what they are made of, how many lights got each (and why)."""
    found: dict[str, dict[str, Any]] = {}
    for placed in prepared.placed:
        assignment = placed.light.assignment
        for plan in assignment.masters:
            path = shelf.files.get(id(plan))
            if path is None:
                continue
            one = found.setdefault(
                str(path),
                {
                    # Those of the run lie beside the stacks, wherever the folder goes.
                    "file": str(path.resolve()) if plan.shared else f"masters/{path.name}",
                    "role": plan.kind.value,
                    "frames": plan.n_frames,
                    "shared": plan.shared,
                    "fingerprint": shelf.keys[id(plan)],
                    "lights": 0,
                },
            )
            one["lights"] += 1
            if reasons:
                one["why"] = sorted({*one.get("why", ()), *assignment.reasons})
    return sorted(found.values(), key=lambda one: one["file"])


def story_of_picture(name: str, stack: Image, picture: Image) -> dict[str, Any]:
    """The provenance of the picture of a stack: where the stack lies, and what was done to it for the eye."""
    return {
        "format": FORMAT,
        "made_by": "picture",
        "program": "firstlight",
        "versions": versions(),
        "inputs": [{"file": f"../stacks/{name}.fits"}],
        "steps": list(picture.history[len(stack.history) :]),
    }


def story_of_steps(
    source: Path, frames: Mapping[str, Path], steps: Sequence[str], inherited: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The provenance of a file that operations made of another; ``inherited`` is the other's own."""
    whole = source if source.exists() else Path(str(source).partition("#")[0])
    return {
        "format": FORMAT,
        "made_by": "apply",
        "program": "firstlight",
        "versions": versions(),
        "inputs": [{"file": str(Path(source).resolve()), QUICK_HASH: known_hash(whole)}],
        "frames": {
            name: {"file": str(Path(path).resolve()), QUICK_HASH: known_hash(path)} for name, path in frames.items()
        },
        "steps": list(steps),
        "of": dict(inherited) if inherited is not None else None,
    }
