"""The child process that decodes camera raw: LibRaw may hang or crash on a broken file, and then only this ends.

One JSON request a line on standard input (``{"path": ..., "pixels": true}``); the answer on standard output is an
8-byte length, that many bytes of JSON, and the pixels as they lie in memory where they were asked for.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
from typing import Any

import numpy as np


def decode(path: str, *, pixels: bool) -> tuple[dict[str, Any], np.ndarray | None]:
    """What LibRaw knows of a file, and its active pixels (uint16, without colour conversion) where asked for."""
    import rawpy

    with rawpy.imread(path) as raw:
        image = raw.raw_image_visible
        if image is None or image.ndim != 2:
            return {"error": "its pixels are no mosaic of single colours (sRAW, Foveon or linear DNG)"}, None
        colors = raw.raw_colors_visible[:6, :6]
        names = raw.color_desc.decode("latin-1")
        whites = [int(w) for w in (raw.camera_white_level_per_channel or []) if w]
        answer: dict[str, Any] = {
            "shape": list(image.shape),
            "dtype": image.dtype.str,
            "black": [float(level) for level in raw.black_level_per_channel],
            "white": float(min([raw.white_level, *whites])),
            "colors": ["".join(names[c] for c in row) for row in colors],
            "n_colors": int(raw.num_colors),
            "camera": [float(v) for v in raw.camera_whitebalance],
            "daylight": [float(v) for v in raw.daylight_whitebalance],
            "matrix": [float(v) for v in np.ravel(raw.rgb_xyz_matrix)],
            "other": {
                name: _number(raw.other, name) for name in ("iso_speed", "shutter_speed", "aperture", "focal_length")
            },
            "tags": _tags(path, raw),
        }
        # The view dies with the file: it is copied inside the block.
        return answer, np.array(image, copy=True) if pixels else None


def _number(record: Any, name: str) -> float:
    return float(getattr(record, name, 0.0) or 0.0)


def _tags(path: str, raw: Any) -> list[list[Any]]:
    """EXIF as header cards: from the file where it is a TIFF inside, else from its preview."""
    from firstlight.io.exif import cards_of_exif, cards_of_tiff

    try:
        import tifffile

        with tifffile.TiffFile(path) as file:
            cards = cards_of_tiff(file.pages[0])
            if cards:
                return [list(card) for card in cards]
    except (OSError, struct.error, ValueError, LookupError, TypeError, tifffile.TiffFileError):
        pass
    try:
        import rawpy
        from PIL import Image as Pillow

        thumb = raw.extract_thumb()
        if thumb.format != rawpy.ThumbFormat.JPEG:
            return []
        with Pillow.open(io.BytesIO(thumb.data)) as picture:
            exif = picture.getexif()
            return [list(card) for card in cards_of_exif({**exif, **exif.get_ifd(34665)})]
    except (rawpy.LibRawError, OSError, ValueError, SyntaxError):
        return []


def main() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever the libraries print must not get between the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    import rawpy

    for line in sys.stdin:
        request = json.loads(line)
        pixels = None
        try:
            answer, pixels = decode(request["path"], pixels=request["pixels"])
        except (rawpy.LibRawError, OSError, ValueError, RuntimeError, AttributeError, TypeError, MemoryError) as error:
            text = error.args[0] if error.args else ""
            answer = {"error": text.decode("latin-1") if isinstance(text, bytes) else str(text) or type(error).__name__}
        content = json.dumps(answer).encode()
        answers.write(len(content).to_bytes(8, "little") + content)
        if pixels is not None:
            answers.write(np.ascontiguousarray(pixels).data)
        answers.flush()


if __name__ == "__main__":
    main()
