"""Noise reduction, deconvolution and star removal beside scikit-image and Siril: 24 Mpx, one and three channels.

Each job runs in a process of its own, so that the peak of memory is its own; peers run right after it, on the same
pixels. Quote ratios of CPU seconds from one run on one machine.
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

RESULTS = Path(__file__).resolve().parent / "results"
JOBS = {
    "starlets": ("nr:starlet", 3.0),
    "starlets, one round": ("nr:starlet:rounds=1", 3.0),
    "RL, Gaussian, 20 iterations": (
        "sharp:gaussian:sigma=1.3,iterations=20,stop=false,aside=0,dering=0,smoothness=0",
        15.0,
    ),
    "RL, Moffat, 20 iterations": ("sharp:moffat:iterations=20,stop=false,aside=0,dering=0,smoothness=0", 15.0),
    "RL with all protection": ("sharp:moffat:iterations=20,stop=false", 15.0),
    "starless": ("extract:starless", 0.0),
    "bilateral": ("nr:bilateral", 0.0),
    "total variation, 50 steps": ("nr:tv:steps=50", 0.0),
}
"""Name to step and the wall seconds that three channels may take on two free cores (0: no promise)."""
PEERS = ("skimage wavelet", "skimage RL", "skimage TV", "siril rl")


def scene(height: int, width: int, channels: int, seed: int = 1) -> np.ndarray:
    """Sky, stars and noise, float32 (channel, y, x)."""
    from firstlight.simulate.scene import random_field, render_stars

    rng = np.random.default_rng(seed)
    x, y, flux = random_field(rng, height * width // 6000, (height, width), (200, 1e5))
    stars = render_stars(
        (height, width), x, y, flux, 3.0, beta=3.5, floor=0.1, out=np.zeros((height, width), np.float32)
    )
    planes = np.empty((channels, height, width), np.float32)
    for plane in planes:
        rng.standard_normal(out=plane, dtype=np.float32)
        plane *= 5
        plane += stars + 100
    return planes


def run(name: str, height: int, width: int, channels: int, threads: int) -> dict[str, float]:
    """One job in this process: wall and CPU seconds, and the rise of the peak over the input, in images."""
    planes = scene(height, width, channels)
    if name in PEERS:
        work: Callable[[], object] = peer(name, planes)
    else:
        from firstlight.model.image import Image
        from firstlight.ops.spec import parse_step
        from firstlight.pipeline.hands import hands

        step = parse_step(JOBS[name][0])
        with hands(threads):
            step(Image(planes[:, :256, :256].copy()))
        image = Image(planes)

        def work() -> object:
            with hands(threads):
                return step(image)

    before = resident()
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    start = time.perf_counter()
    kept = work()
    wall = time.perf_counter() - start
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(usage, after))
    peak = max(after[0].ru_maxrss * 1024, before)
    del kept
    return {"wall_s": wall, "cpu_s": cpu, "images": 1 + (peak - before) / planes.nbytes}


def resident() -> float:
    """Bytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return float(pages * resource.getpagesize())


def peer(name: str, planes: np.ndarray) -> Callable[[], object]:
    from skimage import restoration

    from firstlight.ops.deconvolve.shapes import gaussian_kernel

    if name == "skimage wavelet":
        return lambda: [restoration.denoise_wavelet(p, method="BayesShrink", mode="soft") for p in planes]
    if name == "skimage RL":
        kernel = gaussian_kernel(1.3).astype(np.float32)
        scaled = planes / planes.max()
        return lambda: [restoration.richardson_lucy(p, kernel, num_iter=20, clip=False) for p in scaled]
    if name == "skimage TV":
        return lambda: [restoration.denoise_tv_chambolle(p, weight=5.0, eps=1e-12, max_num_iter=50) for p in planes]
    from firstlight.io.write import write
    from firstlight.model.image import Image

    folder = Path(tempfile.mkdtemp(prefix="firstlight-detail-"))
    write(folder / "scene.fits", Image(planes / planes.max()))
    script = folder / "rl.ssf"
    script.write_text(f"requires 1.0.0\ncd {folder}\nload scene\nrl 1.3 1 20\nsave sharp\nclose\n", encoding="utf-8")

    def work() -> object:
        try:
            ran = subprocess.run(["siril-cli", "-s", script], capture_output=True, text=True, check=False)
            if not list(folder.glob("sharp.*")):
                raise SystemExit(f"siril-cli made no picture (rl came with 1.2): {ran.stdout[-200:]}")
            return ran
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="6000x4000", help="width x height of a channel")
    parser.add_argument("--channels", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="names of jobs and peers")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    if given.job:
        print(json.dumps(run(given.job, height, width, given.channels, given.threads)))
        return
    peers = [name for name in PEERS if name != "siril rl" or shutil.which("siril-cli")]
    names = given.only or [*JOBS, *peers]
    rows = {}
    for name in names:
        words = ["--size", given.size, "--channels", str(given.channels), "--threads", str(given.threads)]
        ran = subprocess.run(
            [sys.executable, __file__, "--job", name, *words], capture_output=True, text=True, check=False
        )
        if ran.returncode:
            print(f"{name:30} {ran.stderr.splitlines()[-1] if ran.stderr else 'failed'}", flush=True)
            continue
        rows[name] = json.loads(ran.stdout.splitlines()[-1])
        limit = JOBS.get(name, ("", 0.0))[1]
        promise = f"  (promised: {limit:g} s wall on two free cores)" if limit else ""
        print(
            f"{name:30} wall {rows[name]['wall_s']:7.2f} s  CPU {rows[name]['cpu_s']:7.2f} s  "
            f"memory {rows[name]['images']:.2f} images{promise}",
            flush=True,
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "detail.json").write_text(json.dumps({"size": given.size, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
