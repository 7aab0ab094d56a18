"""The sections of settings."""

from __future__ import annotations

from pydantic import BaseModel

from firstlight.ops.registry import Params


def sections_of(model: type[Params]) -> dict[str, type[Params]]:
    """The sections of settings, by name."""
    return {
        name: each.annotation
        for name, each in model.model_fields.items()
        if isinstance(each.annotation, type) and issubclass(each.annotation, BaseModel)
    }
