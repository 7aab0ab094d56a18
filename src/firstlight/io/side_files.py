"""Metadata that lie beside the frames: tables (CSV) and YAML files, of keywords for all frames or for named ones.

::

    NAME,OBJECT,FILTER!                     # metadata.csv: a column with ! wins over the header
    M31_*.fit,M 31,L

    observer: Jane Doe                      # metadata.yaml: fills what the header lacks
    frames: {"flat_*.fit": {FILTER: Ha}}
    override: {FILTER: V}                   # wins over the header
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from firstlight.errors import InputError
from firstlight.io.cards import Card, Header, parse_value
from firstlight.io.dialects import FIELDS
from firstlight.io.header import STRUCTURAL, meta_from_header
from firstlight.model.meta import Meta

NAMES = ("metadata.csv", "metadata.yaml", "metadata.yml")
"""Found by themselves, in the folder of the frames and in those above it up to the session's."""
_TITLES = ("NAME", "FILE", "FRAME")
FIELD_KEYWORDS = {
    "kind": "IMAGETYP",
    "start": "DATE-OBS",
    "end": "DATE-END",
    "gain": "EGAIN",
    "gain_setting": "GAINSET",
    "binning": "BINNING",
    "pixel_size": "XPIXSZ",
    "cfa": "BAYERPAT",
    "calibrated": "CALSTAT",
    "n_combined": "NCOMBINE",
}
"""Fields that are no row of the table of dialects, and the keyword that stands for each."""
_KEYWORD = re.compile(r"[A-Z0-9][A-Z0-9 _()-]{0,39}$")
_PIXELS = frozenset(["PEDESTAL", "BZERO", "BSCALE", "BLANK"])
_CONTEXT = ("ROWORDER", "XBAYROFF", "YBAYROFF", "TIMESYS", "XBINNING")
"""Cards of the frame that say how others are to be read."""
_WEAK = ("file name", "folder name", "bit depth", "a light of")
"""Sources that a person's own words outweigh."""
_PACKED = (".gz", ".bz2", ".xz", ".fz", ".z")


def keyword_of(key: str) -> str:
    """The keyword that a key of a person means: a field in our words, or a keyword itself.

    Raises
    ------
    InputError
        It can be neither, or is a keyword that says how the pixels are stored.

    >>> keyword_of("target"), keyword_of("exposure"), keyword_of("XPIXSZ"), keyword_of("gain"), keyword_of("piersIDE")
    ('OBJECT', 'EXPTIME', 'XPIXSZ', 'EGAIN', 'PIERSIDE')
    """
    name = key.strip()
    field_name = name.replace(" ", "_")
    if field_name in FIELD_KEYWORDS:
        return FIELD_KEYWORDS[field_name]
    if field_name in FIELDS:
        return FIELDS[field_name][0].keyword
    keyword = name.upper()
    if not _KEYWORD.match(keyword):
        raise InputError(f"{key!r}: no FITS keyword; letters, digits, - and _ are allowed")
    if STRUCTURAL.match(keyword) or keyword in _PIXELS:
        raise InputError(f"{keyword}: says how the pixels are stored, and stays as it is")
    return keyword


@dataclass(frozen=True)
class Rule:
    """Values for the frames of a name; an empty pattern means all."""

    pattern: str
    values: Mapping[str, Any]
    wins: bool = False
    """Over the header."""

    def is_for(self, path: Path) -> bool:
        if not self.pattern:
            return True
        wanted = Path(self.pattern)
        names = [path.name, *_shorter(path.name)]
        if len(wanted.parts) > 1:
            return wanted.parts[:-1] == path.parts[-len(wanted.parts) : -1] and any(
                fnmatchcase(name, wanted.name) for name in names
            )
        return any(fnmatchcase(name, self.pattern) for name in names)


def _shorter(name: str) -> Iterator[str]:
    """The name without the ending of its packing, and without any ending."""
    while (stem := Path(name).stem) != name:
        if name.lower().endswith(_PACKED) or "." not in stem:
            yield stem
        else:
            yield stem
            return
        name = stem


@dataclass(frozen=True)
class SideFile:
    """One file of metadata."""

    path: Path
    rules: tuple[Rule, ...] = field(default=())

    def cards_for(self, path: Path, *, wins: bool) -> list[Card]:
        """Cards that it gives to a frame; where two rules speak, the more special, later one holds."""
        values: dict[str, Any] = {}
        for rule in sorted(self.rules, key=lambda rule: bool(rule.pattern)):
            if rule.wins is wins and rule.is_for(path):
                values |= rule.values
        return [(keyword, value, "") for keyword, value in values.items()]

    def idle(self, paths: Iterable[Path]) -> list[str]:
        """Names in it that no frame has."""
        known = list(paths)
        named = dict.fromkeys(rule.pattern for rule in self.rules if rule.pattern)
        return [name for name in named if not any(Rule(name, {}).is_for(path) for path in known)]


def read_side_file(path: Path) -> SideFile:
    """Read a table or a YAML file.

    Raises
    ------
    InputError
        It cannot be read, or a key in it is no keyword; the message names the line or the key.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a CSV or YAML file of metadata") from None
    if path.suffix.lower() in (".yaml", ".yml"):
        return SideFile(path, tuple(_of_yaml(path, text)))
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return SideFile(path, tuple(_of_table(path, text)))
    raise InputError(f"{path}: metadata are read from .csv, .yaml and .yml")


def _of_table(path: Path, text: str) -> Iterator[Rule]:
    lines = text.splitlines()
    delimiter = next((d for d in ("\t", ";") if lines and d in lines[0]), ",")
    rows = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(csv.reader(lines, delimiter=delimiter), 1)
        if row and any(cell.strip() for cell in row) and not row[0].lstrip().startswith("#")
    ]
    if not rows:
        return
    titles = [title.upper() for title in rows[0][1]]
    name = next((titles.index(word) for word in _TITLES if word in titles), None)
    if name is None:
        raise InputError(f"{path}: no column NAME; the first line must hold NAME and keywords")
    columns = [
        (i, _keyword(path, title.rstrip("!")), title.endswith("!"))
        for i, title in enumerate(rows[0][1])
        if i != name and title
    ]
    for number, row in rows[1:]:
        if len(row) <= name or not row[name]:
            raise InputError(f"{path}, line {number}: no name of a frame")
        for wins in (False, True):
            values = {
                keyword: parse_value(row[i]) for i, keyword, w in columns if w is wins and i < len(row) and row[i] != ""
            }
            if values:
                yield Rule(row[name], values, wins)


def _of_yaml(path: Path, text: str) -> Iterator[Rule]:
    import yaml

    try:
        # One document; `...` and a second one are left alone.
        content = next(iter(yaml.safe_load_all(text)), None)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: no YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return
    if not isinstance(content, dict):
        raise InputError(f"{path}: keys and values are wanted, such as `observer: Jane Doe`")
    content = dict(content)
    override = content.pop("override", None) or {}
    for part, wins in ((content, False), (override, True)):
        if not isinstance(part, dict):
            raise InputError(f"{path}: override: keys and values are wanted")
        part = dict(part)
        frames = part.pop("frames", None) or {}
        if not isinstance(frames, dict) or not all(isinstance(values, dict) for values in frames.values()):
            raise InputError(f"{path}: frames: names of frames, each with keys and values, are wanted")
        for pattern, values in [("", part), *frames.items()]:
            found = {_keyword(path, str(key)): _plain(value) for key, value in values.items() if _is_value(value)}
            if found:
                yield Rule(str(pattern), found, wins)


def _keyword(path: Path, key: str) -> str:
    try:
        return keyword_of(key)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _is_value(value: Any) -> bool:
    return value is not None and not isinstance(value, list | dict | tuple | set)


def _plain(value: Any) -> Any:
    # YAML makes dates of what looks like one.
    if isinstance(value, datetime):
        return value.isoformat()
    return value.isoformat() if isinstance(value, date) else value


def find_side_files(folder: Path, top: Path) -> list[Path]:
    """Files of metadata in a folder and those above it up to ``top``, the nearest first."""
    folders = [folder]
    while folders[-1] != top and top in folders[-1].parents:
        folders.append(folders[-1].parent)
    return [place / name for place in folders for name in NAMES if (place / name).is_file()]


def enriched(meta: Meta, path: Path, shape: tuple[int, int, int], files: Iterable[SideFile]) -> Meta:
    """What a header says, with what the files beside it add; of files that say the same, the first holds.

    A value that the header has already, and says otherwise, is kept, and the difference noted. Cards that are no field
    (WEIGHT) are added to the cards.
    """
    claimed: set[str] = set()
    for side in files:
        for wins in (True, False):
            cards = side.cards_for(path, wins=wins)
            if cards:
                meta = _merged(meta, shape, cards, side.path.name, wins, claimed)
    return meta


def _merged(
    meta: Meta, shape: tuple[int, int, int], cards: list[Card], source: str, wins: bool, claimed: set[str]
) -> Meta:
    header = Header(meta.cards)
    said = {keyword for keyword, _, _ in cards}
    context = [(k, header.get(k), header.comment(k)) for k in _CONTEXT if k in header and k not in said]
    # A path that says nothing: folders and names have been heard already.
    theirs = meta_from_header([*cards, *context], Path("x"), shape)
    given = {name: keyword for name, keyword in theirs.sources.items() if said.intersection(_words(keyword))}
    changes: dict[str, Any] = {}
    sources = dict(meta.sources)
    notes = list(meta.notes)
    for name, keyword in given.items():
        if name in claimed:
            continue
        value, mine = getattr(theirs, name), getattr(meta, name)
        if wins or sources.get(name, "").startswith(_WEAK) or name not in sources:
            changes[name], sources[name] = value, f"{source}: {keyword}"
            claimed.add(name)
        elif value != mine:
            notes.append(
                f"{source} says {name.replace('_', ' ')} {_shown(value)}, the header {_shown(mine)}: the header's is "
                f"kept ({keyword}! in a table, or override: in YAML, changes it)"
            )
    used = {word for keyword in given.values() for word in _words(keyword)}
    added = [card for card in cards if card[0] not in used and (wins or card[0] not in header)]
    kept = tuple(card for card in meta.cards if card[0] not in {a[0] for a in added})
    notes += [note for note in theirs.notes if note not in notes]
    return replace(meta, **changes, sources=sources, notes=tuple(notes), cards=(*kept, *added))


def _words(source: str) -> list[str]:
    return [*re.split(r"[ ,+(]+", source), source]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(getattr(value, "value", value))
