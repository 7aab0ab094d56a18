"""Give a sharp image the star profile of a broader one."""

from __future__ import annotations

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image
from firstlight.model.psf import Psf

PENALTY = 1e-4
"""Of the noise that the kernel would amplify, against the misfit of the profiles."""
RIM = 1e-4
"""Share of the kernel's largest number below which its rim is cut off."""
LEAST_WEIGHT = 0.5
"""Of the kernel that must fall on pixels with a number."""


def matching_kernel(sharp: Psf, broad: Psf) -> np.ndarray:
    """The kernel that makes the one profile the other, in the middle of the field: float64 (odd, odd), sum 1.

    The ratio of both in frequency, held down where the sharp one has no power (Wiener, by photutils).

    Raises
    ------
    FrameError
        The profiles are those of noise: no kernel takes the one to the other within 10 %.
    """
    from photutils.psf_matching import make_wiener_kernel
    from scipy.signal import fftconvolve

    radius = max(sharp.radius, broad.radius)
    one, other = (_padded(psf.kernel, radius) for psf in (sharp, broad))
    kernel = make_wiener_kernel(one, other, regularization=PENALTY)
    reach = radius
    while reach > 1 and np.abs(kernel[[radius - reach, radius + reach]]).max() < RIM * np.abs(kernel).max():
        reach -= 1
    part = slice(radius - reach, radius + reach + 1)
    kernel = kernel[part, part] / kernel[part, part].sum()
    misfit = np.abs(fftconvolve(one, kernel, mode="same") - other).sum() / other.sum()
    if not misfit < 0.1:
        raise FrameError(f"profiles cannot be matched: {100 * misfit:.0f} % of a star's light would lie elsewhere")
    return kernel


def _padded(kernel: np.ndarray, radius: int) -> np.ndarray:
    return np.pad(kernel, radius - kernel.shape[0] // 2)


def convolved(image: Image, kernel: np.ndarray) -> Image:
    """An image convolved, pixels without a number left out (their neighbours' weights made up).

    Variance: that of each pixel; neighbours share noise now. Flags stay, and a pixel more than half of whose kernel
    fell on pixels without a number has none.
    """
    from scipy.signal import fftconvolve

    planes, variances, flags = [], [], image.flags.copy()
    for channel in range(image.shape[0]):
        good = ~has(image.flags[channel], EXCLUDED)
        level = float(np.median(image.data[channel][good])) if good.any() else 0.0
        filled = np.where(good, image.data[channel] - level, 0.0).astype(np.float64)
        weight = fftconvolve(good.astype(np.float64), kernel, mode="same")
        rim = fftconvolve(np.ones(good.shape), kernel, mode="same")
        enough = weight > LEAST_WEIGHT * rim
        divisor = np.where(enough, weight, 1.0)
        planes.append(fftconvolve(filled, kernel, mode="same") / divisor + level)
        flags[channel] |= np.where(enough, 0, int(Flag.NO_DATA)).astype(np.uint16)
        if image.variance is not None:
            noise = np.where(good, image.variance[channel], 0.0).astype(np.float64)
            variances.append(np.maximum(fftconvolve(noise, kernel**2, mode="same"), 0.0) / divisor**2)
    return image.replace(data=np.array(planes), flags=flags, variance=np.array(variances) if variances else None)
