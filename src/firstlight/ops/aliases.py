"""Spellings of the earlier programs, and old ids, each pointing at a living operation."""

ALIASES: dict[str, str] = {
    "neutralization:bg": "color:neutralize",
    "stretch:auto": "stretch:percentile",
}
