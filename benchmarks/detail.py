"""Noise reduction, deconvolution and star removal beside scikit-image and Siril: 24 Mpx, one and three channels.

Each job runs in a process of its own, so that the peak of memory is its own; peers run right after it, on the same
pixels. Quote ratios of CPU seconds from one run on one machine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from alone import jobs, line, measured, options, step_alone

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
        return measured(peer(name, planes), planes.nbytes, 1)
    from firstlight.model.image import Image

    return step_alone(JOBS[name][0], Image(planes), threads, 1)


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
    parser = options(__doc__, "a channel")
    parser.add_argument("--channels", type=int, default=3)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    if given.job:
        print(json.dumps(run(given.job, height, width, given.channels, given.threads)))
        return
    peers = [name for name in PEERS if name != "siril rl" or shutil.which("siril-cli")]
    names = given.only or [*JOBS, *peers]
    words = ["--size", given.size, "--channels", str(given.channels), "--threads", str(given.threads)]
    rows = {}
    for name, found in jobs(__file__, names, words):
        rows[name] = found
        limit = JOBS.get(name, ("", 0.0))[1]
        line(name, found, f"  (promised: {limit:g} s wall on two free cores)" if limit else "")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "detail.json").write_text(json.dumps({"size": given.size, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
