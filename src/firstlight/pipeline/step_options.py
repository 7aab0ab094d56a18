"""Options of a recipe's step made from the settings of a command: no option is written down twice."""

from __future__ import annotations

from collections.abc import Container
from copy import copy
from typing import Any

from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from firstlight.ops.field_texts import field_texts
from firstlight.ops.registry import Params
from firstlight.pipeline.recipe_sections import sections_of


def options_like(model: type[Params], *, without: Container[str] = (), **more: str) -> type[Params]:
    """The model's own options (not its sections), and ``more`` words: name to default."""
    sections, texts = sections_of(model), field_texts(model)
    fields: dict[str, Any] = {
        name: (field.annotation, _with_text(field, texts[name]))
        for name, field in model.model_fields.items()
        if name not in sections and name not in without
    }
    fields |= {name: (str, Field(default, description=WORDS[name])) for name, default in more.items()}
    # Made as the subclass of the model's base: its checks of single options are not asked, those of the model are.
    return create_model("Options", __base__=Params, __doc__=model.__doc__, **fields)


def _with_text(field: FieldInfo, text: str) -> FieldInfo:
    """The text goes along: the source of a model that is made here has none."""
    told = copy(field)
    told.description = text
    return told


WORDS = {
    "images": "Which images, by name; several patterns are separated by blanks.",
    "to": "Folder (in that of the run).",
    "broad": "The broadband image, by name; the first of several counts.",
}
