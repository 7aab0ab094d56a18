"""How a program of ours starts sooner than a session that others share with it."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_PROGRAM: list[bool] = []


def be_program() -> None:
    """This process runs nothing but firstlight: to be said before NumPy and Numba are imported.

    The linear algebra of ours is small, and every thread is the pipeline's: starting OpenBLAS' own takes as long as
    importing NumPy. Kernels do no linear algebra: `without_blas`. And little of what modules make of themselves while
    they are imported is garbage: to look through all of it again and again took an eighth of the time of a small stack.
    Warnings of libraries speak to programmers (``PYTHONWARNINGS=default`` shows them); what matters to users is said in
    words of ours.
    Nor does a program look through all that is installed for plugins of Pydantic, which are for tracing web services.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    gc.set_threshold(200_000, 20, 20)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _PROGRAM.append(True)


def is_program() -> bool:
    """Whether `be_program` was called."""
    return bool(_PROGRAM)


@contextmanager
def without_blas() -> Iterator[None]:
    """Within, Numba finds no BLAS in SciPy. To look for it imports half of SciPy, 0.1 s, for ``np.dot`` in kernels."""
    name = "scipy.linalg.cython_blas"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
