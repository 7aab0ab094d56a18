"""Work that leaves the process: to other processes of this machine, or to the machines of a Dask cluster.

What is sent are plain functions, paths and small numbers; large arrays lie in files of the run folder, which every
worker sees. Each task writes its own piece, whole or not at all, so that it may be done twice: a worker that dies takes
nothing with it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from firstlight.errors import FirstlightError
from firstlight.io.scratch import Scratch
from firstlight.ops.parts import lend
from firstlight.pipeline.executors import Pool, memory_budget, thread_count, thread_pool
from firstlight.pipeline.worker import be_worker

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

    from firstlight.pipeline.settings import Settings

R = TypeVar("R")

MOST_LOSSES = 5
"""Times in a row that workers may die without a task being finished between."""
QUEUE = 3
"""Tasks handed out for each worker: the next lies ready when one is done."""


class WorkersLost(FirstlightError):
    """The workers die again and again."""


class Backend(Protocol):
    """Where tasks are done."""

    workers: int
    bytes_each: int
    """Memory that one task may take."""

    def submit(self, work: Callable[..., R], *arguments: Any) -> Future[R]: ...

    def lost(self, error: BaseException) -> bool:
        """Whether an error means that a worker died, not that the work failed."""
        ...

    def renew(self) -> None:
        """Make good what a dead worker broke."""
        ...

    def close(self) -> None: ...


@dataclass(eq=False)
class Processes:
    """Processes of this machine, started afresh (spawned), so that they are the same on every system."""

    workers: int
    bytes_each: int
    _pool: ProcessPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._pool = self._fresh()

    def _fresh(self) -> ProcessPoolExecutor:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        return ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn"), initializer=be_worker)

    def submit(self, work: Callable[..., R], *arguments: Any) -> Future[R]:
        return self._pool.submit(work, *arguments)

    def lost(self, error: BaseException) -> bool:
        return isinstance(error, BrokenExecutor)

    def renew(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._fresh()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


class Crew(Pool):
    """The threads of the machine that leads, and workers elsewhere (`spread`).

    Parameters
    ----------
    threads : int
    backend : Backend
    folder : path
        Every worker sees it; what is shared and the pieces lie in it.
    """

    def __init__(self, threads: int, backend: Backend, folder: Path) -> None:
        super().__init__(threads, thread_name_prefix="firstlight")
        self.backend, self.folder = backend, folder
        self._numbers = itertools.count()
        self._known: dict[int, tuple[Any, Any]] = {}
        self.losses = 0
        """Workers that died so far."""

    @property
    def workers(self) -> int:
        return self.backend.workers

    def name(self, what: str) -> str:
        """A name that nothing else in the folder has."""
        return f"{what}-{next(self._numbers)}"

    def once(self, thing: Any, make: Callable[[], R]) -> R:
        """What was made for a thing before, else made now: equal objects are shared once."""
        if id(thing) not in self._known:
            # The thing is kept, so that no other gets its id.
            self._known[id(thing)] = (thing, make())
        return self._known[id(thing)][1]

    def spread(self, work: Callable[..., R], tasks: Sequence[tuple[Any, ...]]) -> Iterator[R]:
        """Results in the order of the tasks; those of a worker that died are done again by others.

        Raises
        ------
        WorkersLost
            They die without anything being done between.
        """
        done: dict[int, R] = {}
        flying: dict[Future[R], int] = {}
        waiting = list(range(len(tasks) - 1, -1, -1))
        in_a_row, following = 0, 0
        try:
            while waiting or flying:
                try:
                    while waiting and len(flying) < QUEUE * self.workers:
                        flying[self.backend.submit(work, *tasks[waiting[-1]])] = waiting[-1]
                        waiting.pop()
                except Exception as error:
                    in_a_row = self._mourn(error, in_a_row, flying, waiting)
                    continue
                finished, _ = wait(flying, return_when=FIRST_COMPLETED)
                for future in finished:
                    if future not in flying:
                        continue
                    number = flying.pop(future)
                    error = future.exception()
                    if error is None:
                        done[number], in_a_row = future.result(), 0
                    else:
                        waiting.append(number)
                        in_a_row = self._mourn(error, in_a_row, flying, waiting)
                while following in done:
                    yield done.pop(following)
                    following += 1
        finally:
            for future in flying:
                future.cancel()

    def _mourn(self, error: BaseException, in_a_row: int, flying: dict[Future[R], int], waiting: list[int]) -> int:
        """Raise what is no loss of a worker; else get new workers, and put back what they had."""
        if not self.backend.lost(error):
            raise error
        if in_a_row >= MOST_LOSSES:
            raise WorkersLost(
                f"workers died {in_a_row + 1} times in a row, the last: {error}; they may have too little memory: "
                "give --memory, or fewer --workers"
            ) from error
        self.losses += 1
        for future, number in list(flying.items()):
            if not future.done() or future.exception() is not None:
                waiting.append(number)
                del flying[future]
        waiting.sort(reverse=True)
        time.sleep(0.1 * in_a_row)
        self.backend.renew()
        return in_a_row + 1


@contextmanager
def crew_of(settings: Settings, folder: Path | None) -> Iterator[tuple[Executor, int, Path]]:
    """Who does the work of a run: an executor, how many it is, and a scratch folder in ``folder`` (None: the system's).

    The threads of the executor do the parts of images that the leading thread works on, too: never more at once.

    Raises
    ------
    InputError
        Dask is not installed, nobody answers at the scheduler, or its workers do not see the folder.
    """
    threads = thread_count(settings.threads)
    with Scratch(folder) as scratch:
        if settings.executor == "threads":
            with thread_pool(threads) as pool, lend(pool.map, threads):
                yield pool, threads, scratch
            return
        backend = _backend(settings, scratch, threads)
        try:
            with Crew(threads, backend, scratch) as crew, lend(crew.map, threads):
                yield crew, threads, scratch
        finally:
            backend.close()


def _backend(settings: Settings, scratch: Path, threads: int) -> Backend:
    workers = settings.workers or threads
    each = memory_budget(settings.memory) // workers
    if settings.executor == "processes":
        return Processes(workers, each)
    from firstlight.pipeline.dask_workers import DaskWorkers

    return DaskWorkers.reach(settings.scheduler, workers, each, scratch)
