"""Gradients and colours of an image of 24 Mpx in three channels, beside Siril and scikit-image, in CPU seconds.

.venv/bin/python benchmarks/colour.py [--size 4000x6000] [--threads 2]

firstlight: from arrays to arrays, parts of the image in threads as `firstlight apply` does them, with the wall time
beside the CPU time. Siril
loads a file and uses the threads that it is given; what loading alone takes is subtracted. scikit-image gets float32
arrays, channels last.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from firstlight import step
from firstlight.io.write import write
from firstlight.model.image import Image, PixelUnit, State
from firstlight.pipeline.hands import hands

STEPS = (
    "abr:localgradient", "abr:polynomial", "abr:samples", "abr:multiscale", "abr:envelope", "abr:uniform", "abr:floor",
    "color:neutralize", "color:balance", "color:saturation", "color:scnr", "color:convert",
)  # fmt: skip


def scene(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    y, x = np.linspace(0, 1, height, dtype=np.float32)[:, None], np.linspace(0, 1, width, dtype=np.float32)
    sky = 900 + 200 * x + 120 * y * y + 80 * np.exp(-3 * x)
    data = np.stack([sky * share for share in (1.0, 0.8, 1.2)]).astype(np.float32)
    data += rng.normal(0, 12, data.shape).astype(np.float32)
    for cy, cx, peak in zip(rng.integers(9, height - 9, 4000), rng.integers(9, width - 9, 4000), rng.pareto(1.5, 4000)):
        data[:, cy - 2 : cy + 3, cx - 2 : cx + 3] += np.float32(min(300 * peak, 30_000))
    return data


def cpu(job: Callable[[], object], repeat: int = 2) -> float:
    """Least CPU time of some runs, of this process."""
    best = np.inf
    for _ in range(repeat):
        start = time.process_time()
        job()
        best = min(best, time.process_time() - start)
    return best


def shared(job: Callable[[], object], threads: int, repeat: int = 2) -> tuple[float, float]:
    """Wall and CPU time of the fastest of some runs, parts of the image in threads as `firstlight apply` does them."""
    found = []
    with hands(threads):
        for _ in range(repeat):
            wall, own = time.perf_counter(), time.process_time()
            job()
            found.append((time.perf_counter() - wall, time.process_time() - own))
    return min(found)


def siril(folder: Path, *lines: str) -> float:
    """CPU seconds of a script of Siril; its threads are those it takes by itself."""
    script = folder / "job.ssf"
    script.write_text("\n".join(("requires 0.99.10", f"cd {folder}", "load sky", *lines)) + "\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["siril-cli", "-s", str(script)], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Siril 1.0.6 calls a script failed that ends with subsky, after it has done it and told its time.
    if "Script execution failed" in done.stdout and "Execution time" not in done.stdout:
        raise SystemExit(f"Siril: {done.stdout[-600:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="4000x6000", help="height x width")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    height, width = map(int, given.size.split("x"))
    data = scene(height, width)
    image = Image(data)
    small = Image(data[:, :300, :400])
    rows = []
    for name in STEPS:
        each = step(name)
        each(small)
        rows.append((name, *shared(lambda each=each: each(image), given.threads)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / data.nbytes
    print(f"{height} x {width} x 3; peak memory {peak:.1f} images (data, flags and the scene's own copies among them)")
    for name, wall, seconds in rows:
        print(f"firstlight  {name:<20} {seconds:6.2f} s, wall of {given.threads} threads {wall:6.2f} s")
    from skimage.color import rgb2hsv, rgb2lab

    last = np.ascontiguousarray(data.transpose(1, 2, 0) / data.max())
    for convert in (rgb2lab, rgb2hsv):
        print(f"scikit-image {convert.__name__:<19} {cpu(lambda convert=convert: convert(last), 1):6.2f} s")
    if shutil.which("siril-cli") is None:
        print("Siril is not installed: no comparison")
        return
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write(folder / "sky.fit", Image(data / 65535, unit=PixelUnit.NORMALISED, state=State.LINEAR))
        alone = siril(folder)
        for name, line in (("subsky 1", "subsky 1"), ("subsky 4", "subsky 4"), ("scnr", "rmgreen 0")):
            print(f"Siril       {name:<20} {siril(folder, line) - alone:6.2f} s")


if __name__ == "__main__":
    main()
