"""Gradients and colours beside Siril and scikit-image: wall and CPU seconds, and memory, for one image in one run.

    python benchmarks/colour.py [--size 6000x4000] [--threads 2] [--only abr:localgradient ...]

Ours: the operation as `firstlight apply` calls it, in a process of its own, from an image in memory to an image in
memory; the best of three runs, and the highest memory in images (the input counts as one). Siril: a script with the
command less one that only loads, with the threads that it takes by itself. scikit-image: its function on a float32
array, channels last, in one thread.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from finish import best, line, siril

PROMISED = 1.5
"""Wall seconds of the removal of a gradient on two free cores, at 24 Mpx in three channels."""
STEPS = (
    "abr:localgradient", "abr:polynomial", "abr:samples", "abr:multiscale", "abr:envelope", "abr:uniform", "abr:floor",
    "color:neutralize", "color:balance", "color:saturation", "color:scnr", "color:convert",
)  # fmt: skip
SIRIL = ("subsky 1", "subsky 4", "rmgreen 0")


def scene(height: int, width: int) -> np.ndarray:
    """A sky with a gradient, stars and noise, float32 (3, y, x)."""
    rng = np.random.default_rng(1)
    y, x = np.linspace(0, 1, height, dtype=np.float32)[:, None], np.linspace(0, 1, width, dtype=np.float32)
    planes = np.empty((3, height, width), np.float32)
    for plane, share in zip(planes, (1.0, 0.8, 1.2)):
        rng.standard_normal(out=plane, dtype=np.float32)
        plane *= 12
        for top in range(0, height, 100):
            rows = slice(top, top + 100)
            plane[rows] += np.float32(share) * (900 + 200 * x + 120 * y[rows] ** 2 + 80 * np.exp(-3 * x))
    for cy, cx, peak in zip(rng.integers(9, height - 9, 4000), rng.integers(9, width - 9, 4000), rng.pareto(1.5, 4000)):
        planes[:, cy - 2 : cy + 3, cx - 2 : cx + 3] += np.float32(min(300 * peak, 30_000))
    return planes


def job(text: str, height: int, width: int, threads: int) -> dict[str, float]:
    """One of our operations, in this process."""
    from firstlight.model.image import Image
    from firstlight.ops.spec import parse_step
    from firstlight.pipeline.hands import hands

    image, step = Image(scene(height, width)), parse_step(text)
    with hands(threads):
        step(Image(image.data[:, :300, :400].copy()))
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        before = pages * resource.getpagesize()
        found = best(lambda: step(image))
    peak = max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, before)
    return found | {"images": 1 + (peak - before) / image.data.nbytes}


def peers(height: int, width: int) -> None:
    from skimage.color import rgb2hsv, rgb2lab

    planes = scene(height, width)
    picture = np.ascontiguousarray(planes.transpose(1, 2, 0) / planes.max())
    for convert in (rgb2lab, rgb2hsv):
        line(f"scikit-image {convert.__name__}", best(lambda convert=convert: convert(picture), 1))
    if not shutil.which("siril-cli"):
        print("siril-cli is not installed")
        return
    from firstlight.io.fits_writer import Unit, write_units

    planes /= 65535
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_units(folder / "image.fit", [Unit([], planes)], checksum=False)
        empty = siril(folder, "")
        for command in SIRIL:
            whole = siril(folder, command)
            line(f"Siril {command}", {key: max(whole[key] - empty[key], 0.0) for key in whole})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="6000x4000", help="width x height of each of three channels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="steps; peers are left out then")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    if given.job:
        print(json.dumps(job(given.job, height, width, given.threads)))
        return
    print(f"{width} x {height} px, 3 channels, {given.threads} threads; a gradient is promised in {PROMISED:g} s wall")
    for text in given.only or STEPS:
        words = ["--size", given.size, "--threads", str(given.threads)]
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
