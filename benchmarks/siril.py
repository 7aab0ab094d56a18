"""firstlight beside Siril: the same simulated night, in turns, on this machine. See benchmarks/README.md."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path

import firstlight
import firstlight_job
import measure
import quality
import siril_job
from firstlight.errors import InputError
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import preset
from firstlight.simulate.truth import Truth, load_truth

HERE = Path(__file__).resolve().parent
WORK = HERE / "work"
RESULTS = HERE / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="bench", help="bench: 60 lights of 11.7 Mpx; bench-small: 30 of 4.2 Mpx")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=measure.machine()["cores"])
    parser.add_argument("--only", choices=["siril", "firstlight"], help="leave the other one out")
    parser.add_argument("--option", action="append", default=[], help="passed on to `firstlight process`")
    arguments = parser.parse_args()
    truth = night_of(arguments.preset)
    report = compare(truth, arguments)
    RESULTS.mkdir(exist_ok=True)
    name = f"siril-{arguments.preset}" + (f"-only-{arguments.only}" if arguments.only else "")
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    text = page(report)
    (RESULTS / f"{name}.md").write_text(text)
    print(text)


def night_of(name: str) -> Truth:
    """The simulated night of a preset; made anew only where it is missing or no longer what the preset says."""
    folder = WORK / name
    try:
        truth = load_truth(folder)
        if truth.night == preset(name):
            return truth
    except (InputError, ValueError):
        pass
    say(f"simulating {name} into {folder}")
    return simulate(folder, preset(name))


def compare(truth: Truth, arguments: argparse.Namespace) -> dict:
    """Run both in turns; all that was measured."""
    threads, options = arguments.threads, tuple(arguments.option)
    with_siril = arguments.only != "firstlight" and siril_job.version() is not None
    if arguments.only != "firstlight" and not with_siril:
        say("siril-cli is not installed (make system): firstlight alone is measured")
    with_firstlight = arguments.only != "siril"
    night = truth.night
    report: dict = {
        "machine": measure.machine(),
        "threads": threads,
        "night": {
            "preset": arguments.preset,
            "size": [night.camera.width, night.camera.height],
            **{k: getattr(night, k) for k in ("n_lights", "n_bias", "n_darks", "n_flats")},
        },
        "versions": {"firstlight": firstlight.__version__, "siril": siril_job.version()},
        "firstlight_options": list(options),
        "runs": {},
        "stages": {},
        "quality": {},
    }
    if with_firstlight:
        report["runs"]["firstlight, first run (compiles its kernels; 20 small frames)"] = [first_run(threads)]
    measure.drop_into_cache(truth.folder)
    siril: list[dict] = []
    ours: list[dict] = []
    for turn in range(arguments.repetitions):
        if with_siril:
            say(f"Siril, run {turn + 1} of {arguments.repetitions}")
            costs, result = siril_job.run(truth.folder, WORK / "siril", threads)
            siril.append({**asdict(costs["whole"]), "files_mb": measure.size_of(WORK / "siril")})
        if with_firstlight:
            say(f"firstlight, run {turn + 1} of {arguments.repetitions}")
            cost, products = firstlight_job.run(truth.folder, WORK / "firstlight", threads, options)
            ours.append({**asdict(cost), "files_mb": measure.size_of(products)})
    if with_siril:
        report["runs"]["Siril"] = siril
        report["quality"]["Siril"] = judged(result, truth, None)
        say("Siril, stage by stage")
        costs, _ = siril_job.run(truth.folder, WORK / "siril", threads, split=True)
        report["stages"]["Siril"] = {name: asdict(cost) for name, cost in costs.items()}
        siril_job.tidy(WORK / "siril")
    if with_firstlight:
        report["runs"]["firstlight"] = ours
        report["quality"]["firstlight"] = judged(firstlight_job.stack(products), truth, firstlight_job.used(products))
        report["stages"]["firstlight"] = firstlight_job.stages(products)
    return report


def first_run(threads: int) -> dict:
    """What the very first run after installation costs; it leaves the compiled kernels behind for the others too."""
    tiny = night_of("tiny")
    cache = WORK / f"cache-{time.time_ns()}"
    say("firstlight, first run with nothing compiled")
    cost, products = firstlight_job.run(tiny.folder, WORK / "firstlight", threads, cache=cache)
    row = {**asdict(cost), "files_mb": measure.size_of(products)}
    firstlight_job.run(tiny.folder, WORK / "firstlight", threads)
    return row


def judged(path: Path, truth: Truth, used: list[str] | None) -> dict:
    plane = quality.read_plane(path)
    reference = quality.find_reference(plane, truth)
    return asdict(quality.Assessment(plane, truth, truth[reference], used).quality())


def page(report: dict) -> str:
    """The report as Markdown."""
    night, machine = report["night"], report["machine"]
    width, height = night["size"]
    lines = [
        f"# {night['preset']}: {night['n_lights']} lights, {night['n_bias']} bias, {night['n_darks']} darks,"
        f" {night['n_flats']} flats of {width} x {height}",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {report['threads']} threads, {machine['memory_gb']} GB;"
        f" Siril {report['versions']['siril']}, firstlight {report['versions']['firstlight']}; {machine['date']}."
        " Medians of the runs, the range of CPU time behind it.",
        "",
        "| | runs | wall s | CPU s | peak MB | of it own MB | written MB | files MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in report["runs"].items():
        lines.append(run_row(name, runs))
    if {"Siril", "firstlight"} <= report["runs"].keys():
        lines += ["", ratios(report["runs"]["Siril"], report["runs"]["firstlight"])]
    lines += ["", "## Stages", "", "| | stage | wall s | CPU s |", "|---|---|---|---|"]
    for name, parts in report["stages"].items():
        lines += [f"| {name} | {part} | {c['wall_s']:.2f} | {c['cpu_s']:.2f} |" for part, c in parts.items()]
    names = [f.name for f in fields(quality.Quality)]
    lines += ["", "## The stack against the truth", "", f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for name, values in report["quality"].items():
        lines.append(f"| {name} | " + " | ".join(shown(key, values[key]) for key in names) + " |")
    return "\n".join(lines) + "\n"


def run_row(name: str, runs: list[dict]) -> str:
    middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    cpu = [run["cpu_s"] for run in runs]
    sizes = " | ".join(f"{middle[key]:.0f}" for key in ("peak_mb", "peak_own_mb", "written_mb", "files_mb"))
    times = f"{middle['wall_s']:.1f} | {middle['cpu_s']:.1f} ({min(cpu):.1f}-{max(cpu):.1f})"
    return f"| {name} | {len(runs)} | {times} | {sizes} |"


def ratios(siril: list[dict], ours: list[dict]) -> str:
    def ratio(key: str) -> float:
        return statistics.median(run[key] for run in siril) / statistics.median(run[key] for run in ours)

    return (
        f"Siril over firstlight: CPU {ratio('cpu_s'):.2f}, wall {ratio('wall_s'):.2f},"
        f" peak memory {ratio('peak_mb'):.2f}, bytes written {ratio('files_mb'):.1f}."
    )


def shown(key: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    if key.endswith(("bias", "scatter")):
        return f"{100 * value:+.2f} %" if key.endswith("bias") else f"{100 * value:.2f} %"
    return f"{value:.3g}" if key == "scale" else f"{value:.3f}"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
