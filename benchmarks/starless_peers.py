"""Star removal beside the subtraction of point sources by others, on the scenes of `starless.py`.

    python benchmarks/starless_peers.py [--seeds 1 2 3 4 5]

Source Extractor with PSFEx: sources found and a model of the point spread function in a first run, fitted in a second;
what is like a point is subtracted. (Its check image -PSFS subtracts all it found, knots of the nebula too.) photutils:
the effective point spread function of its own EPSFBuilder, fitted in groups by IterativePSFPhotometry to sources of
DAOStarFinder, and subtracted. Both take channel after channel; they draw nothing in where a core is full.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.ndimage import map_coordinates

from firstlight.ops.contrast.star_mask import star_mask
from firstlight.ops.spec import parse_step
from starless import FWHM, Sky, invent, rate

DETECT = ("-DETECT_THRESH", "1.5", "-ANALYSIS_THRESH", "1.5", "-BACK_SIZE", "32", "-DEBLEND_MINCONT", "0.0005")
POINTLIKE = 0.01
"""Of SPREAD_MODEL; the check image -PSFS subtracts knots of the nebula as well, and most of the nebula with them."""
LISTED = (
    "NUMBER X_IMAGE Y_IMAGE FLUX_RADIUS FLUX_APER(1) FLUXERR_APER(1) ELONGATION FLAGS SNR_WIN VIGNET(35,35)"
)  # fmt: skip


def ours(sky: Sky) -> np.ndarray:
    return parse_step("extract:starless")(sky.image).data


def by_source_extractor(sky: Sky) -> np.ndarray:
    out = np.empty_like(sky.image.data)
    for c, plane in enumerate(sky.image.data):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            fits.writeto(folder / "frame.fits", plane)
            shutil.copy("/usr/share/source-extractor/default.conv", folder)
            common = (
                "source-extractor", "frame.fits", "-c", "/usr/share/source-extractor/default.sex", "-FILTER_NAME",
                "default.conv", "-GAIN", str(sky.image.meta.gain), "-SATUR_LEVEL", str(0.95 * plane.max()),
                "-PHOT_APERTURES", "12", "-PARAMETERS_NAME", "out.param", "-STARNNW_NAME",
                "/usr/share/source-extractor/default.nnw", *DETECT,
            )  # fmt: skip
            (folder / "out.param").write_text("\n".join(LISTED.split()) + "\n")
            _run(folder, *common, "-CATALOG_NAME", "out.cat", "-CATALOG_TYPE", "FITS_LDAC")
            _run(folder, "psfex", "out.cat", "-PSF_SIZE", "35,35", "-CHECKIMAGE_TYPE", "NONE", "-CHECKPLOT_TYPE",
                 "NONE", "-WRITE_XML", "N", "-PSFVAR_DEGREES", "0", "-SAMPLE_MINSN", "50",
                 "-SAMPLE_FWHMRANGE", "2.0,6.0")  # fmt: skip
            (folder / "out.param").write_text("NUMBER\nXPSF_IMAGE\nYPSF_IMAGE\nFLUX_PSF\nSPREAD_MODEL\n")
            _run(folder, *common, "-CATALOG_NAME", "fit.cat", "-CATALOG_TYPE", "FITS_1.0", "-PSF_NAME", "out.psf")
            found = fits.getdata(folder / "fit.cat", 1)
            stars = found[(np.abs(found["SPREAD_MODEL"]) < POINTLIKE) & (found["FLUX_PSF"] > 0)]
            header, table = fits.getheader(folder / "out.psf", 1), fits.getdata(folder / "out.psf", 1)
            out[c] = plane - _rendered(stars, table["PSF_MASK"][0][0], float(header["PSF_SAMP"]), plane.shape)
    return out


def _rendered(stars: np.ndarray, mask: np.ndarray, step: float, shape: tuple[int, int]) -> np.ndarray:
    """The sources as their model says: ``mask`` has pixels of ``step`` px."""
    out = np.zeros(shape, np.float32)
    mask = mask / mask.sum()
    reach = int(step * (len(mask) // 2)) - 1
    run = np.arange(-reach, reach + 1)
    for x, y, flux in zip(stars["XPSF_IMAGE"] - 1, stars["YPSF_IMAGE"] - 1, stars["FLUX_PSF"]):
        column, row = round(float(x)), round(float(y))
        ys, xs = row + run, column + run
        inside = np.ix_((ys >= 0) & (ys < shape[0]), (xs >= 0) & (xs < shape[1]))
        places = np.meshgrid((ys - y) / step + len(mask) // 2, (xs - x) / step + len(mask) // 2, indexing="ij")
        stamp = flux * map_coordinates(mask, places, order=3) / step**2
        ys, xs = ys[(ys >= 0) & (ys < shape[0])], xs[(xs >= 0) & (xs < shape[1])]
        if len(ys) and len(xs):
            out[np.ix_(ys, xs)] += stamp[inside]
    return out


def _run(folder: Path, *words: str) -> None:
    subprocess.run(words, check=True, cwd=folder, capture_output=True)


def by_photutils(sky: Sky) -> np.ndarray:
    from astropy.nddata import NDData
    from astropy.stats import SigmaClip
    from astropy.table import Table
    from photutils.background import Background2D, LocalBackground, MedianBackground
    from photutils.detection import DAOStarFinder
    from photutils.psf import EPSFBuilder, IterativePSFPhotometry, SourceGrouper, extract_stars

    out = np.empty_like(sky.image.data)
    for c, plane in enumerate(sky.image.data):
        flat = plane - Background2D(
            plane, 32, filter_size=3, sigma_clip=SigmaClip(3.0), bkg_estimator=MedianBackground()
        ).background.astype(np.float32)
        noise = 1.4826 * float(np.median(np.abs(flat - np.median(flat))))
        finder = DAOStarFinder(4.0 * noise, FWHM)
        found = finder(flat)
        full = 0.9 * float(plane.max())
        x, y, peak = (np.asarray(found[key]) for key in (found.colnames[1], found.colnames[2], "peak"))
        bright = (peak > 50 * noise) & (peak < 0.5 * full)
        bright &= (x > 20) & (y > 20) & (x < plane.shape[1] - 21) & (y < plane.shape[0] - 21)
        chosen = np.flatnonzero(bright)[np.argsort(-peak[bright])][:100]
        stamps = extract_stars(NDData(flat), Table({"x": x[chosen], "y": y[chosen]}), size=25)
        epsf, _ = EPSFBuilder(oversampling=2, maxiters=6, progress_bar=False)(stamps)
        fit = IterativePSFPhotometry(
            epsf, (9, 9), finder, grouper=SourceGrouper(2 * FWHM), mode="new", maxiters=3, aperture_radius=FWHM,
            localbkg_estimator=LocalBackground(3 * FWHM, 5 * FWHM),
        )  # fmt: skip
        fit(flat, error=np.sqrt(np.maximum(plane, 1) / sky.image.meta.gain), mask=plane >= full)
        out[c] = plane - fit.make_model_image(plane.shape, psf_shape=(25, 25)).astype(np.float32)
    return out


WAYS: dict[str, Callable[[Sky], np.ndarray]] = {
    "firstlight": ours, "SExtractor, PSFEx": by_source_extractor, "photutils": by_photutils,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="1500x1000")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3, 4, 5])
    parser.add_argument("--only", nargs="*", default=list(WAYS))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    width, height = map(int, given.size.split("x"))
    collected: dict[str, list[dict[str, float]]] = {}
    for seed in given.seeds:
        sky = invent(height, width, seed)
        mask = star_mask(sky.image)
        for name in given.only:
            start = time.perf_counter()
            behind = WAYS[name](sky)
            seconds = time.perf_counter() - start
            figures = rate(sky, behind, mask) | {"wall s": seconds}
            if not collected:
                print(" ".join(f"{key:>13}" for key in ("seed", *figures)) + "  way")
            collected.setdefault(name, []).append(figures)
            print(" ".join(f"{value:13.3f}" for value in (seed, *figures.values())) + f"  {name}", flush=True)
    for name, rows in collected.items():
        means = [float(np.nanmean([row[key] for row in rows])) for key in rows[0]]
        print(" ".join(f"{value:>13}" for value in ("mean", *(f"{m:.3f}" for m in means))) + f"  {name}")


if __name__ == "__main__":
    main()
