"""Plans of sequences: takes as words, and files of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from firstlight.errors import InputError, SpecError, nearest
from firstlight.observe.frames import Shot
from firstlight.observe.sequence import Take

_TAKE = re.compile(r"(?:(?P<filter>.*):)? *(?P<seconds>\d*\.?\d+) *s? *[x*] *(?P<count>\d+)")
_KEYS: dict[str, type | tuple[type, ...]] = {
    "takes": list, "object": str, "at": str, "observer": str, "folder": str, "cycle": int, "gain": (int, float),
    "offset": (int, float), "binning": int, "goto": bool, "guide": bool, "dither_every": int, "dither": (int, float),
}  # fmt: skip


def parse_take(text: str, gain: float | None = None, offset: float | None = None, binning: int = 1) -> Take:
    """A take of lights of ``FILTER:SECONDSxCOUNT``, or ``SECONDSxCOUNT`` without a wheel.

    >>> parse_take("Ha:300x20")
    Take(shot=Shot(kind='light', seconds=300.0, filter='Ha', gain=None, offset=None, binning=1), count=20)
    """
    found = _TAKE.fullmatch(text.strip())
    if found is None or float(found["seconds"]) <= 0 or int(found["count"]) < 1:
        raise SpecError(f"{text!r}: FILTER:SECONDSxCOUNT or SECONDSxCOUNT is allowed, such as Ha:300x20")
    return Take(
        Shot("light", float(found["seconds"]), found["filter"] or "", gain, offset, binning), int(found["count"])
    )


def read_plan(path: Path) -> dict[str, Any]:
    """The entries of a plan file (TOML), named as the options of `firstlight observe sequence`.

    Raises
    ------
    InputError
        It cannot be read, or has an entry that is not known.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give a plan, or takes such as Ha:300x20") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a plan (TOML): {error}") from error
    for key, value in content.items():
        if key not in _KEYS:
            raise InputError(f"{path}: {key} is not known{nearest(key, _KEYS)}; there are {', '.join(_KEYS)}")
        kinds = _KEYS[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise InputError(f"{path}: {key} = {value!r}; {_word(kinds)} is allowed")
    return content


def _word(kinds: type | tuple[type, ...]) -> str:
    if isinstance(kinds, tuple):
        return "a number"
    return {list: "a list of takes", str: "a text", int: "a whole number", bool: "true or false"}[kinds]
