"""A year of one observatory on paper: nights, frames, bytes, hours of processors, from the rates of a measured run.

Rates come from the ``run.json`` of a run with threads (``--run``); nights, clouds and targets are drawn with a seed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class Rates:
    """Processor seconds."""

    light: float
    """For a light of a million pixels: measured, registered and integrated."""
    calibration: float
    """For a calibration frame of a million pixels."""
    stack: float
    """For a stack of a million pixels: measured, written, drawn."""
    fixed: float
    """For a session: headers, plan, tables, start."""

    @classmethod
    def of(cls, run: Path) -> Rates:
        record = json.loads(run.read_text())
        spent = {name: t["cpu_s"] for name, t in record["timings"].items()}
        from firstlight.io.read import open_frame

        kinds = [i["kind"] for i in record["inputs"]]
        first = next(i["file"] for i in record["inputs"] if i["kind"] == "light")
        mpx = float(np.prod(open_frame(first).shape)) / 1e6
        lights, others = kinds.count("light"), len(kinds) - kinds.count("light")
        hashing = spent.get("hash inputs", 0.0) / len(kinds)
        work = sum(spent.get(name, 0.0) for name in ("measure", "register", "integrate"))
        return cls(
            (work / lights + hashing) / mpx, (spent.get("masters", 0.0) / others + hashing) / mpx,
            (spent.get("measure stack", 0.0) + spent.get("products", 0.0)) / (mpx * len(record["stacks"])),
            spent.get("plan", 0.0) + 1.5,
        )  # fmt: skip


@dataclass(frozen=True)
class Observatory:
    """What is taken."""

    mpx: float = 61.2
    exposure: float = 120.0
    overhead: float = 8.0
    """Seconds between exposures."""
    targets: int = 4
    """A night; each in the number of filters."""
    filters: int = 4
    darks: int = 30
    flats: int = 20
    """In each filter, each night; darks are the library's, made once a month."""
    bytes_per_pixel: float = 2.0
    latitude: float = 40.0
    nights: int = 300
    """In a year: the others are lost whole."""
    clear: float = 0.75
    """Share of a night that is used, on average."""


def dark_hours(day: int, latitude: float) -> float:
    """Hours with the Sun 15 degrees or more below the horizon."""
    declination = np.radians(-23.44 * np.cos(2 * np.pi * (day + 10) / 365.25))
    phi = np.radians(latitude)
    cosine = (np.sin(np.radians(-15)) - np.sin(phi) * np.sin(declination)) / (np.cos(phi) * np.cos(declination))
    return float(24 - 2 * np.degrees(np.arccos(np.clip(cosine, -1, 1))) / 15)


def year(observatory: Observatory, rates: Rates, cores: int, seed: int) -> list[dict[str, float]]:
    """Every night that is used."""
    rng = np.random.default_rng(seed)
    used = np.sort(rng.choice(365, observatory.nights, replace=False))
    month = np.repeat(np.arange(12), DAYS)
    rows, backlog, last = [], 0.0, None
    for day in used:
        share = rng.beta(4 * observatory.clear / (1 - observatory.clear), 4)
        lights = int(
            dark_hours(day, observatory.latitude) * share * 3600 / (observatory.exposure + observatory.overhead)
        )
        new_month = month[day] != last
        last = month[day]
        flats = observatory.flats * observatory.filters
        darks = observatory.darks * new_month
        stacks = min(observatory.targets * observatory.filters, max(lights // 5, 1))
        cpu = (
            rates.light * lights * observatory.mpx + rates.calibration * (flats + darks) * observatory.mpx
            + rates.stack * stacks * observatory.mpx + rates.fixed
        )  # fmt: skip
        wall = cpu / cores / 3600
        backlog = max(backlog + wall - 24.0, 0.0)
        frames = lights + flats + darks
        rows.append({
            "month": int(month[day]), "lights": lights, "frames": frames, "stacks": stacks, "cpu_h": cpu / 3600,
            "wall_h": wall, "backlog_h": backlog, "gb": frames * observatory.mpx * observatory.bytes_per_pixel / 1e3,
            "products_gb": stacks * observatory.mpx * 22 / 1e3,
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="run.json of a measured run.")
    parser.add_argument("--cores", type=int, default=8)
    parser.add_argument("--mpx", type=float, default=Observatory.mpx)
    parser.add_argument(
        "--efficiency", type=float, default=0.8, help="Share of the cores that many threads really use."
    )
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rates = Rates.of(chosen.run)
    rows = year(Observatory(mpx=chosen.mpx), rates, chosen.cores * chosen.efficiency, chosen.seed)
    print(
        f"Rates (CPU s): light {rates.light:.3f}/Mpx, calibration frame {rates.calibration:.3f}/Mpx, stack "
        f"{rates.stack:.2f}/Mpx, session {rates.fixed:.1f}\n"
    )
    print("| month | nights | lights | frames | raw TB | products TB | CPU h | wall h a night (longest) |")
    print("|---|---|---|---|---|---|---|---|")
    for name, part in [(MONTHS[m], [r for r in rows if r["month"] == m]) for m in range(12)] + [("year", rows)]:
        if part:
            totals = {key: sum(r[key] for r in part) for key in ("lights", "frames", "gb", "products_gb", "cpu_h")}
            wall = [r["wall_h"] for r in part]
            print(
                f"| {name} | {len(part)} | {totals['lights']:.0f} | {totals['frames']:.0f} | {totals['gb'] / 1e3:.1f} "
                f"| {totals['products_gb'] / 1e3:.2f} | {totals['cpu_h']:.0f} | {np.mean(wall):.2f} ({max(wall):.2f}) |"
            )
    print(f"\nLongest backlog: {max(r['backlog_h'] for r in rows):.1f} h")


if __name__ == "__main__":
    main()
