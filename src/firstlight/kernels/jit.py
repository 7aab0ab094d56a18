"""The one way a kernel is compiled."""

from __future__ import annotations

import os
from pathlib import Path

from numba import njit


def _cache_is_writable() -> bool:
    here = Path(__file__).parent
    return os.access(here, os.W_OK)


if "NUMBA_CACHE_DIR" not in os.environ and not _cache_is_writable():
    # A read-only installation has no place beside the sources, and Numba then refuses at import.
    from numba.core import config

    config.CACHE_DIR = str(Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "firstlight" / "numba")

kernel = njit(nogil=True, cache=True, error_model="numpy", boundscheck=False)
"""Decorator: serial, releases the GIL, cached on disk, no bounds checks, IEEE division."""

fast_kernel = njit(
    nogil=True, cache=True, error_model="numpy", boundscheck=False, fastmath={"contract", "reassoc", "nsz"}
)
"""The same, and sums may be reassociated (vector reductions). Still honours NaN and infinity. Same bytes on every
run of one machine type; results do not depend on the number of threads."""


inner_kernel = njit(
    nogil=True,
    cache=True,
    error_model="numpy",
    boundscheck=False,
    fastmath={"contract"},
    _nrt=False,
)
"""For what kernels call again and again: it allocates nothing, and references to slices are not counted. (Each count is
an atomic operation; they made up a fifth of the time of the two-pass resampling.) Sums keep their order, so that an
element is the same wherever in an array it lies."""


def cached_kernels() -> bool:
    """Whether compiled kernels lie in the cache: without any, a first run compiles them."""
    from numba.core import config

    folder = Path(config.CACHE_DIR) if config.CACHE_DIR else Path(__file__).parent / "__pycache__"
    return next(folder.rglob("warp.*.nbi"), None) is not None
