"""Light that is taken off frames in the engine, because it moves against the rest of the sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from firstlight.model.registration import Transform
from firstlight.ops.align.resample import Kernel, half_width, resample_tile, source_window


@dataclass(frozen=True, eq=False)
class Layer:
    """Light that is taken off a frame, because it moves against the rest of the sky."""

    plane: np.ndarray
    """float32 (channels, y, x), on the scale of the stack; 0 where there is nothing."""
    to_grid: Transform
    """Its positions to those of the planes of the stack."""

    def take_off(self, channel: int, factor: float, kernel: Kernel, top: int, left: int, out: np.ndarray) -> None:
        """Subtract ``factor`` times the layer from a tile (rows, columns) that begins at (top, left) of the grid."""
        plane = self.plane[channel]
        tile = (top, top + out.shape[0], left, left + out.shape[1])
        window = source_window(self.to_grid, tile, plane.shape, half_width(kernel))
        if window is None:
            return
        moved = np.empty_like(out)
        resample_tile(
            plane[window[0] : window[1]], window[0], plane.shape, self.to_grid, moved, top, left, kernel=kernel
        )
        # Beyond the layer nothing is known: nothing is taken off.
        np.nan_to_num(moved, copy=False)
        moved *= np.float32(factor)
        out -= moved
