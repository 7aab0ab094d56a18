"""Drizzle: drop the pixels of dithered frames onto a grid of their own or a finer scale (Fruchter & Hook 2002)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from firstlight.kernels import drizzle as kernels
from firstlight.model.flags import Flag
from firstlight.model.registration import Transform
from firstlight.ops.registry import Params
from firstlight.units import Sigma

DropShape = Literal["square", "turbo", "point"]

_SHAPES = {"square": kernels.SQUARE, "turbo": kernels.TURBO, "point": kernels.POINT}

PLANES, FIRST_PASS = 28, 24
"""Bytes of a pixel of the drizzled stack, and of a pixel of the stack it is held against."""

MONO = np.zeros((2, 2), np.int64)
"""Pattern of data that are no mosaic: every pixel belongs to channel 0."""


class Drizzle(Params):
    """Drop pixels onto a grid of a finer scale instead of resampling. Frames must be dithered: many, by odd amounts."""

    scale: Annotated[float, Field(ge=0, le=4)] = 0.0
    """Output pixels per reference pixel along an axis, 1 to 4; 0: resample, no drizzle. On CFA data each colour is
    dropped from the mosaic into its own plane: nothing is debayered."""
    pixfrac: Annotated[float, Field(ge=0.1, le=1)] = 1.0
    """Side of a drop in frame pixels. Smaller drops are sharper and less correlated, and need more frames."""
    kernel: DropShape = "square"
    """Shape of a drop: ``square``: the pixel as it lies on the grid; ``turbo``: an upright square, quicker; ``point``:
    all of it into one pixel."""
    reject: Annotated[Sigma, Field(ge=0, le=100)] = 4.0
    """A pixel this far from the stack of all frames, beyond what the steepness of the image explains, is not dropped;
    0: all are. Needs 3 frames."""
    fill: bool = True
    """Where no drop fell, take the value of the ordinary stack, flagged INTERPOLATED; without, flag NO_DATA."""
    context: bool = False
    """Write which frames are in each pixel: extension CONTEXT, one bit a frame, 32 frames a plane."""

    @field_validator("scale")
    @classmethod
    def _scale(cls, scale: float) -> float:
        if 0 < scale < 1:
            raise ValueError("must be 0 (no drizzle) or 1 to 4; bin the stack for larger pixels")
        return scale

    @field_validator("reject")
    @classmethod
    def _reject(cls, reject: float) -> float:
        if 0 < reject < 2:
            raise ValueError("must be 0 (no rejection) or 2 and more: good pixels are noisy too")
        return reject

    @property
    def zoom(self) -> Transform:
        """Positions on the grid of the reference to those on the grid of the drizzled stack.

        >>> Drizzle(scale=2).zoom(np.array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
        """
        s = self.scale
        return Transform(np.array([[s, 0, 0.5 * (s - 1)], [0, s, 0.5 * (s - 1)], [0, 0, 1]]))

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the drizzled stack of a grid."""
        return int(np.ceil(height * self.scale)), int(np.ceil(width * self.scale))

    def bytes_needed(self, pixels: int, n_frames: int) -> int:
        """Memory for a stack of so many pixels (of all channels) at the frames' scale: its planes and a picture of it,
        those of the first pass, and the context."""
        context = 4 * -(-n_frames // 32) if self.context else 0
        return int(((PLANES + context) * self.scale**2 + FIRST_PASS) * pixels)


def noise_ratio(pixfrac: float, scale: float) -> float:
    """Noise of large areas over what the noise of single pixels promises, for uncorrelated pixels: R.

    Drops fall on several pixels, which makes neighbours alike and single pixels too smooth. For many evenly spread
    dithers, with r = pixfrac * scale the side of a drop in output pixels (Casertano et al. 2000; Fruchter & Hook 2002):
    r / (1 - 1 / (3 r)) for r >= 1, else 1 / (1 - r / 3).

    >>> [round(noise_ratio(*pair), 2) for pair in ((1.0, 1.0), (0.5, 1.0), (1.0, 2.0))]
    [1.5, 1.2, 2.4]
    """
    r = pixfrac * scale
    return r / (1.0 - 1.0 / (3.0 * r)) if r >= 1 else 1.0 / (1.0 - r / 3.0)


@dataclass(frozen=True, eq=False)
class Drizzled:
    """A tile of a drizzled stack; all (channels, rows, x)."""

    mean: np.ndarray
    """float32; 0 where no drop fell (flagged ``NO_DATA``)."""
    variance: np.ndarray
    weight: np.ndarray
    """float64: sum of share * weight of the drops."""
    flags: np.ndarray
    """uint16: OR of the flags of the drops."""
    coverage: np.ndarray
    """uint16: frames of which a drop fell here."""
    rejected_low: np.ndarray
    """uint16: drops that were not used here."""
    rejected_high: np.ndarray
    context: np.ndarray
    """uint32 (channels, planes, rows, x): bit ``i % 32`` of plane ``i // 32`` is set where a drop of the frame that was
    added as number i fell; no planes unless asked for."""


class Canvas:
    """A tile of the grid onto which frames are dropped, one after the other.

    Values are surface brightness per *frame* pixel, as everywhere in firstlight: drizzling does not dim, and the flux
    of a star is the sum of its pixels divided by ``scale`` squared. Each pixel is the mean of the drops on it, weighted
    by their shares (parts of the drop, which sum to 1) and the weights of their frames: ``sum(w a v) / sum(w a)``, with
    the variance ``sum(w^2 a^2 var) / sum(w a)^2``.

    Parameters
    ----------
    channels : int
    tile : tuple of int
        (top, bottom, left, right) on the grid.
    drizzle : Drizzle
    frames : int
        Most frames that will be added; asked only where the context is kept.

    Notes
    -----
    Neighbouring pixels share drops: their noise is correlated, and sums over many pixels are noisier than the variances
    say, by `noise_ratio`.

    >>> canvas = Canvas(1, (0, 4, 0, 4), Drizzle(scale=2))
    >>> canvas.add(np.full((2, 2), 7.0, np.float32), Drizzle(scale=2).zoom).tolist()
    [4, 0]
    >>> result = canvas.finish()
    >>> result.mean[0, 0].tolist(), result.weight[0, 0].tolist()
    ([7.0, 7.0, 7.0, 7.0], [0.25, 0.25, 0.25, 0.25])
    """

    def __init__(self, channels: int, tile: tuple[int, int, int, int], drizzle: Drizzle, frames: int = 0) -> None:
        top, bottom, left, right = tile
        planes = -(-frames // 32) if drizzle.context else 0
        self.drizzle = drizzle
        self._tile = tile
        self._totals = np.zeros((channels, bottom - top, right - left, 3))
        self._counts = np.zeros((channels, bottom - top, right - left, 5), np.uint16)
        self._context = np.zeros((channels, planes, bottom - top, right - left), np.uint32)
        self._frames = 0

    def add(
        self,
        values: np.ndarray,
        forward: Transform,
        *,
        variances: np.ndarray | float = 0.0,
        states: np.ndarray | None = None,
        weight: float = 1.0,
        sky: np.ndarray | None = None,
        first_row: int = 0,
        first_column: int = 0,
        pattern: np.ndarray = MONO,
        channel: int = 0,
        same_frame: bool = False,
    ) -> np.ndarray:
        """Drop a part of a frame.

        Parameters
        ----------
        values : ndarray
            float32 (rows, x), the part of the frame that begins at (``first_row``, ``first_column``): all that the tile
            sees.
        forward : Transform
            Frame positions to grid positions.
        variances : ndarray or float
            Of the values.
        states : ndarray, optional
            uint8 of `firstlight.kernels.drizzle`: used, rejected, missing.
        weight : float
            Of the frame.
        sky : ndarray, optional
            float64 (channels,): variance of its background. If given, the weight of a pixel falls with its variance.
        pattern : ndarray
            int64 (2, 2): channel of the pixels of each place in the CFA cell.
        channel : int
            Where data that are no mosaic go.
        same_frame : bool
            Another part or channel of the frame before: it counts once.

        Returns
        -------
        ndarray
            int64 (2,): pixels whose centre lies in the tile and that are not missing, and those of them rejected.
        """
        if not same_frame:
            self._frames += 1
        if states is None:
            states = np.zeros(values.shape, np.uint8)
        if sky is None:
            sky = np.zeros(len(self._totals))
        variances = np.broadcast_to(np.asarray(variances, np.float32), values.shape)
        top, _, left, _ = self._tile
        tally = np.zeros(2, np.int64)
        mesh = mesh_of(forward, first_row, first_column, values.shape)
        kernels.drop_pixels(
            values, np.ascontiguousarray(variances), states, pattern + channel, first_row, first_column,
            forward.matrix.copy(), mesh, _SHAPES[self.drizzle.kernel], self.drizzle.pixfrac, float(weight), sky,
            int(Flag.SATURATED), self._frames, _cells(forward.matrix, mesh), top, left, self._totals, self._counts,
            tally,
        )  # fmt: skip
        plane, bit = divmod(self._frames - 1, 32)
        if plane < self._context.shape[1]:
            # The first count names the last frame of which a drop fell there.
            self._context[:, plane] |= (self._counts[..., 0] == self._frames).astype(np.uint32) << np.uint32(bit)
        return tally

    def skip(self) -> None:
        """Count a frame that does not reach the tile."""
        self._frames += 1

    def finish(self) -> Drizzled:
        """Mean, variance and flags of what has fallen so far."""
        weight = self._totals[..., 1]
        empty = weight <= 0
        divisor = np.where(empty, 1.0, weight)
        flags = self._counts[..., 2].copy()
        flags[empty] = np.uint16(Flag.NO_DATA)
        return Drizzled(
            (self._totals[..., 0] / divisor).astype(np.float32),
            (self._totals[..., 2] / divisor**2).astype(np.float32),
            weight.copy(),
            flags,
            self._counts[..., 1],
            self._counts[..., 3],
            self._counts[..., 4],
            self._context,
        )


def mesh_of(forward: Transform, first_row: int, first_column: int, shape: tuple[int, int]) -> np.ndarray:
    """Grid positions (down, across, 2) of the nodes around a part of a frame; none for affine maps, which need none."""
    if forward.is_affine:
        return np.empty((0, 0, 2))
    rows, columns = (
        np.arange((first - 1) // kernels.CELL, (first + length) // kernels.CELL + 2) * kernels.CELL
        for first, length in ((first_row, shape[0]), (first_column, shape[1]))
    )
    xs, ys = np.meshgrid(columns, rows)
    return forward(np.column_stack([xs.ravel(), ys.ravel()])).reshape(len(rows), len(columns), 2)


def _cells(matrix: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Scratch that holds any drop."""
    if len(mesh):
        steps = np.abs(np.diff(mesh, axis=0)).max(axis=(0, 1)) + np.abs(np.diff(mesh, axis=1)).max(axis=(0, 1))
        widest = steps.max() / kernels.CELL
    else:
        widest = np.abs(matrix[:2, :2]).sum(axis=1).max()
    most = int(np.ceil(widest)) + 4
    return np.zeros((most, most))
