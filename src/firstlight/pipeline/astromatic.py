"""The Astromatic chain on images that have a first plate: detection, PSF, detection with it, match with a catalogue."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from firstlight.errors import FrameError, InputError
from firstlight.io.astromatic import Bench, Solution, coadd, compose, extract, match_catalog, model_psf, write_plane
from firstlight.io.atomic import atomic_path
from firstlight.io.cards import Card
from firstlight.io.catalogs import cone
from firstlight.io.ldac import read_ldac, write_reference
from firstlight.io.open_fits import WCS
from firstlight.io.plate_files import write_plate
from firstlight.io.programs import private_folder
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image
from firstlight.model.pixel_map import cd_matrix
from firstlight.model.plate import Plate
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.registry import Params
from firstlight.pipeline.star_files import stem_of
from firstlight.units import Arcmin, Degrees, Px, Seconds, Sigma

STEPS = ("sex", "psfex", "sexagain", "scamp")
MAKES = {"sex": ".cat", "psfex": ".psf", "sexagain": ".psf.cat"}
"""What the steps leave, by the ending of its name."""
MARGIN = 1.3
"""The reference catalogue covers the field times this, and what the first plate may be off."""


class Chain(Params):
    """How the Astromatic programs are set, unless a configuration file of the user's is given for one."""

    threshold: Annotated[Sigma, Field(gt=0)] = 2.0
    """DETECT_THRESH and ANALYSIS_THRESH of SExtractor."""
    min_area: Annotated[int, Field(ge=1)] = 3
    """DETECT_MINAREA: pixels above the threshold."""
    mesh: Annotated[Px, Field(ge=8)] = 64
    """BACK_SIZE: side of a box of the background."""
    deblend_levels: Annotated[int, Field(ge=1, le=64)] = 32
    """DEBLEND_NTHRESH."""
    psf_degree: Annotated[int, Field(ge=0, le=5)] = 2
    """PSFVAR_DEGREES: how the PSF varies over the field."""
    psf_size: Annotated[Px, Field(ge=5, le=35)] = 20
    """PSF_SIZE and BASIS_NUMBER: side of the model of the PSF."""
    distortion_degree: Annotated[int, Field(ge=1, le=7)] = 3
    """DISTORT_DEGREES of SCAMP, written as TPV."""
    position_error: Annotated[Arcmin, Field(gt=0)] = 6.0
    """POSITION_MAXERR: how far the first plate may be off."""
    angle_error: Annotated[Degrees, Field(gt=0, le=180)] = 5.0
    """POSANGLE_MAXERR."""
    scale_error: Annotated[float, Field(gt=1)] = 1.2
    """PIXSCALE_MAXERR: largest ratio of scales."""
    contrast: Annotated[float, Field(ge=0)] = 10.0
    """Matches that stand out less than this are refused."""
    catalog: str = "auto"
    """Catalogue on this machine that SCAMP matches with."""
    seconds: Annotated[Seconds, Field(gt=0)] = 300.0
    """Time for each run of a program; then it is ended."""

    def of(self, program: str) -> dict[str, object]:
        """The options of a program."""
        return {
            "sex": {
                "DETECT_THRESH": self.threshold, "ANALYSIS_THRESH": self.threshold, "DETECT_MINAREA": self.min_area,
                "BACK_SIZE": self.mesh, "DEBLEND_NTHRESH": self.deblend_levels, "BACKPHOTO_TYPE": "LOCAL",
            },
            "psfex": {
                "PSFVAR_DEGREES": self.psf_degree, "BASIS_NUMBER": self.psf_size,
                "PSF_SIZE": (self.psf_size, self.psf_size),
            },
            "scamp": {
                "DISTORT_DEGREES": self.distortion_degree, "POSITION_MAXERR": self.position_error,
                "POSANGLE_MAXERR": self.angle_error, "PIXSCALE_MAXERR": self.scale_error, "PROJECTION_TYPE": "TPV",
                "SOLVE_PHOTOM": False, "MATCH_FLIPPED": True, "SN_THRESHOLDS": (10.0, 100.0),
            },
        }[program]  # fmt: skip


@dataclass(frozen=True)
class Chained:
    """What became of one image."""

    source: Path
    files: tuple[Path, ...]
    """What was written."""
    stars: int = 0
    solution: Solution | None = None


def prepare(image: Image) -> tuple[np.ndarray, np.ndarray]:
    """Plane and weights (y, x) for the programs: the mean of the channels; weight 0 where a pixel holds no number.

    Saturated pixels keep their weight, for SExtractor knows them by SATURATE.

    Raises
    ------
    InputError
        A CFA mosaic.
    """
    if image.meta.cfa is not None:
        raise InputError("astromatic: a CFA mosaic; debayer it first: firstlight apply IN OUT cal:debayer")
    bad = has(image.flags, EXCLUDED & ~Flag.SATURATED).any(axis=0)
    plane = np.where(bad, 0.0, image.data.mean(axis=0, dtype=np.float64))
    plane[bad] = np.median(plane[~bad]) if not bad.all() else 0.0
    return plane.astype(np.float32), (~bad).astype(np.float32)


def first_cards(image: Image) -> list[Card]:
    """Cards that the programs read: the linear part of the plate, gain, saturation, exposure, filter.

    SIP terms are left out: SCAMP finds the distortion anew.

    Raises
    ------
    InputError
        The image has no plate.
    """
    if image.plate is None:
        raise InputError("astromatic: the image has no plate to begin with; solve it first: firstlight solve FILE")
    cards = image.plate.cards
    cd = cd_matrix(image.plate)
    plain: list[Card] = [(f"CTYPE{i}", str(cards[f"CTYPE{i}"])[:8], "") for i in (1, 2)]
    plain += [(f"{key}{i}", float(cards.get(f"{key}{i}", 0.0)), "") for key in ("CRVAL", "CRPIX") for i in (1, 2)]
    plain += [(f"CD{j}_{i}", float(cd[j - 1, i - 1]), "") for j in (1, 2) for i in (1, 2)]
    meta = image.meta
    facts = {"GAIN": meta.gain or 0.0, "SATURATE": meta.saturation, "EXPTIME": meta.exposure, "FILTER": meta.filter}
    return plain + [(key, value, "") for key, value in facts.items() if value is not None]


def run_chain(
    source: Path,
    output: Path,
    chain: Chain,
    *,
    steps: Sequence[str] = STEPS,
    configs: Mapping[str, Path] | None = None,
    keep: bool = False,
    target: Path | None = None,
) -> Chained:
    """Run the steps on one image; what they make lies in ``output`` afterwards.

    Parameters
    ----------
    steps : of `STEPS`, in this order. What a step needs of those left out must lie in ``output`` from before.
    configs : configuration files by program (sex, psfex, scamp); they take the place of ``chain`` there.
    keep : also keep what only the chain itself needs (tables between the steps, the PSF).
    target : the solved image; default: the source's name in ``output``.

    Raises
    ------
    FrameError
        A program failed, or the match stands out too little; the image is not written then.
    InputError
        A program is missing, or what an earlier step makes.
    """
    alone = len(steps) < len(STEPS)
    image = read(source)
    plane, weight = prepare(image)
    cards = first_cards(image)
    name = stem_of(source)
    files = {kind: output / f"{name}{ending}" for kind, ending in MAKES.items()}
    made: list[Path] = []
    with private_folder() as folder:
        bench = Bench(folder, chain.seconds, configs or {})
        here = {kind: folder / f"image{ending}" for kind, ending in MAKES.items()}
        for kind, path in files.items():
            if path.exists() and kind not in steps:
                shutil.copyfile(path, here[kind])
        pixels = write_plane(folder / "image.fits", plane, cards)
        weights = write_plane(folder / "weight.fits", weight)
        if "sex" in steps:
            extract(bench, pixels, weights, here["sex"], chain.of("sex"))
        if "psfex" in steps:
            model_psf(bench, _from(here["sex"], files["sex"], "sex"), here["psfex"], chain.of("psfex"))
        if "sexagain" in steps:
            psf = _from(here["psfex"], files["psfex"], "psfex")
            extract(bench, pixels, weights, here["sexagain"], chain.of("sex"), psf)
        table = here["sexagain"] if here["sexagain"].exists() else here["sex"]
        solution = None
        if "scamp" in steps:
            solution = _scamp(bench, _from(table, files["sex"], "sex"), image, chain)
            made.append(_solved(source, target or output / f"{name}.fits", solution))
        if keep or alone:
            made += [_kept(here[step], files[step]) for step in steps if step in files]
        stars = len(read_ldac(table)) if table.exists() else 0
    return Chained(source, tuple(made), stars, solution)


def _kept(path: Path, target: Path) -> Path:
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
    return target


def _from(path: Path, lasting: Path, step: str) -> Path:
    if not path.exists():
        raise InputError(f"{lasting}: not there; run the step {step} first, with the same output folder")
    return path


def _scamp(bench: Bench, table: Path, image: Image, chain: Chain) -> Solution:
    ra, dec, radius = field_of(image)
    year = image.meta.start.year + image.meta.start.timetuple().tm_yday / 365.25 if image.meta.start else 2016.0
    catalog = cone(chain.catalog, ra, dec, min(MARGIN * radius + chain.position_error / 60.0, 90.0)).at(year)
    reference = write_reference(bench.folder / "reference.cat", catalog)
    (solution,) = match_catalog(bench, [table], reference, chain.of("scamp"))
    if solution.contrast < chain.contrast:
        raise FrameError(
            f"scamp: the match stands out by {solution.contrast:.1f}; at least {chain.contrast:g} is trusted "
            f"({solution.matched} stars of {len(catalog)} in the catalogue); is the first plate right within "
            f"{chain.position_error:g} arcmin?"
        )
    return solution


def field_of(image: Image) -> tuple[float, float, float]:
    """Centre of an image with a plate, and its radius: degrees."""
    sky = SkyMap.of(Plate({card[0]: card[1] for card in first_cards(image)}))
    height, width = image.shape[1:]
    middle, corner = sky.vectors(np.array([[(width - 1) / 2, (height - 1) / 2], [0, 0]]))
    ra, dec = np.degrees(np.arctan2(middle[1], middle[0])) % 360.0, np.degrees(np.arcsin(middle[2]))
    return float(ra), float(dec), float(np.degrees(np.arccos(np.clip(middle @ corner, -1, 1))))


def _solved(source: Path, target: Path, solution: Solution) -> Path:
    cards = {card[0]: card[1] for card in solution.cards if WCS.match(card[0])}
    plate = Plate(cards, solution.matched, solution.rms)
    facts: tuple[Card, ...] = (
        ("ASTRRMS", solution.rms, "[arcsec] residual of the matched stars, both axes"),
        ("ASTRNUM", solution.matched, "stars matched with the catalogue"),
        ("ASTRCONT", solution.contrast, "contrast of the match of SCAMP"),
    )
    return write_plate(source, target, plate, facts=facts)


Combine = Literal["clipped", "average", "median", "weighted", "sum", "min", "max", "chi2"]
Resampling = Literal["lanczos3", "lanczos2", "lanczos4", "bilinear", "nearest"]


def run_swarp(
    sources: Sequence[Path],
    target: Path,
    *,
    combine: Combine = "clipped",
    kernel: Resampling = "lanczos3",
    background: bool = False,
    config: Path | None = None,
    seconds: float = 600.0,
) -> tuple[Path, Path]:
    """Resample and combine images with plates by SWarp; returns the image and its weight map.

    TPV distortion goes along; SIP, which SWarp does not read, is refused.

    Raises
    ------
    InputError
        An image without a plate, or with SIP.
    """
    weight = target.with_name(f"{target.stem}.weight.fits")
    with private_folder() as folder:
        bench = Bench(folder, seconds, {"swarp": config} if config else {})
        names = []
        for number, source in enumerate(sources):
            image = read(source)
            if image.plate is None:
                raise InputError(f"{source}: no plate; solve it first: firstlight solve {source}")
            if any("SIP" in str(image.plate.cards.get(f"CTYPE{i}", "")) for i in (1, 2)):
                raise InputError(f"{source}: SWarp does not read SIP; take firstlight resample, or a TPV plate")
            plane, weights = prepare(image)
            cards = [(key, value, "") for key, value in image.plate.cards.items()]
            cards += [card for card in first_cards(image) if card[0] in ("GAIN", "SATURATE", "EXPTIME")]
            names.append(write_plane(folder / f"{number:04d}.fits", plane, cards))
            write_plane(folder / f"{number:04d}.weight.fits", weights)
        options = {"COMBINE_TYPE": combine.upper(), "RESAMPLING_TYPE": kernel.upper(), "SUBTRACT_BACK": background}
        options |= {"WEIGHT_TYPE": "MAP_WEIGHT", "CLIP_LOGNAME": folder / "clipped.log"}
        coadd(bench, names, folder / "out.fits", folder / "out.weight.fits", options)
        stack = read(folder / "out.fits")
        map_of = read(folder / "out.weight.fits")
        _write_coadd(stack, map_of, target, weight, len(sources))
    return target, weight


def _write_coadd(stack: Image, weights: Image, target: Path, weight: Path, n: int) -> None:
    empty = weights.data <= 0
    flags = stack.flags | np.where(empty, np.uint16(Flag.NO_DATA), np.uint16(0))
    history = (*stack.history, f"combined by SWarp of {n} images")
    write(target, stack.replace(flags=flags, meta=stack.meta.replace(n_combined=n), history=history))
    write(weight, weights)


def run_stiff(sources: Sequence[Path], target: Path, *, config: Path | None = None, seconds: float = 300.0) -> Path:
    """One image (grey) or three (red, green, blue) of equal size to a 16-bit TIFF by STIFF.

    Raises
    ------
    InputError
        Another number of images, or of another size.
    """
    if len(sources) not in (1, 3):
        raise InputError(f"stiff: {len(sources)} images; one (grey) or three (red, green, blue) are allowed")
    with private_folder() as folder:
        bench = Bench(folder, seconds, {"stiff": config} if config else {})
        planes = [prepare(read(source))[0] for source in sources]
        if len({plane.shape for plane in planes}) > 1:
            sizes = ", ".join(f"{source.name}: {p.shape[1]} x {p.shape[0]}" for source, p in zip(sources, planes))
            raise InputError(f"stiff: images of different size ({sizes}); resample them first: firstlight resample")
        names = [write_plane(folder / f"{k}.fits", plane) for k, plane in enumerate(planes)]
        made = compose(bench, names, folder / "out.tif", {"BITS_PER_CHANNEL": 16})
        return _kept(made, target)
