"""Richardson-Lucy iterations of planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firstlight.kernels.blur import compare_rows, update_rows
from firstlight.ops.deconvolve.blur import Blur
from firstlight.ops.parts import each_part, row_parts

LEAST_GAIN = 0.01
"""An iteration that lowers the misfit by less than this share is the last."""
LEAST = 3e-3
"""Of the noise of the sky: the iterations begin with no less at any pixel."""
FLAT = 0.1
"""Of the noise of the sky, per px: where the picture is flatter its level lines have no curvature to speak of."""
SIDES = (True, True, True, True)


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
    """Mean squared difference between data and model over the variance, of pixels clear of the noise; 0 where it was
    not asked for."""


@dataclass(frozen=True)
class Manner:
    """How the iterations go."""

    iterations: int
    stop: bool = False
    smoothness: float = 0.0
    damping: float = 0.0
    enough: float = 1.0
    """With ``stop``: it ends when the misfit is no more (1: the noise itself), or hardly falls any more."""


def richardson_lucy(
    plane: np.ndarray, blur: Blur, noise: Noise, how: Manner, *, mirror: tuple[bool, bool, bool, bool] = SIDES
) -> Restored:
    """Restore a plane (float32) whose sky lies near 0, or a little above.

    Richardson 1972, Lucy 1974; total variation: Dey et al. 2006; damping: White 1994. The picture goes on, mirrored,
    beyond its edges where ``mirror`` (top, bottom, left, right) says so: the others are cuts through a larger one. The
    light of the picture stays what it is: each iteration gives back what it took, up to what is cut off below 0.

    >>> x = np.arange(-6, 7); bell = np.exp(-0.5 * (x / 1.3) ** 2); blur = Blur.of(np.outer(bell, bell))
    >>> spike = np.zeros((31, 31), np.float32); spike[15, 15] = 100
    >>> sharp = richardson_lucy(blur(spike), blur, Noise(1e-6, 0), Manner(50)).plane
    >>> bool(sharp.max() > 3 * blur(spike).max()), round(float(sharp.sum()))
    (True, 100)
    """
    run = _Run(plane, blur, noise, how, mirror)
    done, misfit = _iterate([run], how)
    return Restored(run.inner, done, misfit)


def enough_iterations(planes: Sequence[np.ndarray], blurs: Sequence[Blur], noise: Noise, how: Manner) -> int:
    """After how many iterations all these planes together stop."""
    return _iterate([_Run(plane, blur, noise, how, SIDES) for plane, blur in zip(planes, blurs)], how)[0]


def _iterate(runs: Sequence[_Run], how: Manner) -> tuple[int, float]:
    """Iterations done, and the misfit before the last."""
    before, misfit = np.inf, 0.0
    for done in range(how.iterations):
        sums = np.sum([run.compare(how.stop) for run in runs], axis=0)
        if how.stop:
            misfit = float(sums[0] / sums[1]) if sums[1] else 0.0
            if misfit <= how.enough or before - misfit < LEAST_GAIN * before:
                return done, misfit
            before = misfit
        for run in runs:
            run.update()
    return how.iterations, misfit


class _Run:
    """A picture on its way."""

    def __init__(
        self, plane: np.ndarray, blur: Blur, noise: Noise, how: Manner, mirror: tuple[bool, bool, bool, bool]
    ) -> None:
        height, width = plane.shape
        above, below = (min(blur.half, height - 1) * side for side in mirror[:2])
        left, right = (min(blur.half, width - 1) * side for side in mirror[2:])
        self.data = np.pad(plane, ((above, below), (left, right)), mode="reflect")
        self.place = np.s_[above : above + height, left : left + width]
        self.blur, self.back = blur, blur.reversed()
        self.noise = np.float32(max(noise.base, 1e-30)), np.float32(max(noise.photons, 0.0)), np.float32(how.damping)
        self.smoothness = np.float32(how.smoothness), np.float32(FLAT**2 * noise.base)
        # A pixel of 0 would stay 0.
        self.estimate = np.maximum(self.data, np.float32(max(LEAST * np.sqrt(noise.base), 1e-12)))
        self.ratio, self.after = np.empty_like(self.data), np.empty_like(self.data)
        self.parts = row_parts(self.data.shape)

    @property
    def inner(self) -> np.ndarray:
        return np.ascontiguousarray(self.estimate[self.place])

    def compare(self, count: bool) -> np.ndarray:
        """Where data and model differ; sum of their squared differences and number of pixels, if asked to count."""
        sums = np.zeros((len(self.data) if count else 0, 2))
        blur, estimate, ratio = self.blur, self.estimate, self.ratio
        each_part(
            lambda rows: compare_rows(
                estimate, self.data, blur.down, blur.across, *self.noise, *rows, sums, ratio
            ),
            self.parts,
        )  # fmt: skip
        return sums.sum(axis=0)

    def update(self) -> None:
        back, estimate, after = self.back, self.estimate, self.after
        each_part(
            lambda rows: update_rows(estimate, self.ratio, back.down, back.across, *self.smoothness, *rows, after),
            self.parts,
        )
        self.estimate, self.after = after, estimate
