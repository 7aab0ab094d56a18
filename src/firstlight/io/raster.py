"""PNG, JPEG and TIFF as frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.cards import Card, Header
from firstlight.io.exif import DESCRIPTION, cards_of_exif, cards_of_text
from firstlight.io.frame import Frame, Source
from firstlight.io.header import meta_from_header
from firstlight.io.open_fits import history_of, plate_of, unit_of
from firstlight.io.png import read_png16, read_png_header
from firstlight.model.image import PixelUnit, State


def open_picture(path: Path) -> list[Frame]:
    """A PNG or JPEG file as a list of one frame.

    16-bit PNG keeps its depth and counts as linear; 8 bits a colour are coded for the eye and count as stretched. A
    palette is turned into colours, transparency is left out.

    Raises
    ------
    FrameError
        The file is broken, cut short, or of a kind that is not read.
    """
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError

    with open(path, "rb") as file:
        is_png = file.read(4) == b"\x89PNG"
    if is_png:
        header = read_png_header(path)
        if header.bits == 16:
            channels = 3 if header.samples >= 3 else 1
            shape = (channels, header.height, header.width)
            return [
                picture_frame(path, shape, np.dtype("u2"), Png16Source(path, shape), cards_of_text(header.text), ())
            ]
    try:
        with Pillow.open(path) as picture:
            exif = picture.getexif()
            tags = {**exif, **exif.get_ifd(34665)}
            text = str(picture.info.get("Description", "") or tags.get(DESCRIPTION, ""))
            cards = cards_of_text(text) or cards_of_exif(tags)
            channels = 1 if picture.mode in ("1", "L", "LA", "I;16") else 3
            shape = (channels, picture.height, picture.width)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
        raise FrameError(
            f"{path.name}: cannot be read as a picture: {error}; it is broken, or another format"
        ) from error
    return [picture_frame(path, shape, np.dtype("u1"), PillowSource(path, shape), cards, ())]


def picture_frame(
    path: Path,
    shape: tuple[int, int, int],
    dtype: np.dtype,
    source: Source,
    cards: Sequence[Card],
    notes: Sequence[str],
    number: int | None = None,
) -> Frame:
    """A frame of a picture file; cards that firstlight wrote into it say whether it is stretched."""
    from firstlight.io.frame import MappedSource

    header = Header(cards)
    meta = meta_from_header(cards, path, shape)
    sources = dict(meta.sources)
    unit, state = unit_of(header)
    if dtype.itemsize == 1 and "STATE" not in header:
        state = State.STRETCHED
        notes = [*notes, "8 bits a colour: taken as stretched (coded for the eye), not linear"]
    white = float(np.iinfo(dtype).max) if dtype.kind in "ui" and dtype.itemsize <= 2 else None
    scale = 1.0
    if white is not None and state is State.STRETCHED:
        # What is coded for the eye goes from black, 0, to white, 1, whatever the depth.
        scale, unit = 1 / white, PixelUnit.NORMALISED
    saturation = meta.saturation
    if saturation is None and white is not None:
        saturation, sources["saturation"] = white * scale, "bit depth"
    return Frame(
        path=path,
        shape=shape,
        dtype=dtype if not isinstance(source, MappedSource) else np.dtype(source.dtype),
        meta=meta.replace(saturation=saturation, sources=sources, notes=(*meta.notes, *notes)),
        source=source,
        scale=scale,
        seekable=isinstance(source, MappedSource),
        plate=plate_of(cards),
        unit=unit,
        state=state,
        history=history_of(header),
        number=number,
    )


@dataclass(frozen=True)
class Png16Source:
    """A PNG of 16 bits a sample."""

    path: Path
    shape: tuple[int, int, int]

    def rows(self, top: int, bottom: int) -> np.ndarray:
        pixels = read_png16(self.path)[top:bottom, :, : self.shape[0]]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def check(self) -> None:
        pass

    def planes(self) -> tuple[None, None]:
        return None, None


@dataclass(frozen=True)
class PillowSource:
    """A picture of 8 bits a colour."""

    path: Path
    shape: tuple[int, int, int]

    def rows(self, top: int, bottom: int) -> np.ndarray:
        from PIL import Image as Pillow

        try:
            with Pillow.open(self.path) as picture:
                pixels = np.asarray(picture.convert("L" if self.shape[0] == 1 else "RGB"))
        except (OSError, ValueError, SyntaxError, Pillow.DecompressionBombError) as error:
            raise FrameError(f"{self.path.name}: its pixels cannot be decoded: {error}; copy it again") from error
        pixels = pixels.reshape(*pixels.shape[:2], -1)[top:bottom]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def check(self) -> None:
        pass

    def planes(self) -> tuple[None, None]:
        return None, None
