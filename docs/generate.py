"""Write the generated pages of docs/ from the sources: `make docs`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from firstlight.ops.registry import FAMILIES, Operation, describe, operations

HERE = Path(__file__).resolve().parent
FAMILY_TITLES = {
    "cal": "Calibration",
    "abr": "Background",
    "bin": "Binning",
    "crop": "Cropping",
    "tx": "Geometry",
    "align": "Alignment",
    "norm": "Normalisation",
    "rej": "Rejection",
    "stack": "Stacking",
    "nr": "Noise",
    "sharp": "Sharpness",
    "color": "Colour",
    "contrast": "Contrast",
    "morphology": "Morphology",
    "extract": "Extraction",
    "stretch": "Stretching",
    "inspect": "Inspection",
    "meta": "Header",
}


def operations_page() -> str:
    """The reference of every operation, as Markdown."""
    known = operations()
    lines = [
        "# Operations",
        "",
        "Written by `make docs` from the sources. Every operation here is a step of `firstlight apply IN OUT STEP...`,",
        "a command (`firstlight OPERATION IN OUT`), and a Python call (`fl.apply(image, STEP)`).",
        "",
    ]
    for family in FAMILIES:
        members = [op for op in known.values() if op.family == family]
        if not members:
            continue
        lines += [f"## {FAMILY_TITLES[family]}", ""]
        for op in members:
            lines += _operation(op)
    return "\n".join(lines).rstrip() + "\n"


def _operation(op: Operation) -> list[str]:
    text, _, _ = inspect.cleandoc(op.function.__doc__ or "").partition(">>>")
    lines = [f"### {op.id}", "", text.strip(), ""]
    facts = [f"Version {op.version}", f"reach: {op.reach.value}"]
    if op.frames:
        facts.append(f"further images: {', '.join(op.frames)}")
    if op.demands:
        facts.append(f"wants {op.demands.value} data")
    if op.gives:
        facts.append(f"gives {op.gives.value} data")
    lines += ["; ".join(facts) + ".", ""]
    rows = describe(op.params)
    if rows:
        lines += ["| parameter | default | allowed | meaning |", "|---|---|---|---|"]
        lines += [_row(row) for row in rows] + [""]
    return lines


def _row(row: dict[str, Any]) -> str:
    default = row["default"]
    if isinstance(default, bool):
        default = str(default).lower()
    if row["choices"]:
        allowed = ", ".join(f"`{choice}`" for choice in row["choices"])
    elif row["type"] == "boolean":
        allowed = "`true`, `false`"
    else:
        signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
        bounds = [f"{signs[key]} {value:g}" for key, value in row["bounds"].items()]
        allowed = " and ".join(bounds) or row["type"]
    unit = f" {row['unit']}" if row["unit"] else ""
    meaning = " ".join(row["description"].split()).replace("|", "\\|")
    return f"| `{row['name']}` | {default}{unit} | {allowed} | {meaning} |"


PAGES = {"operations.md": operations_page}


def main() -> None:
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
