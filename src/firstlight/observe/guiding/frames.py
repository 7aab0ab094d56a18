"""Guide frames, and darks for them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from firstlight.errors import EquipmentError, FrameError, InputError
from firstlight.io.fits_writer import Unit, write_units
from firstlight.io.read import read
from firstlight.observe.equipment import Camera, Kind
from firstlight.observe.guiding.settings import GuideSettings


def take_frame(camera: Camera, settings: GuideSettings, kind: Kind = "light") -> np.ndarray:
    """One frame with the exposure, binning, gain and offset of the settings.

    Raises
    ------
    EquipmentError
        The camera fails.
    """
    gain = settings.gain if settings.gain >= 0 else None
    offset = settings.offset if settings.offset >= 0 else None
    try:
        return camera.expose(settings.exposure, kind, gain=gain, offset=offset, binning=settings.binning).data
    except FrameError as error:
        raise EquipmentError(f"{camera.name}: {error}") from error


def take_dark(camera: Camera, settings: GuideSettings, n: int) -> np.ndarray:
    """The median of ``n`` darks; the guide scope has to be covered."""
    return np.median([take_frame(camera, settings, "dark") for _ in range(n)], axis=0).astype(np.float32)


def dark_path(folder: Path, camera: str, settings: GuideSettings) -> Path:
    """Where the dark of a camera lies that fits these frames.

    >>> dark_path(Path("guiding"), "ZWO CCD ASI120MM", GuideSettings(exposure=2.5, gain=30)).as_posix()
    'guiding/dark_ZWO_CCD_ASI120MM_2.5s_bin1_gain30.fits'
    """
    name = re.sub(r"[^\w.+-]+", "_", camera)
    gain = f"_gain{settings.gain:g}" if settings.gain >= 0 else ""
    return folder / f"dark_{name}_{settings.exposure:g}s_bin{settings.binning}{gain}.fits"


def write_dark(path: Path, dark: np.ndarray, settings: GuideSettings, n: int) -> None:
    """Keep a dark; an older one of the same name gives way."""
    cards = [("IMAGETYP", "MASTER DARK", ""), ("EXPTIME", settings.exposure, "s"), ("NCOMBINE", n, "darks"),
             ("XBINNING", settings.binning, ""), ("YBINNING", settings.binning, "")]  # fmt: skip
    write_units(path, [Unit(cards, dark)])


def read_dark(path: Path) -> np.ndarray:
    """A dark of guide frames, as a plane.

    Raises
    ------
    InputError
        The file is no image of one channel.
    """
    data = read(path).data
    if data.shape[0] != 1:
        raise InputError(f"{path}: has {data.shape[0]} channels; a dark of a guide camera has one")
    return data[0]
