"""Panels of a mosaic put together: measured, brought to one level and scale, and blended in bands of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from firstlight.errors import InputError
from firstlight.io.spool import scratch_array, spooled
from firstlight.model.flags import Flag, has
from firstlight.model.registration import Transform
from firstlight.model.stars import Stars
from firstlight.ops.align.grid import Grid
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.stack.seams import (
    CELL,
    FAINT,
    Evening,
    FluxRatio,
    PanelCells,
    blend,
    feather,
    feather_width,
    weights_at,
)
from firstlight.pipeline.aperture import SMALLEST, WIDE, star_light
from firstlight.pipeline.combine_files import FileEngine
from firstlight.pipeline.integrate import Engine, Stacked
from firstlight.pipeline.panels import Panel
from firstlight.pipeline.register import weighted_median

LARGEST = 400.0
"""A mosaic of more than so many times a frame is refused: something is wrong."""
SHARE = 0.5
"""Of the budget, that the result may take in memory."""
BRIGHT = 20.0
"""SNR of stars whose fluxes are compared."""
SAME = 1.5
"""px between them."""
FEWEST = 5
FLOOR = 5e-4
"""Error of a flux ratio that no number of stars improves."""
BAND = 64
"""Rows of the mosaic that are blended at once."""


@dataclass(frozen=True, eq=False)
class StackedPanel:
    """A panel that is stacked, on the grid of the mosaic."""

    panel: Panel
    engine: Engine | FileEngine
    stacked: Stacked
    """Its planes lie in the scratch folder."""
    depth: float
    """Frames behind a pixel that all of them see."""
    top: int
    """First row and column on the planes of the mosaic, px."""
    left: int
    cells: PanelCells
    stars: Stars
    """Positions on the planes of the mosaic."""
    light: np.ndarray
    """(n,): light of these stars in apertures."""

    @property
    def size(self) -> tuple[int, int]:
        return self.stacked.mean.shape[1:]  # type: ignore[return-value]


def plan_mosaic(panels: Sequence[Panel]) -> Grid:
    """The grid that holds every panel."""
    corners = []
    for panel in panels:
        _, height, width = panel.hub.frame.shape
        edge = np.linspace(0, 1, 9)
        rim = np.concatenate([np.column_stack([edge, np.full(9, v)]) for v in (0, 1)])
        rim = np.concatenate([rim, rim[:, ::-1]]) * [width - 1, height - 1]
        corners += [placed.registration.transform(rim) for placed in panel.placed]
    every = np.concatenate(corners)
    low, high = np.floor(every.min(axis=0)), np.ceil(every.max(axis=0))
    width, height = (int(v) + 1 for v in high - low)
    _, of_frame_y, of_frame_x = panels[0].hub.frame.shape
    if width * height > LARGEST * of_frame_x * of_frame_y:
        raise InputError(
            f"framing mosaic: {width} x {height} px would be {width * height / (of_frame_x * of_frame_y):.0f} times "
            f"the frame; at most {LARGEST:.0f}; stack the fields apart"
        )
    return Grid(height, width, Transform.of_shift(-low[0], -low[1]))


def window_of(panel: Panel, grid: Grid) -> tuple[Grid, int, int]:
    """The part of the grid that a panel takes, and its top and left: whole cells, also over the mosaic's own edge."""
    _, height, width = panel.hub.frame.shape
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], np.float64)
    seen = np.concatenate([p.registration.transform.then(grid.from_reference)(corners) for p in panel.placed])
    unit = 2 * CELL
    left, top = (max(int(v) // unit * unit, 0) for v in np.floor(seen.min(axis=0)))
    right, bottom = (-(-(int(v) + 1) // unit) * unit for v in np.ceil(seen.max(axis=0)))
    return Grid(bottom - top, right - left, grid.from_reference.then(Transform.of_shift(-left, -top))), top, left


def stacked_panel(
    panel: Panel, engine: Engine | FileEngine, stacked: Stacked, place: tuple[int, int], depth: float,
    settings: FindStars, scratch: Path,
) -> StackedPanel:  # fmt: skip
    """Measure a stack whose first pixel lies at ``place`` (top, left) of the mosaic, and put it aside."""
    top, left = place
    good = ~has(stacked.flags, Flag.NO_DATA)
    noise = np.sqrt([np.median(v[g]) if g.any() else 1.0 for v, g in zip(stacked.variance, good)])
    # Where few frames reach, a cell says little.
    cells = PanelCells.of(stacked.mean, stacked.coverage >= 0.5 * depth, top, left, noise)
    stars, light = _stars_of(stacked, good, panel, settings)
    stars = replace(stars, x=stars.x + left, y=stars.y + top)
    planes = {
        name: spooled(getattr(stacked, name), scratch)
        for name in ("mean", "variance", "flags", "coverage", "rejected_low", "rejected_high")
    }
    return StackedPanel(panel, engine, replace(stacked, **planes), depth, top, left, cells, stars, light)


def _stars_of(stacked: Stacked, good: np.ndarray, panel: Panel, settings: FindStars) -> tuple[Stars, np.ndarray]:
    """Bright stars that are not saturated, and their light."""
    plane = np.ascontiguousarray(stacked.mean.mean(axis=0))
    seen = good.all(axis=0)
    full = has(stacked.flags, Flag.SATURATED).any(axis=0)
    stars, quality = find_stars(
        plane, settings, excluded=~seen if not seen.all() else None, gain=panel.hub.frame.meta.gain
    )
    stars = stars.take((stars.snr >= BRIGHT) & (stars.saturated == 0))
    if not len(stars):
        return stars, np.empty(0)
    return stars, star_light(plane, seen & ~full, stars.positions, max(WIDE * quality.fwhm, SMALLEST))


def flux_ratios(done: Sequence[StackedPanel]) -> list[FluxRatio]:
    """Of all pairs of panels that show enough of the same stars."""
    from scipy.spatial import cKDTree

    ratios = []
    for j, other in enumerate(done):
        for i, one in enumerate(done[:j]):
            if not len(one.stars) or not len(other.stars):
                continue
            distance, index = cKDTree(other.stars.positions).query(one.stars.positions, distance_upper_bound=SAME)
            a = np.flatnonzero(np.isfinite(distance))
            mine, theirs = one.light[a], other.light[index[a]]
            known = (mine > 0) & (theirs > 0)
            if known.sum() < FEWEST:
                continue
            mine, theirs = mine[known], theirs[known]
            snr = np.minimum(one.stars.snr[a][known], other.stars.snr[index[a]][known])
            logs = np.log(theirs / mine)
            ratio = float(weighted_median(logs, snr))
            scatter = 1.4826 * float(weighted_median(np.abs(logs - ratio), snr))
            effective = snr.sum() ** 2 / np.sum(snr**2)
            error = float(np.hypot(1.2533 * scatter / effective**0.5, FLOOR))
            ratios.append(FluxRatio(i, j, float(np.exp(ratio)), error))
    return ratios


def blend_panels(
    done: Sequence[StackedPanel], evenings: Sequence[Evening], size: tuple[int, int], executor: Executor, budget: int,
    scratch: Path, advance: Callable[[int], None] = lambda n: None,
) -> Stacked:  # fmt: skip
    """The mosaic from its panels; the result does not depend on threads or memory."""
    channels = len(done[0].stacked.mean)
    shape = (channels, *size)
    deep = np.uint32 if sum(each.depth for each in done) >= 2**16 else np.uint16
    types = {"mean": np.float32, "variance": np.float32, "flags": np.uint16, "coverage": deep,
             "rejected_low": np.uint16, "rejected_high": np.uint16}  # fmt: skip
    bytes_needed = int(np.prod(shape)) * sum(np.dtype(kind).itemsize for kind in types.values())
    fits = bytes_needed <= SHARE * budget
    planes = {
        name: np.zeros(shape, kind) if fits else scratch_array(shape, kind, scratch) for name, kind in types.items()
    }
    result = Stacked(**planes, rejected_fraction=np.concatenate([each.stacked.rejected_fraction for each in done]))
    width = feather_width([each.cells for each in done])
    feathers = [feather(each.cells, width) for each in done]
    bands = [(top, min(top + BAND, size[0])) for top in range(0, size[0], BAND)]
    futures = [executor.submit(_blend_band, done, evenings, feathers, band, result) for band in bands]
    for band, future in zip(bands, futures):
        future.result()
        advance(band[1] - band[0])
    return result


def _blend_band(
    done: Sequence[StackedPanel], evenings: Sequence[Evening], feathers: Sequence[np.ndarray], band: tuple[int, int],
    result: Stacked,
) -> None:  # fmt: skip
    width = result.mean.shape[2]
    rows = np.arange(*band)
    parts = []
    for k, each in enumerate(done):
        top, bottom = max(band[0], each.top), min(band[1], each.top + each.size[0])
        right = min(width, each.left + each.size[1])
        if bottom > top and right > each.left:
            parts.append((k, np.s_[top - band[0] : bottom - band[0], each.left : right],
                          np.s_[:, top - each.top : bottom - each.top, : right - each.left]))  # fmt: skip
    for channel in range(len(result.mean)):
        values, variances, weights = [], [], []
        for k, there, here in parts:
            value, variance, weight = (np.zeros((len(rows), width), np.float32) for _ in range(3))
            value[there], variance[there], weight[there] = _even_part(
                done[k], evenings[k], feathers[k], channel, rows[there[0]], np.arange(width)[there[1]], here
            )
            values.append(value)
            variances.append(variance)
            weights.append(weight)
        if not values:
            result.flags[channel, band[0] : band[1]] = np.uint16(Flag.NO_DATA)
            continue
        mean, variance = blend(values, variances, weights)
        empty = ~np.isfinite(mean)
        mean[empty] = variance[empty] = 0.0
        where = np.s_[channel, band[0] : band[1]]
        result.mean[where], result.variance[where] = mean, variance
        flags = np.zeros(mean.shape, np.uint16)
        for (k, there, here), weight in zip(parts, weights):
            used = weight[there] > 0
            own = done[k].stacked
            flags[there] |= np.where(used, own.flags[here][channel], np.uint16(0))
            for name in ("coverage", "rejected_low", "rejected_high"):
                getattr(result, name)[where][there] += np.where(used, getattr(own, name)[here][channel], np.uint16(0))
        flags[empty] = np.uint16(Flag.NO_DATA)
        result.flags[where] = flags


def _even_part(
    each: StackedPanel, evening: Evening, edge: np.ndarray, channel: int, ys: np.ndarray, xs: np.ndarray,
    here: tuple[slice, ...],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Pixels of a panel on the level and scale of the mosaic, their variance and their weight."""
    own = each.stacked
    factor = np.float32(evening.factor)
    value = own.mean[here][channel] * factor + evening.summand(channel, ys, xs)
    variance = own.variance[here][channel] * factor**2
    coverage = own.coverage[here][channel]
    # Of a band, what the whole panel says: no weight may depend on how the mosaic is cut.
    share = coverage.astype(np.float32) / np.float32(max(each.depth, 1.0))
    weight = np.maximum(weights_at(edge, each.cells, ys, xs), np.float32(FAINT)) * share
    weight /= np.float32((evening.factor * each.cells.noise[channel]) ** 2)
    repaired = has(own.flags[here][channel], Flag.INTERPOLATED) & (coverage == 0)
    weight[repaired] = np.float32(FAINT**2)
    weight[has(own.flags[here][channel], Flag.NO_DATA)] = 0.0
    return value, variance, weight


def mosaic_words(done: Sequence[StackedPanel], evenings: Sequence[Evening]) -> list[str]:
    counts = [len(each.panel.placed) for each in done]
    factors = [evening.factor for evening in evenings]
    few, many = min(counts), max(counts)
    each = f"{few} to {many} lights" if few < many else "1 light each" if many == 1 else f"{many} lights each"
    return [
        f"{len(done)} panels of {each}; brightness brought together by factors of "
        f"{min(factors):.3f} to {max(factors):.3f}"
    ]
