"""How a file was made, as the file itself tells it: the provenance of FITS products and of pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from firstlight.errors import FrameError, InputError
from firstlight.io.write import read_provenance

_FITS = (".fits", ".fit", ".fts")
_TIFF = (".tif", ".tiff")
_JPEG = (".jpg", ".jpeg")


def read_story(path: Path) -> dict[str, Any] | None:
    """The provenance that a file carries, or None.

    Raises
    ------
    InputError
        There is no such file, or it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    suffix = path.suffix.lower()
    try:
        if suffix in _FITS:
            return read_provenance(path)
        text = _text_of(path, suffix)
        content = json.loads(text) if text else None
    except (FrameError, OSError, ValueError) as error:
        raise InputError(f"{path}: its provenance cannot be read: {error}") from error
    return content if isinstance(content, dict) else None


def _text_of(path: Path, suffix: str) -> str:
    if suffix == ".png":
        from firstlight.io.png import read_png_story

        return read_png_story(path)
    if suffix in _TIFF:
        import tifffile

        from firstlight.io.pictures import STORY_TAG

        with tifffile.TiffFile(path) as file:
            tag = file.pages[0].tags.get(STORY_TAG)
            return "" if tag is None else str(tag.value)
    if suffix in _JPEG:
        from PIL import Image as Pillow

        with Pillow.open(path) as picture:
            comment = picture.info.get("comment", b"")
        return comment.decode("latin-1") if comment.startswith(b"{") else ""
    return ""
