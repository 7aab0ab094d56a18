"""The stack against one of its frames, measured alike."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from firstlight.model.flags import Flag, has
from firstlight.model.registration import Transform
from firstlight.ops.align.resample import Kernel, resample_tile
from firstlight.pipeline.integrate import Contribution, Engine, Stacked
from firstlight.pipeline.mosaic import Colours

ROWS = 512
"""Rows about the middle that are compared."""
MOST = 12
"""Frames whose resampling is looked at."""


def diagonal_noise(plane: np.ndarray) -> float:
    """Noise per pixel of a plane (y, x), from squares of four pixels.

    The difference of the diagonals of each square knows neither gradients nor, nearly, nebulae; its MAD hardly knows
    stars. NaN pixels are left out; NaN where fewer than 100 squares are left.

    >>> white = np.random.default_rng(0).normal(0, 3.0, (400, 400)).astype(np.float32)
    >>> round(diagonal_noise(white), 1)
    3.0
    """
    steps = _diagonals(plane)
    steps = steps[np.isfinite(steps)]
    if len(steps) < 100:
        return float("nan")
    return float(1.4826 * np.median(np.abs(steps - np.median(steps))))


def _diagonals(plane: np.ndarray) -> np.ndarray:
    return 0.5 * (plane[1:, 1:] - plane[1:, :-1] - plane[:-1, 1:] + plane[:-1, :-1])


def compare_noise(engine: Engine, reference: Contribution, stacked: Stacked) -> tuple[float, float]:
    """Noise of the stack and of its reference frame on the same sky, adu per pixel, mean of the channels.

    Debayering and resampling smooth, so that pixels look better than they are. Both figures are therefore what white
    noise would have to be to look like this after going the same way.
    """
    height, _ = engine.size
    step = engine.colours.shrink if engine.colours else 1
    first = max((height - ROWS) // 2, 0)
    last = min(first + ROWS, height)
    top, bottom = first * step, min(last * step, reference.frame.shape[1])
    top -= top % 2
    band = reference.calibration.band(reference.frame, top, bottom).data
    single = engine.colours.planes(band) if engine.colours else band
    good = ~has(stacked.flags[:, first:last], Flag.NO_DATA)
    planes = np.where(good, stacked.mean[:, first:last], np.float32(np.nan))
    forwards = engine.forwards()
    looked = [forwards[i] for i in np.linspace(0, len(forwards) - 1, min(MOST, len(forwards))).round().astype(int)]
    responses = np.sqrt(np.mean([_response(engine.colours, engine.kernel, _fraction(f))[0] for f in looked], axis=0))
    bare = _response(engine.colours, "nearest", (0.0, 0.0))[1]
    of_stack = [diagonal_noise(plane) / responses[i % len(responses)] for i, plane in enumerate(planes)]
    of_single = [
        diagonal_noise(plane) * abs(float(reference.gain[i])) / bare[i % len(bare)] for i, plane in enumerate(single)
    ]
    return float(np.mean(of_stack)), float(np.mean(of_single))


def _fraction(forward: Transform) -> tuple[float, float]:
    """Sub-pixel part of a transform at the middle of the plane; turning maps take every phase, the middle serves."""
    x, y = forward.inverse(np.array([[512.0, 512.0]]))[0] % 1.0
    return round(float(x), 1) % 1.0, round(float(y), 1) % 1.0


@lru_cache(maxsize=512)
def _response(
    colours: Colours | None, kernel: Kernel, fraction: tuple[float, float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What white noise of 1 looks like after debayering and a shift, per channel: mean square, and `diagonal_noise`.

    The second serves a single debayered frame, whose pixels differ in noise from place to place; the stack of many
    frames, in which places mix, follows the mean square.
    """
    white = np.random.Generator(np.random.PCG64(2)).standard_normal((1, 256, 256), dtype=np.float32)
    planes = colours.planes(white + 100) if colours else white
    squares, robust = [], []
    for plane in planes:
        out = np.empty_like(plane)
        resample_tile(plane, 0, plane.shape, Transform.of_shift(*fraction), out, 0, 0, kernel=kernel)
        inner = out[8:-8, 8:-8]
        squares.append(float(np.mean(_diagonals(inner) ** 2)))
        robust.append(diagonal_noise(inner))
    return tuple(squares), tuple(robust)
