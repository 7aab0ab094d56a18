"""Number types that carry their unit, for the parameters of operations.

The unit is metadata of the annotation: ``unit_of(field)`` finds it for help texts, documentation and forms.

>>> from pydantic import BaseModel
>>> class Box(BaseModel):
...     size: Px = 8
>>> unit_of(Box.model_fields["size"])
'px'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True)
class Unit:
    """The unit of a number, as a person reads it."""

    name: str


Px = Annotated[int, Unit("px")]
"""A whole number of pixels."""
SubPx = Annotated[float, Unit("px")]
"""A length in pixels."""
Arcsec = Annotated[float, Unit("arcsec")]
Arcmin = Annotated[float, Unit("arcmin")]
Degrees = Annotated[float, Unit("deg")]
Seconds = Annotated[float, Unit("s")]
Days = Annotated[float, Unit("days")]
Sigma = Annotated[float, Unit("sigma")]
"""A multiple of the standard deviation of the noise."""
Electrons = Annotated[float, Unit("e-")]
Adu = Annotated[float, Unit("adu")]
Percent = Annotated[float, Unit("%")]


def unit_of(field: Any) -> str:
    """Name of the unit of a pydantic field, or an empty string."""
    for item in field.metadata:
        if isinstance(item, Unit):
            return item.name
    return ""
