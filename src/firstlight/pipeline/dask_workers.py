"""The workers of a Dask cluster as the backend of a crew. Dask is imported here and when it is asked for, only."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import firstlight
from firstlight.errors import InputError

R = TypeVar("R")

RETRIES = 3
ANSWER_S = "30s"


@dataclass(eq=False)
class DaskWorkers:
    """A client of a scheduler, and where none was named the cluster on this machine that it belongs to."""

    client: Any
    cluster: Any
    workers: int
    bytes_each: int

    @classmethod
    def reach(cls, scheduler: str, workers: int, bytes_each: int, shared: Path) -> DaskWorkers:
        """Connect to a scheduler (``tcp://host:8786``, or a scheduler file); without one start workers here.

        Raises
        ------
        InputError
            No Dask, no answer, no workers, another version of firstlight, or a worker that does not see the folder.
        """
        try:
            import dask
            from distributed import Client, LocalCluster
        except ImportError:
            raise InputError(
                "--executor dask: dask and distributed are not installed; pip install 'firstlight[dask]'"
            ) from None
        # A worker that dies is named by us; a scheduler's log would bury it.
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "100MB"})
        for name in ("distributed", "distributed.nanny", "distributed.worker", "distributed.core", "bokeh"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        cluster = None
        if not scheduler:
            # Without these two it binds the machine's address and a port for its page.
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None,
                memory_limit=0, silence_logs=logging.CRITICAL,
            )  # fmt: skip
            client = Client(cluster)
        else:
            named = {"scheduler_file": scheduler} if os.path.exists(scheduler) else {"address": scheduler}
            try:
                client = Client(**named, timeout=ANSWER_S)
            except (OSError, ValueError) as error:
                raise InputError(f"--scheduler {scheduler}: no Dask scheduler answers there: {error}") from None
        reached = cls(client, cluster, workers, bytes_each)
        try:
            reached._look_round(scheduler, shared)
        except InputError:
            reached.close()
            raise
        return reached

    def _look_round(self, scheduler: str, shared: Path) -> None:
        if not scheduler:
            return
        try:
            self.client.wait_for_workers(1, timeout=ANSWER_S)
        except TimeoutError:
            raise InputError(f"--scheduler {scheduler}: it has no workers; start some (dask worker)") from None
        facts = self.client.scheduler_info(n_workers=-1)["workers"].values()
        self.workers = sum(worker["nthreads"] for worker in facts)
        limits = [worker["memory_limit"] // worker["nthreads"] for worker in facts if worker.get("memory_limit")]
        self.bytes_each = min([self.bytes_each * self.workers, *(limit // 2 for limit in limits)])
        probe = shared / "seen-by-all"
        probe.write_bytes(b"")
        for address, (version, sees) in self.client.run(look_from_here, str(probe.resolve())).items():
            if version != firstlight.__version__:
                raise InputError(
                    f"--scheduler {scheduler}: the worker {address} has firstlight {version}, here is "
                    f"{firstlight.__version__}; bytes would differ: install the same everywhere"
                )
            if not sees:
                raise InputError(
                    f"--scheduler {scheduler}: the worker {address} does not see {shared.parent}; frames and results "
                    "must lie in folders that all machines share under one name"
                )

    def submit(self, work: Callable[..., R], *arguments: Any) -> Future[R]:
        # Kept by the scheduler too: it hands the tasks of a lost worker to others by itself.
        if not hasattr(self, "_pool"):
            self._pool = self.client.get_executor(pure=False, retries=RETRIES)
        return self._pool.submit(work, *arguments)

    def lost(self, error: BaseException) -> bool:
        from concurrent.futures import CancelledError

        from distributed import CommClosedError, KilledWorker

        return isinstance(error, (KilledWorker, CommClosedError, CancelledError))

    def renew(self) -> None:
        from distributed import TimeoutError as NoAnswer

        try:
            self.client.wait_for_workers(1, timeout=ANSWER_S)
        except (NoAnswer, TimeoutError):
            raise InputError("the Dask cluster has no workers left; start some and run again") from None

    def close(self) -> None:
        self.client.close()
        if self.cluster is not None:
            self.cluster.close()


def look_from_here(path: str) -> tuple[str, bool]:
    """The version of firstlight on a worker, and whether it sees a file."""
    return firstlight.__version__, os.path.exists(path)
