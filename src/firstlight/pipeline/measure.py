"""Look at every light once: calibrate it in memory, find its stars, measure its background and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from firstlight.errors import FrameError
from firstlight.io.frame import Frame
from firstlight.kernels.calibrate import smooth_mosaic
from firstlight.kernels.network import median_network
from firstlight.kernels.surroundings import find_lone, separable_median
from firstlight.library.plans import Assignment
from firstlight.model.buffers import Buffers
from firstlight.model.stars import Quality, Stars
from firstlight.ops.inspect.median import median
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.clean import Clean, cleaned
from firstlight.pipeline.local import measure_cells
from firstlight.pipeline.sky_noise import noise_of_sky

SPIKE_SIGMA = 2.5
"""A pixel this far off its neighbours is remembered: noise does that to one in eighty, and hardly twice to the same."""
LONE = 0.25
"""A spike whose neighbours have less than this share of its height is sharper than any star of 2.5 px FWHM (0.5 of it;
0.37 for 2 px)."""
RING = 3
"""Pixels of the same colour from a spike to where its height is measured from."""
SAMPLES = 60_000
SATURATED_FRAME = 0.2
"""A light with more than this fraction of saturated pixels shows no sky."""


class Spikes(NamedTuple):
    """Flat indices, int32, of pixels far off those of their colour around them."""

    above: np.ndarray
    below: np.ndarray
    lone: np.ndarray
    """Those of both whose neighbours have no part in it."""


@dataclass(frozen=True, eq=False)
class Light:
    """A light and what was measured on it."""

    frame: Frame
    assignment: Assignment
    calibration: Calibration
    stars: Stars
    quality: Quality
    level: np.ndarray
    """Background of each channel (mono: 1, CFA: red, green, blue), adu after calibration."""
    noise: np.ndarray
    """Noise per pixel of each channel, adu."""
    spikes: Spikes | None = None
    """Where looked for: pixels that stand out."""
    cells: np.ndarray | None = None
    """Where asked for: means of the cells of each channel (`firstlight.pipeline.local`)."""
    key: str = ""
    """Of the step that measured it (`firstlight.pipeline.graph`)."""

    @property
    def name(self) -> str:
        return self.frame.path.name


def measure_light(
    assignment: Assignment,
    calibration: Calibration,
    settings: FindStars,
    *,
    seek_spikes: bool = False,
    keep_cells: bool = False,
    buffers: Buffers | None = None,
    clean: Clean | None = None,
) -> Light:
    """Calibrate one light in memory, clean it where asked, and measure it.

    On CFA data stars are sought on the 3 x 3 binomial luminance of the mosaic, so that positions are those of the full
    frame; background and noise are those of each colour.

    Raises
    ------
    FrameError
        The pixels cannot be read or show no sky.
    """
    frame = assignment.light
    channels, height, width = frame.shape
    buffers = buffers or Buffers()
    band = calibration.band(frame, 0, height, buffers)
    if clean is not None and clean.wanted:
        calibration = cleaned(calibration.of_one_light(), frame, band, clean)
        band = calibration.band(frame, 0, height, buffers)
    full = sum(len(ys) for ys, _ in band.saturated)
    if full > SATURATED_FRAME * channels * height * width:
        raise FrameError(
            f"{frame.path.name}: {100 * full / (channels * height * width):.0f} % of its pixels are saturated; "
            f"at most {100 * SATURATED_FRAME:.0f} % can be; it shows no sky"
        )
    if channels > 1:
        plane = band.data.mean(axis=0, out=buffers.own("plane", (height, width)))
    elif frame.meta.cfa:
        plane = buffers.own("plane", (height, width))
        smooth_mosaic(band.data[0], plane)
    else:
        plane = band.data[0]
    if sum(len(ys) for ys, _ in band.missing) >= band.data.size:
        raise FrameError(f"{frame.path.name}: none of its pixels holds a number; it shows nothing")
    refuse_blank(frame.path.name, band.data)
    level, noise = channel_statistics(band.data, frame.meta.cfa)
    excluded = None
    if any(len(ys) for ys, _ in band.missing):
        excluded = buffers.own("excluded", (height, width), np.bool_)
        excluded[...] = False
        for ys, xs in band.missing:
            excluded[ys, xs] = True
    white = (frame.meta.saturation or np.inf) - calibration.pedestal
    stars, quality = find_stars(plane, settings, excluded=excluded, saturation=0.98 * white, gain=frame.meta.gain)
    spikes = find_spikes(band.data[0], frame.meta.cfa, buffers) if seek_spikes else None
    cells = measure_cells(band.data, frame.meta.cfa) if keep_cells else None
    return Light(frame, assignment, calibration, stars, quality, level, noise, spikes, cells)


def channel_statistics(planes: np.ndarray, cfa: str | None, apart: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Background level and noise per pixel of each colour, float64 (channels,).

    The level is the mode-like 3 median - 2 mean of values clipped at 3 sigma; for the noise see
    `firstlight.pipeline.sky_noise`. Both from about 60,000 pixels: the level is right to a hundredth of the noise.
    Resampled pixels are alike within the reach of the kernel: neighbours that are compared must lie so far ``apart``.
    Values that are not finite are left out.
    """
    samples: list[list[np.ndarray]]
    if cfa:
        cell = [planes[0][j::2, i::2] for j in (0, 1) for i in (0, 1)]
        samples = [[cell[k] for k in range(4) if cfa[k] == colour] for colour in "RGB"]
        samples = [part or cell for part in samples]
    else:
        samples = [[plane] for plane in planes]
    levels, noises = [], []
    for parts in samples:
        values, looked = [], []
        for part in parts:
            rows = part[:: max(1, part.shape[0] * part.shape[1] * len(parts) // SAMPLES)]
            # Infinity less infinity would warn.
            rows = np.where(np.isfinite(rows), rows, np.float32(np.nan))
            values.append(rows.ravel())
            looked.append(rows)
        levels.append(_clipped_level(_finite(values)))
        noises.append(noise_of_sky(looked, apart))
    return np.array(levels), np.array(noises)


def refuse_blank(name: str, planes: np.ndarray) -> None:
    """A frame without any noise would weigh more than all others together.

    Raises
    ------
    FrameError
        All pixels of a channel have the same value.
    """
    for plane in planes:
        # A few pixels that differ, as nearly always, save a look at all of them.
        for part in (plane[::5, ::7], plane):
            low, high = (extreme.reduce(part, axis=None) for extreme in (np.fmin, np.fmax))
            if plane.size == 1 or low != high:
                break
        else:
            raise FrameError(f"{name}: all its pixels are {low:g}; it shows nothing")


def _finite(parts: list[np.ndarray]) -> np.ndarray:
    values = np.concatenate(parts)
    return values[np.isfinite(values)]


def _clipped_level(values: np.ndarray) -> float:
    for _ in range(5):
        middle = median(values)
        away = np.abs(values - np.float32(middle))
        sigma = 1.4826 * median(away)
        kept = values[away <= np.float32(3 * sigma)]
        if len(kept) == len(values) or len(kept) < 100:
            break
        values = kept
    mean = float(np.mean(values, dtype=np.float64))
    return 3 * middle - 2 * mean if abs(mean - middle) < sigma else middle


def find_spikes(plane: np.ndarray, cfa: str | None, buffers: Buffers | None = None) -> Spikes:
    """Pixels far above, and far below, the median of the pixels of their colour around them.

    Most of them are noise, stars and cosmic rays. Those that come back at the same place of the sensor while the sky
    moves over it are pixels that the darks do not put right (see `firstlight.pipeline.hotpixels`).
    """
    buffers = buffers or Buffers()
    around, step = buffers.own("around", plane.shape), 2 if cfa else 1
    separable_median(plane, step, around)
    excess = np.subtract(plane, around, out=around)
    limit = np.float32(SPIKE_SIGMA * 1.4826 * median(np.abs(excess[::7, ::5])))
    far = buffers.own("far", plane.shape, np.bool_)
    above = np.flatnonzero(np.greater(excess, limit, out=far)).astype(np.int32)
    below = np.flatnonzero(np.less(excess, -limit, out=far)).astype(np.int32)
    both = np.concatenate([above, below])
    return Spikes(above, below, both[_is_lone(plane, both, step)])


def _is_lone(plane: np.ndarray, spikes: np.ndarray, step: int) -> np.ndarray:
    """Whether the neighbours of each spike stand at the level of the ring around them, as no star's do."""
    lone = np.empty(len(spikes), bool)
    find_lone(plane, spikes, step, RING, median_network(8 * RING), np.float32(LONE), lone)
    return lone
