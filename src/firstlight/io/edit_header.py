"""Change keywords of a FITS file without touching anything else: other cards and all pixels stay byte for byte."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.errors import FrameError, InputError
from firstlight.io.atomic import atomic_path
from firstlight.io.cards import BLOCK, CARD, Header, parse_card, parse_cards
from firstlight.io.checksum import encode, ones_sum
from firstlight.io.fits_scan import COLOURS, FitsBytes, Unit, find_image, open_bytes, scan
from firstlight.io.fits_writer import format_card, is_writable
from firstlight.io.header import EDITED

_PACKERS = {b"\x1f\x8b": lambda data: gzip.compress(data, mtime=0), b"BZ": bz2.compress, b"\xfd7": lzma.compress}


@dataclass(frozen=True)
class Change:
    """What shall become of one keyword."""

    keyword: str
    value: Any = None
    """None: the keyword is removed."""
    comment: str | None = None
    """None: that which is there stays."""
    if_missing: bool = False
    """Only where the keyword is not there, or blank."""


@dataclass(frozen=True)
class Done:
    """One change that a file needs: old and new value; None: not there."""

    keyword: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if self.new is None:
            return f"{self.keyword} {_quoted(self.old)} removed"
        return f"{self.keyword} {'' if self.old is None else f'{_quoted(self.old)} '}-> {_quoted(self.new)}"


def _quoted(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else "T" if value is True else "F" if value is False else f"{value}"


@dataclass(frozen=True)
class Edit:
    """A file with its changes worked out, not yet written."""

    path: Path
    done: tuple[Done, ...]
    headers: tuple[tuple[int, int, bytes], ...] = ()
    """Of each changed header: where it began and ended, and the new one."""

    def write(self, target: Path) -> None:
        """Write the changed file, whole or not at all; pixels are copied as they are."""
        content = open_bytes(self.path)
        with atomic_path(target) as temporary:
            if content.content is not None:
                start = self.path.read_bytes()[:2]
                pack = next(pack for magic, pack in _PACKERS.items() if start.startswith(magic))
                temporary.write_bytes(pack(b"".join(self._parts(content))))
            else:
                with open(self.path, "rb") as source, open(temporary, "wb") as out:
                    for begin, end, header in self.headers:
                        _copy(source, out, begin - source.tell())
                        out.write(header)
                        source.seek(end)
                    shutil.copyfileobj(source, out, 2**22)
            shutil.copymode(self.path, temporary)

    def _parts(self, content: FitsBytes) -> list[bytes]:
        parts, here = [], 0
        for begin, end, header in self.headers:
            parts += [content.read(here, begin - here), header]
            here = end
        return [*parts, content.read(here, content.size - here)]


def _copy(source: Any, out: Any, count: int) -> None:
    while count > 0:
        piece = source.read(min(count, 2**22))
        if not piece:
            return
        out.write(piece)
        count -= len(piece)


def plan_edit(path: Path, changes: Sequence[Change], told: Sequence[str] | None = None) -> Edit:
    """Work out what changes would do to a file.

    A keyword is changed where it stands, in the header of the image or in the primary one; a new one goes to the
    image's. Each change is told in a HISTORY card, or ``told`` in their place. A checksum is made right again. Where
    red, green and blue are images of their own, each of them is changed.

    Raises
    ------
    FrameError
        The file is no FITS file or is broken, or the change would take from its three images what names their colours.
    InputError
        A value that no card can hold.
    """
    content = open_bytes(path)
    if content.read(0, 9) not in (b"SIMPLE  =", b"XTENSION="):
        raise FrameError(
            f"{path.name}: only FITS headers are edited; for other formats write the facts into metadata.csv beside "
            "the file"
        )
    units = scan(content)
    found = find_image(content)
    images = found.colours or (found.index,)
    places = [*images, *([] if 0 in images else [0])]
    lists = {
        i: _cards(content.read(units[i].header_start, units[i].data_start - units[i].header_start)) for i in places
    }
    done: list[Done] = []
    for change in changes:
        if not is_writable(change.value):
            raise InputError(f"{change.keyword}: {change.value!r} cannot stand in a FITS header")
        for image in images:
            done += _apply(change, lists, [image] if 0 in images else [image, 0])
    done = list(dict.fromkeys(done))
    if any(each.keyword == "FILTER" for each in done) and found.colours and not _named(units, images):
        raise FrameError(f"{path.name}: FILTER tells its three images apart; give them the names (EXTNAME) R, G and B")
    changed = []
    for i in sorted(places):
        old = _cards(content.read(units[i].header_start, units[i].data_start - units[i].header_start))
        if i in images and done:
            lines = [str(each) for each in done] if told is None else told
            lists[i] += _split("".join(format_card("HISTORY", f"{EDITED}{line}") for line in lines))
        if lists[i] != old:
            header = _assembled(lists[i])
            changed.append((units[i].header_start, units[i].data_start, header))
    return Edit(path, tuple(done), tuple(changed))


def _named(units: Sequence[Unit], images: Sequence[int]) -> bool:
    return all(units[i].name in COLOURS for i in images)


def _cards(header: bytes) -> list[str]:
    """Cards up to END, a long string with its CONTINUE cards as one entry."""
    text = header.decode("latin-1")
    return _split(text[: _end(text)])


def _end(text: str) -> int:
    return next(i for i in range(0, len(text), CARD) if text[i : i + 8].rstrip(" \0") == "END")


def _split(text: str) -> list[str]:
    found: list[str] = []
    for i in range(0, len(text), CARD):
        card = text[i : i + CARD]
        if card.startswith("CONTINUE") and found:
            found[-1] += card
        else:
            found.append(card)
    return found


def _apply(change: Change, lists: dict[int, list[str]], places: Sequence[int]) -> list[Done]:
    where = next(
        ((i, n) for i in places for n in range(len(lists[i])) if _keyword(lists[i][n]) == change.keyword), None
    )
    old, comment = None, ""
    if where is not None:
        ((_, old, comment),) = parse_cards(lists[where[0]][where[1]].encode("latin-1"))
    if change.value is None:
        for i in places:
            lists[i][:] = [card for card in lists[i] if _keyword(card) != change.keyword]
        return [] if where is None else [Done(change.keyword, old, None)]
    blank = old is None or (isinstance(old, str) and not old.strip())
    if where is not None and (
        (change.if_missing and not blank) or (type(old) is type(change.value) and old == change.value)
    ):
        return []
    cards = _split(format_card(change.keyword, change.value, comment if change.comment is None else change.comment))
    if where is None:
        lists[places[0]] += cards
    else:
        i, n = where
        # A keyword given twice would go on saying the old value in the second place.
        lists[i][n : n + 1] = cards
        lists[i][:] = [c for k, c in enumerate(lists[i]) if _keyword(c) != change.keyword or k == n]
    return [Done(change.keyword, old, change.value)]


def _keyword(card: str) -> str:
    return parse_card(card[:CARD])[0]


def _assembled(cards: list[str]) -> bytes:
    # The checksum of the file before it was compressed cannot be kept right.
    kept = [card for card in cards if _keyword(card) != "ZHECKSUM"]
    header = Header([parse_card(card[:CARD]) for card in kept])
    if "CHECKSUM" not in header:
        return _bytes(kept)
    try:
        data = int(str(header.get("DATASUM")).strip())
    except ValueError:
        return _bytes([card for card in kept if _keyword(card) != "CHECKSUM"])
    zero = format_card("CHECKSUM", "0" * 16, header.comment("CHECKSUM"))
    kept = [zero if _keyword(card) == "CHECKSUM" else card for card in kept]
    word = encode(~ones_sum(_bytes(kept), data) & 0xFFFFFFFF)
    return _bytes([card.replace("0" * 16, word, 1) if card is zero else card for card in kept])


def _bytes(cards: list[str]) -> bytes:
    text = "".join(cards) + "END".ljust(CARD)
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("latin-1")
