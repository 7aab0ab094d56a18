"""The job as Siril does it: the script its own manual gives for mono data, with winsorized rejection."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import measure

PROGRAM = "siril-cli"
STACK = "rej winsorized 3 3"


@dataclass(frozen=True)
class Stage:
    name: str
    lines: tuple[str, ...]


def stages(night: Path, work: Path) -> list[Stage]:
    """Commands of each stage; frames are linked, not copied."""

    def linked(folder: str, name: str) -> tuple[str, ...]:
        return (f"cd {night / folder}", f"link {name} -out={work}", f"cd {work}")

    return [
        Stage("master bias", (*linked("Bias", "bias"), f"stack bias {STACK} -nonorm -out=master_bias")),
        Stage("master dark", (*linked("Darks", "dark"), f"stack dark {STACK} -nonorm -out=master_dark")),
        Stage(
            "master flat",
            (
                *linked("Flats", "flat"),
                "preprocess flat -bias=master_bias",
                f"stack pp_flat {STACK} -norm=mul -out=master_flat",
            ),
        ),
        Stage(
            "calibrate lights",
            (*linked("Lights", "light"), "preprocess light -dark=master_dark -flat=master_flat"),
        ),
        Stage("register", (f"cd {work}", "register pp_light")),
        Stage("stack", (f"cd {work}", f"stack r_pp_light {STACK} -norm=addscale -out=result")),
    ]


def version() -> str | None:
    """Siril's version, or None where it is not installed."""
    if shutil.which(PROGRAM) is None:
        return None
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"[\d.]+\d", said)
    return found.group() if found else "unknown"


def run(night: Path, folder: Path, threads: int, *, split: bool = False) -> tuple[dict[str, measure.Cost], Path]:
    """The whole job (``split``: each stage in a process of its own): costs by stage, or of ``whole``, and the stack."""
    shutil.rmtree(folder, ignore_errors=True)
    work, home = folder / "process", folder / "home"
    work.mkdir(parents=True)
    home.mkdir()
    parts = stages(night.resolve(), work.resolve())
    if not split:
        parts = [_joined("whole", parts)]
    costs = {stage.name: run_stage(stage, folder, threads) for stage in parts}
    result = work / "result.fits"
    if not result.is_file():
        raise RuntimeError(f"Siril made no stack; see the logs in {folder}")
    return costs, result


def _joined(name: str, parts: list[Stage]) -> Stage:
    return Stage(name, tuple(line for stage in parts for line in stage.lines))


def run_masters(night: Path, folder: Path, threads: int) -> measure.Cost:
    """The stages that make the masters, in one process."""
    work = folder / "process"
    work.mkdir(parents=True)
    (folder / "home").mkdir()
    return run_stage(_joined("masters", stages(night.resolve(), work.resolve())[:3]), folder, threads)


def run_stage(stage: Stage, folder: Path, threads: int) -> measure.Cost:
    """What a stage costs in a process of its own, with a home in ``folder``."""
    name, home = stage.name.replace(" ", "_"), folder / "home"
    script = folder / f"{name}.ssf"
    head = ("requires 1.0.0", "setext fits", f"setcpu {threads}")
    script.write_text("\n".join((*head, *stage.lines, "close")) + "\n")
    return measure.run(
        [PROGRAM, "-s", str(script)],
        cwd=folder,
        log=folder / f"{name}.log",
        env={"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home), "LC_ALL": "C"},
    )


def tidy(folder: Path) -> None:
    """Delete the copies of frames; logs, scripts and the stack stay."""
    for path in (folder / "process").glob("*.fits"):
        if path.name != "result.fits":
            path.unlink()
