"""Plate solving: real images against known plates, simulated fields of real stars, lists that are no sky, and peers.

    python benchmarks/solve.py real                     images of the data folder (FIRSTLIGHT_DATA) with known plates
    python benchmarks/solve.py fields --n 500           star lists of random fields, 0.3 to 30 degrees wide
    python benchmarks/solve.py false --n 1000           the same with stars out of order: nothing may be solved
    python benchmarks/solve.py peers --n 20             the same lists given to solve-field and the package astrometry
    python benchmarks/solve.py rms --n 30               accuracy on fields with distortion

Star lists are drawn from the whole-sky catalogue of this machine: magnitudes scatter by 0.3, a tenth of the stars is
missing, 15 % are none, positions scatter by 0.3 px, a cubic distortion bends the corners by up to 10 px. Times are CPU
seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstlight.errors import FirstlightError
from firstlight.io import solvers
from firstlight.io.catalogs import whole_sky
from firstlight.model.catalog import Catalog, separation
from firstlight.model.meta import Meta
from firstlight.ops.align.plate_fit import PlateFit, on_tangent_plane
from firstlight.ops.align.plate_solve import SolvePlate, attempts_for, solve_stars
from firstlight.ops.align.plates import scale_of, sky_of
from firstlight.pipeline.solve import solve_files
from firstlight.pipeline.solve_sky import LocalSky

WIDTH, HEIGHT = 1500, 1000
MIDDLE = np.array([[(WIDTH - 1) / 2, (HEIGHT - 1) / 2]])
REAL = {
    "apod2": "widefield_solve/apod2.jpg",
    "apod3": "widefield_solve/apod3.jpg",
    "pifinder_01": "widefield_solve/pifinder_debug_01.png",
    "tetra_Alt40_Azi-45": "widefield_solve/2019-07-29T204726_Alt40_Azi-45_Try1.tiff",
    "ngc6819": "survey_wcs/NGC6819-DSS-r.fits.fz",
    "pocs_unsolved": "panoptes_dslr/unsolved.fits",
    "pocs_solvedfz": "panoptes_dslr/solved.fits.fz",
    "als": "m27_asi224mc_als/Light_1069.fits.fz",
    "hatp32": "hatp32_microobs/HATP-32171220013343.FITS.fz",
}
UNSOLVABLE = ("panoptes_dslr/pole.fits", "panoptes_dslr/rotation.fits", "sbig_stl1001_2017_crop512")


@dataclass(frozen=True)
class Drawn:
    ra: float
    dec: float
    width: float
    positions: np.ndarray
    real: int
    """Stars of the catalogue among them."""
    exact: np.ndarray
    """Where these would be without scatter, ..."""
    entries: np.ndarray
    """... and which of the catalogue they are."""

    @property
    def scale(self) -> float:
        return self.width * 3600 / WIDTH


def draw(
    sky: Catalog, vectors: np.ndarray, rng: np.random.Generator, low: float, high: float, bend: float = 10.0,
    scatter: float = 0.3,
) -> Drawn:  # fmt: skip
    """A field anywhere on the sky, turned and mirrored at random."""
    width = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    ra, dec = rng.uniform(0, 360), float(np.degrees(np.arcsin(rng.uniform(-1, 1))))
    centre = np.array([np.cos(np.radians(dec)) * np.cos(np.radians(ra)),
                       np.cos(np.radians(dec)) * np.sin(np.radians(ra)), np.sin(np.radians(dec))])  # fmt: skip
    near = np.flatnonzero(vectors @ centre > np.cos(np.radians(0.75 * width)))
    turn = rng.uniform(0, 2 * np.pi)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * [rng.choice([-1, 1]), 1]
    pixels = on_tangent_plane(vectors[near], ra, dec) @ matrix.T / width * WIDTH
    radius = np.hypot(WIDTH, HEIGHT) / 2
    pixels *= 1 + rng.uniform(-bend, bend) / radius * ((pixels**2).sum(axis=1) / radius**2)[:, None]
    pixels += MIDDLE
    inside = ((pixels > 0) & (pixels < [WIDTH - 1, HEIGHT - 1])).all(axis=1)
    pixels, mag = pixels[inside], sky.mag[near][inside]
    mag = mag + rng.normal(0, 0.3, len(mag))
    order = np.argsort(mag)[: int(rng.integers(25, 200))]
    order = order[rng.uniform(size=len(order)) > 0.1]
    exact, entries = pixels[order], near[inside][order]
    pixels, mag = exact + rng.normal(0, scatter, (len(order), 2)), mag[order]
    others = max(3, round(0.15 * len(order)))
    extra = rng.uniform(0, 1, (others, 2)) * [WIDTH, HEIGHT]
    mag = np.concatenate([mag, rng.choice(mag, others) if len(mag) else np.zeros(others)])
    return Drawn(ra, dec, width, np.vstack([pixels, extra])[np.argsort(mag, kind="stable")], len(order), exact, entries)


def solve(positions: np.ndarray, p: SolvePlate) -> tuple[PlateFit | None, float]:
    """The plate, or None, and CPU seconds."""
    begun = time.process_time()
    shape = (HEIGHT, WIDTH)
    try:
        errors = np.full(len(positions), 0.3)
        fit, *_ = solve_stars(positions, errors, shape, attempts_for(Meta(), None, shape, p), LocalSky(p.catalog), p)
    except FirstlightError:
        fit = None
    return fit, time.process_time() - begun


def fields(n: int, low: float, high: float, p: SolvePlate) -> dict[str, object]:
    sky = whole_sky()
    vectors = sky.vectors
    solve(draw(sky, vectors, np.random.default_rng(0), 5, 6).positions, p)
    rows = []
    for seed in range(n):
        drawn = draw(sky, vectors, np.random.default_rng([1, seed]), low, high)
        fit, cpu = solve(drawn.positions, p)
        off = np.nan if fit is None else separation(fit.ra, fit.dec, drawn.ra, drawn.dec) * 3600 / drawn.scale
        rows.append((drawn.width, drawn.real, fit is not None, off < 2, cpu, np.nan if fit is None else fit.rms))
    table = np.array(rows, float)
    report = {"fields": n, "solved": int(table[:, 2].sum()), "right": int(table[:, 3].sum())}
    report |= {"cpu_median": float(np.median(table[:, 4])), "cpu_max": float(table[:, 4].max())}
    enough = table[:, 1] >= 10
    report["with 10 catalogue stars or more"] = f"{int(table[enough, 3].sum())} of {int(enough.sum())}"
    for a, b in ((0.3, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.2), (1.2, 2), (2, 5), (5, 10), (10, 20), (20, 31)):
        chosen = (table[:, 0] >= a) & (table[:, 0] < b)
        if chosen.any():
            report[f"{a:g}-{b:g} deg"] = (
                f"{int(table[chosen, 3].sum())} of {int(chosen.sum())} right, {np.median(table[chosen, 1]):.0f} stars, "
                f"cpu {np.median(table[chosen, 4]):.3f} s"
            )
    return report


def false(n: int, low: float, high: float, p: SolvePlate) -> dict[str, object]:
    sky = whole_sky()
    vectors = sky.vectors
    solved, times = 0, []
    for seed in range(n):
        rng = np.random.default_rng([2, seed])
        positions = draw(sky, vectors, rng, low, high).positions
        if seed % 2:
            positions = np.column_stack([positions[:, 0], rng.permutation(positions[:, 1])])
        else:
            positions = rng.uniform(0, 1, (int(rng.integers(25, 200)), 2)) * [WIDTH, HEIGHT]
        fit, cpu = solve(positions, p)
        solved += fit is not None
        times.append(cpu)
        if seed % 25 == 24:
            print(f"{seed + 1} lists, {solved} solved, cpu {np.median(times):.2f} s", file=sys.stderr, flush=True)
    return {"lists": n, "solved": solved, "cpu_median": float(np.median(times)), "cpu_max": float(np.max(times))}


def peers(n: int, low: float, high: float, p: SolvePlate) -> dict[str, object]:
    """Wall seconds: the others are processes of their own."""
    sky = whole_sky()
    vectors = sky.vectors
    ways = {"firstlight": lambda positions, bounds: solve(positions, p)[0]}
    if solvers.SOLVE_FIELD.find():
        ways["solve-field"] = lambda positions, bounds: solvers.with_solve_field(
            positions, (HEIGHT, WIDTH), bounds, 60.0
        )
    ways["astrometry"] = lambda positions, bounds: solvers.with_astrometry(
        positions[:200], (HEIGHT, WIDTH), bounds, 60.0
    )
    free = {"smallest_scale": 0.1 * 3600 / WIDTH, "largest_scale": 60 * 3600 / WIDTH, "ra": None, "dec": None,
            "radius": 180.0, "flipped": None}  # fmt: skip
    solve(draw(sky, vectors, np.random.default_rng(0), 5, 6).positions, p)
    report: dict[str, object] = {}
    for name, way in ways.items():
        times, right = [], 0
        for seed in range(n):
            drawn = draw(sky, vectors, np.random.default_rng([3, seed]), low, high)
            begun = time.perf_counter()
            try:
                found = way(drawn.positions, free)
            except FirstlightError:
                found = None
            times.append(time.perf_counter() - begun)
            if found is not None:
                place = (found.ra, found.dec) if isinstance(found, PlateFit) else sky_of(found, MIDDLE)[0]
                right += separation(*place, drawn.ra, drawn.dec) * 3600 / drawn.scale < 5
        report[name] = f"{right} of {n} right, wall median {np.median(times):.2f} s, longest {np.max(times):.2f} s"
    return report


def rms(n: int, p: SolvePlate) -> dict[str, object]:
    """Rms of plate minus truth at the exact places of the stars; corners bent up to 25 px, centroids good to 0.1 px."""
    sky = whole_sky()
    vectors = sky.vectors
    found = []
    for seed in range(n):
        drawn = draw(sky, vectors, np.random.default_rng([4, seed]), 1.5, 10.0, 25.0, 0.1)
        fit, _ = solve(drawn.positions, p)
        if fit is not None:
            ra, dec = fit.sky(drawn.exact)
            east = ((ra - sky.ra[drawn.entries] + 180) % 360 - 180) * np.cos(np.radians(dec))
            off = np.hypot(east, dec - sky.dec[drawn.entries]) * 3600 / drawn.scale
            found.append((np.sqrt(np.mean(off**2) / 2), np.median(off), fit.order, drawn.real))
    table = np.array(found)
    return {"solved": len(found), "of": n, "rms of one axis, px: median": float(np.median(table[:, 0])),
            "90 %": float(np.percentile(table[:, 0], 90)), "worst": float(table[:, 0].max()),
            "of fields with 50 stars or more: median": float(np.median(table[table[:, 3] >= 50, 0])),
            "their worst": float(table[table[:, 3] >= 50, 0].max()),
            "median residual, px": float(np.median(table[:, 1])),
            "orders 1 to 5": np.bincount(table[:, 2].astype(int), minlength=6)[1:].tolist()}  # fmt: skip


def real() -> dict[str, object]:
    data = Path(os.environ.get("FIRSTLIGHT_DATA", "../shared/data"))
    report: dict[str, object] = {}
    for name, file in REAL.items():
        begun = time.process_time()
        (outcome,) = solve_files([data / file], SolvePlate(blind=True))
        cpu = time.process_time() - begun
        if outcome.solved is None:
            report[name] = f"not solved: {outcome.error}"
            continue
        height, width = outcome.shape
        here = np.array([[(width - 1) / 2, (height - 1) / 2], [0, 0], [width - 1, height - 1]])
        there = here.copy()
        if not file.endswith((".fz", ".fits")):  # rows of pictures lie the other way round in astrometry.net's plates
            there[:, 1] = height - 1 - there[:, 1]
        truth = sky_of(solvers_plate(data / "_truth" / "wcs" / f"{name}.wcs"), there)
        mine = sky_of(outcome.solved.plate, here)
        scale = scale_of(outcome.solved.plate, outcome.shape)
        size = separation(*mine[1], *mine[2]) / separation(*truth[1], *truth[2])
        fit = outcome.solved.fit
        report[name] = (
            f"centre {separation(*mine[0], *truth[0]) * 3600 / scale:.2f} px, scale {100 * (size - 1):+.3f} %, "
            f"rms {fit.rms if fit else np.nan:.3f} px, {len(fit.stars) if fit else 0} stars, cpu {cpu:.2f} s"
        )
    for place in UNSOLVABLE:
        if (data / place).exists():
            files = sorted((data / place).rglob("*.f*"))[::8] if (data / place).is_dir() else [data / place]
            outcomes = solve_files(files, SolvePlate(blind=True))
            solved = [f"{o.path.name} at {o.solved.fit.ra:.3f}" for o in outcomes if o.solved and o.solved.fit]
            report[place] = f"{len(solved)} of {len(outcomes)} solved {' '.join(solved)}"
    return report


def solvers_plate(path: Path):  # type: ignore[no-untyped-def]
    from firstlight.model.plate import Plate

    return Plate(solvers.cards_of_file(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["real", "fields", "false", "peers", "rms"])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--low", type=float, default=0.3, help="narrowest field, degrees")
    parser.add_argument("--high", type=float, default=30.0)
    parser.add_argument("--catalog", default="auto")
    given = parser.parse_args()
    p = SolvePlate(catalog=given.catalog)
    if given.what == "real":
        report = real()
    elif given.what == "rms":
        report = rms(given.n, p)
    else:
        report = globals()[given.what](given.n, given.low, given.high, p)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
