"""Chains of steps kept in a file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from firstlight.errors import InputError


def read_chain(path: Path) -> list[str]:
    """The steps of a TOML file as spec strings, in order.

    ``steps = ["abr:polynomial", "stretch:midtones:target=0.2"]``, or tables ``[[step]]`` with ``op`` and one key for
    each parameter.

    Raises
    ------
    InputError
        No such file, no TOML, or no steps in it.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give a TOML file with steps = [...]") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as TOML: {error}") from error
    unknown = set(content) - {"steps", "step", "title"}
    if unknown:
        raise InputError(f"{path}: {', '.join(sorted(unknown))}: unknown; steps, [[step]] and title are allowed")
    steps = content.get("steps", [])
    tables = content.get("step", [])
    if not isinstance(steps, list) or not all(isinstance(each, str) for each in steps):
        raise InputError(f"{path}: steps must be a list of texts, such as steps = ['stretch:midtones']")
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise InputError(f"{path}: a step is a table: [[step]] with op = 'stretch:midtones'")
    found = [*steps, *(_spec(path, number, table) for number, table in enumerate(tables, 1))]
    if not found:
        raise InputError(f"{path}: holds no steps; write steps = ['stretch:midtones']")
    return found


def _spec(path: Path, number: int, table: dict[str, Any]) -> str:
    op = table.get("op")
    if not isinstance(op, str):
        raise InputError(f"{path}: step {number} has no op, such as op = 'stretch:midtones'")
    body = ",".join(f"{key}={_word(path, number, value)}" for key, value in table.items() if key != "op")
    return f"{op}:{body}" if body else op


def _word(path: Path, number: int, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(v, int | float) for v in value):
        return "/".join(map(str, value))
    if isinstance(value, str | int | float):
        return str(value)
    raise InputError(f"{path}: step {number}: {value!r} is no number, text, boolean or list of numbers")
