"""The load of a scheduler that a survey of 10^7 frames would make: how tasks should be cut.

A scheduler is one process: each task costs it so many milliseconds (measured: 2.0 to 2.3 for Dask), whatever it
does. Workers ask it for the next task; while it is busy they wait. Simulated event by event; with ``--measure`` the
cost of a task is measured on this machine first.
"""

from __future__ import annotations

import argparse
import heapq
import time
from dataclasses import dataclass

import numpy as np

FRAMES = 10_000_000
SECONDS = 0.7
"""Of one core for a frame of 10 Mpx: its share of masters, measured, registered, integrated."""


@dataclass(frozen=True)
class Cut:
    """How work is cut into tasks."""

    name: str
    frames: int
    """Of one task."""
    own: float = 0.0
    """Seconds that a task costs besides its frames."""
    schedulers: int = 1
    """Independent ones: each night, or each session, has its own."""


CUTS = (
    Cut("a task for each frame and stage", 1, schedulers=1),
    Cut("a task for 16 frames", 16, 0.05),
    Cut("a run for each session of 500 frames, its tasks within", 500, 6.0),
    Cut("as before, a task for each frame inside, a scheduler for each 64 workers", 1, 0.012, 64),
)


def simulate(workers: int, service: float, task: float, count: int, seed: int = 1) -> tuple[float, float]:
    """Seconds until ``count`` tasks are done, and the share of them in which the scheduler worked."""
    rng = np.random.default_rng(seed)
    # Stars, clouds and disks make tasks differ.
    spans = task * rng.lognormal(-0.5 * 0.3**2, 0.3, count)
    free = [(0.0, worker) for worker in range(workers)]
    heapq.heapify(free)
    scheduler = end = 0.0
    for span in spans:
        asked, worker = heapq.heappop(free)
        scheduler = max(scheduler, asked) + service
        end = max(end, scheduler + span)
        heapq.heappush(free, (scheduler + span, worker))
    return end, count * service / end


def measured_service() -> float:
    """Seconds that Dask's scheduler spends on a task that does nothing."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(abs, range(200), pure=False))
        began = time.process_time()
        client.gather(client.map(abs, range(2000), pure=False))
        return (time.process_time() - began) / 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="Measure what a task costs the scheduler.")
    parser.add_argument("--service", type=float, default=2.2, help="ms that a task costs the scheduler.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="Of one core for a frame.")
    parser.add_argument("--workers", type=int, nargs="+", default=[64, 512, 4096])
    chosen = parser.parse_args()
    service = measured_service() if chosen.measure else chosen.service / 1000
    stages = 3
    cost = f"a task costs the scheduler {1e3 * service:.2f} ms"
    print(f"{FRAMES:.0e} frames, {chosen.seconds:g} core seconds each; {cost}\n")
    print("| tasks | workers | workers busy | scheduler busy | hours | tasks in all |")
    print("|---|---|---|---|---|---|")
    for cut in CUTS:
        for workers in chosen.workers:
            groups = max(1, min(cut.schedulers, workers // 64)) if cut.schedulers > 1 else 1
            each = workers // groups
            per_frame = stages if cut.frames == 1 else 1
            task = cut.frames * chosen.seconds / per_frame + cut.own
            # Enough tasks that start and end do not matter.
            count = max(20_000, 20 * each)
            span, load = simulate(each, service, task, count)
            useful = count * cut.frames * chosen.seconds / per_frame / (span * each)
            total = FRAMES // cut.frames * per_frame
            hours = FRAMES * chosen.seconds / (useful * workers) / 3600
            print(f"| {cut.name} | {workers} | {100 * useful:.0f} % | {100 * load:.0f} % | {hours:.1f} | {total:.1e} |")


if __name__ == "__main__":
    main()
