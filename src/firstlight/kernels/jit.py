"""The one way a kernel is compiled."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import FunctionType
from typing import Any

from firstlight.kernels.kept import cache_folder, chosen_folder
from firstlight.kernels.lean import is_program, without_blas
from firstlight.kernels.linked import can_link
from firstlight.kernels.sleeping import Later, Sleeping, SleepingKernel

_THIS = Path(__file__).name
_CALLED = re.compile(r"^from firstlight\.kernels\.(\w+) import", re.MULTILINE)


def source_digest(file: Path) -> str:
    """Of a kernel's file, of all files of kernels that it calls, and of this one."""
    files, found = [file], {file}
    for each in files:
        for name in _called(each) if each.name != _THIS else []:
            if (beside := each.with_name(f"{name}.py")) not in found:
                found.add(beside)
                files.append(beside)
    return sha256(b"".join(_text(each) for each in sorted(found))).hexdigest()


@lru_cache(maxsize=128)
def _text(file: Path) -> bytes:
    return file.read_bytes()


@lru_cache(maxsize=128)
def _called(file: Path) -> list[str]:
    return _CALLED.findall(_text(file).decode())


@lru_cache(maxsize=1)
def _numba() -> Any:
    """Numba, told where its cache lies."""
    if is_program():
        with without_blas():
            import numba.np.arraymath
    import numba

    if (folder := chosen_folder()) is not None:
        numba.config.CACHE_DIR = str(folder)
    return numba


def _compiled(function: FunctionType, options: dict[str, Any]) -> Any:
    """The kernel as Numba has it: compiled, or taken from its cache, when it is called."""
    dispatcher = _numba().njit(nogil=True, cache=True, error_model="numpy", boundscheck=False, **options)(function)
    # Numba takes a kernel from its cache as long as its own file is as old and as long as it was. What the kernel
    # calls is compiled into it, and may lie in a file that has changed since.
    index = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if index is not None:
        index._source_stamp = source_digest(Path(function.__code__.co_filename))
    return dispatcher


def _compiler(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    def decorate(function: FunctionType) -> Any:
        if _SLEEP:
            return SleepingKernel(function, lambda: _compiled(function, options), source_digest)
        return _compiled(function, options)

    return decorate


_SLEEP = is_program() and can_link()


kernel = _compiler()
"""Decorator: serial, releases the GIL, cached on disk, no bounds checks, IEEE division."""

fast_kernel = _compiler(fastmath={"contract", "reassoc", "nsz"})
"""The same, and sums may be reassociated (vector reductions). Still honours NaN and infinity. Same bytes on every
run of one machine type; results do not depend on the number of threads."""


inner_kernel = _compiler(fastmath={"contract"}, _nrt=False)
"""For what kernels call again and again: it allocates nothing, and references to slices are not counted. (Each count is
an atomic operation; they made up a fifth of the time of the two-pass resampling.) Sums keep their order, so that an
element is the same wherever in an array it lies."""


exact_kernel = _compiler(_nrt=False)
"""As `inner_kernel`, but no product and sum become one operation: what it finds is the same to the last bit as by
`kernel`."""


def intrinsic(definition: FunctionType | None = None, **options: Any) -> Any:
    """Decorator: Numba's, for instructions of the processor that kernels use."""
    if definition is None:
        return lambda definition: intrinsic(definition, **options)

    def made() -> Any:
        _numba()
        from numba.extending import intrinsic as of_numba

        return (of_numba(**options) if options else of_numba)(definition)

    return Sleeping(made) if _SLEEP else made()


types = Later("numba.core.types")
cgutils = Later("numba.core.cgutils")
"""Modules of Numba's that definitions of intrinsics use."""


def cached_kernels() -> bool:
    """Whether compiled kernels lie in the cache: without any, a first run compiles them."""
    return next(cache_folder(Path(__file__)).glob("warp.*.nbi"), None) is not None
