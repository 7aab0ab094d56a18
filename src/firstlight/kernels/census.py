"""How many samples hold numbers."""

from __future__ import annotations

import numpy as np

from firstlight.kernels.jit import fast_kernel


@fast_kernel
def count_finite(plane):
    """Number of finite values of a plane (y, x); its rows need not touch."""
    total = 0
    for y in range(plane.shape[0]):
        row = plane[y]
        found = np.int32(0)
        for x in range(row.shape[0]):
            found += np.int32(abs(row[x]) < np.inf)
        total += found
    return total
