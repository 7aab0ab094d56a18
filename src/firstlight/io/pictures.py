"""Pictures for the eye and TIFF for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import InputError
from firstlight.io.atomic import atomic_path
from firstlight.io.exif import DESCRIPTION
from firstlight.io.fits_writer import format_card, is_writable
from firstlight.io.icc import Space, into_space, profile
from firstlight.io.png import write_png
from firstlight.io.product_header import product_cards
from firstlight.model.image import Image, State
from firstlight.model.pixel_map import PixelMap, plate_after

_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
JPEG_QUALITY = 92
STORY_TAG = 65111
"""Private TIFF tag that says how a picture was made."""


def write_picture(
    path: Path,
    data: np.ndarray,
    *,
    bottom_up: bool = False,
    bits: int = 8,
    image: Image | None = None,
    story: str = "",
    quality: int = JPEG_QUALITY,
    space: Space = "srgb",
) -> None:
    """Write values in 0..1 as PNG, JPEG or TIFF; what lies outside is cut to black or white.

    The numbers given are those of sRGB, coded for the eye; those in the file are of the colour space asked for, and an
    ICC profile says so.

    Parameters
    ----------
    data : float (channel, y, x) with 1 or 3 channels, or (y, x)
    bottom_up : bool
        The first row is the picture's bottom: it is turned over, so that the picture stands as it should.
    bits : 8 or 16; JPEG has 8.
    image : Image, optional
        Its header goes into the description, where the format has one.
    story : str
        How it was made (JSON, ASCII); `firstlight.io.story.read_story` finds it again.
    quality : of JPEG, 1 to 100.
    space : of the file's numbers; wider ones keep colours that lie beyond sRGB.

    Raises
    ------
    InputError
        Unknown suffix, bits or number of channels.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    data = np.asarray(data)
    data = data[None] if data.ndim == 2 else data
    if suffix not in _SUFFIXES:
        raise InputError(
            f"{path}: the suffix is '{path.suffix}'; {', '.join(_SUFFIXES)} are pictures; choose one of them"
        )
    if data.ndim != 3 or data.shape[0] not in (1, 3):
        raise InputError(f"{path}: a picture of shape {data.shape}; 1 or 3 channels are allowed")
    if bits not in (8, 16):
        raise InputError(f"{path}: {bits} bits a colour; 8 and 16 are allowed")
    if bits == 16 and suffix in (".jpg", ".jpeg"):
        raise InputError(f"{path}: JPEG holds 8 bits a colour, 16 were asked for; write .png or .tif")
    pixels = _quantised(into_space(data, space), bits)
    pixels = pixels[::-1] if bottom_up else pixels
    text = _description(image, turned=bottom_up)
    if suffix in (".tif", ".tiff"):
        _write_tiff(path, pixels, text, story, profile(pixels.shape[2], linear=False, space=space))
    elif suffix == ".png":
        write_png(path, pixels, text, story, profile(pixels.shape[2], linear=False, space=space))
    else:
        _write_jpeg(path, pixels, text, story, quality, profile(pixels.shape[2], linear=False, space=space))


def write_float_tiff(path: Path, image: Image, story: str = "", space: Space = "srgb") -> None:
    """An image as 32-bit float TIFF, its values unchanged, the right way up, its header in the description; the ICC
    profile is linear where the image is; ``space`` is that of its values.

    Raises
    ------
    InputError
        If it has neither 1 nor 3 channels.
    """
    if image.shape[0] not in (1, 3):
        raise InputError(f"{path}: {image.shape[0]} channels; TIFF is written with 1 or 3; write .fits")
    turned = image.meta.bottom_up
    pixels = np.ascontiguousarray(image.data[:, :: -1 if turned else 1].transpose(1, 2, 0))
    icc = profile(pixels.shape[2], linear=image.state is State.LINEAR, space=space)
    _write_tiff(Path(path), pixels, _description(image, turned=turned), story, icc)


def _quantised(data: np.ndarray, bits: int) -> np.ndarray:
    """Integers (height, width, channels); not a number becomes black."""
    top = 2**bits - 1
    out = np.empty((*data.shape[1:], data.shape[0]), np.uint8 if bits == 8 else np.uint16)
    for channel, plane in enumerate(data):
        scaled = np.nan_to_num(plane, nan=0.0, posinf=1.0, neginf=0.0).astype(np.float32)
        np.clip(scaled, 0, 1, out=scaled)
        scaled *= top
        scaled += np.float32(0.5)
        out[:, :, channel] = scaled
    return out


def _description(image: Image | None, *, turned: bool) -> str:
    """Its header; ``turned``: the rows of the picture are those of the image from the last to the first."""
    if image is None:
        return ""
    from firstlight.io.write import FORMAT_VERSION

    if turned and image.plate is not None:
        image = image.replace(plate=plate_after(image.plate, PixelMap.upside_down(image.shape[1])))
    # What is shown is the picture as it stands: its rows are in reading order by now.
    cards = [c for c in product_cards(image, FORMAT_VERSION) if is_writable(c[1]) and c[0] not in ("ROWORDER", "BUNIT")]
    cards.append(("PIXUNIT", "normalised", "") if image.unit == "normalised" else ("BUNIT", str(image.unit), ""))
    return "\n".join(format_card(*card).rstrip() for card in cards if len(format_card(*card)) == 80)


def _write_tiff(path: Path, pixels: np.ndarray, text: str, story: str, icc: bytes) -> None:
    import tifffile

    color = pixels.shape[2] == 3
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            pixels if color else pixels[:, :, 0],
            photometric="rgb" if color else "minisblack",
            description=text or None,
            metadata=None,
            software="firstlight",
            iccprofile=icc,
            extratags=[(STORY_TAG, "s", 0, story, True)] if story else [],
        )


def _write_jpeg(path: Path, pixels: np.ndarray, text: str, story: str, quality: int, icc: bytes) -> None:
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0]))
    with atomic_path(path) as temporary:
        # A comment of JPEG ends at 64 kB, and so do its tags.
        more: dict[str, Any] = {"comment": story} if 0 < len(story) < 65_000 else {}
        if 0 < len(text) < 60_000:
            tags = Pillow.Exif()
            tags[DESCRIPTION] = text
            more["exif"] = tags
        picture.save(temporary, format="JPEG", quality=quality, subsampling=0, icc_profile=icc, **more)
