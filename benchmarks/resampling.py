"""`firstlight resample` beside reproject and SWarp: one image with SIP distortion onto a turned grid on the sky.

Light lost or gained and places of stars are told against the formula the stars were drawn by.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.wcs import WCS

from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.model.plate import Plate
from firstlight.ops.align.onto import brought_onto
from firstlight.ops.align.sky_target import SkyGrid, map_to, positions_of, scale_of, sky_of
from firstlight.pipeline.astromatic import run_swarp

STEP = 61
SIGMA = 1.5
"""px of a star."""


def scene(side: int, *, sip: bool) -> tuple[Image, np.ndarray]:
    """An image of stars on a lattice, and where on the sky they are."""
    cards = dict(SkyGrid.around(150.0, 40.0, 1.2, (side, side), 12.0).plate.cards)
    if sip:
        cards |= {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 3, "B_ORDER": 3}
        cards |= {"A_3_0": 3e-10, "A_1_2": 3e-10, "B_2_1": 3e-10, "B_0_3": 3e-10, "A_2_0": 1e-7}
    plate = Plate(cards)
    lattice = np.arange(30, side - 30, STEP) + 0.37
    at = np.stack(np.meshgrid(lattice, lattice), -1).reshape(-1, 2)
    plane = np.full((side, side), 100.0, np.float32)
    y, x = np.mgrid[-12:13, -12:13]
    for cx, cy in at:
        ix, iy = round(cx), round(cy)
        spot = 2000.0 * np.exp(-((x + ix - cx) ** 2 + (y + iy - cy) ** 2) / (2 * SIGMA**2))
        plane[iy - 12 : iy + 13, ix - 12 : ix + 13] += spot.astype(np.float32)
    return Image(plane, variance=np.full_like(plane, 25.0), plate=plate), sky_of(plate, at)


def judge(plane: np.ndarray, plate: Plate, sky: np.ndarray, scale: float) -> tuple[float, float, float]:
    """Largest error of a star's place (px), and mean and scatter of its light over the truth, less 1."""
    at = positions_of(plate, sky)
    inside = ((at > 20) & (at < np.array(plane.shape[::-1]) - 20)).all(axis=1)
    away, light = [], []
    y, x = np.mgrid[-12:13, -12:13]
    for cx, cy in at[inside]:
        ix, iy = round(cx), round(cy)
        box = plane[iy - 12 : iy + 13, ix - 12 : ix + 13] - 100.0
        if not np.isfinite(box).all() or (box == -100.0).any():
            continue
        total = box.sum()
        away.append(np.hypot((box * x).sum() / total + ix - cx, (box * y).sum() / total + iy - cy))
        light.append(total / (2000.0 * 2 * np.pi * SIGMA**2) * (scale_of(plate) / scale) ** 2)
    return float(np.max(away)), float(np.mean(light) - 1), float(np.std(light))


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    begin = time.process_time()
    result = work()
    return result, time.process_time() - begin


def works(image: Image, grid: SkyGrid) -> dict[str, Callable[[], np.ndarray]]:
    """Who does it, and how."""
    from reproject import reproject_adaptive, reproject_interp

    size = grid.height, grid.width
    source, target = WCS(dict(image.plate.cards)), WCS(dict(grid.plate.cards))
    given = (image.data[0], source), target

    def ours(kernel: str) -> np.ndarray:
        forward = map_to(image.plate, image.shape[1:], grid)
        return brought_onto(image, forward, size, plate=grid.plate, kernel=kernel).data[0]

    def interpolated(order: str) -> np.ndarray:
        return reproject_interp(*given, shape_out=size, order=order, return_footprint=False)

    return {
        "firstlight lanczos3": lambda: ours("lanczos3"),
        "firstlight bilinear": lambda: ours("bilinear"),
        "reproject interp bilinear": lambda: interpolated("bilinear"),
        "reproject interp bicubic": lambda: interpolated("bicubic"),
        "reproject adaptive": lambda: reproject_adaptive(
            *given, shape_out=size, return_footprint=False, boundary_mode="ignore"
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048)
    side = parser.parse_args().side
    grid = SkyGrid.around(150.0, 40.0, 1.1, (side, side), -20.0)
    warnings.simplefilter("ignore")
    print("| who | distortion | CPU s | place, px at most | light, mean | scatter |")
    print("|---|---|---|---|---|---|")
    for sip in (False, True):
        image, sky = scene(side, sip=sip)
        for who, work in works(image, grid).items():
            if "firstlight" in who:
                work()  # compiled, or taken from the cache
            plane, cpu = timed(work)
            place, mean, scatter = judge(plane, grid.plate, sky, 1.2)
            print(f"| {who} | {'SIP' if sip else 'none'} | {cpu:.2f} | {place:.4f} | {mean:+.2%} | {scatter:.2%} |")
    image, sky = scene(side, sip=False)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, "in.fits"), image)
        begin = time.perf_counter()
        made, _ = run_swarp([path], Path(folder, "out.fits"))
        wall = time.perf_counter() - begin
        there = read(made)
        place, mean, scatter = judge(there.data[0], there.plate, sky, 1.2)
        words = f"{place:.4f} | {mean:+.2%} | {scatter:.2%}"
        print(f"| SWarp lanczos3 (wall s, with files) | none | {wall:.2f} | {words} |")


if __name__ == "__main__":
    main()
