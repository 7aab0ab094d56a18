"""Words of parameters that the earlier programs spelled in another way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BeforeValidator


def spelled(also: Mapping[str, str]) -> BeforeValidator:
    """Let a parameter take these spellings for its own words; help and history know its own words only.

    >>> from typing import Annotated, Literal
    >>> from pydantic import TypeAdapter
    >>> TypeAdapter(Annotated[Literal["subtract"], spelled({"sub": "subtract"})]).validate_python("sub")
    'subtract'
    """

    def translate(value: Any) -> Any:
        return also.get(value, value) if isinstance(value, str) else value

    return BeforeValidator(translate)
