"""Stretches beside Siril and scikit-image: wall and CPU seconds, and memory, for the same image in one run.

    python benchmarks/finish.py [--size 6000x4000] [--threads 2] [--only stretch:ghs ...]

Ours: the operation as `firstlight apply` calls it, in a process of its own, from an image in memory to an image in
memory; the best of three runs, and the highest memory of the first in images (the input counts as one). Siril: a script
with the command less one that only loads. scikit-image: its function on the same array, in one thread.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

RUNS = 3
PROMISED = 0.15
"""Wall seconds of any curve on two free cores, at 24 Mpx in three channels."""
STEPS = (
    "stretch:linear", "stretch:mtf:midtone=0.02", "stretch:midtones", "stretch:percentile", "stretch:black",
    "stretch:gamma:gamma=2.2", "stretch:srgb", "stretch:curves", "stretch:ghs", "stretch:asinh:beta=100",
    "stretch:lupton", "stretch:colorimetric", "stretch:hdr",
)  # fmt: skip
SIRIL = {"stretch:mtf:midtone=0.02": "mtf 0 0.02 1", "stretch:asinh:beta=100": "asinh -human 100"}


def scene(height: int, width: int) -> np.ndarray:
    """Sky with noise, float32 (3, y, x), fractions of white."""
    rng = np.random.default_rng(1)
    planes = np.empty((3, height, width), np.float32)
    for plane in planes:
        rng.standard_normal(out=plane, dtype=np.float32)
        plane *= 0.002
        plane += 0.01
    return planes


def best(work: Callable[[], object], runs: int = RUNS) -> dict[str, float]:
    """Wall and CPU seconds of the fastest of some runs."""
    found = []
    for _ in range(runs):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = min(found)
    return {"wall_s": wall, "cpu_s": cpu}


def job(text: str, height: int, width: int, threads: int, noise: bool) -> dict[str, float]:
    """One of our operations, in this process."""
    from firstlight.model.image import Image, PixelUnit
    from firstlight.ops.spec import parse_step
    from firstlight.pipeline.hands import hands

    planes = scene(height, width)
    variance = np.full(planes.shape, 4e-6, np.float32) if noise else None
    image = Image(planes, unit=PixelUnit.NORMALISED, variance=variance)
    step = parse_step(text)
    with hands(threads):
        small = Image(planes[:, :300, :400].copy(), unit=PixelUnit.NORMALISED)
        step(small if variance is None else small.replace(variance=variance[:, :300, :400].copy()))
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        before = pages * resource.getpagesize()
        found = best(lambda: step(image))
    peak = max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, before)
    return found | {"images": 1 + (peak - before) / planes.nbytes}


def siril(folder: Path, command: str) -> dict[str, float]:
    """Wall and CPU seconds of Siril for a command on the image, with its loading."""
    (folder / "run.ssf").write_text(f"requires 1.0.0\nset32bits\nload image\n{command}\n")
    found = []
    for _ in range(RUNS):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            ["siril-cli", "-d", str(folder), "-s", str(folder / "run.ssf")], check=False, capture_output=True
        )
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append((wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return {"wall_s": min(wall for wall, _ in found), "cpu_s": min(cpu for _, cpu in found)}


def line(name: str, found: dict[str, float], more: str = "") -> None:
    memory = f"  memory {found['images']:.2f} images" if "images" in found else ""
    print(f"{name:50} wall {found['wall_s']:6.3f} s  CPU {found['cpu_s']:6.3f} s{memory}{more}", flush=True)


def peers(height: int, width: int) -> None:
    from skimage import exposure

    picture = np.ascontiguousarray(np.clip(scene(height, width), 0, 1).transpose(1, 2, 0))
    line("scikit-image adjust_gamma", best(lambda: exposure.adjust_gamma(picture, 1 / 2.2), 2))
    line(
        "numpy percentile + scikit-image rescale_intensity",
        best(lambda: exposure.rescale_intensity(picture, tuple(np.percentile(picture, (2, 99.5))), (0, 1)), 2),
    )
    if not shutil.which("siril-cli"):
        print("siril-cli is not installed")
        return
    from firstlight.io.fits_writer import Unit, write_units

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_units(folder / "image.fit", [Unit([], scene(height, width))], checksum=False)
        empty = siril(folder, "")
        for command in SIRIL.values():
            whole = siril(folder, command)
            line(f"Siril {command}", {key: max(whole[key] - empty[key], 0.0) for key in whole})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="6000x4000", help="width x height of each of three channels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--noise", action="store_true", help="carry a variance along")
    parser.add_argument("--only", nargs="*", help="steps; peers are left out then")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    if given.job:
        print(json.dumps(job(given.job, height, width, given.threads, given.noise)))
        return
    print(f"{width} x {height} px, 3 channels, {given.threads} threads; a curve is promised in {PROMISED:g} s wall")
    for text in given.only or STEPS:
        words = ["--size", given.size, "--threads", str(given.threads), *(["--noise"] if given.noise else [])]
        ran = subprocess.run(
            [sys.executable, __file__, "--job", text, *words], capture_output=True, text=True, check=False
        )
        if ran.returncode:
            print(f"{text:50} {ran.stderr.splitlines()[-1] if ran.stderr else 'failed'}", flush=True)
            continue
        line(text, json.loads(ran.stdout.splitlines()[-1]))
    if not given.only:
        peers(height, width)


if __name__ == "__main__":
    main()
