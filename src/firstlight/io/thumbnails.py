"""Small JPEG pictures inside a page, as data URIs: of PNG files, and of linear frames stretched for the eye."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.read import open_frame

QUALITY = 82
DARK, MIDDLE = -2.8, 0.22
"""Black lies this many sigma from the median, which becomes so bright."""


def picture_uri(path: Path, longest: int) -> tuple[str, int, int]:
    """A picture with a longer side of at most ``longest`` px; the URI, and its width and height.

    Raises
    ------
    FrameError
        It cannot be decoded.
    """
    from PIL import Image as Pillow

    try:
        with Pillow.open(path) as opened:
            picture = opened.convert("RGB" if opened.mode not in ("L", "1") else "L")
    except (OSError, ValueError) as error:
        raise FrameError(f"{path.name}: cannot be decoded: {error}") from error
    picture.thumbnail((longest, longest), Pillow.Resampling.LANCZOS)
    return _uri(picture), picture.width, picture.height


def frame_uri(path: Path, longest: int) -> tuple[str, int, int]:
    """A linear frame, thinned out and stretched; the URI, and its width and height.

    Raises
    ------
    FrameError
        It cannot be read.
    """
    from PIL import Image as Pillow

    frame = open_frame(path)
    _, height, width = frame.shape
    step = max(1, -(-max(height, width) // longest))
    # Pixels of a mosaic are taken two by two, so that its colours do not show as a pattern.
    cell = 2 if frame.meta.cfa else 1
    step = -(-step // cell) * cell
    block = max(1, step)
    rows = []
    for top in range(0, height - block + 1, step):
        band = np.asarray(frame.rows(top, top + min(block, 8)), np.float32)
        band = band[:, :, : width // step * step].reshape(band.shape[0], band.shape[1], -1, step)
        rows.append(band[..., : min(block, 8)].mean(axis=(1, 3)))
    plane = np.stack(rows, axis=1)
    plane = plane[:3] if plane.shape[0] >= 3 else plane[:1]
    pixels = np.stack([stretched(channel) for channel in plane], axis=-1)
    if frame.meta.bottom_up:
        pixels = pixels[::-1]
    picture = Pillow.fromarray(np.ascontiguousarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0]))
    picture.thumbnail((longest, longest), Pillow.Resampling.LANCZOS)
    return _uri(picture), picture.width, picture.height


def stretched(plane: np.ndarray) -> np.ndarray:
    """uint8: the sky dark grey, whatever its level."""
    finite = plane[np.isfinite(plane)]
    if not finite.size:
        return np.zeros(plane.shape, np.uint8)
    middle = float(np.median(finite))
    sigma = 1.4826 * float(np.median(np.abs(finite - middle))) or float(np.std(finite)) or 1.0
    black = middle + DARK * sigma
    white = max(float(np.max(finite)), black + 10 * sigma)
    x = np.clip((np.nan_to_num(plane, nan=black) - black) / (white - black), 0, 1)
    m = max((middle - black) / (white - black), 1e-6)
    # The midtones balance that takes the median to MIDDLE.
    b = m * (MIDDLE - 1) / (2 * MIDDLE * m - MIDDLE - m)
    return np.asarray(255 * (b - 1) * x / ((2 * b - 1) * x - b) + 0.5, np.uint8)


def _uri(picture: object) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=QUALITY, optimize=True)  # type: ignore[attr-defined]
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
