"""Transform between two planes from their corners and textures: for what shows too few stars to match."""

from __future__ import annotations

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.registration import Registration
from firstlight.ops.align.models import fit_robustly

MOST = 1000
"""Features of each plane."""
SIDE = 1024
"""px; larger planes are halved until their longer side is no longer: features are found coarse, and quickly."""
TOLERANCE = 2.0
"""px of the halved plane within which two features count as one."""
FEWEST = 12
TRIALS = 2000
SMOOTH = 1.0
"""px (sigma) of the halved plane: or noise would have features too."""


def match_features(plane: np.ndarray, reference: np.ndarray) -> Registration:
    """Find the similarity that takes positions of ``plane`` to those of ``reference``.

    Oriented binary features (ORB: Rublee et al. 2011, of scikit-image) are found on both, paired by likeness, and the
    transform most of them agree with is fitted (RANSAC, then a robust fit). It is good to some tenths of a pixel:
    stars, where there are enough, are ten times better.

    Parameters
    ----------
    plane, reference : float32 (y, x); not changed. Pixels that are not finite count as sky.

    Raises
    ------
    FrameError
        Too few features are alike, or they do not agree.
    """
    from skimage.feature import match_descriptors

    (mine, own, _), (theirs, other, other_step) = (_features(each) for each in (plane, reference))
    # Stars look all alike: how much better a pair is than the next best tells nothing of them.
    pairs = match_descriptors(own, other, cross_check=True)
    if len(pairs) < FEWEST:
        raise FrameError(f"features: {len(pairs)} look alike in the frame and the reference; at least {FEWEST} must")
    source, target = mine[pairs[:, 0]], theirs[pairs[:, 1]]
    agree = _agreeing(source, target, TOLERANCE * other_step)
    n = int(agree.sum())
    if n < FEWEST:
        raise FrameError(f"features: {n} of {len(pairs)} pairs agree with one transform; at least {FEWEST} must")
    transform, weights = fit_robustly(source[agree], target[agree], np.full(n, float(other_step)), "similarity")
    distance = transform(source[agree]) - target[agree]
    rms = float(np.sqrt(np.average((distance**2).sum(axis=1), weights=weights)))
    return Registration(transform, int(np.count_nonzero(weights)), rms, "features")


def _features(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Positions (n, 2) on the plane, descriptors (n, bits), and how much it was reduced."""
    from skimage.feature import ORB

    small, step = _prepared(plane)
    finder = ORB(n_keypoints=MOST, fast_threshold=0.03)
    try:
        finder.detect_and_extract(small)
    except RuntimeError as error:
        raise FrameError("features: a plane shows none") from error
    # On planes turned by half a turn, places lie off by as much as the smaller planes' pixels are larger: measured.
    found = finder.keypoints[:, ::-1] - 0.5 * (finder.scales[:, None] - 1.0)
    return (found + 0.5) * step - 0.5, finder.descriptors, step


def _prepared(plane: np.ndarray) -> tuple[np.ndarray, int]:
    """Reduced, sky at zero, from 0 to 1 with bright things held back."""
    from scipy.ndimage import gaussian_filter

    plane = np.asarray(plane, dtype=np.float32)
    finite = np.isfinite(plane)
    if not finite.any():
        raise FrameError("features: no pixel of a plane holds a number")
    step = 1
    while max(plane.shape) > SIDE * step:
        step *= 2
    middle = np.float32(np.median(plane[finite]))
    plane = np.where(finite, plane, middle)
    height, width = (n // step * step for n in plane.shape)
    small = plane[:height, :width].reshape(height // step, step, width // step, step).mean(axis=(1, 3))
    spread = 1.4826 * float(np.median(np.abs(small - np.median(small)))) or 1.0
    small = gaussian_filter(np.arcsinh((small - np.median(small)) / (3 * spread)), SMOOTH)
    low, high = np.percentile(small, (1, 99.9))
    return np.clip((small - low) / max(high - low, 1e-6), 0, 1).astype(np.float64), step


def _agreeing(source: np.ndarray, target: np.ndarray, within: float) -> np.ndarray:
    """Boolean (n,): the pairs that agree with the similarity most agree with. The same choices every time."""
    rng = np.random.Generator(np.random.PCG64(1))
    first, second = rng.integers(0, len(source), (2, TRIALS))
    # Two pairs of points, as complex numbers, make a similarity: t = a s + b.
    s, t = (p[:, 0] + 1j * p[:, 1] for p in (source, target))
    apart = np.abs(s[second] - s[first]) > 10 * within
    first, second = first[apart], second[apart]
    best = np.zeros(len(source), bool)
    for i, j in zip(first, second):
        a = (t[j] - t[i]) / (s[j] - s[i])
        if not 0.5 < abs(a) < 2.0:
            continue
        agree = np.abs(a * (s - s[i]) + t[i] - t) < within
        if agree.sum() > best.sum():
            best = agree
    return best
