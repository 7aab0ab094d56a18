"""Stretches beside Siril and scikit-image: wall and CPU seconds, and memory, for the same image in one run.

    python benchmarks/finish.py [--size 6000x4000] [--threads 2] [--only stretch:ghs ...]

Ours: the operation as `firstlight apply` calls it, in a process of its own, from an image in memory to an image in
memory; the best of three runs, and the highest memory of the first in images (the input counts as one). Siril: a script
with the command less one that only loads. scikit-image: its function on the same array, in one thread.
"""

from __future__ import annotations

import json

import numpy as np

from alone import best, jobs, line, options, siril_beside, step_alone

PROMISED = 0.15
"""Wall seconds of any curve on two free cores, at 24 Mpx in three channels."""
STEPS = (
    "stretch:linear", "stretch:mtf:midtone=0.02", "stretch:midtones", "stretch:percentile", "stretch:black",
    "stretch:gamma:gamma=2.2", "stretch:srgb", "stretch:curves", "stretch:ghs", "stretch:asinh:beta=100",
    "stretch:lupton", "stretch:colorimetric", "stretch:hdr",
)  # fmt: skip
SIRIL = ["mtf 0 0.02 1", "asinh -human 100"]


def scene(height: int, width: int) -> np.ndarray:
    """Sky with noise, float32 (3, y, x), fractions of white."""
    rng = np.random.default_rng(1)
    planes = np.empty((3, height, width), np.float32)
    for plane in planes:
        rng.standard_normal(out=plane, dtype=np.float32)
        plane *= 0.002
        plane += 0.01
    return planes


def job(text: str, height: int, width: int, threads: int, noise: bool) -> dict[str, float]:
    """One of our operations, in this process."""
    from firstlight.model.image import Image, PixelUnit

    planes = scene(height, width)
    variance = np.full(planes.shape, 4e-6, np.float32) if noise else None
    return step_alone(text, Image(planes, unit=PixelUnit.NORMALISED, variance=variance), threads)


def peers(height: int, width: int) -> None:
    from skimage import exposure

    picture = np.ascontiguousarray(np.clip(scene(height, width), 0, 1).transpose(1, 2, 0))
    line("scikit-image adjust_gamma", best(lambda: exposure.adjust_gamma(picture, 1 / 2.2), 2))
    line(
        "numpy percentile + scikit-image rescale_intensity",
        best(lambda: exposure.rescale_intensity(picture, tuple(np.percentile(picture, (2, 99.5))), (0, 1)), 2),
    )
    siril_beside(scene(height, width), SIRIL)


def main() -> None:
    parser = options(__doc__, "each of three channels")
    parser.add_argument("--noise", action="store_true", help="carry a variance along")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    if given.job:
        print(json.dumps(job(given.job, height, width, given.threads, given.noise)))
        return
    print(f"{width} x {height} px, 3 channels, {given.threads} threads; a curve is promised in {PROMISED:g} s wall")
    words = ["--size", given.size, "--threads", str(given.threads), *(["--noise"] if given.noise else [])]
    for text, found in jobs(__file__, given.only or list(STEPS), words):
        line(text, found)
    if not given.only:
        peers(height, width)


if __name__ == "__main__":
    main()
