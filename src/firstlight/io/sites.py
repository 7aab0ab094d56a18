"""The table of sites and telescopes: ours (``sites.toml`` beside this file) and the user's own."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from firstlight.errors import InputError, nearest
from firstlight.io import convert
from firstlight.model.observing import Site

OWN = Path(__file__).with_name("sites.toml")
NAME = "sites.toml"
"""Of the user's table: in the folder of the session, or in ``~/.config/firstlight``."""
_KEYS = {"name", "aliases", "latitude", "longitude", "elevation", "code", "telescopes"}


@dataclass(frozen=True)
class Telescope:
    """A telescope at a site, for a time."""

    name: str
    since: date | None = None
    until: date | None = None

    def stood(self, when: datetime | None) -> bool:
        """Whether it stood there then; of a telescope that has moved, False where the time is not known."""
        if when is None:
            return self.since is None and self.until is None
        return (self.since is None or when.date() >= self.since) and (self.until is None or when.date() <= self.until)


@dataclass(frozen=True)
class Entry:
    """A site with its other names and its telescopes."""

    site: Site
    aliases: tuple[str, ...] = ()
    telescopes: tuple[Telescope, ...] = ()


@dataclass(frozen=True)
class Sites:
    """The tables read, those of the user first."""

    entries: tuple[Entry, ...]

    def named(self, name: str) -> Site | None:
        """The site of this name, alias or code, letter case and punctuation aside."""
        wanted = _plain(name)
        for entry in self.entries:
            if wanted and wanted in {_plain(n) for n in (entry.site.name, *entry.aliases, entry.site.code)}:
                return entry.site
        return None

    def of_telescope(self, name: str, when: datetime | None) -> Site | None:
        """Where a telescope stood.

        >>> sites = read_sites()
        >>> sites.of_telescope("iTelescope 31", None).name, sites.of_telescope("T21", datetime(2020, 1, 1)).name
        ('Siding Spring', 'Mayhill')
        >>> sites.of_telescope("T21", None) is None
        True
        """
        wanted = _telescope(name)
        for entry in self.entries:
            for telescope in entry.telescopes:
                if _telescope(telescope.name) == wanted and telescope.stood(when):
                    return entry.site
        return None

    def find(self, text: str) -> Site:
        """The site that a person names: by name, alias, code, telescope, or ``latitude,longitude[,elevation]``.

        Raises
        ------
        InputError
            There is none; the message names the nearest.

        >>> read_sites().find("48.1, 11.6, 520")
        Site(name='48.1, 11.6, 520', latitude=48.1, longitude=11.6, elevation=520.0, code='')
        """
        numbers = [convert.number(part) for part in text.split(",")]
        if len(numbers) in (2, 3) and None not in numbers:
            latitude, longitude = convert.latitude(numbers[0]), convert.longitude(numbers[1])
            if latitude is None or longitude is None:
                raise InputError(
                    f"site {text!r}: latitude -90 to 90 and longitude -180 to 180 (east positive) are allowed"
                )
            return Site(text, latitude, longitude, numbers[2] if len(numbers) == 3 else 0.0)  # type: ignore[arg-type]
        found = self.named(text) or self.of_telescope(text, None)
        if found is None:
            known = [name for entry in self.entries for name in (entry.site.name, *entry.aliases)]
            raise InputError(
                f"site {text!r}: not in the table{nearest(text, known) or ';'} `firstlight meta sites` lists it; or "
                "give latitude,longitude,elevation, such as 48.1,11.6,520"
            )
        return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _telescope(name: str) -> str:
    """T-numbers however they are written: ``T05``, ``iTelescope 5``."""
    match = re.match(r"(?:i?telescopes?|t)0*(\d+)[a-z]?$", _plain(name).replace("itelescopet", "itelescope"))
    return f"t{match[1]}" if match else _plain(name)


def user_table() -> Path:
    """The place of the user's own table."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base, "firstlight", NAME)


def site_tables(folder: Path | None = None) -> list[Path]:
    """The tables that are there, those of the user first."""
    places = [*([folder / NAME] if folder else []), user_table(), OWN]
    return [place for place in places if place.is_file()]


def read_sites(folder: Path | None = None) -> Sites:
    """All sites known: of the session's folder, of the user, of the program.

    Raises
    ------
    InputError
        A table cannot be read; the message names the entry.
    """
    return Sites(tuple(entry for path in site_tables(folder) for entry in _read(path)))


def _read(path: Path) -> list[Entry]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a table of sites: {error}") from error
    found = content.get("site", [])
    if not isinstance(found, list) or set(content) - {"site"}:
        raise InputError(f"{path}: a table of sites has entries [[site]] and nothing else")
    return [_entry(path, number, raw) for number, raw in enumerate(found, 1)]


def _entry(path: Path, number: int, raw: Mapping[str, Any]) -> Entry:
    name = str(raw.get("name", ""))
    where = f"{path}: site {number}" + (f" ({name})" if name else "")
    if unknown := sorted(set(raw) - _KEYS):
        raise InputError(f"{where}: {unknown[0]!r} is not known{nearest(unknown[0], _KEYS)}")
    if not name:
        raise InputError(f"{where}: has no name")
    latitude, longitude = convert.latitude(raw.get("latitude")), convert.longitude(raw.get("longitude"))
    elevation = convert.elevation(raw.get("elevation", 0))
    for word, value, bounds in (
        ("latitude", latitude, "-90 to 90 degrees"),
        ("longitude", longitude, "-180 to 180 degrees, east positive"),
        ("elevation", elevation, "-500 to 9000 m"),
    ):
        if value is None:
            raise InputError(f"{where}: {word} {raw.get(word)!r}; {bounds} is allowed")
    site = Site(name, latitude, longitude, elevation, str(raw.get("code", "")))  # type: ignore[arg-type]
    return Entry(site, tuple(map(str, raw.get("aliases", ()))), _telescopes(where, raw.get("telescopes", ())))


def _telescopes(where: str, raw: Sequence[Any]) -> tuple[Telescope, ...]:
    found = []
    for each in raw:
        if isinstance(each, str):
            found.append(Telescope(each))
            continue
        try:
            dates = {key: date.fromisoformat(str(each[key])) for key in ("from", "until") if key in each}
            found.append(Telescope(str(each["name"]), dates.get("from"), dates.get("until")))
        except (TypeError, KeyError, ValueError) as error:
            raise InputError(
                f"{where}: telescope {each!r}: a name, or {{ name = ..., from = 'YYYY-MM-DD', until = ... }} is allowed"
            ) from error
    return tuple(found)
