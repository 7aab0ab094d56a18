"""Warm pixels of lights without a dark of their own: their excess is taken off, so that stars on them can be measured.

A stack leaves a bad pixel out, for other frames show the same sky. The light of a star in one frame has nothing to
take its place: a pixel near the core that is made up from its neighbours costs percents where stars are sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.hotpixels import MOSTLY_STILL, STAR, spread_over, with_defects_of_lights
from firstlight.pipeline.register import Placed, largest_standstill

FEWEST = 5
"""Frames that an excess is the median of."""
UNSTEADY = 6.0
"""Noise of the background: a pixel whose excess scatters more is left out after all."""
BRIGHTEST = 0.25
"""Share of full scale: a pixel with more excess is left out."""


def with_warm_pixels(placed: Sequence[Placed], notes: list[str]) -> dict[int, Calibration]:
    """Calibration of each light (by ``id``): bad pixels that the lights show are corrected where they are steady.

    The excess of a pixel is the median, over frames in which the sky moved, of how far it stands off what its
    neighbours let expect, for one second of exposure. Masters' own bad pixels stay bad.
    """
    found = with_defects_of_lights(placed, remarks := [])
    seekers = spread_over([p for p in placed if p.light.frame.meta.exposure])
    if len(seekers) < FEWEST or largest_standstill(seekers, STAR) > MOSTLY_STILL:
        notes += remarks
        return found
    corrected: dict[int, tuple[Calibration, np.ndarray | None]] = {}
    for original in {id(p.light.calibration): p.light.calibration for p in placed}.values():
        mine = [p for p in seekers if p.light.calibration is original]
        repaired = next(found[id(p.light)] for p in placed if p.light.calibration is original)
        if repaired is original or len(mine) < FEWEST:
            corrected[id(original)] = repaired, None
        else:
            corrected[id(original)] = _corrected(original, repaired, mine, notes)
    return {id(p.light): _of_exposure(*corrected[id(p.light.calibration)], p.light.frame.meta.exposure) for p in placed}


def _corrected(
    original: Calibration, repaired: Calibration, placed: Sequence[Placed], notes: list[str]
) -> tuple[Calibration, np.ndarray]:
    """The calibration with the defects that are left, and the excess of one second, as the sensor's numbers show it."""
    extra = np.array([bad & ~known for bad, known in zip(_planes(repaired), _planes(original))])
    places = np.nonzero(extra)
    rates, noises = [], []
    for p in placed:
        frame = p.light.frame
        exposure, height = float(frame.meta.exposure or 1.0), frame.shape[1]
        plain = original.band(frame, 0, height).data[places]
        rates.append((plain - repaired.band(frame, 0, height).data[places]) / np.float32(exposure))
        noises.append(float(np.mean(p.light.noise)) / exposure)
    rate = np.median(rates, axis=0)
    spread = 1.4826 * np.median(np.abs(np.array(rates) - rate), axis=0)
    full = min((p.light.frame.meta.saturation or np.inf) / (p.light.frame.meta.exposure or 1.0) for p in placed)
    steady = (spread < UNSTEADY * np.median(noises)) & (np.abs(rate) < BRIGHTEST * full)
    at = tuple(axis[steady] for axis in places)
    excess = np.zeros(extra.shape, np.float32)
    excess[at] = rate[steady] / (1.0 if original.gain is None else original.gain[at])
    extra[at] = False
    notes.append(
        f"{len(steady)} pixels stand out in most lights while the sky moved: what {int(steady.sum())} of them have "
        "too much or too little is taken off, the others are left out"
    )
    return original.with_defects(extra), excess


def _of_exposure(calibration: Calibration, excess: np.ndarray | None, exposure: float | None) -> Calibration:
    """The calibration of a light, the excess as its thermal part where that is free."""
    if excess is None:
        return calibration
    if calibration.thermal is not None:
        return replace(calibration, offset=calibration.offset + excess * np.float32(exposure))
    offset = np.zeros_like(excess) if calibration.offset is None else calibration.offset
    return replace(calibration, offset=offset, thermal=excess, scale=float(exposure or 0.0))


def _planes(calibration: Calibration) -> list[np.ndarray]:
    return [plane != 0 for plane in calibration.bad]
