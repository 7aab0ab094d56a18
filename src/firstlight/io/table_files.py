"""Small files that people write by hand: YAML, TOML and JSON, read as plain data; TOML and JSON written."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path

SUFFIXES = (".yaml", ".yml", ".toml", ".json")


def read_table(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The mapping that a file holds; an empty file is an empty mapping.

    Raises
    ------
    InputError
        The file is not there, has another suffix, cannot be parsed, or holds no mapping.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: the suffix is '{path.suffix}'; {', '.join(SUFFIXES)} are read; rename or convert it")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; give an existing file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not text in UTF-8; save it as UTF-8") from error
    try:
        found = _parse(text, suffix)
    except ValueError as error:
        raise InputError(f"{path}: cannot be understood: {' '.join(str(error).split())}; correct it there") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds a {type(found).__name__}; names with values are allowed (name: value)")
    return found


def _parse(text: str, suffix: str) -> Any:
    if suffix == ".toml":
        import tomllib

        return tomllib.loads(text)
    if suffix == ".json":
        return json.loads(text) if text.strip() else None
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def write_toml(path: str | os.PathLike[str], values: Mapping[str, Any], heading: str = "") -> Path:
    """Write a mapping as TOML, whole or not at all; mappings inside become tables, None is left out.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_table(write_toml(Path(folder, "a.toml"), {"a": 1.5, "b": {"c": ["x", True]}}))
    {'a': 1.5, 'b': {'c': ['x', True]}}
    """
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines += [f"{key} = {_toml(v)}" for key, v in values.items() if key not in tables and v is not None]
    for name, table in tables.items():
        lines += ["", f"[{name}]"]
        lines += [f"{_key(key)} = {_toml(v)}" for key, v in table.items() if v is not None]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Path(path)


def write_json(path: str | os.PathLike[str], values: Any) -> Path:
    """Write plain data as JSON, whole or not at all; numbers that are not finite become null."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(_plain(values), indent=1, sort_keys=False) + "\n", encoding="utf-8")
    return Path(path)


def write_yaml(path: str | os.PathLike[str], values: Mapping[str, Any]) -> Path:
    """Write plain data as YAML, in the order given, whole or not at all; numbers that are not finite become null."""
    import yaml

    with atomic_path(path) as temporary:
        text = yaml.safe_dump(_plain(values), sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return {"inf": "inf", "-inf": "-inf", "nan": "nan"}.get(str(value), repr(float(f"{value:.7g}")))
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(str(value), ensure_ascii=False)
