"""Threads for operations on one image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from firstlight.ops.parts import lend
from firstlight.pipeline.executors import Pool


@contextmanager
def hands(threads: int | None = None) -> Iterator[None]:
    """Let operations in this block do the parts of an image in so many threads (default: one for each core)."""
    number = threads or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
    if number < 2:
        yield
        return
    with Pool(number, thread_name_prefix="part") as pool, lend(pool.map, number):
        yield
