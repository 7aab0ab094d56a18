"""Plate solvers of others: astrometry.net as a Python package or as solve-field, and ASTAP."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.catalogs import index_folders
from firstlight.io.fits_scan import open_bytes, read_header
from firstlight.io.open_fits import WCS, plate_of
from firstlight.io.programs import Program, private_folder, run_program
from firstlight.model.plate import Plate

SOLVE_FIELD = Program(("solve-field",), "astrometry.net")
ASTAP = Program(("astap_cli", "astap"), "astap-cli")
ASTAP_FOLDERS = ("/usr/share/astap/data", "/opt/astap")
ASTAP_DATABASES = ("*.290", "*.1476")
Bounds = Mapping[str, Any]
"""What is known: smallest_scale and largest_scale (arcsec/px), ra, dec (degrees or None), radius, flipped."""


def index_files(*, deeper: bool = False) -> list[Path]:
    """Index files of astrometry.net on this machine; ``deeper``: only such as hold more than Tycho-2."""
    wrong = "bigendian" if sys.byteorder == "little" else "littleendian"
    found = [path for folder in index_folders() if folder.is_dir() for path in sorted(folder.glob("index-*.fits"))]
    return [path for path in found if wrong not in path.name and not (deeper and path.name.startswith("index-tycho2-"))]


def astap_database() -> Path | None:
    """Folder of a star database of ASTAP, or None."""
    program = ASTAP.find()
    folders = [*([program.resolve().parent] if program else []), *map(Path, ASTAP_FOLDERS)]
    for folder in folders:
        if any(next(folder.glob(ending), None) for ending in ASTAP_DATABASES):
            return folder
    return None


def with_astrometry(positions: np.ndarray, shape: tuple[int, int], bounds: Bounds, seconds: float) -> Plate:
    """By the Python package ``astrometry``, in a process of its own, which can be ended in time.

    Raises
    ------
    InputError
        The package or its index files are not here.
    FrameError
        Not solved, or not in time.
    """
    if importlib.util.find_spec("astrometry") is None:
        raise InputError("solve: the engine astrometry is not here; install it with: pip install 'firstlight[solve]'")
    files = _needed_files()
    with private_folder() as folder:
        job = {
            "positions": positions.tolist(), "files": [str(path) for path in files],
            "bounds": dict(bounds),
        }  # fmt: skip
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        ran = run_program(
            [sys.executable, "-m", "firstlight.io.astrometry_job", "job.json", "cards.json"], folder, seconds=seconds
        )
        answer = folder / "cards.json"
        if ran.code or not answer.is_file():
            raise FrameError(f"solve: astrometry ended with {ran.code}: {ran.last_words}")
        cards = json.loads(answer.read_text(encoding="utf-8"))
    return _plate(cards, "astrometry")


def _needed_files() -> list[Path]:
    files = index_files()
    if not files:
        looked = ", ".join(str(folder) for folder in index_folders())
        raise InputError(
            f"solve: no index files of astrometry.net in {looked}; on Debian and Ubuntu: apt-get install "
            "astrometry-data-tycho2"
        )
    return files


def with_solve_field(positions: np.ndarray, shape: tuple[int, int], bounds: Bounds, seconds: float) -> Plate:
    """By ``solve-field``, which gets the star list.

    Raises
    ------
    InputError
        The program or its index files are not here.
    FrameError
        Not solved, or not in time.
    """
    program = SOLVE_FIELD.path("solve")
    files = _needed_files()
    with private_folder() as folder:
        _write_star_list(folder / "stars.fits", positions)
        config = "\n".join(["inparallel", f"cpulimit {math.ceil(seconds)}", *(f"index {path}" for path in files)])
        (folder / "engine.cfg").write_text(config + "\n", encoding="utf-8")
        words: list[Any] = [
            program, "stars.fits", "--config", "engine.cfg", "--width", str(shape[1]), "--height", str(shape[0]),
            "--x-column", "X", "--y-column", "Y", "--sort-column", "FLUX", "--no-plots", "--overwrite",
            "--cpulimit", str(math.ceil(seconds)), "--crpix-center", "--tweak-order", "2",
            "--scale-units", "arcsecperpix", "--scale-low", f"{bounds['smallest_scale']:.6g}",
            "--scale-high", f"{bounds['largest_scale']:.6g}",
        ]  # fmt: skip
        if bounds["ra"] is not None and bounds["radius"] < 180:
            words += [
                "--ra",
                f"{bounds['ra']:.8f}",
                "--dec",
                f"{bounds['dec']:.8f}",
                "--radius",
                f"{bounds['radius']:g}",
            ]
        if bounds["flipped"] is not None:
            words += ["--parity", "neg" if bounds["flipped"] else "pos"]
        ran = run_program(words, folder, seconds=seconds)
        # It ends with 0 whether it has solved or not: the file tells.
        if not (folder / "stars.wcs").is_file():
            raise FrameError(f"solve: solve-field did not solve it: {ran.last_words}")
        return _plate(cards_of_file(folder / "stars.wcs"), "solve-field")


def _write_star_list(path: Path, positions: np.ndarray) -> None:
    from astropy.io import fits

    order = np.arange(len(positions), 0, -1, dtype=np.float32)
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("X", "E", array=positions[:, 0] + 1.0),
            fits.Column("Y", "E", array=positions[:, 1] + 1.0),
            fits.Column("FLUX", "E", array=order),
        ]
    )
    table.writeto(path)


def with_astap(image: Path, shape: tuple[int, int], bounds: Bounds, seconds: float) -> Plate:
    """By ASTAP, which finds the stars itself: up to 500 of them.

    Raises
    ------
    InputError
        The program is not here.
    FrameError
        Not solved, or not in time.
    """
    program = ASTAP.path("solve")
    with private_folder() as folder:
        words: list[Any] = [program, "-f", image.resolve(), "-o", folder / "solved", "-wcs", "-s", "500"]
        known = bounds["largest_scale"] / bounds["smallest_scale"] < 4
        height = math.sqrt(bounds["smallest_scale"] * bounds["largest_scale"]) * shape[0] / 3600.0
        words += ["-fov", f"{height:.4f}" if known else "0"]
        if bounds["ra"] is not None:
            words += ["-ra", f"{bounds['ra'] / 15:.6f}", "-spd", f"{bounds['dec'] + 90:.6f}"]
        words += ["-r", f"{min(bounds['radius'], 180):g}"]
        ran = run_program(words, folder, seconds=seconds)
        facts = dict(line.split("=", 1) for line in _text(folder / "solved.ini").splitlines() if "=" in line)
        if facts.get("PLTSOLVD", "F").strip() != "T":
            told = " ".join(facts[key] for key in ("ERROR", "WARNING") if key in facts) or ran.last_words
            raise FrameError(f"solve: ASTAP did not solve it: {told}")
        cards = {}
        for key, value in facts.items():
            if WCS.match(key.strip()):
                cards[key.strip()] = _number(value)
        return _plate({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", **cards}, "ASTAP")


def _text(path: Path) -> str:
    return path.read_text(encoding="latin-1") if path.is_file() else ""


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text.strip().strip("'").strip()


def cards_of_file(path: Path) -> dict[str, Any]:
    """Cards of a plate in the primary header of a file."""
    cards, _ = read_header(open_bytes(path), 0)
    return {key: value for key, value, _ in cards if WCS.match(key) and value is not None}


def _plate(cards: Mapping[str, Any], engine: str) -> Plate:
    found = plate_of([(key, value, "") for key, value in cards.items()])
    if found is None:
        raise FrameError(f"solve: {engine} did not solve it")
    return found
