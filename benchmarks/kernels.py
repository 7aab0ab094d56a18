"""Single kernels beside NumPy, SciPy and SEP: the same arrays, one thread, best of some repetitions.

For each of ours also how far it is from what the machine can do at all. The bound is the slower of two: moving its
bytes as fast as a plain copy moves them, and doing its floating-point operations as fast as a long polynomial does
them in the first cache; both are measured in the same run. And how much faster two threads are than one.
"""

from __future__ import annotations

import argparse
import importlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import sep
from scipy import ndimage

import drizzling
import measure
from firstlight.kernels.calibrate import calibrate_uint16
from firstlight.kernels.surroundings import separable_median
from firstlight.model.registration import Transform
from firstlight.ops.align.resample import resample_tile, source_window
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
    of_bound: float | None = None
    """Share of the speed that the machine allows."""
    bound: str = ""
    """What that is made of."""
    threads: float | None = None
    """Speed of two threads over that of one."""


@dataclass(frozen=True)
class Job:
    """The same work done by several; the first is firstlight."""

    name: str
    pixels: float
    ways: dict[str, Callable[[], Any]]
    agree: Callable[[Any, Any], bool]
    """Whether the result of another is that of the first, as far as it should be."""
    cost: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Of some ways: bytes that must move and floating-point operations, per pixel."""


@dataclass(frozen=True)
class Limits:
    """What one core of the machine does."""

    bytes_per_s: float
    """Read and written by a copy of arrays much larger than the caches."""
    operations_per_s: float
    """float32, a multiplication with an addition counting as two."""

    @classmethod
    def measured(cls) -> Limits:
        big = np.ones(48 << 20 >> 2, np.float32)
        other = np.empty_like(big)
        small = np.linspace(0, 1, 2048, dtype=np.float32)
        times = 2000
        _polynomials(small, 1)
        copying, _ = seconds(lambda: np.copyto(other, big), 15)
        working, _ = seconds(lambda: _polynomials(small, times), 15)
        return cls(2 * big.nbytes / copying, 32 * times * small.size / working)

    def bound(self, moved: float, operations: float) -> tuple[float, str]:
        """Pixels in a second that cannot be surpassed, and why."""
        by_bytes, by_work = self.bytes_per_s / moved, self.operations_per_s / max(operations, 1e-9)
        why = f"{moved:g} B, {operations:g} operations per pixel: {'memory' if by_bytes < by_work else 'arithmetic'}"
        return min(by_bytes, by_work), why


@numba.njit(fastmath={"contract"}, error_model="numpy")
def _polynomials(x: np.ndarray, times: int) -> float:
    """Polynomials of degree 16, two chains a pixel."""
    total = np.float32(0)
    y = np.empty_like(x)
    a, b = np.float32(0.3), np.float32(0.7)
    for k in range(times):
        for i in range(x.shape[0]):
            p = q = x[i]
            p = a + p * (b + p * (a + p * (b + p * (a + p * (b + p * (a + p * (b + p)))))))
            q = b + q * (a + q * (b + q * (a + q * (b + q * (a + q * (b + q * (a - q)))))))
            y[i] = p - q
        total += y[k % x.shape[0]]
    return total


class Own:
    """An array for each thread, made once: new memory costs as much as some kernels do."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape, self._arrays = shape, dict[int, np.ndarray]()

    def __call__(self) -> np.ndarray:
        key = threading.get_ident()
        if key not in self._arrays:
            self._arrays[key] = np.zeros(self._shape, np.float32)
        return self._arrays[key]


def jobs(plane: np.ndarray) -> Iterator[Job]:
    rng = np.random.default_rng(1)
    yield calibration(rng)
    yield from resampling(plane)
    yield from combination(rng)
    yield surroundings(plane)
    corner = plane[:2048, :2048].copy()
    yield from (Job(name, corner.size, ways, mostly_close) for name, ways in drizzling.jobs(corner))
    if (job := detection(plane)) is not None:
        yield job


def calibration(rng: np.random.Generator) -> Job:
    """Big-endian unsigned numbers, as FITS stores them, to (raw - dark) / flat."""
    shape = (2822, 4144)
    numbers = rng.integers(500, 40000, shape, dtype=np.uint16)
    stored = (numbers ^ np.uint16(0x8000)).view(np.int16).astype(">i2")
    dark = rng.normal(500, 2, shape).astype(np.float32)
    gain = (1.0 / rng.normal(1, 0.01, shape)).astype(np.float32)
    own = Own(shape)

    coding = (True, np.uint16(0x8000), np.float32(1.0), np.float32(0.0))
    white = np.float32(65535)

    def ours() -> np.ndarray:
        out, few = own(), np.empty(16, np.int64)
        calibrate_uint16(stored.view(np.uint16), *coding, white, dark, True, gain, True, out, few, few)
        return out

    def numpy() -> np.ndarray:
        data = stored.astype(np.float32)
        data += np.float32(32768.0)
        data -= dark
        data *= gain
        return data

    ways = {"firstlight": ours, "numpy": numpy}
    return Job("calibrate", numbers.size, ways, close(1e-5), {"firstlight": (14.0, 3.0)})


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
    # Per pass and pair of samples: 2 fused operations with fixed weights, 4 with linear, 11 with polynomials; 11 to
    # clamp. Any
    # map: 8 lanes of 6 rows fused, their weights, the fold, the lowest of 16, 24 for the position.
    operations = {
        "resample by a shift": (2 * (12 + 11), 2 * 4),
        "resample, 0.2 degrees": (24 + 66 + 2 * 11, 8 + 22),
        "resample, 30 degrees": (96 + 32 + 15 + 14 + 24, 32 + 32 + 15 + 24),
    }
    own = Own(plane.shape)
    for name, forward in cases.items():
        inverse = forward.inverse.matrix
        matrix, offset = inverse[:2, :2][::-1, ::-1], inverse[:2, 2][::-1]

        def ours(kernel: str, forward: Transform = forward) -> np.ndarray:
            out = own()
            for top in range(0, plane.shape[0], 64):
                bottom = min(top + 64, plane.shape[0])
                low, high, _, _ = source_window(forward, (top, bottom, 0, plane.shape[1]), plane.shape, 3)
                resample_tile(
                    plane[low:high], low, plane.shape, forward, out[top:bottom], top, 0, kernel=kernel, clamp=20.0,
                    photons=1.0,
                )  # fmt: skip
            return out

        def scipy(order: int, matrix: np.ndarray = matrix, offset: np.ndarray = offset) -> np.ndarray:
            return ndimage.affine_transform(plane, matrix, offset, order=order, cval=np.nan, prefilter=order > 1)

        ways = {
            "firstlight, lanczos3": lambda ours=ours: ours("lanczos3"),
            "firstlight, bilinear": lambda ours=ours: ours("bilinear"),
            "scipy, cubic spline": lambda scipy=scipy: scipy(3),
            "scipy, bilinear": lambda scipy=scipy: scipy(1),
        }
        kernels = ("firstlight, lanczos3", "firstlight, bilinear")
        cost = {who: (8.0, float(work)) for who, work in zip(kernels, operations[name])}
        yield Job(name, plane.size, ways, alike, cost)


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


def surroundings(plane: np.ndarray) -> Job:
    """Median of five columns, then of five rows."""
    own = Own(plane.shape)

    def ours() -> np.ndarray:
        out = own()
        separable_median(plane, 1, out)
        return out

    def scipy() -> np.ndarray:
        return ndimage.median_filter(ndimage.median_filter(plane, (1, 5)), (5, 1))

    inner = np.s_[4:-4, 4:-4]
    return Job(
        "median of surroundings", plane.size, {"firstlight": ours, "scipy": scipy},
        lambda first, other: bool(np.array_equal(first[inner], other[inner])), {"firstlight": (8.0, 28.0)},
    )  # fmt: skip


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
    # Of the search alone: read once and a third once more; per pixel 4 for the background, 2 for each pair of taps
    # along and across, 2 to look for peaks. The fits (some 20 to 50 us a star) come on top.
    cost = {"firstlight": (4.0 * 4 / 3, (4 + 2 * 11 + 2) * 4 / 3)}
    return Job("find and measure stars", plane.size, ways, lambda ours, other: 0.5 < len(ours) / len(other) < 2.0, cost)


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


def scaling(work: Callable[[], Any], repetitions: int) -> float:
    """Speed of two threads over that of one, by the clock: best of some repetitions of each."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: work(), range(4)))
        one, two = [], []
        for _ in range(repetitions):
            for spent, n in ((one, 1), (two, 2)):
                start = time.perf_counter()
                for future in [pool.submit(work) for _ in range(n)]:
                    future.result()
                spent.append(time.perf_counter() - start)
    return 2.0 * min(one) / min(two)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--only", default="", help="only jobs with this in their name")
    arguments = parser.parse_args()
    rows: list[Row] = []
    limits = Limits.measured()
    print(f"one core: copy {limits.bytes_per_s / 1e9:.1f} GB/s, {limits.operations_per_s / 1e9:.0f} operations/ns\n")
    print("| job | who | Mpx/s | times | share of the bound | two threads |\n|---|---|---|---|---|---|")
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
            row = Row(job.name, who, job.pixels / spent / 1e6, first / spent)
            if who in job.cost:
                most, why = limits.bound(*job.cost[who])
                row = replace(row, of_bound=row.mpx_per_s * 1e6 / most, bound=why)
            if who.startswith("firstlight"):
                row = replace(row, threads=scaling(work, arguments.repetitions))
            rows.append(row)
            share = f"{100 * row.of_bound:.0f} % ({row.bound})" if row.of_bound else ""
            threads = f"{row.threads:.2f}" if row.threads else ""
            print(f"| {job.name} | {who} | {row.mpx_per_s:.1f} | {row.times:.3f} | {share} | {threads} |", flush=True)
    if not arguments.only:
        RESULTS.mkdir(exist_ok=True)
        report = {"machine": measure.machine(), "limits": asdict(limits), "rows": [asdict(row) for row in rows]}
        (RESULTS / "kernels.json").write_text(json.dumps(report, indent=1) + "\n")


def frame() -> np.ndarray:
    """One simulated light of 11.7 Mpx, float32."""
    night = preset("bench")
    night = night.model_copy(update={"camera": Camera(**{**night.camera.model_dump(), "hot_fraction": 0.0})})
    scene = Scene(night)
    return scene.expose(next(f for f in scene.frames if f.kind == "light")).astype(np.float32)


if __name__ == "__main__":
    main()
