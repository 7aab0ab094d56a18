"""Gradients and colours beside Siril and scikit-image: wall and CPU seconds, and memory, for one image in one run.

    python benchmarks/colour.py [--size 6000x4000] [--threads 2] [--only abr:localgradient ...]

Ours: the operation as `firstlight apply` calls it, in a process of its own, from an image in memory to an image in
memory; the best of three runs, and the highest memory in images (the input counts as one). Siril: a script with the
command less one that only loads, with the threads that it takes by itself. scikit-image: its function on a float32
array, channels last, in one thread.
"""

from __future__ import annotations

import json

import numpy as np

from alone import best, jobs, line, options, siril_beside, step_alone

PROMISED = 1.5
"""Wall seconds of the removal of a gradient on two free cores, at 24 Mpx in three channels."""
STEPS = (
    "abr:localgradient", "abr:polynomial", "abr:samples", "abr:multiscale", "abr:envelope", "abr:uniform", "abr:floor",
    "color:neutralize", "color:balance", "color:saturation", "color:scnr", "color:convert",
)  # fmt: skip
SIRIL = ["subsky 1", "subsky 4", "rmgreen 0"]


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

    return step_alone(text, Image(scene(height, width)), threads)


def peers(height: int, width: int) -> None:
    from skimage.color import rgb2hsv, rgb2lab

    planes = scene(height, width)
    picture = np.ascontiguousarray(planes.transpose(1, 2, 0) / planes.max())
    for convert in (rgb2lab, rgb2hsv):
        line(f"scikit-image {convert.__name__}", best(lambda convert=convert: convert(picture), 1))
    planes /= 65535
    siril_beside(planes, SIRIL)


def main() -> None:
    given = options(__doc__, "each of three channels").parse_args()
    width, height = map(int, given.size.split("x"))
    if given.job:
        print(json.dumps(job(given.job, height, width, given.threads)))
        return
    print(f"{width} x {height} px, 3 channels, {given.threads} threads; a gradient is promised in {PROMISED:g} s wall")
    for text, found in jobs(
        __file__, given.only or list(STEPS), ["--size", given.size, "--threads", str(given.threads)]
    ):
        line(text, found)
    if not given.only:
        peers(height, width)


if __name__ == "__main__":
    main()
