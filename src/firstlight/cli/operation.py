"""Any operation as a command, made from its definition at the moment it is asked for."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from firstlight.cli.apply import apply_steps
from firstlight.cli.tables import plain_table, terminal_width

if TYPE_CHECKING:
    from firstlight.ops.registry import Operation

_TYPES = {"integer": click.INT, "number": click.FLOAT}
_SIGNS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def command_of(name: str) -> click.Command:
    """The command of an operation, by its id or an alias.

    Raises
    ------
    SpecError
        There is no such operation; the message names the nearest.
    """
    from firstlight.ops.registry import find_operation, parameters_of

    operation = find_operation(name)
    path = click.Path(path_type=Path)
    parameters: list[click.Parameter] = [
        click.Argument(["source"], metavar="IN", type=path),
        click.Argument(["target"], metavar="OUT", type=path),
    ]
    parameters += [
        click.Option(
            [_flag(frame), f"frame__{frame}"], type=path, required=frame not in operation.optional, metavar="FILE"
        )
        for frame in operation.frames
    ]
    parameters += [_option(row) for row in parameters_of(operation.params)]
    parameters.append(click.Option(["--overwrite"], is_flag=True, help="Replace OUT if it exists."))

    def invoke(source: Path, target: Path, overwrite: bool, **given: Any) -> None:
        from firstlight.ops.spec import step

        frames = {
            key.removeprefix("frame__"): value
            for key, value in given.items()
            if value is not None and key.startswith("frame__")
        }
        values = {
            key.removeprefix("set__"): value
            for key, value in given.items()
            if value is not None and key.startswith("set__")
        }
        apply_steps(source, target, [step(name, **values)], frames, overwrite)

    return OperationCommand(operation, name=operation.id, params=parameters, callback=invoke)


def _option(row: dict[str, Any]) -> click.Option:
    flag = _flag(row["name"])
    if row["type"] == "boolean":
        return click.Option([f"{flag}/--no-{flag[2:]}", f"set__{row['name']}"], default=None)
    # Choices and bounds are checked by the parameter model, so that every face says the same words.
    return click.Option([flag, f"set__{row['name']}"], type=_TYPES.get(row["type"], click.STRING), default=None)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


class OperationCommand(click.Command):
    """Its help is the docstring of the operation and a table of its parameters."""

    def __init__(self, operation: Operation, **settings: Any) -> None:
        super().__init__(**settings)
        self._operation = operation

    def format_help(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        from firstlight.ops.registry import describe

        width = terminal_width()
        rows = describe(self._operation.params)
        formatter.write(f"Usage: firstlight {self._operation.id} IN OUT [OPTIONS]\n\n")
        formatter.write("\n".join(f"  {line}".rstrip() for line in _without_examples(self._operation)) + "\n")
        if rows:
            formatter.write("\nParameters:\n")
            formatter.write(plain_table([parameter_cells(row) for row in rows], indent="  ", width=width) + "\n")
        others = [
            (
                f"{_flag(frame)} FILE",
                f"The {frame.replace('_', ' ')}.  [{'optional' if frame in self._operation.optional else 'required'}]",
            )
            for frame in self._operation.frames
        ]
        others += [("--overwrite", "Replace OUT if it exists."), ("--json", "Answer with one JSON object.")]
        others += [("--log FILE", "Write all that is said to this file too."), ("-h, --help", "Show this.")]
        formatter.write("\nOptions:\n" + plain_table(others, indent="  ", width=width) + "\n")
        formatter.write(f"\nAs a step: firstlight apply IN OUT {_example(self._operation, rows)}\n")


def parameter_cells(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """Flag, default, what is allowed, and the description of a parameter."""
    unit = f" {row['unit']}" if row["unit"] else ""
    default = row["default"]
    if row["type"] == "boolean":
        return _flag(row["name"]), "yes" if default else "no", f"or --no-{_flag(row['name'])[2:]}", _text(row)
    if row["choices"]:
        return _flag(row["name"]), str(default), " | ".join(map(str, row["choices"])), _text(row)
    shown = f"{default:g}" if isinstance(default, float) else str(default)
    bounds = ", ".join(f"{sign} {row['bounds'][key]:g}" for key, sign in _SIGNS.items() if key in row["bounds"])
    return _flag(row["name"]), shown + unit, bounds, _text(row)


def _text(row: dict[str, Any]) -> str:
    return " ".join(row["description"].replace("``", "").split())


def _without_examples(operation: Operation) -> list[str]:
    lines = inspect.cleandoc(operation.function.__doc__ or "").replace("``", "").splitlines()
    if (first := next((n for n, line in enumerate(lines) if line.startswith(">>>")), None)) is not None:
        lines = lines[:first]
    # What it raises concerns Python; here errors are messages.
    if "Raises" in lines:
        start = lines.index("Raises")
        after = next((n for n in range(start + 2, len(lines) - 1) if lines[n + 1] and set(lines[n + 1]) == {"-"}), None)
        lines = lines[:start] + (lines[after:] if after else [])
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _example(operation: Operation, rows: list[dict[str, Any]]) -> str:
    for row in rows:
        value = row["default"]
        if value != "":
            return f"{operation.id}:{row['name']}={str(value).lower() if isinstance(value, bool) else value}"
    return operation.id
