"""What the parameters of a model mean: the strings under its fields, read from its source when somebody asks."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import lru_cache
from itertools import pairwise

from pydantic import BaseModel


@lru_cache(maxsize=512)
def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Field to its text: that of ``Field(description=...)``, else the string under it, here or where it is inherited.

    Pydantic can do so too (``use_attribute_docstrings``), but reads the sources whenever a model is made: with every
    command that has such options, though only a help shows the texts.

    >>> from firstlight.ops.stretch.midtones import Midtones
    >>> "target" in field_texts(Midtones)
    True
    """
    texts: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            texts |= _texts_of_class(each)
    texts |= {name: field.description for name, field in model.model_fields.items() if field.description}
    return {name: texts[name] for name in model.model_fields if name in texts}


def _texts_of_class(model: type) -> dict[str, str]:
    body = _classes(model.__module__).get(model.__qualname__, [])
    found = {}
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            found[field.target.id] = inspect.cleandoc(text.value.value)
    return found


@lru_cache(maxsize=512)
def _classes(module: str) -> dict[str, list[ast.stmt]]:
    """Bodies of the classes of a module, by qualified name."""
    try:
        source = inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):
        # Made at run time, or shipped without sources.
        return {}
    found: dict[str, list[ast.stmt]] = {}
    waiting: list[tuple[str, list[ast.stmt]]] = [("", ast.parse(source).body)]
    while waiting:
        prefix, body = waiting.pop()
        for node in body:
            if isinstance(node, ast.ClassDef):
                found[prefix + node.name] = node.body
                waiting.append((f"{prefix}{node.name}.", node.body))
            elif isinstance(node, ast.FunctionDef):
                waiting.append((f"{prefix}{node.name}.<locals>.", node.body))
    return found
