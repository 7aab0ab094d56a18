"""Deep-sky objects that are known: names, kinds, places, sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class DeepSkyObject:
    """One object; ``None`` where the catalogue does not say."""

    name: str
    """NGC 7000, IC 5070, M 45 ..."""
    kind: str
    """In words: galaxy, open cluster, planetary nebula ..."""
    ra: float
    """ICRS, degrees."""
    dec: float
    constellation: str = ""
    major: float | None = None
    """Longest diameter, arcmin."""
    minor: float | None = None
    angle: float | None = None
    """Position angle of the longest diameter, degrees from north through east."""
    mag: float | None = None
    """V, else B."""
    messier: str = ""
    """M 27; empty for most."""
    common: tuple[str, ...] = ()
    """Names in common use."""
    other: tuple[str, ...] = ()
    """Further designations."""

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the main one first."""
        return tuple(dict.fromkeys(n for n in (self.name, self.messier, *self.common, *self.other) if n))


def plain_name(name: str) -> str:
    """A name as it is compared: without case, blanks, punctuation and leading noughts.

    >>> plain_name("NGC 0891") == plain_name("ngc891"), plain_name("M-31"), plain_name("Messier 031")
    (True, 'm31', 'm31')
    """
    text = re.sub(r"[^a-z0-9+]", "", name.lower())
    text = re.sub(r"^messier(?=\d)", "m", text)
    text = re.sub(r"^caldwell(?=\d)", "c", text)
    text = re.sub(r"^sharpless2?(?=\d)", "sh2", text)
    return re.sub(r"(?<=[a-z])0+(?=\d)", "", text)
