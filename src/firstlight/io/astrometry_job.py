"""A process that solves one star list by the package ``astrometry``: it can be ended in time, a call into it cannot."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SURE = 50.0
"""Logarithm of the odds at which the search stops."""


def solve(job: dict[str, Any]) -> dict[str, Any]:
    """Cards of the plate; empty where there is none."""
    import astrometry

    bounds = job["bounds"]
    parity = astrometry.Parity.BOTH
    if bounds["flipped"] is not None:
        parity = astrometry.Parity.FLIP if bounds["flipped"] else astrometry.Parity.NORMAL
    place = None
    if bounds["ra"] is not None and bounds["radius"] < 180:
        place = astrometry.PositionHint(ra_deg=bounds["ra"], dec_deg=bounds["dec"], radius_deg=bounds["radius"])
    found = astrometry.Solver([Path(path) for path in job["files"]]).solve(
        stars=job["positions"],
        size_hint=astrometry.SizeHint(bounds["smallest_scale"], bounds["largest_scale"]),
        position_hint=place,
        solution_parameters=astrometry.SolutionParameters(
            parity=parity,
            logodds_callback=lambda odds: astrometry.Action.STOP if odds[0] > SURE else astrometry.Action.CONTINUE,
        ),
    )
    if not found.has_match():
        return {}
    return {key: value for key, (value, _) in found.best_match().wcs_fields.items() if value is not None}


if __name__ == "__main__":
    given, answer = map(Path, sys.argv[1:3])
    answer.write_text(json.dumps(solve(json.loads(given.read_text(encoding="utf-8")))), encoding="utf-8")
