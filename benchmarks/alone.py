"""Operations on an image in memory, each in a process of its own: wall and CPU seconds, and the peak of memory."""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from firstlight.model.image import Image

RUNS = 3


def options(description: str | None, size: str) -> argparse.ArgumentParser:
    """Options of a benchmark whose jobs run alone; ``size`` says what ``--size`` is of."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="6000x4000", help=f"width x height of {size}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="jobs; those that are not named, and other peers, are left out")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser


def jobs(file: str, names: list[str], words: list[str]) -> Iterator[tuple[str, dict[str, float]]]:
    """What each job printed as JSON, run as ``file --job NAME WORD...``; one that fails says why and is left out."""
    for name in names:
        ran = subprocess.run([sys.executable, file, "--job", name, *words], capture_output=True, text=True, check=False)
        if ran.returncode:
            print(f"{name:50} {ran.stderr.splitlines()[-1] if ran.stderr else 'failed'}", flush=True)
            continue
        yield name, json.loads(ran.stdout.splitlines()[-1])


def line(name: str, found: dict[str, float], more: str = "") -> None:
    memory = f"  memory {found['images']:.2f} images" if "images" in found else ""
    print(f"{name:50} wall {found['wall_s']:6.3f} s  CPU {found['cpu_s']:6.3f} s{memory}{more}", flush=True)


def best(work: Callable[[], object], runs: int = RUNS) -> dict[str, float]:
    """Wall and CPU seconds, of this process and its children, of the fastest of some runs."""
    found = []
    for _ in range(runs):
        cpu, wall = _cpu(), time.perf_counter()
        kept = work()
        found.append((time.perf_counter() - wall, _cpu() - cpu))
        del kept
    wall, cpu = min(found)
    return {"wall_s": wall, "cpu_s": cpu}


def _cpu() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def measured(work: Callable[[], object], bytes_of_image: int, runs: int = RUNS) -> dict[str, float]:
    """The same, and the highest memory in images: the input, which is there already, counts as one."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    before = pages * resource.getpagesize()
    found = best(work, runs)
    peak = max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, before)
    return found | {"images": 1 + (peak - before) / bytes_of_image}


def step_alone(text: str, image: Image, threads: int, runs: int = RUNS) -> dict[str, float]:
    """An operation as `firstlight apply` calls it, after a piece of the image has loaded what it needs."""
    from firstlight.ops.spec import parse_step
    from firstlight.pipeline.hands import hands

    step = parse_step(text)
    data, variance = (None if p is None else p[:, :300, :400].copy() for p in (image.data, image.variance))
    with hands(threads):
        step(image.replace(data=data, flags=None, variance=variance))
        return measured(lambda: step(image), image.data.nbytes, runs)


def siril(folder: Path, command: str) -> dict[str, float]:
    """Wall and CPU seconds of Siril for a command on ``image`` in the folder, with its loading."""
    (folder / "run.ssf").write_text(f"requires 1.0.0\nset32bits\nload image\n{command}\n", encoding="utf-8")
    words = ["siril-cli", "-d", str(folder), "-s", str(folder / "run.ssf")]
    found = [best(lambda: subprocess.run(words, check=False, capture_output=True), 1) for _ in range(RUNS)]
    return {key: min(each[key] for each in found) for key in ("wall_s", "cpu_s")}


def siril_beside(planes: np.ndarray, commands: list[str]) -> None:
    """Lines of Siril's commands on planes (channels, y, x), less what loading takes."""
    from firstlight.io.fits_writer import Unit, write_units

    if not shutil.which("siril-cli"):
        print("siril-cli is not installed")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_units(folder / "image.fit", [Unit([], planes)], checksum=False)
        empty = siril(folder, "")
        for command in commands:
            whole = siril(folder, command)
            line(f"Siril {command}", {key: max(whole[key] - empty[key], 0.0) for key in whole})
