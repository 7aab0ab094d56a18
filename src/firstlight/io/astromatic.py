"""The Astromatic programs: SExtractor, PSFEx, SCAMP, SWarp and STIFF, each with defaults of ours or the user's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.io.cards import Card, parse_card
from firstlight.io.fits_writer import Unit, write_units
from firstlight.io.programs import Program, run_program

PROGRAMS = {
    "sex": Program(("source-extractor", "sex", "sextractor"), "source-extractor"),
    "psfex": Program(("psfex",), "psfex"),
    "scamp": Program(("scamp",), "scamp"),
    "swarp": Program(("SWarp", "swarp"), "swarp"),
    "stiff": Program(("stiff",), "stiff"),
}
"""By the short names that people use."""

MEASURED = (
    "NUMBER", "X_IMAGE", "Y_IMAGE", "XWIN_IMAGE", "YWIN_IMAGE", "ERRAWIN_IMAGE", "ERRBWIN_IMAGE", "ERRTHETAWIN_IMAGE",
    "FLUX_AUTO", "FLUXERR_AUTO", "MAG_AUTO", "MAGERR_AUTO", "FLUX_APER(1)", "FLUXERR_APER(1)", "FLUX_MAX", "BACKGROUND",
    "FLUX_RADIUS", "FWHM_IMAGE", "ELONGATION", "ELLIPTICITY", "THETA_IMAGE", "SNR_WIN", "FLAGS", "FLAGS_WEIGHT",
    "X_WORLD", "Y_WORLD",
)  # fmt: skip
"""Columns of the first pass, without the small images that PSFEx needs."""
WITH_PSF = ("XPSF_IMAGE", "YPSF_IMAGE", "FLUX_PSF", "FLUXERR_PSF", "MAG_PSF", "MAGERR_PSF", "CHI2_PSF")
VIGNETTE = 35
"""px: side of the small image of each star that PSFEx gets."""
KERNEL = ((1, 2, 1), (2, 4, 2), (1, 2, 1))


@dataclass(frozen=True)
class Bench:
    """A folder in which the programs work, the time each gets, and configuration files of the user's."""

    folder: Path
    seconds: float = 300.0
    configs: Mapping[str, Path] = None  # type: ignore[assignment]

    def run(self, name: str, arguments: Sequence[Path], options: Mapping[str, Any], wanted: Path) -> Path:
        """Run a program: its own defaults, then the user's file, then ``options``; returns ``wanted``, which it makes.

        Raises
        ------
        InputError
            The program or the configuration file is missing.
        FrameError
            It failed, or took too long; with its last words.
        """
        program = PROGRAMS[name].path(f"astromatic {name}")
        wanted.unlink(missing_ok=True)
        words = [str(program), *map(self._word, arguments), "-c", self._word(self._config(name))]
        for key, value in options.items():
            words += [f"-{key}", self._word(value)]
        ran = run_program(words, self.folder, seconds=self.seconds)
        if not wanted.exists() or ran.code:
            raise FrameError(f"{PROGRAMS[name].names[0]} failed (code {ran.code}): {ran.last_words}")
        return wanted

    def given(self, name: str) -> bool:
        """Whether the user has a configuration file for a program."""
        return bool(self.configs) and name in self.configs

    def _config(self, name: str) -> Path:
        copy = self.folder / f"{name}.config"
        if not self.given(name):
            copy.write_text("# defaults\n", encoding="utf-8")
            return copy
        path = Path(self.configs[name])
        if not path.is_file():
            raise InputError(f"{path}: there is no such configuration file for {name}")
        copy.write_bytes(path.read_bytes())
        return copy

    def _word(self, value: Any) -> str:
        # The programs split names at blanks, even single arguments: files are named from the folder they lie in.
        if isinstance(value, Path) and value.is_relative_to(self.folder):
            return str(value.relative_to(self.folder))
        if isinstance(value, bool):
            return "Y" if value else "N"
        if isinstance(value, (tuple, list)):
            return ",".join(map(self._word, value))
        return str(value)


def write_plane(path: Path, plane: np.ndarray, cards: Sequence[Card] = ()) -> Path:
    """A plane (y, x) as the float32 FITS image that the programs read."""
    write_units(path, [Unit(list(cards), np.ascontiguousarray(plane, np.float32))], checksum=False)
    return path


def extract(
    bench: Bench, image: Path, weight: Path, catalog: Path, options: Mapping[str, Any], psf: Path | None = None
) -> Path:
    """SExtractor on an image and its weights (0: do not look), to an LDAC table; with a PSF of PSFEx if there is one.

    ``options`` do not outweigh a configuration file of the user's, what goes in and comes out does.
    """
    names = bench.folder / "columns.param"
    columns = (*MEASURED, *(WITH_PSF if psf else ()), f"VIGNET({VIGNETTE},{VIGNETTE})")
    names.write_text("\n".join(columns) + "\n", encoding="utf-8")
    kernel = bench.folder / "kernel.conv"
    kernel.write_text("CONV NORM\n" + "\n".join(" ".join(map(str, row)) for row in KERNEL) + "\n", encoding="utf-8")
    fixed = {
        "CATALOG_NAME": catalog, "CATALOG_TYPE": "FITS_LDAC", "PARAMETERS_NAME": names, "WEIGHT_TYPE": "MAP_WEIGHT",
        "WEIGHT_IMAGE": weight, "WEIGHT_GAIN": False, "WRITE_XML": False, "VERBOSE_TYPE": "QUIET",
        "SATUR_KEY": "SATURATE", "GAIN_KEY": "GAIN", "PIXEL_SCALE": 0, "MEMORY_PIXSTACK": 3000000,
        "MEMORY_OBJSTACK": 30000,
    }  # fmt: skip
    if psf is not None:
        fixed |= {"PSF_NAME": psf}
    own = {} if bench.given("sex") else {**options, "FILTER_NAME": kernel, "STARNNW_NAME": _neurons()}
    return bench.run("sex", [image], {**own, **fixed}, catalog)


def _neurons() -> str:
    # Only columns that are not asked for need the network of weights, but the program wants to read a file.
    for folder in ("/usr/share/source-extractor", "/usr/share/sextractor", "/usr/local/share/sextractor"):
        path = Path(folder, "default.nnw")
        if path.is_file():
            return str(path)
    return "default.nnw"


def model_psf(bench: Bench, catalog: Path, psf: Path, options: Mapping[str, Any]) -> Path:
    """PSFEx on a table of SExtractor's with small images of the stars."""
    fixed = {
        "PSF_DIR": psf.parent, "PSF_SUFFIX": ".psf", "CHECKPLOT_TYPE": "NONE", "CHECKPLOT_DEV": "NULL",
        "CHECKIMAGE_TYPE": "NONE", "WRITE_XML": False, "VERBOSE_TYPE": "QUIET", "NTHREADS": 1,
    }  # fmt: skip
    made = psf.parent / f"{catalog.stem}.psf"
    own = {} if bench.given("psfex") else options
    bench.run("psfex", [catalog], {**own, **fixed}, made)
    return made if made == psf else made.rename(psf)


@dataclass(frozen=True)
class Solution:
    """What SCAMP found for one image."""

    cards: tuple[Card, ...]
    """Of its header: the plate."""
    contrast: float
    """How far the match with the catalogue stands out."""
    rms: float
    """Residual of the stars against the catalogue, arcsec, both axes together."""
    matched: int


def match_catalog(
    bench: Bench, catalogs: Sequence[Path], reference: Path, options: Mapping[str, Any]
) -> list[Solution]:
    """SCAMP on tables of SExtractor's, against a reference that `firstlight.io.ldac.write_reference` has written."""
    report = bench.folder / "scamp.xml"
    fixed = {
        "ASTREF_CATALOG": "FILE", "ASTREFCAT_NAME": reference, "CHECKPLOT_TYPE": "NONE", "CHECKPLOT_DEV": "NULL",
        "WRITE_XML": True, "XML_NAME": report, "VERBOSE_TYPE": "QUIET", "HEADER_SUFFIX": ".head", "NTHREADS": 1,
    }  # fmt: skip
    own = {} if bench.given("scamp") else options
    bench.run("scamp", catalogs, {**own, **fixed}, report)
    numbers = _numbers_of(report)
    found = []
    for k, path in enumerate(catalogs):
        head = path.with_suffix(".head")
        if not head.exists():
            raise FrameError(f"{path.name}: scamp wrote no header for it")
        found.append(Solution(tuple(read_head(head)), *numbers[k]))
    return found


def _numbers_of(report: Path) -> list[tuple[float, float, int]]:
    """Contrast, rms (arcsec) and matched stars of each image."""
    from astropy.io import votable

    fields = votable.parse(report, verify="ignore").get_table_by_id("Fields").array
    rms = [float(np.hypot(*np.ravel(row["AstromSigma_Reference"])[:2])) for row in fields]
    return [(float(row["AS_Contrast"]), one, int(row["NDeg_Reference"])) for row, one in zip(fields, rms)]


def read_head(path: Path) -> list[Card]:
    """Cards of a ``.head`` file (lines, not padded)."""
    lines = path.read_text(encoding="latin-1").splitlines()
    cards = [
        parse_card(f"{line:80}"[:80]) for line in lines if line.strip() and not line.startswith(("END", "COMMENT"))
    ]
    return [card for card in cards if card[0] not in ("HISTORY", "")]


def coadd(bench: Bench, images: Sequence[Path], target: Path, weight: Path, options: Mapping[str, Any]) -> Path:
    """SWarp: images with plates (or ``.head`` files beside them), resampled and combined."""
    fixed = {
        "IMAGEOUT_NAME": target, "WEIGHTOUT_NAME": weight, "RESAMPLE_DIR": bench.folder, "WRITE_XML": False,
        "VERBOSE_TYPE": "QUIET", "DELETE_TMPFILES": True, "NTHREADS": 1, "VMEM_DIR": bench.folder,
    }  # fmt: skip
    own = {} if bench.given("swarp") else options
    return bench.run("swarp", images, {**own, **fixed}, target)


def compose(bench: Bench, images: Sequence[Path], target: Path, options: Mapping[str, Any]) -> Path:
    """STIFF: one or three planes to a TIFF for the eye."""
    fixed = {"OUTFILE_NAME": target, "WRITE_XML": False, "VERBOSE_TYPE": "QUIET", "NTHREADS": 1, "COPY_HEADER": False}
    own = {} if bench.given("stiff") else options
    return bench.run("stiff", images, {**own, **fixed}, target)
