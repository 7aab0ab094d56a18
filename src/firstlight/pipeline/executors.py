"""Who does the work: threads of this machine, and how much memory they may use."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

from firstlight.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

FREE_FRACTION = 0.5
"""Share of the free memory a run takes unless told otherwise."""


def thread_count(threads: int = 0) -> int:
    """Worker threads: as asked, or (0) as many as the process may use cores."""
    return (
        threads
        if threads > 0
        else len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


class Pool(ThreadPoolExecutor):
    """Worker threads. When the block ends by an error, or Ctrl-C, what they have not begun is left undone.

    Kernels release the GIL, so threads share the frames without copies.
    """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(wait=True, cancel_futures=error is not None)


def thread_pool(threads: int = 0) -> Pool:
    """A pool of worker threads, one per core unless told otherwise."""
    return Pool(thread_count(threads), thread_name_prefix="firstlight")


def memory_budget(megabytes: int = 0) -> int:
    """Bytes a run may use: as asked, or half of what is free now."""
    if megabytes > 0:
        return megabytes * 1024**2
    return int(FREE_FRACTION * _available())


def _available() -> int:
    """Bytes of memory that are free, as the kernel of Linux tells them, or psutil elsewhere."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        import psutil

        return psutil.virtual_memory().available


def check_memory(needed: int, megabytes: int = 0) -> None:
    """Refuse, before the work, a drizzled stack whose planes alone (bytes) the memory would not hold.

    Raises
    ------
    InputError
        With what there is, and what to do.
    """
    most = megabytes * 1024**2 or _available()
    if needed > most:
        given = f"--memory {megabytes}" if megabytes else f"{most / 1e6:.0f} MB of memory free"
        cure = " or raise --memory" if megabytes else ""
        raise InputError(
            f"drizzle: {given}; the planes of the stack take about {needed / 1e6:.0f} MB; lower --drizzle-scale{cure}"
        )


def ordered(executor: Executor, work: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """Results of ``work`` in the order of the items, with at most ``ahead`` of them in flight: memory stays bounded."""
    waiting: list[Future[R]] = []
    for item in items:
        waiting.append(executor.submit(work, item))
        if len(waiting) >= ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def outcome(future: Future[R]) -> R:
    """The result of work in another thread; signals are answered meanwhile, of whichever thread (`io.mapping.watched`).

    >>> with thread_pool(1) as pool:
    ...     outcome(pool.submit(sum, (1, 2)))
    3
    """
    while not wait([future], timeout=0.1).done:
        pass
    return future.result()


@contextmanager
def all_done(futures: Sequence[Future[Any]]) -> Iterator[None]:
    """A block that ends when no thread works on these any more; after an error, what has not begun never does.

    Signals are answered meanwhile.
    """
    try:
        yield
    finally:
        for future in futures:
            future.cancel()
        while wait(futures, timeout=0.1).not_done:
            pass


@contextmanager
def stop_when_asked() -> Iterator[threading.Event]:
    """An event that Ctrl-C (or SIGTERM) sets, so that work ends in good order; asked twice, it ends at once.

    Only in the main thread, as signals are.
    """
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
