"""The job as firstlight does it: one command, default settings."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import measure

PROGRAM = Path(sys.executable).with_name("firstlight")


def run(
    night: Path, folder: Path, threads: int, options: tuple[str, ...] = (), *, cache: Path | None = None
) -> tuple[measure.Cost, Path]:
    """Process a night anew; the cost, and the folder of products. With ``cache`` kernels are kept (or made) there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    products = folder / "products"
    argv = [str(PROGRAM), "process", str(night), "-o", str(products), "--quiet", "--threads", str(threads), *options]
    env = {"HOME": str(folder), "OMP_NUM_THREADS": str(threads)}
    if cache is not None:
        env["NUMBA_CACHE_DIR"] = str(cache)
    cost = measure.run(argv, cwd=folder, log=folder / "log", env=env)
    return cost, products


def stages(products: Path) -> dict[str, dict[str, float]]:
    """Wall and CPU seconds of each stage, as the run itself counted them."""
    return json.loads((products / "run.json").read_text())["timings"]


def stack(products: Path) -> Path:
    """The one stack of the job."""
    found = sorted((products / "stacks").glob("*.fits"))
    if len(found) != 1:
        raise RuntimeError(f"{products}/stacks: one stack is expected, there are {[p.name for p in found]}")
    return found[0]


def used(products: Path) -> list[str]:
    """File names of the lights in the stack."""
    with (products / "frames.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "light"]
    return [Path(row["file"]).name for row in rows if row["accepted"].lower() in ("true", "yes", "1")]
