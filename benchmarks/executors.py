"""One session by threads, processes and a Dask cluster of this machine: cost, and whether the bytes are the same.

With ``--kill`` a worker dies half-way in the runs that have any.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import psutil

import measure

HERE = Path(__file__).resolve().parent
PROGRAM = Path(os.environ.get("FIRSTLIGHT", Path(sys.executable).with_name("firstlight")))
WAYS = (("threads", 1), ("threads", 2), ("processes", 1), ("processes", 2), ("processes", 4), ("dask", 2), ("dask", 4))
PARTS = ("stacks", "masters", "pictures")


def bytes_of(run: Path) -> str:
    """One word for all products of a run."""
    digest = hashlib.sha256()
    for part in PARTS:
        for path in sorted((run / part).iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def kill_one(after: float, stop: threading.Event, killed: list[int]) -> None:
    """Kill a worker below this process, once some have been there for so many seconds."""
    seen: dict[int, float] = {}
    while not stop.wait(0.2) and not killed:
        for child in psutil.Process().children(recursive=True):
            try:
                if "spawn_main" not in " ".join(child.cmdline()) or child.children():
                    continue
                first = seen.setdefault(child.pid, time.monotonic())
                if time.monotonic() - first > after:
                    child.kill()
                    killed.append(child.pid)
                    break
            except psutil.Error:
                continue


def one(session: Path, work: Path, executor: str, workers: int, kill: float) -> dict[str, object]:
    output = work / f"{executor}-{workers}"
    many = ["--threads", str(workers)] if executor == "threads" else ["--threads", "1", "--workers", str(workers)]
    command = [str(PROGRAM), "process", str(session), "-o", str(output), "--executor", executor, *many, "--again", "-q"]
    stop, killed = threading.Event(), []
    watch = threading.Thread(target=kill_one, args=(kill, stop, killed))
    if kill and executor != "threads":
        watch.start()
    cost = measure.run(command, cwd=work, log=work / f"{output.name}.log")
    stop.set()
    if watch.is_alive():
        watch.join()
    record = json.loads((output / "run.json").read_text())
    heavy = sum(record["timings"][name]["wall_s"] for name in ("masters", "measure", "integrate"))
    return {
        "executor": executor, "workers": workers, **asdict(cost), "heavy_wall_s": round(heavy, 2),
        "killed": len(killed), "bytes": bytes_of(output),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="demo")
    parser.add_argument(
        "--kill", type=float, default=0.0, metavar="S", help="Kill a worker that has lived for S seconds."
    )
    chosen = parser.parse_args()
    work = HERE / "work" / "executors"
    session = work / chosen.preset
    work.mkdir(parents=True, exist_ok=True)
    if not session.exists():
        measure.run(
            [str(PROGRAM), "simulate", str(session), "--preset", chosen.preset, "-q"], cwd=work, log=work / "log"
        )
    rows = [one(session, work, executor, workers, chosen.kill) for executor, workers in WAYS]
    print("| executor | workers | wall s | CPU s | masters, measure, integrate s | peak MB | killed | bytes |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['executor']} | {row['workers']} | {row['wall_s']:.1f} | {row['cpu_s']:.1f} | "
            f"{row['heavy_wall_s']:.1f} "
            f"| {row['peak_mb']:.0f} | {row['killed']} | {row['bytes']} |"
        )
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "executors.json").write_text(json.dumps(rows, indent=1))
    if len({row["bytes"] for row in rows}) != 1:
        raise SystemExit("the bytes differ")


if __name__ == "__main__":
    main()
