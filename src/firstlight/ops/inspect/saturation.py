"""Stars whose cores are full: one star for each plateau."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.calibrate import find_at_or_above


def join_saturated(plane: np.ndarray, saturation: float, spots: np.ndarray, fwhm: float) -> np.ndarray:
    """Spots (n, 3: x, y, strength) with those on one plateau joined into its strongest, moved to the plateau's middle.

    A plateau is a group of touching pixels (corners count) at or above ``saturation``; spots within one FWHM of its
    pixels belong to it. Plateaus without a spot (hot pixels, columns) stay without.
    """
    width = plane.shape[1]
    full = _full_pixels(plane, saturation)
    if len(full) == 0 or len(spots) == 0:
        return spots
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    first, second = [], []
    for step in (1, width - 1, width, width + 1):
        place = np.searchsorted(full, full + step)
        place[place == len(full)] = 0
        touching = full[place] == full + step
        # The last pixel of a row does not touch the first of the next.
        touching &= np.abs(full[place] % width - full % width) <= 1
        first.append(np.flatnonzero(touching))
        second.append(place[touching])
    a, b = np.concatenate(first), np.concatenate(second)
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(len(full), len(full)))
    _, label = connected_components(graph, directed=False)
    ys, xs = np.divmod(full, width)
    distance, nearest = cKDTree(np.column_stack([xs, ys])).query(spots[:, :2], distance_upper_bound=fwhm + 1.0)
    on = np.isfinite(distance)
    joined = spots.copy()
    keep = np.ones(len(spots), bool)
    size = np.bincount(label)
    middle_x = np.bincount(label, xs) / size
    middle_y = np.bincount(label, ys) / size
    taken: set[int] = set()
    # Spots come strongest first.
    for i in np.flatnonzero(on):
        plateau = int(label[nearest[i]])
        if plateau in taken:
            keep[i] = False
            continue
        taken.add(plateau)
        if size[plateau] >= 2:
            joined[i, :2] = middle_x[plateau], middle_y[plateau]
    return joined[keep]


def _full_pixels(plane: np.ndarray, saturation: float) -> np.ndarray:
    """Flat indices of the pixels at or above ``saturation``."""
    n, room = 1, 0
    while n > room:
        room = max(n, 4096)
        ys, xs, finite = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.bool_)
        n = find_at_or_above(plane, np.float32(saturation), ys, xs, finite)
    full = ys[:n] * plane.shape[1] + xs[:n]
    return full[~np.isnan(plane.ravel()[full])]
