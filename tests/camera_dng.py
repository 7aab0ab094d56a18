"""A camera raw file as tifffile writes one: a CFA DNG with black levels and the white balance of the camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile


def camera_dng(
    path: Path,
    mosaic: np.ndarray,
    *,
    black: tuple[int, int, int, int] = (512, 512, 512, 512),
    white: int = 4095,
    neutral: tuple[float, float, float] = (0.5, 1.0, 0.8),
) -> Path:
    """Write an RGGB mosaic (uint16) as DNG 1.4: ``black`` row by row of the cell, ``neutral`` its white."""
    identity = [part for number in (1, 0, 0, 0, 1, 0, 0, 0, 1) for part in (number, 1)]
    tags = [
        (271, 2, 0, "Canon", True), (272, 2, 0, "Canon EOS 100D", True), (50708, 2, 0, "Canon EOS 100D", True),
        (33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes((0, 1, 1, 2)), True), (50706, 1, 4, bytes((1, 4, 0, 0)), True),
        (50713, 3, 2, (2, 2), True), (50714, 4, 4, black, True), (50717, 4, 1, white, True),
        (50721, 10, 9, identity, True), (50778, 3, 1, 21, True),
        (50728, 5, 3, [part for share in neutral for part in (round(share * 10000), 10000)], True),
    ]  # fmt: skip
    tifffile.imwrite(path, mosaic, photometric="cfa", extratags=tags, metadata=None, software=False)
    return path
