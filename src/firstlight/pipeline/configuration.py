"""Settings that are kept in files: the user's own, and those of a session beside its frames."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from firstlight.errors import InputError, SpecError, nearest
from firstlight.ops.registry import Params
from firstlight.pipeline.configuration_files import files_for
from firstlight.pipeline.live_settings import LiveSettings
from firstlight.pipeline.recipe import SECTIONS, merged_settings, options_in
from firstlight.pipeline.recipe_lines import Lines
from firstlight.pipeline.recipe_sections import sections_of
from firstlight.pipeline.settings import Settings
from firstlight.pipeline.stack_settings import StackSettings

MODELS: tuple[type[Params], ...] = (Settings, LiveSettings, StackSettings)
"""Settings whose options such a file may hold: an option that one of them has is taken by all that have it."""
S = TypeVar("S", bound=Params)


@dataclass(frozen=True)
class Origin:
    """An option that a file gives."""

    section: str
    option: str
    value: Any
    place: str
    """File and line."""


@dataclass(frozen=True)
class Configuration:
    """What the files say together."""

    files: tuple[Path, ...] = ()
    given: tuple[Origin, ...] = ()
    """In the order of their weight; a later one of the same option wins."""

    def settings(self, model: type[S]) -> S:
        """Defaults of the model, and over them what the files give of its options."""
        settings = model()
        for file in self.files:
            mine = [o for o in self.given if o.place.startswith(str(file))]
            values: dict[str, Any] = {}
            for origin in mine:
                if has_option(model, origin.section, origin.option):
                    place = values.setdefault(origin.section, {}) if origin.section else values
                    place[origin.option] = origin.value
            lines = Lines(file.read_text(encoding="utf-8"), str(file))
            settings = merged_settings(model, settings, values, lines)
        return settings

    def origins(self) -> dict[tuple[str, str], Origin]:
        """Section and option to what counts for it."""
        return {(origin.section, origin.option): origin for origin in self.given}


def configuration(session: Path | None = None) -> Configuration:
    """What the user's file and that of the session say.

    Raises
    ------
    SpecError
        An option does not exist or is out of bounds; file and line are named.
    """
    files = files_for(session)
    given = [origin for file in files for origin in _read(file)]
    found = Configuration(tuple(files), tuple(given))
    for model in MODELS:
        found.settings(model)
    return found


def _read(file: Path) -> Iterator[Origin]:
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{file}: {str(error)[:1].lower()}{str(error)[1:]}; a configuration is TOML") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({error})") from None
    lines = Lines(text, str(file))
    for name, options in content.items():
        section = SECTIONS.get(name, name)
        models = [model for model in MODELS if section == "" or section in sections_of(model)]
        if not models:
            known = dict.fromkeys(["session", *(s for model in MODELS for s in sections_of(model)), *SECTIONS])
            raise SpecError(f"{lines.at(name)}: no section {name!r}{nearest(name, known) or ';'} {', '.join(known)}")
        if not isinstance(options, Mapping):
            raise SpecError(f"{lines.at(name)}: {name} is a section; write [{name}], and its options below")
        for key, value in options.items():
            section_name, option, plain = options_in(name, key, value, models, lines)
            yield Origin(section_name, option, plain, lines.at(name, key))


def has_option(model: type[Params], section: str, option: str) -> bool:
    """Whether settings have this option."""
    if section == "":
        return option in model.model_fields and option not in sections_of(model)
    sections = sections_of(model)
    return section in sections and option in sections[section].model_fields
