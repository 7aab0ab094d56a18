"""Lists of numbers in a parameter."""

from __future__ import annotations

import re


def parse_numbers(text: str) -> list[float]:
    """Numbers separated by ``/``, ``;``, ``:``, ``,``, ``|`` or blanks, in any mixture.

    >>> parse_numbers("1/2/0.5"), parse_numbers("1, 2;0.5")
    ([1.0, 2.0, 0.5], [1.0, 2.0, 0.5])

    Raises
    ------
    ValueError
        A part is no number.
    """
    parts = [part for part in re.split(r"[/;:,|\s]+", text.strip()) if part]
    try:
        return [float(part) for part in parts]
    except ValueError:
        raise ValueError(f"{text!r} is no list of numbers; write them as 1/2/0.5") from None
