"""Operations: a parameter model and a pure function, registered once, seen by every face of the program."""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict

from firstlight.errors import ContractError, SpecError, nearest
from firstlight.model.image import Image, State
from firstlight.ops.windows import BandWork, Source

if TYPE_CHECKING:
    from firstlight.ops.survey import Survey

FAMILIES: dict[str, str] = {
    "cal": "calibrate",
    "abr": "calibrate",
    "bin": "align",
    "crop": "align",
    "tx": "align",
    "align": "align",
    "norm": "stack",
    "rej": "stack",
    "stack": "stack",
    "nr": "noise",
    "sharp": "deconvolve",
    "color": "color",
    "contrast": "contrast",
    "morphology": "contrast",
    "extract": "contrast",
    "stretch": "stretch",
    "inspect": "inspect",
    "meta": "meta",
}
"""Prefix of an operation's id to the folder it lives in."""


class Params(BaseModel):
    """Base of every parameter model: frozen, strict about names, documented by the string under each field.

    Fields are numbers, booleans and words (``Literal``); never None, paths, arrays or nested models.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Reach(enum.StrEnum):
    """How far an output pixel looks: what the engine must give an operation to work on a tile."""

    PIXEL = "pixel"
    WINDOW = "window"
    FRAME = "frame"
    SET = "set"


@dataclass(frozen=True)
class Operation:
    """What every face knows of one operation."""

    id: str
    version: int
    reach: Reach
    params: type[Params]
    function: Callable[..., Image]
    demands: State | None
    """State the input must be in; None: either."""
    gives: State | None
    """State of the output; None: that of the input."""
    frames: tuple[str, ...]
    """Names of the further images the function takes after its parameters."""
    optional: tuple[str, ...] = ()
    """The last of them, that may be left out: the function has a default of None for each."""
    margin: Callable[[Any], int | None] | None = None
    """Of reach ``window``, and where something is learnt: how many pixels far it looks with these parameters; None: not
    known, it needs the frame."""
    settle: Callable[[Image, Any], Callable[[Image], Image]] | None = None
    """Of reach ``frame``, where the frame is only measured: what then is done to each pixel by itself. It must give the
    same for the pixels of `firstlight.ops.stretch.sample.sample` alone."""
    survey: Callable[[Image, int, Any], Survey] | None = None
    """Of reach ``frame``, where a sample is not enough: which rows are looked at and what then is done to rows by
    themselves; from an image like it of a few rows, its height, and the parameters."""
    learn: Callable[[Source, Any], BandWork] | None = None
    """Of reach ``frame``, where it is enough to look at bands of the frame: what then is done to a band, of which
    ``margin`` rows above and below are done with it and thrown away."""

    @property
    def family(self) -> str:
        return self.id.partition(":")[0]

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (self.function.__doc__ or "").strip().splitlines()[0]

    @property
    def changes_state(self) -> bool:
        return self.gives is not None


_OPERATIONS: dict[str, Operation] = {}


def operation(
    id: str,
    *,
    reach: Reach,
    version: int = 1,
    demands: State | None = None,
    gives: State | None = None,
    margin: Callable[[Any], int | None] | None = None,
    settle: Callable[[Image, Any], Callable[[Image], Image]] | None = None,
    survey: Callable[[Image, int, Any], Survey] | None = None,
    learn: Callable[[Source, Any], BandWork] | None = None,
) -> Callable[[Callable[..., Image]], Callable[..., Image]]:
    """Register ``function(image, params, *frames) -> Image``; the function itself is returned unchanged."""

    def register(function: Callable[..., Image]) -> Callable[..., Image]:
        family = id.partition(":")[0]
        if family not in FAMILIES:
            raise ContractError(f"operation {id!r}: no family {family!r}; the families are {', '.join(FAMILIES)}")
        if id in _OPERATIONS and _OPERATIONS[id].function.__module__ != function.__module__:
            raise ContractError(f"operation {id!r} is taken by {_OPERATIONS[id].function.__module__}")
        signature = inspect.signature(function, eval_str=True)
        _, parameters, *frames = signature.parameters.values()
        _OPERATIONS[id] = Operation(
            id, version, reach, parameters.annotation, function, demands, gives,
            frames=tuple(frame.name for frame in frames),
            optional=tuple(frame.name for frame in frames if frame.default is not inspect.Parameter.empty),
            margin=margin, settle=settle, survey=survey, learn=learn,
        )  # fmt: skip
        return function

    return register


def operations() -> dict[str, Operation]:
    """Every operation by id, sorted; imports all of `firstlight.ops`."""
    for folder in sorted(set(FAMILIES.values())):
        _import_folder(folder)
    return dict(sorted(_OPERATIONS.items()))


def find_operation(id: str) -> Operation:
    """The operation of this id or alias.

    >>> find_operation("stretch:midtone")
    Traceback (most recent call last):
        ...
    firstlight.errors.SpecError: unknown operation 'stretch:midtone'; did you mean stretch:midtones? ...
    """
    from firstlight.ops.aliases import ALIASES, ELSEWHERE

    if id in ELSEWHERE:
        raise SpecError(f"{id}, of an earlier program: {ELSEWHERE[id]}")
    known_as = ":".join(ALIASES.get(id, id).split(":")[:2])
    family = known_as.partition(":")[0]
    if family in FAMILIES and known_as not in _OPERATIONS:
        _import_file_of(known_as, FAMILIES[family])
    if family in FAMILIES and known_as not in _OPERATIONS:
        _import_folder(FAMILIES[family])
    if known_as not in _OPERATIONS:
        known = [*operations(), *ALIASES]
        raise SpecError(f"unknown operation {id!r}{nearest(id, known) or ';'} `firstlight ops` lists them all")
    return _OPERATIONS[known_as]


def _import_file_of(id: str, folder: str) -> None:
    """Import the file that says it defines the operation, if there is one: a family has many, with all they need."""
    says = re.compile(rf'@operation\(\s*"{re.escape(id)}"')
    for source in sorted((Path(__file__).parent / folder).glob("*.py")):
        if says.search(source.read_text(encoding="utf-8")):
            importlib.import_module(f"firstlight.ops.{folder}.{source.stem}")


def _import_folder(folder: str) -> None:
    try:
        package = importlib.import_module(f"firstlight.ops.{folder}")
    except ModuleNotFoundError as error:
        if error.name != f"firstlight.ops.{folder}":
            raise
        return
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


_TYPES = {bool: "boolean", int: "integer", float: "number"}
_BOUNDS = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}


def parameters_of(params: type[Params]) -> list[dict[str, Any]]:
    """One row per parameter: name, type, unit, default, bounds, choices; what a command must know to parse its line."""
    from firstlight.units import unit_of

    rows = []
    for name, field in params.model_fields.items():
        choices = list(get_args(field.annotation)) if get_origin(field.annotation) is Literal else []
        kind = type(choices[0]) if choices else field.annotation
        bounds = [(key, getattr(each, word, None)) for key, word in _BOUNDS.items() for each in field.metadata]
        rows.append(
            {
                "name": name,
                "type": _TYPES.get(kind, "word"),  # type: ignore[arg-type]
                "unit": unit_of(field),
                "default": field.default,
                "choices": choices,
                "bounds": {key: bound for key, bound in bounds if bound is not None},
            }
        )
    return rows


def describe(params: type[Params]) -> list[dict[str, Any]]:
    """The same with what each parameter means; for help, docs and forms."""
    from firstlight.ops.field_texts import field_texts

    texts = field_texts(params)
    return [{**row, "description": texts.get(row["name"], "")} for row in parameters_of(params)]
