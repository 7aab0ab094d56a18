"""What a program costs: wall and CPU time, peak memory, bytes written; of itself and all it starts (Linux)."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLING = 0.03
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Cost:
    """Of one run of a program."""

    wall_s: float
    cpu_s: float
    """User and system time of the whole process tree."""
    peak_mb: float
    """Highest resident memory of the process tree at one moment, mapped files included."""
    peak_own_mb: float
    """The same without mapped files: what the program itself has allocated."""
    written_mb: float
    """Bytes handed to the file system (``write_bytes`` of the kernel's accounts)."""


def environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """That of programs as users have them: Python keeps what it has compiled, as for all that is installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | (more or {})


def run(argv: list[str], *, cwd: Path, log: Path, env: dict[str, str] | None = None) -> Cost:
    """Run a program to its end and say what it cost.

    Raises
    ------
    RuntimeError
        If it fails; with the end of what it printed.
    """
    with log.open("w") as out:
        start = time.perf_counter()
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment(env),
        )
        watch = _Watch(process.pid)
        watch.start()
        # Looked at before it is reaped: the kernel's accounts of a finished process stand until then.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall = time.perf_counter() - start
        watch.stop()
        written = _written(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{' '.join(argv)} ended with {process.returncode}:\n{tail}")
    return Cost(
        wall_s=wall,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=max(watch.peak, _own_peak(usage)) / 1e6,
        peak_own_mb=watch.own_peak / 1e6,
        written_mb=written / 1e6,
    )


def _own_peak(usage: resource.struct_rusage) -> int:
    # A child is charged with the memory of the process that started it until it becomes the new program.
    parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage.ru_maxrss * 1024 if usage.ru_maxrss > parent else 0


def _written(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/io").read_text()
    except OSError:
        return 0
    return int(dict(line.split(": ") for line in text.splitlines())["write_bytes"])


class _Watch(threading.Thread):
    """Looks at the memory of a process tree until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = 0
        self.own_peak = 0
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(SAMPLING):
            try:
                root = psutil.Process(self.pid)
                memory = [_memory(p.pid) for p in (root, *root.children(recursive=True))]
            except psutil.Error:
                continue
            self.peak = max(self.peak, sum(total for total, _ in memory))
            self.own_peak = max(self.own_peak, sum(own for _, own in memory))

    def stop(self) -> None:
        self._done.set()
        self.join()


def _memory(pid: int) -> tuple[int, int]:
    """Resident bytes of a process: all, and without mapped files."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0, 0
    found = dict(line.split(":", 1) for line in text.splitlines() if line.startswith(("VmRSS", "RssFile")))
    total, files = (int(found.get(key, "0 kB").split()[0]) * 1024 for key in ("VmRSS", "RssFile"))
    return total, total - files


def size_of(folder: Path) -> float:
    """MB of all files below a folder; links count nothing."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink()) / 1e6


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.processor())
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def drop_into_cache(folder: Path) -> None:
    """Read every file once, so that no program pays for the disk that the next one then has for nothing."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(1 << 24):
                    pass
