"""Options of the command line made from the settings of a run: no option is written down twice."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from firstlight.errors import SpecError
from firstlight.ops.field_texts import field_texts
from firstlight.ops.registry import Params, parameters_of

S = TypeVar("S", bound=Params)


class Setting(click.Option):
    """An option made from a setting; ``heading`` is what its section is about. Its text is put together for a help."""

    def __init__(self, *given: Any, model: type[Params], row: dict[str, Any], heading: str, **more: Any) -> None:
        self._model, self._row, self.heading = model, row, heading
        super().__init__(*given, **more)

    @property
    def help(self) -> str:
        row = self._row
        text = field_texts(self._model).get(row["name"], "").replace("``", "")
        unit = f" [{row['unit']}]" if row["unit"] else ""
        default = "" if row["default"] == "" else f"  [default: {_shown(row['default'])}]"
        return inspect.cleandoc(f"{text}{unit}{default}")

    @help.setter
    def help(self, given: str | None) -> None:
        """Click sets what it was given: nothing."""


class SettingsCommand(click.Command):
    """A command whose help lists the settings by section, the options of its own first."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(context):
            if isinstance(parameter, click.Argument):
                continue
            record = parameter.get_help_record(context)
            if record is not None:
                sections.setdefault(getattr(parameter, "heading", "") or "Options", []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def options_of(model: type[Params]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: one option for every field of the settings, ``--section-field`` for those of a section."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        defaults = model()
        sections = _sections(model)
        for section, params in reversed(list(sections.items())):
            chosen = getattr(defaults, section) if section else defaults
            for row in reversed(parameters_of(params)):
                if section or row["name"] not in sections:
                    command = _option(section, params, {**row, "default": getattr(chosen, row["name"])})(command)
        return command

    return decorate


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the options of a run."""
    from firstlight.pipeline.settings import Settings

    return options_of(Settings)(command)


def _sections(model: type[Params]) -> dict[str, type[Params]]:
    """Sections by name; the fields of the settings themselves come under the empty name."""
    nested = {
        name: field.annotation
        for name, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    return {**nested, "": model}


def _heading(section: str, params: type[Params]) -> str:
    """The first sentence of a section's docstring, after its name."""
    if not section:
        return ""
    sentence = " ".join((params.__doc__ or "").split()).partition(". ")[0].replace("``", "").rstrip(".")
    return f"{section.capitalize()}: {sentence[:1].lower()}{sentence[1:]}"


def _option(section: str, params: type[Params], row: dict[str, Any]) -> Callable[..., Any]:
    name = f"{section}-{row['name']}" if section else row["name"]
    flag = "--" + name.replace("_", "-")
    given: dict[str, Any] = {
        "cls": Setting, "default": None, "model": params, "row": row, "heading": _heading(section, params),
    }  # fmt: skip
    if row["type"] == "boolean":
        return click.option(f"{flag}/--no-{name.replace('_', '-')}", _key(section, row["name"]), **given)
    if row["choices"]:
        return click.option(flag, _key(section, row["name"]), type=click.Choice(row["choices"]), **given)
    kind = {"integer": int, "number": float}.get(row["type"], str)
    return click.option(flag, _key(section, row["name"]), type=kind, **given)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def _key(section: str, field: str) -> str:
    return f"set__{section}__{field}"


def configured(model: type[S]) -> S:
    """Settings as the configuration files have them, of the user and of the session that the command is given."""
    from firstlight.pipeline.configuration_files import files_for

    context = click.get_current_context(silent=True)
    given = context.params if context else {}
    session = given.get("session") or given.get("folder")
    if not files_for(session):
        return model()
    from firstlight.pipeline.configuration import MODELS, configuration

    return configuration(session).settings(model) if issubclass(model, MODELS) else model()


def settings_from(options: dict[str, Any], model: type[S] | None = None, base: S | None = None) -> S:
    """Settings (of a run, where no model is named) from the options that were given; all others are those of ``base``,
    or are as the configuration files have them (`firstlight config`).

    Raises
    ------
    SpecError
        A value is out of bounds; the message names the option.
    """
    if model is None:
        from firstlight.pipeline.settings import Settings

        model = Settings  # type: ignore[assignment]
    base = base or configured(model)
    values: dict[str, Any] = {}
    for key, value in options.items():
        if value is None or not key.startswith("set__"):
            continue
        _, section, field = key.split("__", 2)
        (values.setdefault(section, {}) if section else values)[field] = value
    try:
        # A section keeps what the settings chose for its other fields.
        defaults = (base or model()).model_dump()
        merged = {k: {**defaults[k], **v} if isinstance(v, dict) else v for k, v in values.items()}
        return model(**{**defaults, **merged})
    except ValidationError as error:
        first = error.errors()[0]
        flag = "--" + "-".join(map(str, first["loc"])).replace("_", "-")
        message = first["msg"].removeprefix("Value error, ")
        # What is wrong with several options together names them.
        given = "" if isinstance(first["input"], dict) else f"{first['input']!r}: "
        where = f"{flag}: " if first["loc"] else ""
        raise SpecError(f"{where}{given}{message[0].lower()}{message[1:]}") from None
