"""Bring frames to one level and one scale before they are compared and combined."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.kernels.surface import tile_levels
from firstlight.ops.inspect.background import Background, box_edges

Mode = Literal[
    "additive+scale", "additive", "multiplicative", "multiplicative+scale", "background", "signal", "local", "none"
]

SCALED = ("additive+scale", "multiplicative+scale", "signal", "local")
"""Modes that bring the fluxes of stars to those of the reference."""
FEWEST_CELLS = 0.2
"""A tile of which less than this share is seen by both frames says nothing."""
STRAY = 5.0
"""A tile further than this many of its errors off the median of its neighbours takes their median: something moved
there, or glared."""


def normalizing_line(
    mode: Mode, scale: float, background: np.ndarray, reference: np.ndarray, name: str = "the frame"
) -> tuple[np.ndarray, np.ndarray]:
    """Factor and summand per channel that normalise a frame: ``frame * factor + summand``.

    With m the background of the frame, m0 that of the reference and k = ``scale``, the flux of the reference's stars
    over that of the same stars here:

    ==========================  ===========================================================================
    ``none``                    f
    ``additive``                f - m + m0
    ``background``              the same: only the background is touched
    ``multiplicative``          f m0 / m
    ``signal``                  k (f - m) + m: only the signal is touched, each frame keeps its own background
    ``additive+scale``          k (f - m) + m0
    ``multiplicative+scale``    f m0 / m, then the signal by what is left of k: the same as the one before, for a line
                                is settled by its background and its stars; only where m is not above 0 it is refused
    ``local``                   as ``additive+scale``, and a smooth surface is added (`difference_surface`)
    ==========================  ===========================================================================

    Returns
    -------
    factor, summand : float64 (channels,)

    Raises
    ------
    InputError
        A multiplicative mode and a background that is not above 0.

    >>> line = normalizing_line("additive+scale", 2.0, np.array([100.0]), np.array([300.0]))
    >>> [float(each[0]) for each in line]
    [2.0, 100.0]
    """
    background, reference = (np.asarray(each, np.float64) for each in (background, reference))
    if mode.startswith("multiplicative") and min(background.min(), reference.min()) <= 0:
        raise InputError(
            f"{name}: background {background.min():.4g} adu, reference {reference.min():.4g} adu; {mode} normalisation "
            "divides one by the other and needs both above 0; take additive+scale"
        )
    factor = np.full(len(background), float(scale) if mode in SCALED else 1.0)
    if mode == "multiplicative":
        factor = reference / background
    target = {"none": background, "signal": background}.get(mode, reference)
    return factor, target - factor * background


def difference_surface(difference: np.ndarray, box: int) -> Background:
    """Smooth surface through a plane that holds noise and a few outliers: level in tiles, strays replaced.

    Unlike `measure_background` it expects no stars: what differs between two frames that were brought to one scale is
    their sky, and leftovers of stars that are as often above as below. ``mesh_noise`` of the result is the standard
    error of the levels.

    Parameters
    ----------
    difference : float32 (y, x); NaN where there is none.
    box : side of a tile, in pixels of the plane.

    Raises
    ------
    FrameError
        There is no tile with enough pixels.

    >>> plane = np.add.outer(np.arange(64.0), np.zeros(64)).astype(np.float32)
    >>> surface = difference_surface(plane, 16).at()
    >>> bool(abs(surface - plane).max() < 0.01)
    True
    """
    height, width = difference.shape
    counts = [max(1, round(n / box)) for n in (height, width)]
    rows, columns = (box_edges(n, count) for n, count in zip((height, width), counts, strict=True))
    level, error = np.empty(counts, np.float32), np.empty(counts, np.float32)
    tile_levels(np.ascontiguousarray(difference), rows, columns, FEWEST_CELLS, level, error)
    known = np.isfinite(level)
    if not known.any():
        raise FrameError("local normalisation: too little of the reference is seen; nothing can be compared")
    around = _neighbours_median(level)
    stray = known & (np.abs(level - around) > STRAY * np.maximum(error, np.nanmedian(_spread(level, around))))
    level = np.where(stray, around, level)
    return Background(_continued(level, known), error, (height, width))


def _neighbours_median(mesh: np.ndarray) -> np.ndarray:
    """Median of the pairs across each node (up and down, left and right, both diagonals): exact on any plane."""
    padded = np.pad(mesh, 1, constant_values=np.nan)
    ny, nx = mesh.shape

    def moved(dy: int, dx: int) -> np.ndarray:
        return padded[1 + dy : 1 + dy + ny, 1 + dx : 1 + dx + nx]

    pairs = np.stack([0.5 * (moved(*d) + moved(-d[0], -d[1])) for d in ((0, 1), (1, 0), (1, 1), (1, -1))])
    some = np.isfinite(pairs).any(axis=0)
    pairs[:, ~some] = mesh[~some]
    return np.where(np.isnan(pairs).all(axis=0), mesh, _nanmedian(pairs)).astype(np.float32)


def _nanmedian(values: np.ndarray) -> np.ndarray:
    """Median along the first axis without NaN; NaN, and no warning, where nothing is left."""
    ordered = np.sort(values, axis=0)
    n = np.isfinite(values).sum(axis=0)
    low, high = (np.take_along_axis(ordered, np.maximum(k, 0)[None], axis=0)[0] for k in ((n - 1) // 2, n // 2))
    return 0.5 * (low + high)


def _spread(level: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Robust scatter of the tiles about their neighbours: what the surface itself does from tile to tile."""
    steps = np.abs(level - around)
    steps = steps[np.isfinite(steps)]
    return 1.4826 * np.median(steps, keepdims=True)


def _continued(mesh: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The mesh with unknown tiles set to the nearest known one."""
    if known.all():
        return mesh.astype(np.float32)
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return mesh[tuple(nearest)].astype(np.float32)
