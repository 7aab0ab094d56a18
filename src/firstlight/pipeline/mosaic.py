"""CFA mosaics in the engine: bands to colour planes, and what that does to positions and noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from firstlight.model.registration import Transform
from firstlight.ops.align.resample import Kernel, kernel_correlations
from firstlight.ops.calibrate.debayer import REACH, Method, debayer_planes, pattern_of

SIDE, RIM = 512, 8
"""px: of a mosaic of noise, and of what is left out at its edges."""
LAGS = 7
"""px: as far as the widest kernel reaches."""


@dataclass(frozen=True)
class Colours:
    """How a mosaic becomes red, green and blue planes."""

    cfa: str
    """Colours of the cell in array order, as ``Meta.cfa``."""
    method: Method

    @property
    def shrink(self) -> int:
        """Mosaic pixels per plane pixel along an axis."""
        return 2 if self.method == "superpixel" else 1

    @property
    def cell(self) -> Transform:
        """Mosaic positions to plane positions."""
        if self.shrink == 1:
            return Transform.identity()
        return Transform(np.array([[0.5, 0.0, -0.25], [0.0, 0.5, -0.25], [0.0, 0.0, 1.0]]))

    @property
    def margin(self) -> int:
        """Rows beyond a band that debayering looks at."""
        return REACH[self.method] + 1

    def planes(self, mosaic: np.ndarray) -> np.ndarray:
        """Colour planes (3, rows, x) of a band (1, rows, x) that begins on an even row."""
        return debayer_planes(mosaic[0], self.cfa, self.method)

    def of_channel(self, channel: int, ys: np.ndarray, xs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Those of the mosaic positions that have this colour."""
        mine = pattern_of(self.cfa)[ys % 2, xs % 2] == channel
        return ys[mine], xs[mine]

    def noise_factor(self, channel: int, forward: Transform, kernel: Kernel, size: tuple[int, int]) -> float:
        """Variance of a pixel of the resampled colour plane, of this height and width, over that of a mosaic pixel.

        Debayered noise is alike over some pixels: a resampling kernel smooths it less than white noise.
        """
        covariance = _covariances(self.cfa, self.method)[channel]
        along, down = kernel_correlations(forward, (0, size[0], 0, size[1]), kernel)
        reach = along.shape[1] // 2
        part = covariance[LAGS - reach : LAGS + reach + 1, LAGS - reach : LAGS + reach + 1]
        return float(np.mean(np.sum((down @ part) * along, axis=1)))


@lru_cache(maxsize=16)
def _covariances(cfa: str, method: Method) -> np.ndarray:
    """Of debayered white noise of variance 1, per colour and lag (y, x) up to 7 px, the mean over the CFA cell.

    Edge-aware methods are no filters, and follow the noise: a mosaic of it (always the same) is debayered. What its own
    variance is off by drops out, and 0.3 % are left.
    """
    mosaic = np.random.Generator(np.random.PCG64(1)).standard_normal((SIDE, SIDE), dtype=np.float32)
    pattern = np.tile(pattern_of(cfa), (SIDE // 2, SIDE // 2))
    found = []
    for channel, plane in enumerate(debayer_planes(mosaic + np.float32(100), cfa, method)):
        inner = plane[RIM:-RIM, RIM:-RIM].astype(np.float64)
        spectrum = np.abs(np.fft.fft2(inner - inner.mean())) ** 2
        lags = np.fft.fftshift(np.fft.ifft2(spectrum).real) / inner.size
        y, x = (length // 2 for length in inner.shape)
        own = np.var(mosaic[pattern == channel], dtype=np.float64)
        near = lags[y - LAGS : y + LAGS + 1, x - LAGS : x + LAGS + 1] / own
        # What chance alone would leave of pixels that share nothing.
        found.append(np.where(np.abs(near) > 3 * near[LAGS, LAGS] / inner.size**0.5, near, 0.0))
    return np.stack(found)
