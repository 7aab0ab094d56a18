"""Give a file a plate: a copy (or the file itself) whose header says where it lies on the sky, pixels untouched."""

from __future__ import annotations

from pathlib import Path

from firstlight.errors import FrameError
from firstlight.io.cards import Card
from firstlight.io.edit_header import Change, plan_edit
from firstlight.io.fits_scan import find_image, open_bytes
from firstlight.io.open_fits import WCS
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.model.plate import Plate

LIKE_FITS = (".fits", ".fit", ".fts", ".fz", ".gz", ".bz2", ".xz", ".ftz")


def plate_changes(old: list[Card], plate: Plate) -> list[Change]:
    """What must become of the cards of a header so that it holds this plate and no other."""
    gone = {card[0] for card in old if WCS.match(card[0])} - plate.cards.keys()
    changes = [Change(keyword) for keyword in sorted(gone)]
    return changes + [Change(keyword, value) for keyword, value in plate.cards.items()]


def write_plate(source: Path, target: Path, plate: Plate, *, facts: tuple[Card, ...] = ()) -> Path:
    """Write a copy of an image with a plate in its header (``source`` and ``target`` may be the same FITS file).

    A FITS file keeps its pixels and all other cards byte for byte, its checksum is made right; an image of another
    format becomes a FITS product. ``facts`` are further cards, such as how good the plate is.

    Raises
    ------
    FrameError
        The source cannot be read.
    """
    if source.name.lower().endswith(LIKE_FITS):
        try:
            old = list(find_image(open_bytes(source)).cards)
            changes = plate_changes(old, plate) + [Change(*card) for card in facts]
            plan_edit(source, changes).write(target)
            return target
        except FrameError:
            if source.resolve() == target.resolve():
                raise
    image = read(source)
    meta = image.meta.replace(cards=(*image.meta.cards, *facts))
    return write(target, image.replace(plate=plate, meta=meta))
