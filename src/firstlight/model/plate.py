"""Where an image lies on the sky."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Plate:
    """A world coordinate system as FITS cards, and how good it is.

    ``cards`` are the WCS keywords exactly as FITS writes them (1-based pixels inside), so that the record needs no
    library and survives any writer unchanged.
    """

    cards: Mapping[str, Any] = field(default_factory=dict)
    n_matched: int = 0
    """Stars matched to the catalogue; 0 where the plate was read from a file."""
    rms: float | None = None
    """Residual of the matched stars, arcsec."""
