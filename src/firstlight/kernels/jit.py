"""The one way a kernel is compiled."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from numba import njit

from firstlight.kernels.lean import is_program, without_blas

_CALLED = re.compile(r"^from firstlight\.kernels\.(\w+) import", re.MULTILINE)

if is_program():
    with without_blas():
        import numba.np.arraymath  # noqa: F401


def _cache_is_writable() -> bool:
    here = Path(__file__).parent
    return os.access(here, os.W_OK)


if "NUMBA_CACHE_DIR" not in os.environ and not _cache_is_writable():
    # A read-only installation has no place beside the sources, and Numba then refuses at import.
    from numba.core import config

    config.CACHE_DIR = str(Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "firstlight" / "numba")


def source_digest(file: Path) -> str:
    """Of a kernel's file and of all files of kernels that it calls."""
    files, found = [file], {file}
    for each in files:
        for name in _CALLED.findall(_text(each)):
            if (beside := each.with_name(f"{name}.py")) not in found:
                found.add(beside)
                files.append(beside)
    return sha256("".join(_text(each) for each in sorted(found)).encode()).hexdigest()


@lru_cache(maxsize=64)
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _compiler(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    compile_lazily = njit(nogil=True, cache=True, error_model="numpy", boundscheck=False, **options)

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = compile_lazily(function)
        # Numba takes a kernel from its cache as long as its own file is as old and as long as it was. What the kernel
        # calls is compiled into it, and may lie in a file that has changed since.
        index = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
        if index is not None:
            index._source_stamp = source_digest(Path(function.__code__.co_filename))
        return dispatcher

    return decorate


kernel = _compiler()
"""Decorator: serial, releases the GIL, cached on disk, no bounds checks, IEEE division."""

fast_kernel = _compiler(fastmath={"contract", "reassoc", "nsz"})
"""The same, and sums may be reassociated (vector reductions). Still honours NaN and infinity. Same bytes on every
run of one machine type; results do not depend on the number of threads."""


inner_kernel = _compiler(fastmath={"contract"}, _nrt=False)
"""For what kernels call again and again: it allocates nothing, and references to slices are not counted. (Each count is
an atomic operation; they made up a fifth of the time of the two-pass resampling.) Sums keep their order, so that an
element is the same wherever in an array it lies."""


def cached_kernels() -> bool:
    """Whether compiled kernels lie in the cache: without any, a first run compiles them."""
    from numba.core import config

    folder = Path(config.CACHE_DIR) if config.CACHE_DIR else Path(__file__).parent / "__pycache__"
    return next(folder.rglob("warp.*.nbi"), None) is not None
