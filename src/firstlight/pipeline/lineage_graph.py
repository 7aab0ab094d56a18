"""How a file came about, as a graph: Graphviz DOT, and SVG drawn without any program."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from firstlight.pipeline.lineage import Lineage, Source

COLOURS = {
    "frames": ("#e8eef7", "#30507a"), "master": ("#f3ecdf", "#8a6420"), "stack": ("#e2f0e6", "#2f7042"),
    "image": ("#ece6f5", "#5d3f94"), "aside": ("#f7e5e3", "#a03c32"),
}  # fmt: skip
"""Fill and line of each sort of box."""
LINE, CHARACTER, PAD, GAP_X, GAP_Y = 17.0, 7.0, 12.0, 84.0, 22.0
WIDEST = 46
"""Characters of a line in a box."""


@dataclass(eq=False)
class Box:
    """A file, or many of one sort, and what is said of it."""

    sort: str
    title: str
    lines: list[str] = field(default_factory=list)
    column: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def width(self) -> float:
        return 2 * PAD + CHARACTER * max(len(line) for line in (self.title, *self.lines))

    @property
    def height(self) -> float:
        return 2 * PAD - 4 + LINE * (1 + len(self.lines))


@dataclass(eq=False)
class Graph:
    """Boxes, and what leads from one to another and how."""

    boxes: list[Box] = field(default_factory=list)
    edges: list[tuple[Box, Box, str]] = field(default_factory=list)


def graph_of(lineage: Lineage) -> Graph:
    """Frames of one sort that went the same way are one box."""
    graph = Graph()
    _add(graph, lineage, 0, {})
    deepest = max(box.column for box in graph.boxes)
    for box in graph.boxes:
        box.column = deepest - box.column
    return graph


def _add(graph: Graph, lineage: Lineage, depth: int, known: dict[Path, Box]) -> Box:
    place = lineage.path.resolve()
    if place in known:
        known[place].column = max(known[place].column, depth)
        return known[place]
    sort = "master" if lineage.kind.startswith("master") else lineage.kind
    sort = sort if sort in COLOURS else "image" if lineage.inputs else "frames"
    box = known[place] = Box(sort, _cut(lineage.path.name), _what(lineage), depth)
    graph.boxes.append(box)
    plain: dict[str, list[Source]] = {}
    for source in lineage.inputs:
        if source.of is not None and (source.of.inputs or source.of.masters):
            graph.edges.append((_add(graph, source.of, depth + 1, known), box, ""))
        else:
            plain.setdefault(source.role, []).append(source)
    for source in lineage.masters:
        if source.of is not None:
            graph.edges.append((_add(graph, source.of, depth + 1, known), box, source.role))
        else:
            other = Box("master", _cut(source.name), [source.role], depth + 1)
            graph.boxes.append(other)
            graph.edges.append((other, box, source.role))
    for role, sources in plain.items():
        names = [sources[0].name] if len(sources) == 1 else [f"{sources[0].name} ...", sources[-1].name]
        title = role if len(sources) == 1 else f"{len(sources)} {_plural(role)}"
        other = Box("frames", title, [_cut(name) for name in names], depth + 1)
        graph.boxes.append(other)
        graph.edges.append((other, box, ""))
    if lineage.left_out:
        lines = [
            _cut(f"{Path(n).name}: {why.removeprefix(Path(n).name + ': ')}") for n, why in lineage.left_out.items()
        ]
        more = [f"... and {len(lines) - 4} more"] if len(lines) > 4 else []
        graph.boxes.append(Box("aside", f"{len(lines)} set aside", lines[: 4 if more else 5] + more, depth + 1))
    return box


def _what(lineage: Lineage) -> list[str]:
    facts = [str(lineage.facts[k]) for k in ("target", "filter") if lineage.facts.get(k)]
    if lineage.facts.get("total_exposure_s"):
        facts.append(f"{lineage.facts['total_exposure_s']:g} s")
    lines = [", ".join(facts)] if facts else []
    return [*lines, *(_cut(step) for step in lineage.steps[:8])]


def _plural(role: str) -> str:
    return f"{role} frames" if role.endswith("s") else f"{role}s"


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def dot_of(graph: Graph) -> str:
    """For Graphviz: ``dot -Tpdf``."""
    names = {id(box): f"b{number}" for number, box in enumerate(graph.boxes)}
    lines = [
        "digraph made {", "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11];',
        '  edge [fontname="Helvetica", fontsize=9, color="#777777"];',
    ]  # fmt: skip
    for box in graph.boxes:
        fill, line = COLOURS[box.sort]
        label = "\\l".join(_quoted(text) for text in (box.title, *box.lines)) + "\\l"
        lines.append(f'  {names[id(box)]} [label="{label}", fillcolor="{fill}", color="{line}"];')
    for start, end, words in graph.edges:
        label = f' [label="{_quoted(words)}"]' if words else ""
        lines.append(f"  {names[id(start)]} -> {names[id(end)]}{label};")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def svg_of(graph: Graph) -> str:
    """The graph as SVG, from the raw frames at the left to the file at the right."""
    width, height = _laid_out(graph)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" font-size="12" role="img">',
        "<title>How the file was made</title>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#888"/></marker></defs>',
    ]
    for start, end, words in graph.edges:
        x0, y0 = start.x + start.width, start.y + start.height / 2
        x1, y1 = end.x - 2, end.y + end.height / 2
        bend = (x1 - x0) / 2
        parts.append(
            f'<path d="M{x0:.1f} {y0:.1f}C{x0 + bend:.1f} {y0:.1f} {x1 - bend:.1f} {y1:.1f} {x1:.1f} {y1:.1f}" '
            'fill="none" stroke="#999" stroke-width="1.4" marker-end="url(#arrow)"/>'
        )
        if words:
            parts.append(f'<text x="{x0 + 8:.1f}" y="{y0 - 5:.1f}" fill="#777" font-size="11">{escape(words)}</text>')
    for box in graph.boxes:
        fill, line = COLOURS[box.sort]
        parts.append(
            f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="8" '
            f'fill="{fill}" stroke="{line}" stroke-width="1.3"/>'
        )
        for number, text in enumerate((box.title, *box.lines)):
            weight = ' font-weight="600"' if number == 0 else ""
            parts.append(
                f'<text x="{box.x + PAD:.1f}" y="{box.y + PAD + 8 + LINE * number:.1f}" fill="{line}"{weight}>'
                f"{escape(text)}</text>"
            )
    return "\n".join([*parts, "</svg>", ""])


def _laid_out(graph: Graph) -> tuple[float, float]:
    """Give every box its place; the width and height of it all."""
    columns: dict[int, list[Box]] = {}
    for box in graph.boxes:
        columns.setdefault(box.column, []).append(box)
    heights = {c: sum(b.height + GAP_Y for b in boxes) - GAP_Y for c, boxes in columns.items()}
    tallest, x = max(heights.values()), GAP_Y
    for column in sorted(columns):
        y = GAP_Y + (tallest - heights[column]) / 2
        for box in columns[column]:
            box.x, box.y = x, y
            y += box.height + GAP_Y
        x += max(box.width for box in columns[column]) + GAP_X
    return x - GAP_X + GAP_Y, tallest + 2 * GAP_Y
