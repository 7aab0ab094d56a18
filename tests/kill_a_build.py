"""Kill a build of the library at random moments and look at what is left. Run by a test, and by hand for more moments.

python tests/kill_a_build.py FOLDER NUMBER
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from calibration_frames import write_frames
from firstlight.io.read import read
from firstlight.library.store import Library
from firstlight.pipeline.library_build import BuildSettings, build_library

SETTINGS = BuildSettings(threads=2, memory=200)
LEVELS = {10.0: 510, 20.0: 520, 30.0: 530, 40.0: 540, 50.0: 550, 60.0: 560}
SHAPE = (200, 260)


def make_sources(folder: Path) -> None:
    """Six exposures of darks, a bias and a flat."""
    for exposure, level in LEVELS.items():
        write_frames(folder / f"{exposure:g}", "dark", 8, level=level, shape=SHAPE, EXPTIME=exposure)
    write_frames(folder / "bias", "bias", 8, level=500, shape=SHAPE)
    write_frames(folder / "flat", "flat", 8, level=20000, noise=50, shape=SHAPE, EXPTIME=1.0, FILTER="R")


def bytes_of(library: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in library.rglob("*.fits")}


def check(library: Library, whole: dict[str, bytes]) -> None:
    """Every master that is seen is whole and right; no half of one has a master's name."""
    entries = library.entries()
    if library.damaged:
        raise SystemExit(f"damaged: {library.damaged}")
    for entry in entries:
        if entry.frame.path.read_bytes() != whole[entry.frame.path.name]:
            raise SystemExit(f"{entry.name}: not the bytes of an undisturbed build")
        if entry.kind == "dark":
            level = float(read(entry.frame.path).data.mean())
            if abs(level - LEVELS[entry.frame.meta.exposure]) > 2:
                raise SystemExit(f"{entry.name}: its level is {level}")


def main(folder: Path, number: int) -> None:
    sources = folder / "raw"
    make_sources(sources)
    reference = Library(folder / "reference")
    build_library(reference, [sources], SETTINGS)
    started = time.monotonic()
    build_library(Library(folder / "timed"), [sources], SETTINGS)
    took = time.monotonic() - started
    whole = bytes_of(reference.path)
    rng = random.Random(7)
    library, rounds, killed, found = folder / "library", 0, 0, []
    while killed < number:
        child = os.fork()
        if child == 0:
            build_library(Library(library), [sources], SETTINGS)
            os._exit(0)
        time.sleep(rng.uniform(0, 0.7 * took))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        check(Library(library), whole)
        found.append(len(Library(library).entries()))
        if found[-1] == len(whole):
            result = build_library(Library(library), [sources], SETTINGS)
            if result.made or bytes_of(library) != whole:
                raise SystemExit("the build that went on is not the undisturbed one")
            shutil.rmtree(library)
            rounds += 1
    result = build_library(Library(library), [sources], SETTINGS)
    if bytes_of(library) != whole or result.failed:
        raise SystemExit("the last build is not the undisturbed one")
    left = [p.name for p in library.rglob(".*") if not p.name.startswith((".lock",))]
    if left:
        raise SystemExit(f"left behind: {left}")
    print(f"{killed} kills, {rounds} libraries completed; masters there after each kill: {found}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
