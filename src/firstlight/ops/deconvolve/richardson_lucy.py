"""Richardson-Lucy iterations of a plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.kernels.blur import compare_rows, update_rows
from firstlight.ops.deconvolve.blur import Blur
from firstlight.ops.parts import each_part, row_parts

LEAST_GAIN = 0.01
"""An iteration that lowers the misfit by less than this share is the last."""


@dataclass(frozen=True)
class Noise:
    """Variance of a pixel: base + photons * light above the floor."""

    base: float
    photons: float


@dataclass(frozen=True, eq=False)
class Restored:
    plane: np.ndarray
    iterations: int
    misfit: float
    """Mean squared difference between data and model over the variance, of pixels clear of the noise."""


def richardson_lucy(
    plane: np.ndarray,
    blur: Blur,
    noise: Noise,
    iterations: int,
    *,
    stop: bool,
    smoothness: float,
    damping: float,
    enough: float = 1.0,
) -> Restored:
    """Restore a plane (float32) whose sky lies near 0, or a little above.

    Richardson 1972, Lucy 1974; total variation: Dey et al. 2006; damping: White 1994. The picture is mirrored at its
    edges. ``stop``: it ends when the misfit is ``enough`` (1: the noise itself), or hardly falls any more. The light
    of the picture stays what it is: each iteration gives back what it took, up to what is cut off below 0.

    >>> x = np.arange(-6, 7); bell = np.exp(-0.5 * (x / 1.3) ** 2); blur = Blur.of(np.outer(bell, bell))
    >>> spike = np.zeros((31, 31), np.float32); spike[15, 15] = 100
    >>> sharp = richardson_lucy(blur(spike), blur, Noise(1e-6, 0), 50, stop=False, smoothness=0, damping=0).plane
    >>> bool(sharp.max() > 3 * blur(spike).max()), round(float(sharp.sum()))
    (True, 100)
    """
    half = blur.half
    data = np.pad(plane, [(min(half, n - 1),) * 2 for n in plane.shape], mode="reflect")
    back = blur.reversed()
    # A pixel of 0 would stay 0.
    estimate = np.maximum(data, np.float32(max(1e-3 * float(np.mean(np.abs(data))), 1e-12)))
    ratio, after = np.empty_like(data), np.empty_like(data)
    base, photons = np.float32(max(noise.base, 1e-30)), np.float32(max(noise.photons, 0.0))
    parts, before, misfit, done = row_parts(data.shape), np.inf, np.inf, 0
    for _ in range(iterations):

        def compare(rows: tuple[int, int], estimate: np.ndarray = estimate) -> tuple[float, int]:
            return compare_rows(
                estimate, data, blur.down, blur.across, base, photons, np.float32(damping), *rows, ratio
            )

        def update(rows: tuple[int, int], estimate: np.ndarray = estimate, after: np.ndarray = after) -> None:
            update_rows(estimate, ratio, back.down, back.across, np.float32(smoothness), *rows, after)

        sums = each_part(compare, parts)
        total, number = (sum(each) for each in zip(*sums))
        misfit = total / number if number else 0.0
        if stop and (misfit <= enough or before - misfit < LEAST_GAIN * before):
            break
        before = misfit
        each_part(update, parts)
        estimate, after = after, estimate
        done += 1
    top, left = ((n - m) // 2 for n, m in zip(data.shape, plane.shape))
    inner = estimate[top : top + plane.shape[0], left : left + plane.shape[1]]
    return Restored(np.ascontiguousarray(inner), done, float(misfit))
