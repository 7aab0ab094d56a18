"""How the noise of a calibrated sky differs over the field: where the optics let less light through there is more.

A flat field makes the sky even and its noise uneven: photons that are fewer by the flat f leave a variance of 1 / f,
readings one of 1 / f^2. In corners that get half of the light the variance is twice that of the middle. It is known
without measuring it: from the master flats, and from how much of the noise photons make. What the sky itself is
brighter by, a gradient, is told by the pixels (`firstlight.kernels.tiles.spread_at`).
"""

from __future__ import annotations

import numpy as np

from firstlight.model.registration import Transform
from firstlight.ops.calibrate.debayer import pattern_of
from firstlight.pipeline.integrate import Engine
from firstlight.pipeline.local import SPACING

SIDE = 32
"""px of a cell of a flat."""
MOST = 24
"""Frames that are looked at, evenly chosen."""
EVEN = 0.003
"""Factors this near to 1 are none."""


def unevenness(engine: Engine) -> np.ndarray | None:
    """Variance of the sky of a stack over its typical one: float32 (channels, nodes down, nodes across).

    Bilinear between nodes 32 px apart on the planes of the stack; None where it is the same everywhere, or not known.
    """
    if engine.combine.method == "chi2":
        # In units of the noise that is.
        return None
    chosen = np.unique(np.linspace(0, len(engine.contributions) - 1, min(MOST, len(engine.contributions))).astype(int))
    forwards = engine.forwards()
    cfa = engine.colours.cfa if engine.colours else None
    flats: dict[int, np.ndarray] = {}
    for i in chosen:
        gain = engine.contributions[i].calibration.gain
        if gain is None or min(gain.shape[1:]) < 2 * SIDE:
            return None
        if id(gain) not in flats:
            flats[id(gain)] = flat_cells(gain, cfa)
    height, width = engine.size
    ys, xs = np.mgrid[0 : height // SPACING + 2, 0 : width // SPACING + 2] * float(SPACING)
    nodes = np.column_stack([np.minimum(xs, width - 1).ravel(), np.minimum(ys, height - 1).ravel()])
    cell = engine.colours.cell if engine.colours else Transform.identity()
    total = np.zeros((2, engine.channels, nodes.shape[0]))
    # Nodes that no frame covers are told by all, as their edges are.
    for i in chosen:
        one = engine.contributions[i]
        places = cell.inverse(forwards[i].inverse(nodes))
        _, rows, columns = one.frame.shape
        seen = ((places >= 0) & (places <= [columns - 1, rows - 1])).all(axis=1)
        for channel, flat in enumerate(flats[id(one.calibration.gain)]):
            weight = (one.weight * float(one.gain[channel] * one.noise[channel])) ** 2 * np.where(seen, 1.0, 1e-6)
            total[0, channel] += weight * _at(shape_of(flat, one.photon_share(channel)), places)
            total[1, channel] += weight
    factors = total[0] / total[1]
    if np.abs(factors - 1).max() < EVEN:
        return None
    return factors.reshape(engine.channels, *ys.shape).astype(np.float32)


def uneven_on(factors: np.ndarray, size: tuple[int, int], to_first: Transform) -> np.ndarray:
    """The same for planes of another ``size``, whose positions ``to_first`` takes to those of the factors."""
    from scipy.ndimage import map_coordinates

    ys, xs = np.mgrid[0 : size[0] // SPACING + 2, 0 : size[1] // SPACING + 2] * float(SPACING)
    where = to_first(np.column_stack([xs.ravel(), ys.ravel()]))[:, ::-1].T / SPACING
    planes = [map_coordinates(plane, where, order=1, mode="nearest").reshape(ys.shape) for plane in factors]
    return np.stack(planes).astype(np.float32)


def flat_cells(gain: np.ndarray, cfa: str | None) -> np.ndarray:
    """Mean of the flat, 1 / ``gain`` (channels, y, x), in cells of 32 px: float64 (channels or colours, ny, nx)."""
    _, height, width = gain.shape
    ny, nx = height // SIDE, width // SIDE
    pattern = pattern_of(cfa) if cfa else None
    cells = np.empty((3 if cfa else len(gain), ny, nx))
    for channel, plane in enumerate(cells):
        for j in range(ny):
            rows = gain[0 if cfa else channel, j * SIDE : (j + 1) * SIDE, : nx * SIDE]
            flat = (1.0 / rows).reshape(SIDE, nx, SIDE)
            parts = [flat] if pattern is None else [flat[y::2, :, x::2] for y, x in np.argwhere(pattern == channel)]
            plane[j] = np.mean([part.mean(axis=(0, 2), dtype=np.float64) for part in parts], axis=0)
    return np.maximum(cells, 1e-3)


def shape_of(flat: np.ndarray, photons: float) -> np.ndarray:
    """Variance of the calibrated sky over the typical one, of which ``photons`` make this share.

    >>> shape_of(np.array([[1.0, 1.0, 0.5]]), 1.0).round(2).tolist()
    [[0.77, 0.77, 1.54]]
    """
    variance = photons / flat + (1.0 - photons) / flat**2
    # What is measured of a frame is the typical standard deviation.
    return variance / np.mean(np.sqrt(variance)) ** 2


def _at(cells: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values of cells at positions (x, y) of the frame, linear between their middles."""
    from scipy.ndimage import map_coordinates

    where = (places[:, ::-1] - 0.5 * (SIDE - 1)) / SIDE
    return map_coordinates(cells, where.T, order=1, mode="nearest")
