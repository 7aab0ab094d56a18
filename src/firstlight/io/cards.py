"""FITS header cards: from bytes to (keyword, value, comment), forgiving what real programs write.

The standard is FITS 4.0, section 4 (https://fits.gsfc.nasa.gov/fits_standard.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

Card = tuple[str, Any, str]

BLOCK = 2880
CARD = 80
COMMENTARY = frozenset({"", "COMMENT", "HISTORY"})

_STRING = re.compile(r"\s*'((?:[^']|'')*)'?\s*(?:/\s?(.*))?$", re.DOTALL)
_INTEGER = re.compile(r"[+-]?\d+$")
_FLOAT = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([EeDd][+-]?\d+)?$")


def parse_value(text: str) -> Any:
    """The value of an unquoted text: bool, int, float, None where empty, else the text itself.

    A decimal comma and the exponent letter D are understood.

    >>> [parse_value(t) for t in ("T", "12", "1,5", "2.5D1", "", "12:30")]
    [True, 12, 1.5, 25.0, None, '12:30']
    """
    text = text.strip()
    if not text:
        return None
    if text in ("T", "F"):
        return text == "T"
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text.replace(",", ".").replace("D", "E").replace("d", "e"))
    return text


def parse_card(card: str) -> Card:
    """One card of 80 characters as (keyword, value, comment).

    >>> parse_card("EXPTIME =                 30.5 / [s] exposure")
    ('EXPTIME', 30.5, '[s] exposure')
    >>> parse_card("OBJECT  = 'Barnard''s star'   / target")
    ('OBJECT', "Barnard's star", 'target')
    """
    keyword = card[:8].rstrip().upper()
    if keyword in COMMENTARY:
        return keyword, card[8:].rstrip(), ""
    if keyword == "HIERARCH" and "=" in card:
        name, _, rest = card[8:].partition("=")
        return (name.strip().upper(), *_value_and_comment(rest))
    if card[8:9] == "=":
        return (keyword, *_value_and_comment(card[9:]))
    # Keywords with blanks or more than 8 letters, as some capture programs write them: `EXP (MS) = 5000`.
    name, equals, rest = card.partition("=")
    if equals and len(name) <= 40 and keyword != "CONTINUE":
        return (name.strip().upper(), *_value_and_comment(rest))
    return keyword, card[8:].rstrip(), ""


def _value_and_comment(text: str) -> tuple[Any, str]:
    match = _STRING.match(text)
    if match:
        return match[1].replace("''", "'").rstrip(), (match[2] or "").strip()
    value, _, comment = text.partition("/")
    return parse_value(value), comment.strip()


def parse_cards(header: bytes) -> tuple[Card, ...]:
    """All cards of a header up to END; long strings (CONTINUE) are joined, empty cards left out."""
    text = header.decode("latin-1")
    cards: list[Card] = []
    for start in range(0, len(text), CARD):
        card = text[start : start + CARD]
        if card[:8].rstrip() == "END":
            break
        if not card.strip() or not card.strip("\0"):
            continue
        keyword, value, comment = parse_card(card)
        if keyword == "CONTINUE" and cards and isinstance(cards[-1][1], str) and cards[-1][1].endswith("&"):
            more, more_comment = _value_and_comment(card[8:])
            last = cards[-1]
            cards[-1] = (last[0], last[1][:-1] + str(more or ""), (last[2] + " " + more_comment).strip())
            continue
        cards.append((keyword, value, comment))
    return tuple(cards)


class Header:
    """Cards looked up by keyword (case ignored); of a keyword given twice the first holds, as FITS readers agree.

    >>> header = Header([("GAIN", 2, ""), ("GAIN", 3, "")])
    >>> header.get("gain"), "OFFSET" in header
    (2, False)
    """

    def __init__(self, cards: Sequence[Card]) -> None:
        self.cards = tuple(cards)
        self._values: dict[str, Card] = {}
        for card in self.cards:
            if card[0] not in COMMENTARY:
                self._values.setdefault(card[0].upper(), card)

    def __contains__(self, keyword: str) -> bool:
        return keyword.upper() in self._values

    def get(self, keyword: str, default: Any = None) -> Any:
        card = self._values.get(keyword.upper())
        return default if card is None or card[1] is None else card[1]

    def comment(self, keyword: str) -> str:
        card = self._values.get(keyword.upper())
        return "" if card is None else card[2]

    def integer(self, keyword: str, default: int | None = None) -> int | None:
        value = self.get(keyword)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return default
        return int(value)

    def commentary(self, keyword: str) -> Iterator[str]:
        """Texts of HISTORY or COMMENT, in order."""
        return (str(card[1]) for card in self.cards if card[0] == keyword)
