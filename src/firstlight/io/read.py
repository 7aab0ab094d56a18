"""Open any file of frames by its header; find the files of a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from firstlight.errors import FrameError, InputError
from firstlight.io.frame import Frame
from firstlight.io.names import refuse_unreadable_name
from firstlight.model.image import Image

OUTPUT_FOLDER = "firstlight"
"""The folder of our own products inside a session; never searched for frames."""
_PACKED = (".gz", ".bz2", ".xz", ".z")
_FITS = (".fits", ".fit", ".fts", ".fz", ".ftz")
_RAW_NAMES = "3fr arw cr2 cr3 crw dcr dng erf iiq kdc mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
_RAW = tuple(f".{name}" for name in _RAW_NAMES.split(" "))
_TIFF = (".tif", ".tiff")
_PICTURES = (".png", ".jpg", ".jpeg")


def format_of(path: Path) -> str | None:
    """``fits``, ``raw``, ``tiff``, ``png``, ``jpeg``, ``xisf``, ``ser``, ``avi``, or None, by the name's end.

    >>> format_of(Path("a.FIT.gz")), format_of(Path("b.Z")), format_of(Path("c.csv")), format_of(Path("d.tar.gz"))
    ('fits', None, None, None)
    """
    name = path.name.lower()
    for packed in _PACKED:
        if name.endswith(packed):
            inner = name.removesuffix(packed)
            # Some programs write NAME.gz for NAME.fits.gz.
            return "fits" if inner.endswith(_FITS) or (packed == ".gz" and "." not in inner) else None
    if name.endswith(_FITS):
        return "fits"
    if name.endswith(_RAW):
        return "raw"
    if name.endswith(_TIFF):
        return "tiff"
    if name.endswith(_PICTURES):
        return "png" if name.endswith(".png") else "jpeg"
    return next((kind for kind in ("xisf", "ser", "avi") if name.endswith("." + kind)), None)


def find_files(folder: str | os.PathLike[str]) -> list[Path]:
    """Every file below a folder that is a frame by its name, sorted.

    Links are followed (each folder once); hidden files and folders, and our own output folder, are left out. A file is
    its own list.

    Raises
    ------
    InputError
        There is no such folder or file, or a name that is no text.
    """
    folder = Path(folder)
    refuse_unreadable_name(os.path.abspath(folder))
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; give the folder of a session, or a file")
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for here, folders, names in os.walk(folder, onerror=_refuse_unless_of_the_system, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != OUTPUT_FOLDER)
        for name in names:
            path = Path(here, name)
            if not name.startswith(".") and format_of(path) is not None and path.is_file():
                refuse_unreadable_name(path)
                found.append(path)
    return sorted(found)


_OF_THE_SYSTEM = frozenset(["lost+found", "system volume information", "$recycle.bin"])
"""Folders of disks and cards that nobody may look into."""


def _refuse_unless_of_the_system(error: OSError) -> None:
    # Passed over, the frames in it would be missing without a word.
    if Path(error.filename).name.lower() not in _OF_THE_SYSTEM:
        raise InputError(
            f"{error.filename}: this folder cannot be read: {error.strerror}; look at its permissions"
        ) from error


def open_frames(path: str | os.PathLike[str]) -> list[Frame]:
    """The frames of a file, by its header only: one, or one for each exposure of a SER or AVI file.

    Raises
    ------
    FrameError
        The file is broken, cut short, of an unknown format, or holds no image; the message says which.
    InputError
        There is no such file.
    """
    path = Path(path)
    if not path.is_file():
        name, mark, number = path.name.rpartition("#")
        if mark and number.isdigit() and path.with_name(name).is_file():
            frames = open_frames(path.with_name(name))
            if not 1 <= int(number) <= len(frames):
                raise InputError(f"{path}: exposure {int(number)} is asked for; the file has 1 to {len(frames)}")
            return [frames[int(number) - 1]]
        what = "is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(f"{path}: {what}; give the path of an image")
    try:
        opener = _opener(_kind_of_content(path) or format_of(path))
        if opener is None:
            raise FrameError(
                f"{path.name}: not a format that is read; FITS, camera raw, DNG, TIFF, PNG, JPEG, XISF, SER and AVI "
                "are; convert it, or take it out of the folder"
            )
        return opener(path)
    except OSError as error:
        raise FrameError(
            f"{path.name}: cannot be read: {error.strerror or error}; look at the file and its permissions"
        ) from error


def open_frame(path: str | os.PathLike[str]) -> Frame:
    """The (first) frame of a file, by its header only; as `open_frames`.

    One exposure of a series is named by its number: ``jupiter.ser#0012``.
    """
    return open_frames(path)[0]


def read(path: str | os.PathLike[str]) -> Image:
    """Read an image: pixels in adu, flags, variance, plate, meta and history, as far as the file has them.

    The pedestal is applied once, NaN and infinity are flagged, a checksum in the file is verified.

    Raises
    ------
    FrameError
        The file cannot be used; the message says why.
    InputError
        There is no such file.
    """
    return open_frame(path).read()


def _kind_of_content(path: Path) -> str | None:
    """The format that the first bytes tell: names lie."""
    with open(path, "rb") as file:
        start = file.read(16)
    if start.startswith((b"SIMPLE  =", b"XTENSION=")):
        return "fits"
    if start.startswith(b"XISF0100"):
        return "xisf"
    if start.startswith(b"LUCAM-RECORDER"):
        return "ser"
    if start.startswith(b"RIFF") and start[8:12] == b"AVI ":
        return "avi"
    if start.startswith(b"\x89PNG"):
        return "png"
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    # Camera raw begins as TIFF does: there the name decides.
    if start.startswith((b"II*\0", b"MM\0*")) and format_of(path) not in ("raw", "tiff"):
        return "tiff"
    return None


def _opener(kind: str | None) -> Callable[[Path], list[Frame]] | None:
    if kind == "fits":
        from firstlight.io.open_fits import open_fits

        return open_fits
    if kind == "tiff":
        from firstlight.io.tiff import open_tiff

        return open_tiff
    if kind in ("png", "jpeg"):
        from firstlight.io.raster import open_picture

        return open_picture
    if kind == "xisf":
        from firstlight.io.xisf import open_xisf

        return open_xisf
    if kind == "ser":
        from firstlight.io.ser import open_ser

        return open_ser
    if kind == "avi":
        from firstlight.io.avi import open_avi

        return open_avi
    if kind == "raw":
        from firstlight.io.camera_raw import open_raw

        return open_raw
    return None
