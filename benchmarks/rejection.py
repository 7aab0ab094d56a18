"""Every method of rejection against the truth of simulated nights, beside Siril's. See benchmarks/README.md."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import measure
import quality
import siril_job
from firstlight.errors import InputError
from firstlight.ops.stack.rules import RULES
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Settings
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import Night, preset
from firstlight.simulate.truth import Truth, load_truth

HERE = Path(__file__).resolve().parent
NOT_A_MEAN = ("sum", "min", "max", "chi2")
"""Methods whose result is something else than the level of the sky."""
BLURRED = "winsorized, bilinear"
"""As Siril resamples: its noise can be compared with Siril's, whose boxes are as blurred."""
METHODS = ("mean", *(name for name in RULES if name not in ("mean", *NOT_A_MEAN)), BLURRED)
SIRIL = {
    # Without rejection Siril does not normalise either.
    "mean": "rej sigma 100 100",
    "winsorized": "rej winsorized 3 3",
    "sigma": "rej sigma 3 3",
    "linear": "rej linear 5 5",
    "median": "med",
}
SIRIL_REJECTED = re.compile(r"Pixel rejection in channel #\d+: ([\d.]+)% - ([\d.]+)%")


@dataclass(frozen=True)
class Row:
    night: str
    who: str
    method: str
    rejected: float
    """Share of all samples."""
    lost: dict[str, float]
    """Light of the stars of each class over that in the plain mean by the same program, less 1: median."""
    quality: dict


def nights() -> dict[str, Night]:
    """Seeing of 2.4 to 4 px FWHM, trails in a tenth of the frames, a moving gradient, cosmic rays, dithers."""
    turning = preset("bench-small")
    return {"turning": turning, "still": turning.model_copy(update={"rotation": 0.0})}


def truth_of(folder: Path, night: Night) -> Truth:
    """The night in this folder; made anew where it is missing or another one."""
    try:
        truth = load_truth(folder)
        if truth.night == night:
            return truth
    except (InputError, ValueError):
        pass
    say(f"simulating into {folder}")
    return simulate(folder, night)


def ours(truth: Truth, folder: Path, method: str, options: dict) -> tuple[Path, list[str], float]:
    """The stack by one method, the lights in it, and the share that was rejected."""
    settings = Settings(
        stack={"method": method.partition(",")[0]}, output={"pictures": False},
        registration={"kernel": "bilinear" if method == BLURRED else "lanczos3"}, **options,
    )  # fmt: skip
    result = process(truth.folder, settings, output=folder, again=True)
    (stack,) = result.stacks
    rejected = float(stack.stacked.rejected_fraction.mean())
    return stack.files[0], [placed.light.frame.path.name for placed in stack.prepared.placed], rejected


def siril(truth: Truth, folder: Path) -> dict[str, tuple[Path, float]]:
    """Siril's stacks of the same frames, by method: calibrated and registered once, with its own masters."""
    shutil.rmtree(folder, ignore_errors=True)
    work, home = folder / "process", folder / "home"
    work.mkdir(parents=True)
    home.mkdir()
    *before, _ = siril_job.stages(truth.folder.resolve(), work.resolve())
    lines = [line for stage in before for line in stage.lines]
    for method, words in SIRIL.items():
        lines += [f"cd {work.resolve()}", f"stack r_pp_light {words} -norm=addscale -out={method}"]
    script, log = folder / "job.ssf", folder / "log"
    script.write_text("\n".join(("requires 1.0.0", "setext fits", *lines, "close")) + "\n")
    env = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home), "LC_ALL": "C"}
    measure.run([siril_job.PROGRAM, "-s", str(script)], cwd=folder, log=log, env=env)
    # The median rejects nothing and says nothing of it; masters come first.
    rejecting = [method for method, words in SIRIL.items() if words.startswith("rej")]
    said = SIRIL_REJECTED.findall(log.read_text(errors="replace"))[-len(rejecting) :]
    shares = {method: (float(low) + float(high)) / 100 for method, (low, high) in zip(rejecting, said)}
    stacks = {}
    for method in SIRIL:
        path = work / f"{method}.fits"
        if not path.is_file():
            raise RuntimeError(f"Siril made no stack with {SIRIL[method]}; see {log}")
        stacks[method] = Path(shutil.move(path, folder / path.name)), shares.get(method, 0.0)
    shutil.rmtree(work)
    return stacks


def judged(path: Path, truth: Truth, used: list[str] | None) -> quality.Assessment:
    plane = quality.read_plane(path)
    reference = quality.find_reference(plane, truth)
    return quality.Assessment(plane, truth, truth[reference], used)


def lost(stack: quality.Assessment, mean: quality.Assessment) -> dict[str, float]:
    """Star by star, so that the noise of the frames and the scale of the program drop out."""
    return {name: float(np.median(flux / mean.fluxes[name][0])) - 1.0 for name, (flux, _) in stack.fluxes.items()}


def rows(name: str, truth: Truth, work: Path, methods: tuple[str, ...], options: dict, *, beside: bool) -> list[Row]:
    """Every stack of a night; the first of each program is its plain mean."""
    found: list[Row] = []
    means: dict[str, quality.Assessment] = {}

    def judge(who: str, method: str, stack: quality.Assessment, rejected: float) -> None:
        mean = means.setdefault(who, stack)
        found.append(Row(name, who, method, rejected, lost(stack, mean), asdict(stack.quality())))
        say(line(found[-1]))

    for method in methods:
        path, used, rejected = ours(truth, work / f"{name}-firstlight", method, options)
        judge("firstlight", method, judged(path, truth, used), rejected)
    for method, (path, rejected) in siril(truth, work / f"{name}-siril").items() if beside else ():
        judge("Siril", method, judged(path, truth, None), rejected)
    return found


COLUMNS = ("noise", "pixel_noise", "fwhm", "bright_bias", "bright_scatter", "trail", "trail_sigma", "rays_sigma",
           "outliers")  # fmt: skip


def line(row: Row) -> str:
    q = row.quality

    def shown(key: str) -> str:
        if key.endswith("bias"):
            return f"{100 * q[key]:+.2f} %"
        return f"{100 * q[key]:.2f} %" if key.endswith("scatter") else f"{q[key]:.{1 if key == 'outliers' else 3}f}"

    losses = (f"{100 * row.lost[name]:+.2f} %" for name in quality.CLASSES)
    cells = (row.night, row.who, row.method, *map(shown, COLUMNS), *losses, f"{100 * row.rejected:.2f} %")
    return "| " + " | ".join(cells) + " |"


def table(found: list[Row]) -> str:
    titles = ("night", "program", "method", *(c.replace("_", " ") for c in COLUMNS), *quality.CLASSES, "rejected")
    head = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    return "\n".join(head + [line(row) for row in found])


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", nargs="+", default=list(nights()), choices=list(nights()))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--first", type=int, default=0, help="only the first N lights; 0: all 30")
    parser.add_argument("--memory", type=int, default=0, help="MB for firstlight; 0: as much as it takes by itself")
    parser.add_argument("--work", type=Path, default=HERE / "work" / "rejection")
    parser.add_argument("--no-siril", action="store_true")
    args = parser.parse_args()
    beside = not args.no_siril and not args.first and siril_job.version() is not None
    methods = ("mean", *(m for m in args.methods if m != "mean"))
    options = {"first": args.first, "memory": args.memory}
    found: list[Row] = []
    for name in args.nights:
        truth = truth_of(args.work / name, nights()[name])
        found += rows(name, truth, args.work, methods, options, beside=beside)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    content = {"machine": measure.machine(), "siril": siril_job.version(), "rows": [asdict(r) for r in found]}
    (results / "rejection.json").write_text(json.dumps(content, indent=1) + "\n")
    (results / "rejection.md").write_text(table(found) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
