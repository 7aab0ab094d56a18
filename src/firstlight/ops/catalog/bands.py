"""Filters by their names: which magnitude of a catalogue is theirs, and what AAVSO calls them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

BANDS: dict[str, tuple[str, ...]] = {
    "U": ("U", "u"),
    "B": ("B", "BT", "BP", "g"),
    "V": ("V", "VT", "G", "g"),
    "R": ("R", "r", "RP", "G"),
    "I": ("I", "i", "RP"),
    "SG": ("g", "BP", "V"),
    "SR": ("r", "R", "RP", "G"),
    "SI": ("i", "I", "RP"),
    "SZ": ("z", "i", "I"),
    "SU": ("u", "U"),
    "TB": ("B", "BT", "BP"),
    "TG": ("V", "VT", "G"),
    "TR": ("R", "r", "RP"),
    "CV": ("V", "VT", "G"),
    "O": ("V", "VT", "G"),
    "HA": ("R", "r", "RP"),
}
"""AAVSO's code of a filter to magnitudes that come near it, the nearest first."""
COLOURS = (
    ("BP", "RP"), ("B", "V"), ("BT", "VT"), ("g", "r"), ("g", "i"), ("V", "I"), ("V", "R"), ("G", "RP"), ("BP", "G")
)  # fmt: skip
"""Colour indices that a catalogue may have, the best first."""
_NAMES = (
    (r"(johnson|bessell?|jc)?[\s_-]*u", "U"),
    (r"(johnson|bessell?|jc)[\s_-]*b|b(mag|j)?|photometric[\s_-]*b", "B"),
    (r"(johnson|bessell?|jc)?[\s_-]*v|photometric[\s_-]*v", "V"),
    (r"(johnson|bessell?|cousins|jc)[\s_-]*r|rc|photometric[\s_-]*r", "R"),
    (r"(johnson|bessell?|cousins|jc)?[\s_-]*ic?", "I"),
    (r"(sloan|sdss|ps1?)[\s_-]*u'?|u[p']", "SU"),
    (r"(sloan|sdss|ps1?)[\s_-]*g'?|g[p']", "SG"),
    (r"(sloan|sdss|ps1?)[\s_-]*r'?|r[p']", "SR"),
    (r"(sloan|sdss|ps1?)[\s_-]*i'?|i[p']", "SI"),
    (r"(sloan|sdss|ps1?)[\s_-]*z'?|z[p']?", "SZ"),
    (r"tb|blue", "TB"),
    (r"tg|g|green", "TG"),
    (r"tr|red", "TR"),
    (r"r", "R"),
    (r"h[\s_-]*a(lpha)?.*", "HA"),
    (r"(clear|none|open|lum(inance)?|l|c|cv|no[\s_-]*filter|w|white|empty)", "CV"),
)


def aavso_filter(name: str | None, channel: str = "mono") -> str:
    """AAVSO's code of a filter, by the name in the header; of a colour camera by its channel; ``O`` where unknown.

    >>> [aavso_filter(name) for name in ("V", "Johnson B", "sdss r'", "Clear", None, "UHC")]
    ['V', 'B', 'SR', 'CV', 'CV', 'O']
    >>> aavso_filter(None, "G")
    'TG'
    """
    if channel in ("R", "G", "B"):
        return f"T{channel}"
    if not name:
        return "CV"
    text = name.strip().lower()
    return next((code for pattern, code in _NAMES if re.fullmatch(pattern, text)), "O")


def band_of(code: str, mags: Mapping[str, np.ndarray], wanted: str = "") -> str | None:
    """The magnitude of a catalogue that comes nearest to a filter; None where there is none."""
    if wanted:
        return wanted if wanted in mags else None
    for band in BANDS.get(code, ("V", "VT", "G")):
        if band in mags and np.isfinite(mags[band]).any():
            return band
    return None


def colour_of(mags: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray] | None:
    """The colour index that most of the entries have, and its values; None where there is none.

    >>> colour_of({"B": np.array([1.5]), "V": np.array([1.0])})
    ('B-V', array([0.5]))
    """
    found = [(f"{blue}-{red}", mags[blue] - mags[red]) for blue, red in COLOURS if blue in mags and red in mags]
    found = [(name, values) for name, values in found if np.isfinite(values).any()]
    return max(found, key=lambda each: np.isfinite(each[1]).sum()) if found else None
