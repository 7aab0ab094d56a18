"""Write images: FITS products with all that is known of them, and pictures for the eye."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import InputError
from firstlight.io.cards import Card
from firstlight.io.fits_writer import Unit, write_units
from firstlight.io.product_header import product_cards
from firstlight.model.flags import FLAG_NAMES
from firstlight.model.image import Image, PixelUnit, State

FORMAT_VERSION = 1
"""Layout of the products; goes up when an older reader could misread one."""
_FITS = (".fits", ".fit", ".fts")
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def write(
    path: str | os.PathLike[str],
    image: Image,
    *,
    coverage: np.ndarray | None = None,
    rejection: np.ndarray | tuple[np.ndarray, np.ndarray] | None = None,
    extra: Mapping[str, np.ndarray] | None = None,
    provenance: Mapping[str, Any] | None = None,
    overwrite: bool = True,
) -> Path:
    """Write an image; the suffix says the format.

    FITS (.fits, .fit, .fts) keeps everything: the pixels in the primary HDU (SCI, float32), the extensions VAR, DQ
    (bits named in its header), COVERAGE, REJECTION or REJECTED_LOW and REJECTED_HIGH where given, PROVENANCE (JSON),
    checksums in each. PNG and JPEG (8 bit) and TIFF (16 bit) hold a stretched image in 0..1; a linear image goes into
    .tif as float32.

    Parameters
    ----------
    coverage, rejection : array (y, x) or (channel, y, x), optional
        Frames that took part in each pixel; frames rejected there, or two such: for being too low, and too high.
    extra : mapping, optional
        Further planes by the names of their extensions.
    provenance : mapping, optional
        Anything JSON can hold. Pictures carry it too.
    overwrite : bool
        False refuses to replace a file.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InputError
        Unknown suffix, a linear image for PNG or JPEG, a file in the way, a full disk.

    >>> import tempfile
    >>> from firstlight.io.read import read
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read(write(Path(folder, "a.fits"), Image([[1.0, 2.5]], unit=PixelUnit.ELECTRON)))
    <Image unknown: 1 x 1 x 2, electron, linear, no variance>
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists already; give another name, or allow it to be replaced")
    if suffix in _PICTURES:
        _write_as_picture(path, image, "" if provenance is None else _as_json(provenance))
    elif suffix in _FITS:
        write_units(path, _units(image, coverage, rejection, extra, provenance))
    else:
        allowed = ", ".join((*_FITS, *_PICTURES))
        raise InputError(f"{path}: the suffix is '{path.suffix}'; {allowed} are allowed; choose one of them")
    return path


def product_units(image: Image, provenance: Mapping[str, Any] | None = None) -> list[Unit]:
    """The parts of an image as a FITS product: SCI, VAR if it has one, DQ, PROVENANCE if given."""
    return _units(image, None, None, None, provenance)


def _units(
    image: Image,
    coverage: np.ndarray | None,
    rejection: np.ndarray | tuple[np.ndarray, np.ndarray] | None,
    extra: Mapping[str, np.ndarray] | None,
    provenance: Mapping[str, Any] | None,
) -> list[Unit]:
    units = [Unit([("EXTNAME", "SCI", "the image itself"), *product_cards(image, FORMAT_VERSION)], _flat(image.data))]
    if image.variance is not None:
        unit = "" if image.unit is PixelUnit.NORMALISED else f"{image.unit}**2"
        cards: list[Card] = [("EXTNAME", "VAR", "variance of each pixel")] + ([("BUNIT", unit, "")] if unit else [])
        units.append(Unit(cards, _beside(image.variance)))
    bits: list[Card] = [(f"FLAG{bit}", name, f"bit {bit.bit_length() - 1}") for bit, name in FLAG_NAMES.items()]
    units.append(Unit([("EXTNAME", "DQ", "what is known of each pixel, bits OR-ed"), *bits], _beside(image.flags)))
    low, high = rejection if isinstance(rejection, tuple) else (None, None)
    for name, plane, comment in (
        ("COVERAGE", coverage, "frames (or weight) in each pixel"),
        ("REJECTION", None if isinstance(rejection, tuple) else rejection, "frames rejected in each pixel"),
        ("REJECTED_LOW", low, "frames too low in each pixel"),
        ("REJECTED_HIGH", high, "frames too high in each pixel"),
        *((name, plane, "") for name, plane in (extra or {}).items()),
    ):
        if plane is not None:
            units.append(Unit([("EXTNAME", name, comment)], _beside(_writable(plane))))
    if provenance is not None:
        text = _as_json(provenance).encode("ascii")
        cards = [
            ("TTYPE1", "json", ""),
            ("TFORM1", f"{len(text)}A", ""),
            ("EXTNAME", "PROVENANCE", "how this was made"),
        ]
        units.append(Unit(cards, text, table=True))
    return units


def _as_json(provenance: Mapping[str, Any]) -> str:
    return json.dumps(provenance, sort_keys=True, default=str, ensure_ascii=True)


def _flat(data: np.ndarray) -> np.ndarray:
    """A single channel as a plane: ds9 and others show a cube of one slice with a slider."""
    return data[0] if data.ndim == 3 and data.shape[0] == 1 else data


def _beside(plane: np.ndarray) -> np.ndarray:
    """An extension, with one axis of length 1 more than the image has.

    Siril takes a file whose image extensions are all alike for a sequence and does not load it as an image (seen with
    1.0.6); with an axis more they are not alike.
    """
    return _flat(plane)[None]


def _writable(plane: np.ndarray) -> np.ndarray:
    plane = np.asarray(plane)
    if plane.dtype.kind == "b" or plane.dtype.itemsize == 1:
        return plane.astype(np.uint8)
    return plane.astype(np.float32) if plane.dtype.kind == "f" else plane


def _write_as_picture(path: Path, image: Image, story: str) -> None:
    from firstlight.io.pictures import write_float_tiff, write_picture

    is_tiff = path.suffix.lower() in (".tif", ".tiff")
    if image.state is State.LINEAR:
        if not is_tiff:
            raise InputError(
                f"{path}: the image is linear and would look black in this format; stretch it first (for example "
                "stretch:midtones), or write .fits or .tif, which keep linear values"
            )
        write_float_tiff(path, image, story)
        return
    write_picture(path, image.data, bottom_up=image.meta.bottom_up, bits=16 if is_tiff else 8, image=image, story=story)


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The provenance a product carries, or None."""
    from firstlight.io.fits_scan import open_bytes, scan

    content = open_bytes(Path(path))
    for unit in scan(content):
        if unit.name == "PROVENANCE":
            return json.loads(content.read(unit.data_start, unit.data_size))
    return None
