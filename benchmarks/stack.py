"""`firstlight stack` beside Siril and ccdproc: the same registered frames, reading and normalisation included.

And masters; more and more frames within one budget of memory; frames that must be decoded.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import measure
import siril_job
from firstlight.io.cards import Card
from firstlight.io.fits_writer import Unit, write_raw_fits, write_units
from firstlight.io.places import cache_folder

HERE = Path(__file__).resolve().parent
PROGRAM = Path(os.environ.get("FIRSTLIGHT", Path(sys.executable).with_name("firstlight")))
SIRIL = {
    "mean": "mean none -norm=addscale",
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
stack = combine(files, unit="adu", method="median" if method == "median" else "average",
                **(clip if method == "sigma" else {}))
stack.write(output, overwrite=True)
"""
LEVEL, FULL = 500.0, 65535.0
"""Background in adu, and what Siril takes for 1."""


SETS = ((10, 2048, 2048), (60, 2048, 2048), (60, 4144, 2822))
"""Frames, width and height; the last is the set of `siril.py`."""
MASTERS = {
    "Bias": ("Bias Frame", 30, 0.0, 500),
    "Darks": ("Dark Frame", 30, 60.0, 520),
    "Flats": ("Flat Field", 20, 1.0, 20000),
}
"""Folder: IMAGETYP, frames, seconds, level."""
FEW_FILES = ("bash", "-c", 'ulimit -n 64; exec "$@"', "few-files")
"""Runs what follows with room for 64 open files."""


@dataclass(frozen=True)
class Row:
    what: str
    """The table it belongs to."""
    who: str
    method: str
    frames: int
    width: int
    height: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    own_mb: float
    """The same without mapped files."""
    rate: float
    """Million pixels times frames in a CPU second."""


def frames_of(n: int, width: int, height: int) -> Iterator[np.ndarray]:
    """Registered float32 frames, adu: stars, sky that changes, light that fades, cosmic rays, trails."""
    rng = np.random.default_rng(width)
    scene = np.zeros((height, width), np.float32)
    grid = np.arange(-12, 13)
    for _ in range(350 * width * height // 2**20):
        x, y = rng.uniform(14, width - 15), rng.uniform(14, height - 15)
        profile = np.exp(-((grid[None] - x % 1) ** 2 + (grid[:, None] - y % 1) ** 2) / 4.5)
        scene[int(y) - 12 : int(y) + 13, int(x) - 12 : int(x) + 13] += 10 ** rng.uniform(2.5, 5) / 14.1 * profile
    for i in range(n):
        frame = scene * (1 - 0.1 * i / n) + LEVEL * (1 + 0.2 * i / n)
        frame += rng.standard_normal(frame.shape, np.float32) * np.sqrt(frame)
        frame.reshape(-1)[rng.integers(0, frame.size, frame.size // 20000)] += 3000
        if i % 10 == 5:
            frame[np.arange(height), (np.arange(height) * 0.7 + 31 * i).astype(int) % width] += 400
        yield frame.astype(np.float32)


def make_frames(folder: Path, n: int, width: int, height: int) -> list[Path]:
    """Float32 frames in 0..1, as Siril leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"r_{i + 1:05d}.fit" for i in range(n)]
    if not all(path.exists() for path in paths):
        cards = [("OBJECT", "Bench", ""), ("EXPTIME", 60.0, ""), ("EGAIN", 1.0, "[e-/adu]")]
        for path, frame in zip(paths, frames_of(n, width, height)):
            write_units(path, [Unit(cards, frame / np.float32(FULL))], checksum=False)
    measure.drop_into_cache(folder)
    return paths


def ours(
    paths: list[Path], work: Path, method: str, threads: int, options: tuple[str, ...] = (), under: tuple[str, ...] = ()
) -> measure.Cost:
    argv = [
        str(PROGRAM),
        "stack",
        str(paths[0].parent),
        "-o",
        str(work / "ours.fits"),
        "-q",
        "--overwrite",
        "--stack-method",
        method,
    ]
    return measure.run([*under, *argv, "--threads", str(threads), *options], cwd=work, log=work / "ours.log")


def unread(paths: list[Path], work: Path, method: str, threads: int) -> measure.Cost:
    """The same of files that no run has read yet: their hashes are not remembered."""
    (cache_folder() / "hashes.txt").unlink(missing_ok=True)
    return ours(paths, work, method, threads)


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


def row(what: str, who: str, method: str, case: tuple[int, int, int], costs: list[measure.Cost]) -> Row:
    """The run of least CPU time: what others do on the machine only adds."""
    best = min(costs, key=lambda cost: cost.cpu_s)
    n, width, height = case
    rate = n * width * height / 1e6 / best.cpu_s
    return Row(what, who, method, *case, best.cpu_s, best.wall_s, best.peak_mb, best.peak_own_mb, rate)


def rows(work: Path, sets: list[tuple[int, int, int]], methods: list[str], threads: int, repeat: int) -> Iterator[Row]:
    with_siril, with_ccdproc = siril_job.version(), importlib.util.find_spec("ccdproc")
    for case in sets:
        folder = work / "x".join(map(str, case))
        paths = make_frames(folder, *case)
        ours(paths, work, methods[0], threads)
        for method in methods:
            costs = [ours(paths, work, method, threads) for _ in range(repeat)]
            yield row("stack", "firstlight", method, case, costs)
            yield row("new files", "firstlight", method, case, [unread(paths, work, method, threads)])
            if with_siril:
                yield row("stack", "Siril", method, case, [siril(paths, work, method, threads) for _ in range(repeat)])
            if with_ccdproc and method in ("mean", "sigma", "median") and case[0] * case[1] * case[2] < 300e6:
                yield row("stack", "ccdproc", method, case, [ccdproc(paths, work, method)])
        shutil.rmtree(folder)


def masters(work: Path, width: int, height: int, threads: int, repeat: int) -> Iterator[Row]:
    """Master bias, dark and flat from raw frames: `firstlight process` of a folder without lights."""
    night = work / "masters"
    shutil.rmtree(night, ignore_errors=True)
    rng = np.random.default_rng(1)
    fixed = rng.normal(0, 3, (height, width)).astype(np.float32)
    for folder, (kind, n, seconds, level) in MASTERS.items():
        (night / folder).mkdir(parents=True)
        cards: list[Card] = [("IMAGETYP", kind, ""), ("EXPTIME", seconds, ""), ("EGAIN", 1.0, ""), ("FILTER", "L", "")]
        for i in range(n):
            frame = level + fixed + rng.standard_normal(fixed.shape, np.float32) * np.float32(max(8, level**0.5))
            frame.reshape(-1)[rng.integers(0, frame.size, 300)] += 3000
            write_raw_fits(night / folder / f"{i:03d}.fit", np.clip(frame, 0, 65535), cards)
    measure.drop_into_cache(night)
    case = (sum(n for _, n, _, _ in MASTERS.values()), width, height)
    argv = [str(PROGRAM), "process", str(night), "-q", "--threads", str(threads), "-o", str(night / "out")]
    costs = []
    for _ in range(repeat):
        shutil.rmtree(night / "out", ignore_errors=True)
        costs.append(measure.run(argv, cwd=work, log=work / "masters.log"))
    yield row("masters", "firstlight", "winsorized", case, costs)
    if siril_job.version():
        costs = []
        for _ in range(repeat):
            folder = night / "siril"
            shutil.rmtree(folder, ignore_errors=True)
            costs.append(siril_job.run_masters(night, folder, threads))
        yield row("masters", "Siril", "winsorized", case, costs)
    shutil.rmtree(night)


def linear(work: Path, numbers: list[int], side: int, threads: int, budget: int, repeat: int) -> Iterator[Row]:
    """The same frames, more and more of them, within one budget of memory and 64 open files."""
    for n in numbers:
        folder = work / f"{n}x{side}"
        paths = make_frames(folder, n, side, side)
        options = ("--memory", str(budget))
        costs = [ours(paths, work, "winsorized", threads, options, FEW_FILES) for _ in range(repeat)]
        yield row(f"{budget} MB", "firstlight", "winsorized", (n, side, side), costs)
        shutil.rmtree(folder)


def forms(work: Path, n: int, side: int, threads: int, repeat: int) -> Iterator[Row]:
    """The same 16 bit frames plain, in gzip and tile-compressed; and camera raws beside FITS files of their pixels."""
    from astropy.io import fits

    folders = {name: work / f"form-{name}" for name in ("plain", "gz", "fz")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    cards: list[Card] = [("OBJECT", "Bench", ""), ("EXPTIME", 60.0, ""), ("EGAIN", 1.0, "[e-/adu]")]
    for i, frame in enumerate(frames_of(n, side, side)):
        plain = folders["plain"] / f"r_{i:05d}.fit"
        write_raw_fits(plain, np.clip(frame, 0, FULL), cards)
        (folders["gz"] / f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes(), 6))
        with fits.open(plain) as units:
            packed = fits.CompImageHDU(units[0].data, units[0].header, compression_type="RICE_1")
            packed.writeto(folders["fz"] / f"{plain.stem}.fits.fz", overwrite=True)
    for name, folder in folders.items():
        measure.drop_into_cache(folder)
        costs = [ours(sorted(folder.iterdir()), work, "winsorized", threads) for _ in range(repeat)]
        yield row("16 bit", name, "winsorized", (n, side, side), costs)
        shutil.rmtree(folder)
    yield from raws(work, threads, repeat)


def raws(work: Path, threads: int, repeat: int) -> Iterator[Row]:
    """A camera raw of ``FIRSTLIGHT_DATA``, the largest, eight times over, and the same numbers as FITS."""
    from firstlight.io.read import open_frames

    root = os.environ.get("FIRSTLIGHT_DATA")
    found = [path for end in ("cr2", "CR2", "nef", "dng") for path in Path(root).rglob(f"*.{end}")] if root else []
    if not found:
        return
    frame = open_frames(max(found, key=lambda path: path.stat().st_size))[0]
    raw, plain = work / "form-raw", work / "form-raw-fits"
    for folder in (raw, plain):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for i in range(8):
        shutil.copy(frame.path, raw / f"{i}{frame.path.suffix}")
        write_raw_fits(plain / f"{i}.fit", frame.rows(0, frame.shape[1])[0], [("EXPTIME", frame.meta.exposure, "")])
    _, height, width = frame.shape
    for name, folder in (("its pixels as FITS", plain), ("camera raw", raw)):
        measure.drop_into_cache(folder)
        options = ("--normalize-mode", "none")
        costs = [ours(sorted(folder.iterdir()), work, "winsorized", threads, options) for _ in range(repeat)]
        yield row("raw", name, "winsorized", (8, width, height), costs)
        shutil.rmtree(folder)


def table(found: list[Row]) -> str:
    """Markdown; the last column is the rate of the first row for the same frames over that of this one."""
    heads = ("", "frames", "method", "who, what", "CPU s", "wall s", "peak MB", "of its own", "Mpx.frames / CPU s",
             "first row is faster by")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for each in found:
        first = next(r for r in found if (r.what, r.frames, r.width, r.method) ==
                     (each.what, each.frames, each.width, each.method))  # fmt: skip
        times = f"{first.rate / each.rate:.1f}" if each is not first else ""
        lines.append(
            f"| {each.what} | {each.frames} x {each.width} x {each.height} | {each.method} | {each.who} | "
            f"{each.cpu_s:.2f} | {each.wall_s:.2f} | {each.peak_mb:.0f} | {each.own_mb:.0f} | "
            f"{each.rate:.0f} | {times} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=["x".join(map(str, each)) for each in SETS], help="NxWIDTHxHEIGHT")
    parser.add_argument("--methods", nargs="+", default=list(SIRIL), choices=list(SIRIL))
    parser.add_argument("--linear", type=int, nargs="*", default=[10, 40, 160, 640], help="frames, for linearity")
    parser.add_argument("--linear-side", type=int, default=1024)
    parser.add_argument("--budget", type=int, default=600, help="MB, for linearity")
    parser.add_argument("--only", nargs="+", default=["stack", "masters", "linear", "forms"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--work", type=Path, default=HERE / "work" / "stack")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    sets = [tuple(map(int, each.split("x"))) for each in args.sets]
    jobs = {
        "stack": lambda: rows(args.work, sets, args.methods, args.threads, args.repeat),  # type: ignore[arg-type]
        "masters": lambda: masters(args.work, 4144, 2822, args.threads, args.repeat),
        "linear": lambda: linear(args.work, args.linear, args.linear_side, args.threads, args.budget, args.repeat),
        "forms": lambda: forms(args.work, 20, 2048, args.threads, args.repeat),
    }
    found: list[Row] = []
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    for name in args.only:
        for each in jobs[name]():
            found.append(each)
            print(f"{each.what:8s} {each.who:12s} {each.method:10s} {each.frames:4d} x {each.width}: "
                  f"{each.cpu_s:.2f} CPU s, {each.rate:.0f}", flush=True)  # fmt: skip
    content = {"machine": measure.machine(), "siril": siril_job.version(), "rows": [asdict(r) for r in found]}
    (results / "stack.json").write_text(json.dumps(content, indent=1) + "\n")
    (results / "stack.md").write_text(table(found) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
