"""What a frame was taken for: from its header, else its folder's name, else its own."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from firstlight.io.cards import Header
from firstlight.model.meta import Kind

KEYWORDS = (
    "IMAGETYP",
    "IMAGETYPE",
    "FRAME",
    "FRAMETYP",
    "OBSTYPE",
    "EXPTYPE",
    "IMGTYPE",
    "PICTTYPE",
    "CCDSFPT",
    "FRAMETYPE",
)
_NUMBERED = {
    "PICTTYPE": {1: "light", 2: "bias", 3: "dark", 4: "flat"},
    "CCDSFPT": {1: "light", 2: "bias", 3: "dark", 4: "flat"},
}

_WORDS: dict[str, Kind] = {
    **dict.fromkeys(("light", "lights", "object", "science", "sci", "expose", "tricolor", "standard"), Kind.LIGHT),
    **dict.fromkeys(("bias", "biases", "zero", "zeros", "offset", "offsets", "biasframe"), Kind.BIAS),
    **dict.fromkeys(("dark", "darks"), Kind.DARK),
    **dict.fromkeys(
        ("flat", "flats", "skyflat", "skyflats", "domeflat", "twilight", "twiflat", "flatfield"), Kind.FLAT
    ),
    **dict.fromkeys(("darkflat", "darkflats", "flatdark", "flatdarks", "darkforflat"), Kind.DARK_FLAT),
    **dict.fromkeys(("masterbias", "superbias"), Kind.MASTER_BIAS),
    **dict.fromkeys(("masterdark", "superdark"), Kind.MASTER_DARK),
    **dict.fromkeys(("masterflat", "superflat"), Kind.MASTER_FLAT),
    **dict.fromkeys(("stack", "stacked", "masterlight", "integration"), Kind.STACK),
    **dict.fromkeys(("original", "originals"), Kind.LIGHT),
}
_MASTERS = {
    Kind.BIAS: Kind.MASTER_BIAS,
    Kind.DARK: Kind.MASTER_DARK,
    Kind.FLAT: Kind.MASTER_FLAT,
    Kind.LIGHT: Kind.STACK,
}
_NOT_A_KIND = frozenset(
    [
        "nebula",
        "neb",
        "shark",
        "cloud",
        "doodad",
        "tower",
        "horse",
        "galaxy",
        "matter",
        "sky",
        "skies",
        "site",
        "no",
        "without",
    ]
)
"""Words that make *dark* part of a target's or a place's name, or deny it."""
_ONLY_IN_HEADERS = frozenset(
    ["object", "science", "sci", "expose", "standard", "tricolor", "stack", "stacked", "integration", "zero", "zeros"]
)


def kind_of_words(text: str, *, in_header: bool = False) -> Kind | None:
    """The kind that a text names, or None.

    >>> kind_of_words("Dark Frame", in_header=True), kind_of_words("Flat_Darks_2s"), kind_of_words("Dark Shark nebula")
    (<Kind.DARK: 'dark'>, <Kind.DARK_FLAT: 'dark flat'>, None)
    >>> kind_of_words("masterFlat_Ha")
    <Kind.MASTER_FLAT: 'master flat'>
    """
    words = _words(text)
    if not in_header:
        if _NOT_A_KIND.intersection(words):
            return None
        words = [word for word in words if word not in _ONLY_IN_HEADERS]
    joined = [a + b for a, b in itertools.pairwise(words)]
    for word in joined:
        if word in _WORDS and _WORDS[word] is Kind.DARK_FLAT:
            return Kind.DARK_FLAT
    found = next((_WORDS[word] for word in [*joined, *words] if word in _WORDS), None)
    if found is not None and {"master", "masters", "super"}.intersection(words):
        return _MASTERS.get(found, found)
    return found


def kind_of_folder(name: str) -> Kind | None:
    """The kind that a folder's name begins with, or ends with where it has two words: a sentence names no kind.

    >>> kind_of_folder("Flats_Ha_2s"), kind_of_folder("M31 Darks"), kind_of_folder("stacked again with better darks")
    (<Kind.FLAT: 'flat'>, <Kind.DARK: 'dark'>, None)
    """
    words = [word for word in _words(name) if word not in _ONLY_IN_HEADERS]
    begins = words[1:] if words[:1] in (["master"], ["masters"], ["super"]) else words
    if len(words) > 2 and not any("".join(begins[:count]) in _WORDS for count in (1, 2)):
        return None
    return kind_of_words(name)


def _words(text: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)]


def find_kind(header: Header, path: Path) -> tuple[Kind, str]:
    """(kind, what says so); (UNKNOWN, "") where nothing does.

    A folder decides before the name, the nearest folder before those above it (three are looked at).
    """
    for keyword in KEYWORDS:
        value = header.get(keyword)
        if keyword in _NUMBERED:
            value = _NUMBERED[keyword].get(value) if isinstance(value, int) else None
        if isinstance(value, str) and (kind := kind_of_words(value, in_header=True)) is not None:
            return kind, keyword
    return next(_named(path), (Kind.UNKNOWN, ""))


def contradiction(kind: Kind, path: Path) -> str:
    """What the folder or the name says against the header, in words; empty where they agree or say nothing.

    >>> contradiction(Kind.LIGHT, Path("Flats/a.fits"))
    "folder name 'Flats' says flat"
    >>> contradiction(Kind.MASTER_DARK, Path("Darks/a.fits"))
    ''
    """
    named, source = next(_named(path), (kind, ""))
    alike = named is kind or _MASTERS.get(named) is kind or _MASTERS.get(kind) is named
    return "" if alike or kind is Kind.STACK else f"{source} says {named.value}"


def _named(path: Path) -> Iterator[tuple[Kind, str]]:
    for folder in list(path.parent.parts)[::-1][:3]:
        if (kind := kind_of_folder(folder)) is not None:
            yield kind, f"folder name '{folder}'"
    if (kind := kind_of_words(path.name.split(".fit")[0].split(".FIT")[0])) is not None:
        yield kind, f"file name '{path.name}'"
