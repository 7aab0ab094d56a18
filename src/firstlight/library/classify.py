"""What each frame is: light, bias, dark, flat; from the header, the folder, the name and, in doubt, the pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.frame import Frame
from firstlight.io.header import of_parts
from firstlight.model.image import PixelUnit
from firstlight.model.meta import Kind, Meta

_NAMED = re.compile(r"(?<![a-z])(?P<kind>dark[-_ ]?flat|flat[-_ ]?dark|flat|dark|bias)(e?s)?(?![a-z])", re.IGNORECASE)
FLAT_LEVEL = (0.05, 0.95)
"""A flat's median lies between these fractions of the saturation level."""
FLAT_SPREAD = 0.35
"""A flat's 1 % to 99 % range is below this fraction of its median: vignetting, but no dark sky with stars."""


@dataclass(frozen=True)
class Sighting:
    """A frame, what it was taken for, and how that is known."""

    frame: Frame
    kind: Kind
    how: str


def classify(frame: Frame) -> Sighting:
    """Decide the kind of a frame.

    The header, folder or file name decides (`Frame.meta`, which says which). A *light* whose own name says otherwise is
    looked at: flats are often typed as lights, and their pixels tell. Nothing else is guessed: a frame that says
    nothing of its kind counts as a light, and the plan says so. Pixels that are parts of 1 count in adu from here on.
    """
    frame = in_adu(frame)
    meta = frame.meta
    how = meta.sources.get("kind", "")
    if meta.kind == Kind.UNKNOWN:
        return Sighting(
            _as(frame, Kind.LIGHT, "nothing says what it is"), Kind.LIGHT, "nothing says what it is: taken as a light"
        )
    if meta.kind == Kind.LIGHT:
        named = _named(frame)
        if named == Kind.FLAT:
            level, spread = _level_and_spread(frame)
            white = meta.saturation or 65535.0
            if FLAT_LEVEL[0] * white < level < FLAT_LEVEL[1] * white and spread < FLAT_SPREAD:
                look = f"{100 * level / white:.0f} % of saturation, even to {100 * spread:.0f} %"
                how = f"name and pixels ({look}), against {how}"
                # What header and name say is told by the line above; the reader's note would say it again.
                notes = tuple(note for note in meta.notes if not note.endswith(f"' says {Kind.FLAT}"))
                frame = replace(frame, meta=meta.replace(notes=notes))
                return Sighting(_as(frame, Kind.FLAT, how), Kind.FLAT, how)
            return Sighting(frame, Kind.LIGHT, f"{how}, although its name says flat: its pixels do not look like one")
        if named is not None:
            return Sighting(frame, Kind.LIGHT, f"{how}, although its name says {named}")
    return Sighting(frame, meta.kind, how)


def in_adu(frame: Frame) -> Frame:
    """The frame as cameras count: one whose pixels are parts of 1, as it says or as they show, is scaled."""
    return with_unit(frame).in_adu()


def with_unit(frame: Frame) -> Frame:
    """The frame, called one of parts of 1 where its pixels show that they are and its header does not say so."""
    plain = frame.unit is PixelUnit.ADU and frame.dtype.kind == "f" and (frame.scale, frame.zero) == (1, 0)
    if plain and frame.seekable and _within_one(frame):
        return frame.replace(unit=PixelUnit.NORMALISED, meta=of_parts(frame.meta))
    return frame


def _within_one(frame: Frame) -> bool:
    """Whether no pixel of a few rows is above 1, while they differ and do not lie about zero."""
    height = frame.shape[1]
    try:
        rows = np.concatenate([frame.rows(y, y + 1)[:, 0] for y in (height // 4, height // 2, 3 * height // 4)])
    except FrameError:
        # Whoever reads it as a whole says what is wrong.
        return False
    values = rows[np.isfinite(rows)]
    return values.size > 0 and 0 < values.max() <= 1 and bool(np.median(values) > 0) and np.ptp(values) > 0


def _as(frame: Frame, kind: Kind, how: str) -> Frame:
    meta: Meta = frame.meta.replace(kind=kind, sources={**frame.meta.sources, "kind": how})
    return replace(frame, meta=meta)


def _named(frame: Frame) -> Kind | None:
    found = _NAMED.search(re.sub(r"(?<=[a-z])(?=[A-Z0-9])", " ", frame.path.stem))
    if not found:
        return None
    word = found["kind"].lower()
    if "flat" in word:
        return Kind.DARK_FLAT if "dark" in word else Kind.FLAT
    return Kind(word)


def _level_and_spread(frame: Frame) -> tuple[float, float]:
    """Median in adu, and the 1 % to 99 % range over the median, from every fourth row."""
    values = frame.rows(0, frame.shape[1])[:, ::4, ::4].astype(np.float32) * frame.scale + frame.zero
    low, level, high = np.nanpercentile(values, [1, 50, 99])
    return float(level), float((high - low) / max(level, 1e-6))
