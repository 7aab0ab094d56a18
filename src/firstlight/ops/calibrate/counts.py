"""Counts that a step leaves in the header."""

from __future__ import annotations

from typing import Any

from firstlight.model.meta import Meta


def with_cards(meta: Meta, *cards: tuple[str, Any, str]) -> Meta:
    """The header with these cards; older ones of the same keywords go.

    >>> with_cards(Meta(cards=(("CR_NPIX", 3, ""),)), ("CR_NPIX", 5, "")).cards
    (('CR_NPIX', 5, ''),)
    """
    new = {keyword for keyword, _, _ in cards}
    return meta.replace(cards=(*(card for card in meta.cards if card[0] not in new), *cards))
