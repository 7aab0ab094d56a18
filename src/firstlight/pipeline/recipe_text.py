"""A recipe as text: as TOML, with every option and what it means, in sentences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from firstlight.ops.registry import Params, describe
from firstlight.ops.spec import parse_step
from firstlight.pipeline.recipe import SECTIONS, STEPS, Recipe, changed
from firstlight.pipeline.recipe_sections import sections_of
from firstlight.pipeline.settings import Settings

WORD = {meant: word for word, meant in reversed(SECTIONS.items())}
"""The word that a recipe has for each section."""
WIDTH = 100


def as_toml(value: Any) -> str:
    """One value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def recipe_as_toml(recipe: Recipe) -> str:
    """All that differs from the defaults."""
    lines = [f"about = {as_toml(recipe.about)}"] if recipe.about else []
    lines += ['kind = "live"'] if recipe.is_live else []
    for section, values in _differences(recipe.settings).items():
        lines += ["", f"[{WORD.get(section, section)}]", *(f"{key} = {as_toml(v)}" for key, v in values.items())]
    for step in recipe.steps:
        lines += ["", f"[[{STEPS}]]", *(f"{key} = {as_toml(value)}" for key, value in step.as_table().items())]
    return "\n".join(lines).strip() + "\n"


def _differences(settings: Params) -> dict[str, dict[str, Any]]:
    """Options that are not at their defaults, by section; those of no section under the empty name."""
    values, defaults = settings.model_dump(), type(settings)().model_dump()
    found: dict[str, dict[str, Any]] = {"": {k: v for k, v in values.items() if not isinstance(v, dict)}}
    found |= {k: v for k, v in values.items() if isinstance(v, dict)}
    for section, options in found.items():
        old = defaults if section == "" else defaults[section]
        found[section] = {key: value for key, value in options.items() if value != old[key]}
    return {section: options for section, options in found.items() if options}


def every_option(changes: Sequence[str] = ()) -> str:
    """A recipe that lists every option of a session with its meaning, each switched off by a ``#``."""
    recipe = changed(Recipe("new", "", Settings()), changes)
    given = _differences(recipe.settings)
    defaults = Settings()
    lines = ['about = "..."', "", "# Take the # away from what you change.", ""]
    for section, model in {"": Settings, **sections_of(Settings)}.items():
        chosen = getattr(defaults, section) if section else defaults
        about = "" if section == "" else f"  # {_sentence(model.__doc__)}"
        lines += [f"[{WORD.get(section, section)}]{about}"]
        for row in describe(model):
            name = row["name"]
            if section == "" and name in sections_of(Settings):
                continue
            changed_value = given.get(section, {}).get(name)
            value = getattr(chosen, name) if changed_value is None else changed_value
            unit = f" [{row['unit']}]" if row["unit"] else ""
            entry = f"{'# ' if changed_value is None else ''}{name} = {as_toml(value)}"
            lines.append(f"{entry:<34}# {_sentence(row['description'])}{unit}")
        lines.append("")
    lines += [f"# [[{STEPS}]]", '# do = "pictures"', '# steps = ["abr:localgradient", "stretch:midtones"]']
    return "\n".join(lines) + "\n"


def _sentence(text: str | None) -> str:
    words = " ".join((text or "").replace("``", "").split())
    first = words.partition(". ")[0]
    return first if len(first) <= WIDTH else first[: WIDTH - 3].rsplit(" ", 1)[0] + " ..."


def explain_recipe(recipe: Recipe) -> str:
    """What the recipe does, in sentences."""
    lines = [f"{recipe.name}: {recipe.about}" if recipe.about else recipe.name, f"From {recipe.source}.", ""]
    if recipe.is_live:
        lines.append("A live session: the folder is watched, every new light is added to a running stack.")
    else:
        lines.append("The session: frames are recognised, calibrated, registered, selected and stacked.")
    for section, values in _differences(recipe.settings).items():
        model = sections_of(type(recipe.settings)).get(section, type(recipe.settings))
        meaning = {row["name"]: row for row in describe(model)}
        for key, value in values.items():
            row = meaning[key]
            unit = f" {row['unit']}" if row["unit"] else ""
            default = row["default"]
            name = f"{WORD.get(section, section)}.{key}" if section else key
            lines.append(
                f"  {name} = {as_toml(value)}{unit} (default {as_toml(default)}): {_sentence(row['description'])}"
            )
    if recipe.steps:
        lines += ["", "Then, in order:"]
    for number, step in enumerate(recipe.steps, 1):
        optional = " (optional)" if step.optional else ""
        lines.append(f"  {number}. {step.name}{optional}: {step.kind.summary}")
        for key, value in step.params.model_dump(exclude_defaults=True).items():
            lines.append(f"     {key} = {as_toml(value)}")
        for text in str(getattr(step.params, "steps", "")).split():
            parsed = parse_step(text)
            lines.append(f"     {parsed.pinned()}: {parsed.operation.summary}")
    return "\n".join(lines)
