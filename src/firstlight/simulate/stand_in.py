"""Writes raw FITS files until `firstlight.io.write` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write_raw_fits(path: Path, pixels: np.ndarray, cards: list[tuple[str, Any, str]]) -> None:
    height, width = pixels.shape
    head = [
        ("SIMPLE", True, ""), ("BITPIX", 16, ""), ("NAXIS", 2, ""), ("NAXIS1", width, ""), ("NAXIS2", height, ""),
        ("BZERO", 32768, ""), ("BSCALE", 1, ""), *cards,
    ]  # fmt: skip
    text = ""
    for key, value, comment in head:
        if isinstance(value, bool):
            shown = f"{'T' if value else 'F':>20}"
        elif isinstance(value, str):
            shown = f"{chr(39) + value.ljust(8) + chr(39):<20}"
        else:
            shown = f"{value!r:>20}"
        text += f"{key:<8}= {shown} / {comment}"[:80].ljust(80)
    text += "END".ljust(80)
    text = text.ljust(-(-len(text) // 2880) * 2880)
    data = (pixels ^ np.uint16(0x8000)).astype(">u2").tobytes()
    path.write_bytes(text.encode() + data + b"\0" * (-len(data) % 2880))
