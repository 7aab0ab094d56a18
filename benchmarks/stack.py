"""`firstlight stack` beside Siril and ccdproc: the same registered frames, reading and normalisation included."""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import measure
import siril_job
from firstlight.io.fits_writer import Unit, write_units

HERE = Path(__file__).resolve().parent
PROGRAM = Path(sys.executable).with_name("firstlight")
SIRIL = {
    "winsorized": "rej winsorized 3 3 -norm=addscale",
    "sigma": "rej sigma 3 3 -norm=addscale",
    "median": "med -norm=addscale",
    "linear": "rej linear 5 5 -norm=addscale",
    "esd": "rej generalized 0.3 0.05 -norm=addscale",
}
"""Siril's words for each method; generalized ESD is firstlight's ``esd``."""
CCDPROC = """
import sys
import numpy as np
from ccdproc import combine
method, output, *files = sys.argv[1:]
clip = dict(sigma_clip=True, sigma_clip_low_thresh=3, sigma_clip_high_thresh=3, sigma_clip_func=np.ma.median)
stack = combine(files, unit="adu", method="average" if method == "sigma" else "median",
                **(clip if method == "sigma" else {}))
stack.write(output, overwrite=True)
"""
LEVEL, FULL = 500.0, 65535.0
"""Background in adu, and what Siril takes for 1."""


@dataclass(frozen=True)
class Row:
    who: str
    method: str
    frames: int
    side: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    rate: float
    """Million pixels times frames in a CPU second."""


def make_frames(folder: Path, n: int, side: int) -> list[Path]:
    """Registered float32 frames in 0..1: stars, sky that changes, light that fades, cosmic rays, trails."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"r_{i + 1:05d}.fit" for i in range(n)]
    if all(path.exists() for path in paths):
        return paths
    rng = np.random.default_rng(side)
    scene = np.zeros((side, side), np.float32)
    grid = np.arange(-12, 13)
    for _ in range(350 * side * side // 2**20):
        x, y = rng.uniform(14, side - 15, 2)
        profile = np.exp(-((grid[None] - x % 1) ** 2 + (grid[:, None] - y % 1) ** 2) / 4.5)
        scene[int(y) - 12 : int(y) + 13, int(x) - 12 : int(x) + 13] += 10 ** rng.uniform(2.5, 5) / 14.1 * profile
    for i, path in enumerate(paths):
        frame = scene * (1 - 0.1 * i / n) + LEVEL * (1 + 0.2 * i / n)
        frame += rng.standard_normal(frame.shape, np.float32) * np.sqrt(frame)
        frame.reshape(-1)[rng.integers(0, frame.size, frame.size // 20000)] += 3000
        if i % 10 == 5:
            frame[np.arange(side), (np.arange(side) * 0.7 + 31 * i).astype(int) % side] += 400
        cards = [("OBJECT", "Bench", ""), ("EXPTIME", 60.0, ""), ("EGAIN", FULL, "[e-/adu]")]
        write_units(path, [Unit(cards, frame.astype(np.float32) / np.float32(FULL))], checksum=False)
    return paths


def ours(paths: list[Path], work: Path, method: str, threads: int, options: tuple[str, ...] = ()) -> measure.Cost:
    argv = [str(PROGRAM), "stack", str(paths[0].parent), "-o", str(work / "ours.fits"), "-q", "--stack-method", method]
    return measure.run([*argv, "--threads", str(threads), *options], cwd=work, log=work / "ours.log")


def siril(paths: list[Path], work: Path, method: str, threads: int) -> measure.Cost:
    home = work / "home"
    home.mkdir(exist_ok=True)
    script = work / "stack.ssf"
    lines = ("requires 1.0.0", "setext fit", f"setcpu {threads}", f"cd {paths[0].parent}",
             f"stack r_ {SIRIL[method]} -out={work / 'siril'}", "close")  # fmt: skip
    script.write_text("\n".join(lines) + "\n")
    env = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home), "LC_ALL": "C"}
    cost = measure.run([siril_job.PROGRAM, "-s", str(script)], cwd=work, log=work / "siril.log", env=env)
    if not any(work.glob("siril.fit*")):
        raise RuntimeError(f"Siril made no stack; see {work / 'siril.log'}")
    return cost


def ccdproc(paths: list[Path], work: Path, method: str) -> measure.Cost:
    argv = [sys.executable, "-c", CCDPROC, method, str(work / "ccdproc.fits"), *map(str, paths)]
    return measure.run(argv, cwd=work, log=work / "ccdproc.log", env={"OMP_NUM_THREADS": "1"})


def row(who: str, method: str, paths: list[Path], side: int, costs: list[measure.Cost]) -> Row:
    """The run of least CPU time: what others do on the machine only adds."""
    best = min(costs, key=lambda cost: cost.cpu_s)
    rate = len(paths) * side * side / 1e6 / best.cpu_s
    return Row(who, method, len(paths), side, best.cpu_s, best.wall_s, best.peak_mb, rate)


def rows(work: Path, numbers: list[int], side: int, methods: list[str], threads: int, repeat: int) -> Iterator[Row]:
    with_siril, with_ccdproc = siril_job.version(), importlib.util.find_spec("ccdproc")
    for n in numbers:
        folder = work / f"{n}x{side}"
        paths = make_frames(folder, n, side)
        measure.drop_into_cache(folder)
        ours(paths, work, methods[0], threads)
        for method in methods:
            yield row("firstlight", method, paths, side, [ours(paths, work, method, threads) for _ in range(repeat)])
            if with_siril:
                yield row("Siril", method, paths, side, [siril(paths, work, method, threads) for _ in range(repeat)])
            if with_ccdproc and method in ("sigma", "median"):
                yield row("ccdproc", method, paths, side, [ccdproc(paths, work, method)])
        shutil.rmtree(folder)


def linear(work: Path, numbers: list[int], side: int, threads: int, budget: int, repeat: int) -> Iterator[Row]:
    """The same frames, more and more of them, within one budget of memory."""
    for n in numbers:
        folder = work / f"{n}x{side}"
        paths = make_frames(folder, n, side)
        measure.drop_into_cache(folder)
        options = ("--memory", str(budget))
        costs = [ours(paths, work, "winsorized", threads, options) for _ in range(repeat)]
        yield row(f"firstlight, {budget} MB", "winsorized", paths, side, costs)
        shutil.rmtree(folder)


def table(found: list[Row]) -> str:
    """Markdown; the last column is the rate over that of Siril (or of the first row) for the same frames."""
    lines = ["| frames | method | who | CPU s | wall s | peak MB | Mpx.frames per CPU s | firstlight is faster by |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for each in found:
        mine = [r for r in found if r.who == "firstlight" and (r.frames, r.side, r.method) ==
                (each.frames, each.side, each.method)]  # fmt: skip
        times = f"{mine[0].rate / each.rate:.1f}" if mine and each is not mine[0] else ""
        lines.append(
            f"| {each.frames} x {each.side}^2 | {each.method} | {each.who} | {each.cpu_s:.2f} | {each.wall_s:.2f} | "
            f"{each.peak_mb:.0f} | {each.rate:.0f} | {times} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048, help="px, of the frames")
    parser.add_argument("--numbers", type=int, nargs="+", default=[10, 60], help="frames of a stack")
    parser.add_argument("--methods", nargs="+", default=["winsorized", "sigma", "median"], choices=list(SIRIL))
    parser.add_argument("--linear", type=int, nargs="*", default=[10, 40, 160, 640], help="frames, for linearity")
    parser.add_argument("--linear-side", type=int, default=1024)
    parser.add_argument("--budget", type=int, default=600, help="MB, for linearity")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--work", type=Path, default=HERE / "work" / "stack")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    found = []
    for each in rows(args.work, args.numbers, args.side, args.methods, args.threads, args.repeat):
        found.append(each)
        print(f"{each.who:12s} {each.method:10s} {each.frames:4d}: {each.cpu_s:.2f} CPU s, {each.rate:.0f}", flush=True)
    found += linear(args.work, args.linear, args.linear_side, args.threads, args.budget, args.repeat)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    content = {"machine": measure.machine(), "siril": siril_job.version(), "rows": [asdict(r) for r in found]}
    (results / "stack.json").write_text(json.dumps(content, indent=1) + "\n")
    (results / "stack.md").write_text(table(found) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
