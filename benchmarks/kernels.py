"""Single kernels beside NumPy, SciPy and SEP: the same arrays, one thread, best of some repetitions."""

from __future__ import annotations

import argparse
import importlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sep
from scipy import ndimage

import measure
from firstlight.kernels.calibrate import correct, decode_uint16
from firstlight.model.registration import Transform
from firstlight.ops.align.resample import resample_tile
from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube
from firstlight.simulate.night import Scene
from firstlight.simulate.settings import Camera, preset

RESULTS = Path(__file__).resolve().parent / "results"
FRAMES = 60
STRIP = 1 << 17
"""Pixels of the cubes that are combined: 60 frames of them are 31 MB, as in a band of a run."""


@dataclass(frozen=True)
class Row:
    job: str
    who: str
    mpx_per_s: float
    """Million pixels (times frames, where there are several) in a second."""
    times: float
    """Speed over that of the first row of the job."""


@dataclass(frozen=True)
class Job:
    """The same work done by several; the first is firstlight."""

    name: str
    pixels: float
    ways: dict[str, Callable[[], Any]]
    agree: Callable[[Any, Any], bool]
    """Whether the result of another is that of the first, as far as it should be."""


def jobs(plane: np.ndarray) -> Iterator[Job]:
    rng = np.random.default_rng(1)
    yield calibration(rng)
    yield from resampling(plane)
    yield from combination(rng)
    if (job := detection(plane)) is not None:
        yield job


def calibration(rng: np.random.Generator) -> Job:
    """Big-endian unsigned numbers, as FITS stores them, to (raw - dark) / flat."""
    shape = (2822, 4144)
    numbers = rng.integers(500, 40000, shape, dtype=np.uint16)
    stored = (numbers ^ np.uint16(0x8000)).view(np.int16).astype(">i2")
    dark = rng.normal(500, 2, shape).astype(np.float32)
    gain = (1.0 / rng.normal(1, 0.01, shape)).astype(np.float32)
    out = np.empty(shape, np.float32)

    def ours() -> np.ndarray:
        raw = stored.view(np.uint16)
        # In bands that stay in the cache, as the pipeline does it.
        for y in range(0, shape[0], 32):
            band = slice(y, y + 32)
            decode_uint16(raw[band], True, np.uint16(0x8000), np.float32(1.0), np.float32(0.0), out[band])
            correct(out[band], dark[band], True, gain[band], True, out[band])
        return out

    def numpy() -> np.ndarray:
        data = stored.astype(np.float32)
        data += np.float32(32768.0)
        data -= dark
        data *= gain
        return data

    return Job("calibrate", numbers.size, {"firstlight": ours, "numpy": numpy}, close(1e-5))


def resampling(plane: np.ndarray) -> Iterator[Job]:
    angle = np.radians(0.2)
    turned = np.array([[np.cos(angle), -np.sin(angle), 3.3], [np.sin(angle), np.cos(angle), -7.6], [0, 0, 1]])
    steep = np.radians(30.0)
    rotated = np.array([[np.cos(steep), -np.sin(steep), 700.0], [np.sin(steep), np.cos(steep), -500.0], [0, 0, 1]])
    cases = {
        "resample by a shift": Transform.of_shift(3.3, -7.6),
        "resample, 0.2 degrees": Transform(turned),
        "resample, 30 degrees": Transform(rotated),
    }
    for name, forward in cases.items():
        inverse = forward.inverse.matrix
        matrix, offset = inverse[:2, :2][::-1, ::-1], inverse[:2, 2][::-1]

        def ours(kernel: str, forward: Transform = forward) -> np.ndarray:
            out = np.empty_like(plane)
            for top in range(0, plane.shape[0], 64):
                # All rows are offered; the kernel is given those it needs.
                bottom = min(top + 64, plane.shape[0])
                low, high = rows_seen(forward, top, bottom, plane.shape)
                resample_tile(plane[low:high], low, plane.shape, forward, out[top:bottom], top, 0, kernel=kernel)
            return out

        def scipy(order: int, matrix: np.ndarray = matrix, offset: np.ndarray = offset) -> np.ndarray:
            return ndimage.affine_transform(plane, matrix, offset, order=order, cval=np.nan, prefilter=order > 1)

        ways = {
            "firstlight, lanczos3": lambda ours=ours: ours("lanczos3"),
            "firstlight, bilinear": lambda ours=ours: ours("bilinear"),
            "scipy, cubic spline": lambda scipy=scipy: scipy(3),
            "scipy, bilinear": lambda scipy=scipy: scipy(1),
        }
        yield Job(name, plane.size, ways, alike)


def rows_seen(forward: Transform, top: int, bottom: int, shape: tuple[int, int]) -> tuple[int, int]:
    corners = np.array([[x, y] for x in (0, shape[1] - 1) for y in (top, bottom - 1)], float)
    rows = forward.inverse(corners)[:, 1]
    low = int(np.clip(np.floor(rows.min()) - 4, 0, shape[0] - 1))
    return low, int(np.clip(np.ceil(rows.max()) + 5, low + 1, shape[0]))


def combination(rng: np.random.Generator) -> Iterator[Job]:
    cube = rng.normal(1000, 20, (FRAMES, STRIP)).astype(np.float32)
    cube[rng.random(cube.shape) < 0.01] += 500
    terms = FrameTerms.equal(FRAMES)

    def ours(method: str) -> Callable[[], np.ndarray]:
        settings = Combine(method=method)
        return lambda: combine_cube(cube, settings, terms).mean

    peers: dict[str, dict[str, Callable[[], np.ndarray]]] = {
        "mean": {"numpy": lambda: cube.mean(axis=0)},
        "median": {"numpy": lambda: np.median(cube, axis=0)},
        "sigma": {"numpy, vectorised": lambda: numpy_sigma(cube)},
        "winsorized": {"numpy, vectorised": lambda: numpy_winsorized(cube)},
    }
    for method, ways in peers.items():
        yield Job(f"combine 60, {method}", cube.size, {"firstlight": ours(method), **ways}, mostly_close)


def numpy_sigma(cube: np.ndarray) -> np.ndarray:
    """Clip at 3 sigma about the median until nothing changes, the usual array way."""
    work = np.ma.masked_invalid(cube).filled(np.nan)
    for _ in range(10):
        middle = np.nanmedian(work, axis=0)
        limit = 3.0 * np.nanstd(work, axis=0, ddof=1)
        out = np.abs(work - middle) > limit
        if not out.any():
            break
        work[out] = np.nan
    return np.nanmean(work, axis=0)


def numpy_winsorized(cube: np.ndarray) -> np.ndarray:
    """The same with Huber's clamped scale."""
    work = cube.copy()
    for _ in range(10):
        middle = np.nanmedian(work, axis=0)
        scale = np.nanstd(work, axis=0, ddof=1)
        for _ in range(10):
            clamped = np.clip(work, middle - 1.5 * scale, middle + 1.5 * scale)
            new = 1.134 * np.nanstd(clamped, axis=0, ddof=1)
            done = np.all(np.abs(new - scale) <= 5e-4 * scale)
            scale = new
            if done:
                break
        out = np.abs(work - middle) > 3.0 * scale
        if not out.any():
            break
        work[out] = np.nan
    return np.nanmean(work, axis=0)


def detection(plane: np.ndarray) -> Job | None:
    """Background, detection and measurement of the stars of a frame."""
    try:
        stars = importlib.import_module("firstlight.ops.inspect.stars")
    except ModuleNotFoundError:
        return None
    settings = stars.FindStars()

    def with_sep() -> Any:
        background = sep.Background(plane)
        return sep.extract(plane - background.back(), 5.0, err=background.globalrms)

    def ours() -> Any:
        return stars.find_stars(plane, settings)[0]

    # SEP also finds what is not a star; both see the same bright ones.
    ways = {"firstlight": ours, "sep": with_sep}
    return Job("find and measure stars", plane.size, ways, lambda ours, other: 0.5 < len(ours) / len(other) < 2.0)


def close(tolerance: float) -> Callable[[np.ndarray, np.ndarray], bool]:
    return lambda first, other: bool(np.allclose(first, other, rtol=tolerance, atol=tolerance * 100))


def alike(first: np.ndarray, other: np.ndarray) -> bool:
    """Two interpolations of the same scene: bright pixels equal within 10 %, no shift between them."""
    both = np.isfinite(first) & np.isfinite(other)
    a, b = first[both] - np.median(first[both]), other[both] - np.median(other[both])
    return bool(np.corrcoef(a, b)[0, 1] > 0.97)


def mostly_close(first: np.ndarray, other: np.ndarray) -> bool:
    """Equal but for a few pixels where a sample lies on the limit."""
    return bool(np.mean(np.abs(first - other) < 0.02) > 0.99)


def seconds(work: Callable[[], Any], repetitions: int) -> tuple[float, Any]:
    """Best CPU time of some repetitions after a first one that compiles, and the result."""
    result = work()
    spent = []
    for _ in range(repetitions):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
        if sum(spent) > 20.0:
            break
    return min(spent), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--only", default="", help="only jobs with this in their name")
    arguments = parser.parse_args()
    rows: list[Row] = []
    print("| job | who | Mpx/s | times |\n|---|---|---|---|")
    for job in jobs(frame()):
        if arguments.only not in job.name:
            continue
        first, reference = 0.0, None
        for who, work in job.ways.items():
            spent, result = seconds(work, arguments.repetitions)
            if reference is None:
                first, reference = spent, result
            elif not job.agree(reference, result):
                raise SystemExit(
                    f"{job.name}: {who} does not agree with {next(iter(job.ways))}; the times mean nothing"
                )
            rows.append(Row(job.name, who, job.pixels / spent / 1e6, first / spent))
            print(f"| {job.name} | {who} | {rows[-1].mpx_per_s:.1f} | {rows[-1].times:.3f} |", flush=True)
    if not arguments.only:
        RESULTS.mkdir(exist_ok=True)
        report = {"machine": measure.machine(), "rows": [asdict(row) for row in rows]}
        (RESULTS / "kernels.json").write_text(json.dumps(report, indent=1) + "\n")


def frame() -> np.ndarray:
    """One simulated light of 11.7 Mpx, float32."""
    night = preset("bench")
    night = night.model_copy(update={"camera": Camera(**{**night.camera.model_dump(), "hot_fraction": 0.0})})
    scene = Scene(night)
    return scene.expose(next(f for f in scene.frames if f.kind == "light")).astype(np.float32)


if __name__ == "__main__":
    main()
