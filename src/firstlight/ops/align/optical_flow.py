"""Displacements from dense optical flow (scikit-image), gathered in patches."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.ops.align.patches import SIDE, Displacements

Flow = Literal["ilk", "tvl1"]

LARGEST = 2048
"""px; planes with a longer side are halved: the time goes with the number of pixels."""
RADIUS = 7
"""px of the window of iterative Lucas-Kanade."""
SPREAD = 6.0
"""Contrast that is given to the texture, in its rms: what TV-L1 expects lies between -1 and 1."""


def flow_displacements(reference: np.ndarray, other: np.ndarray, method: Flow, patches: Displacements) -> Displacements:
    """The patches with shifts from the flow between the planes: its mean, weighted with the contrast.

    Iterative Lucas-Kanade (Le Besnerais & Champagnat 2005) or TV-L1 (Zach, Pock & Bischof 2007).

    Parameters
    ----------
    reference, other : float32 (y, x) of equal shape, as for `compare_patches`.
    patches : where shifts are wanted; those that were not found stay so.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates
    from skimage.registration import optical_flow_ilk, optical_flow_tvl1

    step = 1
    while max(reference.shape) > LARGEST * step:
        step *= 2
    height, width = (n // step * step for n in reference.shape)
    planes = []
    missing = ~(np.isfinite(reference) & np.isfinite(other))
    for plane in (reference, other):
        filled = np.where(missing, np.float32(0), plane)[:height, :width]
        small = filled.reshape(height // step, step, width // step, step).mean(axis=(1, 3))
        planes.append(small / max(SPREAD * float(small.std()), 1e-30))
    if method == "ilk":
        flow = optical_flow_ilk(*planes, radius=RADIUS, dtype=np.float32)
    else:
        flow = optical_flow_tvl1(*planes, dtype=np.float32)
    contrast = np.hypot(*np.gradient(planes[0])) ** 2 + np.float32(1e-9)
    width_of_mean = SIDE / 6 / step
    total = gaussian_filter(contrast, width_of_mean)
    places = (patches.positions[..., ::-1].transpose(2, 0, 1) + 0.5) / step - 0.5
    shifts = np.stack([
        step * map_coordinates(gaussian_filter(part * contrast, width_of_mean) / total, places, order=1, mode="nearest")
        for part in flow[::-1]
    ], axis=-1)  # fmt: skip
    return Displacements(patches.positions, np.where(patches.found[..., None], shifts, np.nan), patches.sigma)
