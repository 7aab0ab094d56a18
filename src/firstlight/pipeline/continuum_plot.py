"""What continuum subtraction left: the picture, and what remains of each star over the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firstlight.pipeline.series_plot import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from firstlight.pipeline.continuum import ContinuumResult

LONGEST = 1600
"""px of the side of the picture that is drawn."""


def draw_residuals(result: ContinuumResult, residual: np.ndarray) -> Figure:
    """The line's light in units of its noise, the stars' remains on the field, and their histogram."""
    figure = new_figure(13.5, 6.2)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.25, 1), height_ratios=(1.9, 1))
    picture, field = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[0, 1])
    bars = figure.add_subplot(grid[1, 1])
    height, width = residual.shape
    thin = max(1, -(-max(height, width) // LONGEST))
    shown = np.arcsinh(residual[::thin, ::thin])
    finite = shown[np.isfinite(shown)]
    low, high = np.percentile(finite, [1, 99.7]) if len(finite) else (0, 1)
    upside = "lower" if result.image.meta.bottom_up else "upper"
    extent = (-0.5, width - 0.5, -0.5, height - 0.5) if upside == "lower" else (-0.5, width - 0.5, height - 0.5, -0.5)
    picture.imshow(shown, cmap="magma", vmin=low, vmax=high, origin=upside, extent=extent, interpolation="nearest")
    picture.set_title("light of the line, over its noise (asinh)", fontsize=10)
    picture.set_xticks([])
    picture.set_yticks([])
    left = 100 * result.left
    known = np.isfinite(left)
    reach = max(float(np.percentile(np.abs(left[known]), 90)) if known.any() else 1.0, 1.0)
    dots = field.scatter(
        result.x[known], result.y[known], c=left[known], cmap="RdBu_r", vmin=-reach, vmax=reach, s=26,
        edgecolors="#666666", linewidths=0.4,
    )  # fmt: skip
    figure.colorbar(dots, ax=field, label="left of the star, %")
    field.set_xlim(0, width)
    field.set_ylim((0, height) if upside == "lower" else (height, 0))
    field.set_aspect("equal")
    field.tick_params(labelsize=8)
    spread = "" if result.ratio is None else f", spread of colours {100 * result.ratio.spread:.1f} %"
    field.set_title(f"factor {result.factor:.5g} ± {result.factor_error:.2g}{spread}", fontsize=10)
    if known.any():
        bars.hist(np.clip(left[known], -3 * reach, 3 * reach), bins=31, color="#7f9ccb")
    bars.axvline(0, color="#c0392b", linewidth=1)
    bars.set_xlabel("left of the stars, % of their narrowband light", fontsize=9)
    bars.set_ylabel("stars", fontsize=9)
    bars.tick_params(labelsize=8)
    return figure
