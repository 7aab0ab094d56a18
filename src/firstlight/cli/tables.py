"""Tables: drawn with rich on a terminal, plain columns anywhere else."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

import click

from firstlight.cli.answer import current


def show_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table. Off a terminal, columns are padded with blanks and lines are never cut, for grep and awk."""
    answer = current()
    if answer.as_json:
        names = [head or f"column{number}" for number, head in enumerate(heads, 1)]
        answer.tables.append([dict(zip(names, row)) for row in rows])
    elif sys.stdout.isatty():
        _draw(heads, rows, title)
    else:
        click.echo(plain_table(rows if not any(heads) else [heads, *rows]))


def plain_table(rows: Sequence[Sequence[str]], *, indent: str = "", width: int | None = None) -> str:
    """Columns padded with blanks, two between them; ``width`` folds the last column.

    >>> print(plain_table([["a", "1"], ["long", "2"]]))
    a     1
    long  2
    """
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        lead = indent + "".join(f"{cell:<{wide}}  " for cell, wide in zip(row, widths))
        room = None if width is None else max(width - len(lead), 24)
        parts = textwrap.wrap(row[-1], room) if room and row[-1] else [row[-1]]
        lines.append((lead + parts[0]).rstrip())
        lines += [" " * len(lead) + part for part in parts[1:]]
    return "\n".join(lines)


def terminal_width() -> int:
    """Columns to fold help texts to."""
    return min(shutil.get_terminal_size((100, 24)).columns, 110)


def _draw(heads: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", show_header=any(heads), pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, no_wrap=number == 0, style="bold" if number == 0 else "")
    for row in rows:
        # Text, not markup: brackets in a file name are brackets.
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
