"""Spellings of the earlier programs, and old ids, each pointing at a living operation."""

ALIASES: dict[str, str] = {
    "color:clip_black": "color:clip",
    "color:clip_range": "color:clip",
    "color:gamma": "stretch:gamma",
    "color:wb": "color:whitebalance",
    "neutralization:bg": "color:neutralize",
    "stretch:auto": "stretch:percentile",
}
