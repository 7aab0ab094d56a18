"""Finishing beside Siril and scikit-image: CPU seconds for the same work on the same image, in one run.

    python benchmarks/finish.py [--mpx 24] [--threads 2]

Ours: operations as the library calls them, then the same band by band in threads. Siril: a script with the command less
one that only loads. scikit-image: its function on the same array. Each is run twice; the better counts.
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

from firstlight.io.fits_writer import Unit, write_units
from firstlight.model.image import Image, PixelUnit
from firstlight.ops.chain import apply
from firstlight.ops.spec import parse_step
from firstlight.pipeline.bands import ImageSource, apply_in_bands
from firstlight.pipeline.executors import thread_pool

RUNS = 2


def best(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of the better of two runs."""
    found = []
    for _ in range(RUNS):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(found)


def siril(folder: Path, command: str) -> float:
    """CPU seconds of Siril for a command on the image, with its loading."""
    (folder / "run.ssf").write_text(f"requires 1.0.0\nset32bits\nload image\n{command}\n")
    found = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            ["siril-cli", "-d", str(folder), "-s", str(folder / "run.ssf")], check=False, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--mpx", type=float, default=24.0, help="million pixels a channel (three channels)")
    arguments.add_argument("--threads", type=int, default=2)
    options = arguments.parse_args()
    height = int((options.mpx * 1e6 / 1.5) ** 0.5)
    shape = (3, height, int(1.5 * height))
    rng = np.random.default_rng(1)
    image = Image(rng.normal(0.01, 0.002, shape).astype(np.float32), unit=PixelUnit.NORMALISED)
    print(f"{shape[2]} x {shape[1]} px, 3 channels; CPU seconds")
    ours: dict[str, float] = {}
    with thread_pool(options.threads) as pool:
        for text in ("stretch:midtones", "stretch:mtf:midtone=0.02", "stretch:asinh:beta=100", "stretch:percentile",
                     "stretch:gamma:gamma=2.2", "stretch:ghs"):  # fmt: skip
            steps = [parse_step(text)]
            cpu, _ = best(lambda text=text: apply(image, text))
            _, wall = best(lambda s=steps: apply_in_bands(ImageSource(image), s, pool, options.threads))
            ours[text] = cpu
            print(f"  {text:28} {cpu:6.2f}   wall of {options.threads} threads {wall:6.2f}")
    from skimage import exposure

    picture = np.ascontiguousarray(np.clip(image.data, 0, 1).transpose(1, 2, 0))
    peers = {
        "stretch:gamma:gamma=2.2": ("scikit-image adjust_gamma", lambda: exposure.adjust_gamma(picture, 1 / 2.2)),
        "stretch:percentile": (
            "numpy percentile + scikit-image rescale_intensity",
            lambda: exposure.rescale_intensity(picture, tuple(np.percentile(picture, (2, 99.5))), (0, 1)),
        ),
    }
    for text, (name, work) in peers.items():
        cpu, _ = best(work)
        print(f"  {name:52} {cpu:6.2f}   {cpu / ours[text]:.1f} times ours")
    if not shutil.which("siril-cli"):
        print("  siril-cli is not installed")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_units(folder / "image.fit", [Unit([], image.data)], checksum=False)
        empty = siril(folder, "")
        for text, command in (
            ("stretch:mtf:midtone=0.02", "mtf 0 0.02 1"),
            ("stretch:asinh:beta=100", "asinh -human 100"),
        ):
            cpu = max(siril(folder, command) - empty, 0.0)
            print(f"  Siril {command:46} {cpu:6.2f}   {cpu / ours[text]:.1f} times ours")


if __name__ == "__main__":
    main()
