"""Write the generated pages: one for each operation, the list of them, and the record of their parameters.

python docs/generate.py             write what has changed
python docs/generate.py --check     write nothing; exit code 1 where a page is not fresh
python docs/generate.py --accept    also where parameters changed without a new version
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import Any

from firstlight.ops.aliases import ALIASES, PARAMETERS
from firstlight.ops.registry import FAMILIES, Operation, describe, operations

DOCS = Path(__file__).resolve().parent
PAGES = DOCS / "operations"
SCHEMA = DOCS.parent / "tests" / "golden" / "schema.json"
NOTE = "<!-- Made by docs/generate.py from the sources: change those. -->"


def pages() -> dict[Path, str]:
    """Every generated page and its text."""
    found = {PAGES / "README.md": index()}
    for operation in operations().values():
        found[PAGES / page_name(operation)] = page(operation)
    return found


def page_name(operation: Operation) -> str:
    return operation.id.replace(":", "-") + ".md"


def index() -> str:
    lines = [
        NOTE,
        "",
        "# Operations",
        "",
        "One step on one image: `firstlight apply IN OUT STEP...`, or `firstlight OP`.",
    ]
    folders = dict.fromkeys(FAMILIES.values())
    for folder in folders:
        here = [o for o in operations().values() if FAMILIES[o.family] == folder]
        if here:
            lines += ["", f"## {folder.capitalize()}", "", "| operation | |", "|---|---|"]
            lines += [f"| [`{o.id}`]({page_name(o)}) | {o.summary} |" for o in here]
    if ALIASES:
        lines += ["", "## Other spellings", "", "| written | means |", "|---|---|"]
        lines += [f"| `{old}` | `{new}` |" for old, new in sorted(ALIASES.items())]
        lines += [
            "",
            "Parameters (`*` stands for any word or number):",
            "",
            "| operation | written | means |",
            "|---|---|---|",
        ]
        for name, spellings in sorted(PARAMETERS.items()):
            lines += [f"| `{name}` | {old} | {new} |" for old, new in spelled_parameters(spellings)]
    return "\n".join(lines) + "\n"


def spelled_parameters(spellings: dict[str, str | dict[str, str]]) -> list[tuple[str, str]]:
    """Each spelling of a parameter, or of one with its word, and what it means."""
    rows = []
    for old, meant in spellings.items():
        if isinstance(meant, str):
            rows.append((f"`{old}`", f"`{meant}`"))
        else:
            rows += [(f"`{old}={word}`", f"`{meaning}`" if meaning else "nothing") for word, meaning in meant.items()]
    return rows


def page(operation: Operation) -> str:
    """The page of one operation."""
    text = inspect.cleandoc(operation.function.__doc__ or "")
    lines = [NOTE, "", f"# {operation.id}", "", *sections(text), "", "## Parameters", ""]
    rows = describe(operation.params)
    if rows:
        lines += ["| parameter | default | unit | allowed | |", "|---|---|---|---|---|"]
        lines += [
            f"| `{r['name']}` | {shown(r['default'])} | {r['unit']} | {allowed(r)} | {one_line(r['description'])} |"
            for r in rows
        ]
    else:
        lines += ["None."]
    if operation.frames:
        names = [f"{name} (optional)" if name in operation.optional else name for name in operation.frames]
        lines += ["", f"Further images, in this order: {', '.join(names)}."]
    lines += ["", "## Facts", "", f"- version {operation.version}", f"- looks at: {operation.reach}"]
    if operation.demands:
        lines += [f"- needs {operation.demands} data"]
    if operation.gives:
        lines += [f"- gives {operation.gives} data"]
    return "\n".join(lines) + "\n"


def sections(text: str) -> list[str]:
    """The docstring as Markdown: headings, and examples as code."""
    out: list[str] = []
    lines = text.splitlines()
    code = False
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line.startswith(">>>") and not code:
            code = True
            out.append("```python")
        if code and not line.strip():
            code = False
            out.append("```")
        if following and set(following) == {"-"}:
            out.append(f"## {line}")
        elif line and set(line) == {"-"}:
            out.append("")
        else:
            out.append(line if code else line.replace("``", "`"))
    return [*out, "```"] if code else out


def one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def allowed(row: dict[str, Any]) -> str:
    """Choices or bounds, in words."""
    if row["type"] == "boolean":
        return "yes, no"
    if row["choices"]:
        return ", ".join(f"`{choice}`" for choice in row["choices"])
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return " and ".join(f"{signs[key]} {value:g}" for key, value in row["bounds"].items())


def schema() -> dict[str, Any]:
    """Parameters of every operation without their descriptions, which may be reworded freely."""
    found = {}
    for name, operation in operations().items():
        rows = [{k: v for k, v in row.items() if k != "description"} for row in describe(operation.params)]
        found[name] = {"version": operation.version, "parameters": rows}
    return json.loads(json.dumps(found))


def main() -> int:
    arguments = argparse.ArgumentParser(description="Write the generated pages of docs/.")
    arguments.add_argument("--check", action="store_true", help="write nothing, only say what is not fresh")
    arguments.add_argument("--accept", action="store_true", help="accept changed parameters without a new version")
    options = arguments.parse_args()
    wanted = pages()
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    extra = [path for path in PAGES.glob("*.md") if path not in wanted]
    if options.check:
        for path in [*stale, *extra]:
            print(f"not fresh: {path.relative_to(DOCS.parent)}")
        return bool(stale or extra)
    now, known = schema(), json.loads(SCHEMA.read_text(encoding="utf-8")) if SCHEMA.is_file() else {}
    both = known.keys() & now.keys()
    changed = sorted(n for n in both if known[n] != now[n] and known[n]["version"] == now[n]["version"])
    if changed and not options.accept:
        print(f"parameters changed, version did not: {', '.join(changed)}; raise it, or run with --accept")
        return 1
    PAGES.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    for path in extra:
        path.unlink()
    SCHEMA.parent.mkdir(exist_ok=True)
    SCHEMA.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    print(f"{len(wanted)} pages, {len(stale)} written, {len(extra)} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
