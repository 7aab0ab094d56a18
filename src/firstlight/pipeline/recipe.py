"""Recipes: all that is done with a night, in one file of TOML that reads like one."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from firstlight.errors import InputError, SpecError, nearest
from firstlight.io.places import user_folder
from firstlight.ops.registry import Params
from firstlight.pipeline.live_settings import LiveSettings
from firstlight.pipeline.recipe_kinds import KINDS, Kind
from firstlight.pipeline.recipe_lines import Lines
from firstlight.pipeline.recipe_sections import sections_of
from firstlight.pipeline.settings import Settings

SECTIONS = {
    "session": "",
    "calibration": "calibrate",
    "matching": "match",
    "selection": "select",
    "normalization": "normalize",
    "normalisation": "normalize",
    "stacking": "stack",
    "grouping": "group",
}
"""An observer's words for the sections of `firstlight.pipeline.settings.Settings`; those names themselves serve too."""
FIELDS = {("stack", "rejection"): "method", ("stack", "sigma_low"): "low", ("stack", "sigma_high"): "high"}
WORDS = {
    ("stack", "method"): {"linearfit": "linear", "sigmaclip": "sigma", "winsorised": "winsorized", "average": "mean"}
}
"""Words that other programs have for the same."""
HEAD = ("about", "kind", "like")
STEPS = "then"


@dataclass(frozen=True)
class RecipeStep:
    """One of the steps after the session's."""

    kind: Kind
    name: str
    params: Params
    optional: bool = False
    """What it needs may be missing: the recipe then says so and goes on."""

    def as_table(self) -> dict[str, Any]:
        """As the recipe's file would hold it."""
        table: dict[str, Any] = {"do": self.kind.name}
        if self.name != self.kind.name:
            table["name"] = self.name
        if self.optional:
            table["optional"] = True
        return table | self.params.model_dump(exclude_defaults=True)


@dataclass(frozen=True)
class Recipe:
    """Settings of a session, and what is done with its stacks in order."""

    name: str
    about: str
    settings: Settings | LiveSettings
    steps: tuple[RecipeStep, ...] = ()
    source: str = ""
    text: str = field(default="", repr=False)

    @property
    def is_live(self) -> bool:
        return isinstance(self.settings, LiveSettings)


def presets() -> dict[str, str]:
    """Recipes that come with the program: name to text."""
    folder = resources.files("firstlight.pipeline") / "recipes"
    return {
        path.name.removesuffix(".toml"): path.read_text(encoding="utf-8")
        for path in sorted(folder.iterdir(), key=lambda path: path.name)
        if path.name.endswith(".toml")
    }


def own_folder() -> Path:
    """Where a user's own recipes are found by name."""
    return user_folder() / "recipes"


def known_recipes() -> dict[str, Path | None]:
    """Names to files; None for those that come with the program. A user's own go before them."""
    found: dict[str, Path | None] = dict.fromkeys(presets())
    if own_folder().is_dir():
        found |= {path.stem: path for path in sorted(own_folder().glob("*.toml"))}
    return found


def load_recipe(name: str, changes: Sequence[str] = (), under: Settings | None = None) -> Recipe:
    """A recipe by name or file, with ``changes`` (``section.option=value``) made.

    ``under``: settings that stand where the recipe says nothing, in place of the defaults.

    Raises
    ------
    InputError
        There is no such recipe; the nearest is named.
    SpecError
        Something in it does not exist or is out of bounds; the message says which line.
    """
    text, source = _text_of(name)
    stem = Path(name).stem if source.endswith(".toml") else name
    return parse_recipe(text, stem, source, changes, under=under)


def _text_of(name: str) -> tuple[str, str]:
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        try:
            return path.read_text(encoding="utf-8"), str(path)
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file; `firstlight recipe list` lists the recipes") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read as a recipe ({error})") from None
    known = known_recipes()
    if name not in known:
        raise InputError(f"recipe {name!r}: there is none{nearest(name, known) or ';'} known are {', '.join(known)}")
    own = known[name]
    return (presets()[name], name) if own is None else (own.read_text(encoding="utf-8"), str(own))


def parse_recipe(
    text: str, name: str, source: str, changes: Sequence[str] = (), _seen: tuple[str, ...] = (),
    under: Settings | None = None,
) -> Recipe:  # fmt: skip
    """Read a recipe from its text; ``source`` is what errors call it."""
    lines = Lines(text, source)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{source}: {str(error)[:1].lower()}{str(error)[1:]}; a recipe is TOML") from None
    if not content:
        raise SpecError(f"{source}: holds no settings and no steps; `firstlight recipe new` writes one to begin with")
    kind = content.get("kind", "session")
    if kind not in ("session", "live"):
        raise SpecError(f"{lines.at('kind')}: kind {kind!r}{nearest(str(kind), ['session', 'live'])}; session or live")
    parent = content.get("like", "")
    base: Recipe | None = None
    if parent:
        if parent in _seen:
            raise SpecError(f"{lines.at('like')}: the recipes {', '.join(_seen)} are like one another in a ring")
        parent_text, parent_source = _text_of(str(parent))
        base = parse_recipe(parent_text, str(parent), parent_source, (), (*_seen, name), under)
    model = type(base.settings) if base else LiveSettings if kind == "live" else Settings
    settings = base.settings if base else under if isinstance(under, model) else model()
    values = _sections_of(content, model, lines)
    settings = merged_settings(model, settings, values, lines)
    steps = list(base.steps) if base else []
    if STEPS in content:
        steps = [_step(table, lines, number) for number, table in enumerate(_tables(content[STEPS], lines))]
    if kind == "live" and steps:
        raise SpecError(f"{lines.at(STEPS)}: a live session has no steps after it; take them out")
    _check_names(steps, lines)
    recipe = Recipe(name, " ".join(str(content.get("about", "")).split()), settings, tuple(steps), source, text)
    return changed(recipe, changes)


def _tables(value: Any, lines: Lines) -> Iterator[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise SpecError(f'{lines.at(STEPS)}: write each step as [[{STEPS}]], with do = "..." under it')
    yield from value


def _sections_of(content: Mapping[str, Any], model: type[Params], lines: Lines) -> dict[str, Any]:
    """Values by the names of the settings."""
    sections = sections_of(model)
    values: dict[str, Any] = {}
    for name, given in content.items():
        if name in HEAD or name == STEPS:
            continue
        section = SECTIONS.get(name, name)
        if section != "" and section not in sections:
            known = [*sections, *SECTIONS, STEPS, *HEAD]
            raise SpecError(f"{lines.at(name)}: no section {name!r}{nearest(name, known) or ';'} {_list(known)}")
        if not isinstance(given, dict):
            raise SpecError(f"{lines.at(name)}: {name} is a section; write [{name}], and its options below")
        for key, value in given.items():
            _, field, plain = options_in(name, key, value, [model], lines)
            (values if section == "" else values.setdefault(section, {}))[field] = plain
    return values


def options_in(name: str, key: str, value: Any, models: Sequence[type[Params]], lines: Lines) -> tuple[str, str, Any]:
    """Section, field and value of an option, by the names of the settings; one of the models must have it.

    Raises
    ------
    SpecError
        None has; the nearest is named.
    """
    section = SECTIONS.get(name, name)
    known: dict[str, None] = {}
    for model in models:
        sections = sections_of(model)
        fields = [each for each in model.model_fields if each not in sections]
        known |= dict.fromkeys(fields if section == "" else sections[section].model_fields)
    field = FIELDS.get((section, key), key)
    if field not in known:
        guess = nearest(key, known) or ";"
        raise SpecError(f"{lines.at(name, key)}: [{name}] has no option {key!r}{guess} {_list(list(known))}")
    return section, field, _word(section, field, value)


def _list(names: Sequence[str]) -> str:
    return "there are " + ", ".join(dict.fromkeys(names))


def _word(section: str, field: str, value: Any) -> Any:
    return WORDS.get((section, field), {}).get(value, value) if isinstance(value, str) else value


def merged_settings(model: type[Params], settings: Params, values: Mapping[str, Any], lines: Lines) -> Any:
    """Settings with these values; SpecError names the line of one that is out of bounds."""
    old = settings.model_dump()
    merged = old | {k: {**old[k], **v} if isinstance(v, dict) else v for k, v in values.items()}
    try:
        return model(**merged)
    except ValidationError as error:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"]]
        message = first["msg"].removeprefix("Value error, ")
        given = f"{'.'.join(where)} = {first['input']!r}: " if where else ""
        place = lines.at_setting(where, SECTIONS, FIELDS)
        raise SpecError(f"{place}: {given}{message[0].lower()}{message[1:]}") from None


def _step(table: Mapping[str, Any], lines: Lines, number: int) -> RecipeStep:
    place = lines.at_step(number)
    given = dict(table)
    do = given.pop("do", None)
    if do is None:
        raise SpecError(f'{place}: a step needs do = "..."; one of {", ".join(KINDS)}')
    if do not in KINDS:
        guess = nearest(str(do), KINDS) or ";"
        raise SpecError(f"{lines.at_step(number, 'do')}: no step {do!r}{guess} there are {', '.join(KINDS)}")
    kind = KINDS[do]
    name = str(given.pop("name", do))
    optional = given.pop("optional", False)
    if not isinstance(optional, bool):
        raise SpecError(f"{lines.at_step(number, 'optional')}: optional = {optional!r}; true or false")
    model = kind.params()
    for key in given:
        if key not in model.model_fields:
            known = list(model.model_fields)
            guess = nearest(key, known) or ";"
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise SpecError(f"{lines.at_step(number, key)}: {do} has no option {key!r}{guess} {takes}")
    try:
        params = model(**{key: " ".join(v) if _is_words(v) else v for key, v in given.items()})
        kind.check(params)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "do"
        message = first["msg"].removeprefix("Value error, ")
        raise SpecError(
            f"{lines.at_step(number, key)}: {do}.{key} = {first['input']!r}: {message[0].lower()}{message[1:]}"
        ) from None
    except SpecError as error:
        raise SpecError(f"{place}: {error}") from None
    return RecipeStep(kind, name, params, optional)


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _check_names(steps: Sequence[RecipeStep], lines: Lines) -> None:
    names = [step.name for step in steps]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise SpecError(
                f'{lines.at_step(number)}: a second step {name!r}; give one of them a name of its own: name = "..."'
            )


def changed(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """The recipe with ``section.option=value`` set, of the session or of a step."""
    from dataclasses import replace

    for change in changes:
        path, separator, value = change.partition("=")
        section, dot, key = path.strip().partition(".")
        if not separator or not section:
            raise SpecError(f"--set {change!r}: write SECTION.OPTION=VALUE, such as stack.rejection=linearfit")
        what = f"--set {change}"
        named = [step for step in recipe.steps if step.name == section]
        if named and dot:
            recipe = replace(
                recipe, steps=tuple(_set_in_step(s, key, value, what) if s is named[0] else s for s in recipe.steps)
            )
            continue
        model = type(recipe.settings)
        content = {section: {key: value}} if dot else {"session": {section: value}}
        lines = Lines("", what)
        known = [*sections_of(model), *SECTIONS, *(step.name for step in recipe.steps)]
        if dot and SECTIONS.get(section, section) not in ("", *sections_of(model)):
            raise SpecError(f"{what}: no section {section!r}{nearest(section, known) or ';'} {_list(known)}")
        values = _sections_of(content, model, lines)
        recipe = replace(recipe, settings=merged_settings(model, recipe.settings, values, lines))
    return recipe


def _set_in_step(step: RecipeStep, key: str, value: str, what: str) -> RecipeStep:
    table = {**step.as_table(), key: value}
    if key == "optional":
        table[key] = value.casefold() in ("true", "yes", "1")
    return _step(table, Lines("", what), 0)
