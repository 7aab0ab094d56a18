"""Kill a run at random moments, go on, and look at what is left. Run by a test, and by hand for more moments.

python tests/kill_a_run.py FOLDER NUMBER
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from firstlight.io.journal import read_lines
from firstlight.io.read import read
from firstlight.pipeline.graph import FOLDER, JOURNAL
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Settings
from firstlight.simulate.night import preset, simulate

SETTINGS = Settings(threads=2, memory=200, library="none")


def bytes_of(run: Path) -> dict[str, bytes]:
    """Every product; the record of the run tells times, what lies in the store only saves them."""
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file() and path.parent.name != FOLDER and path.suffix not in (".sqlite", ".json", ".html")
    }


def check(run: Path, whole: dict[str, bytes]) -> int:
    """No half of a product has its name, and no finished step was done twice; the number of finished steps."""
    for path in run.rglob("*.fits"):
        if not path.name.startswith(".") and path.read_bytes() != whole.get(str(path.relative_to(run))):
            raise SystemExit(f"{path.name}: not the bytes of an undisturbed run")
    steps = [(line["step"], line["name"], line["key"]) for line in read_lines(run / FOLDER / JOURNAL)]
    twice = {step for step in steps if steps.count(step) > 1}
    if twice:
        raise SystemExit(f"done although it was finished: {sorted(twice)}")
    return len(steps)


def main(folder: Path, number: int) -> None:
    session = folder / "night"
    simulate(session, preset("tiny").model_copy(update={"filters": ("L", "R"), "n_lights": 4}))
    process(session, SETTINGS, output=folder / "warm")
    started = time.monotonic()
    process(session, SETTINGS, output=folder / "reference")
    took = time.monotonic() - started
    whole = bytes_of(folder / "reference")
    rng = random.Random(7)
    run, killed, rounds, found = folder / "run", 0, 0, []
    while killed < number:
        child = os.fork()
        if child == 0:
            process(session, SETTINGS, output=run)
            os._exit(0)
        time.sleep(rng.uniform(0, 0.4 * took))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        found.append(check(run, whole))
        if (run / "run.json").exists() and os.WIFEXITED(status):
            if bytes_of(run) != whole or not process(session, SETTINGS, output=run).unchanged:
                raise SystemExit("the run that went on is not the undisturbed one")
            shutil.rmtree(run)
            rounds += 1
    process(session, SETTINGS, output=run)
    if bytes_of(run) != whole:
        different = {name for name in whole if bytes_of(run).get(name) != whole[name]}
        raise SystemExit(f"the last run is not the undisturbed one: {sorted(different)}")
    stack = next((run / "stacks").glob("*_R_*"))
    if read(stack).meta.n_combined < 3:
        raise SystemExit(f"{stack.name}: too few frames")
    print(f"{killed} kills, {rounds} runs completed between; steps finished after each kill: {found}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
