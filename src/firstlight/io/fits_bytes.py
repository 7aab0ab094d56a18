"""A FITS file as it comes over a wire, and as it lies on a disk: its raw numbers and its header."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.cards import Header
from firstlight.io.fits_scan import find_image, open_bytes
from firstlight.io.open_fits import open_fits


def raw_of_bytes(content: bytes, ending: str = ".fits") -> tuple[np.ndarray, Header]:
    """(height, width) uint16 where the file holds unsigned 16 bit, else float32; and the header of the image.

    Raises
    ------
    FrameError
        It is no FITS file, or holds colours.
    """
    with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
        path = Path(folder, f"frame{ending}")
        path.write_bytes(content)
        return raw_of_file(path)


def raw_of_file(path: Path) -> tuple[np.ndarray, Header]:
    """The same of a file.

    >>> from firstlight.io.fits_writer import write_raw_fits
    >>> path = Path(tempfile.mkdtemp(), "a.fits")
    >>> write_raw_fits(path, np.array([[0, 65535]]), [("GAIN", 100, "")])
    >>> pixels, header = raw_of_file(path)
    >>> pixels, header.get("GAIN")
    (array([[    0, 65535]], dtype=uint16), 100)
    """
    frame = open_fits(path)[0]
    header = Header(find_image(open_bytes(path)).cards)
    channels, height, _ = frame.shape
    if channels != 1:
        raise FrameError(f"{path.name}: has {channels} planes of colour; one plane of raw numbers is needed")
    # Copied: the file may go away.
    stored = np.array(frame.rows(0, height)[0])
    zero, scale = float(header.get("BZERO", 0) or 0), float(header.get("BSCALE", 1) or 1)
    if scale == 1 and stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
        whole = stored.astype(np.int32) + int(zero)
        if whole.min(initial=0) >= 0 and whole.max(initial=0) <= 65535:
            return whole.astype(np.uint16), header
    return (stored.astype(np.float64) * scale + zero).astype(np.float32), header
