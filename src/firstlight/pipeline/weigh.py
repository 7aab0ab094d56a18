"""The weights of the frames of a stack: from what was measured, from their headers, or from a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from firstlight.errors import InputError, SpecError
from firstlight.io.frame import Frame
from firstlight.ops.stack.formula import check_formula
from firstlight.ops.stack.weights import METRICS, frame_weights, settle_weights
from firstlight.pipeline.measure import Light
from firstlight.pipeline.register import FEWEST_RATIOS, Placed, shared_stars
from firstlight.pipeline.shared_settings import Normalize

KEYWORD = "WEIGHT"


def check_weighing(rule: Normalize, lights: Sequence[Frame], folder: Path) -> Normalize:
    """Refuse, before any work, weights that could not be had; the rule with the place of the table settled.

    Raises
    ------
    SpecError
        A formula that cannot be worked out, or one that is not asked for.
    InputError
        No table, or a light without a weight.
    """
    if rule.weights == "formula":
        if not rule.formula:
            raise SpecError("weights formula: no formula; give one, such as --normalize-formula '1/(fwhm*noise)**2'")
        check_formula(rule.formula, METRICS)
    elif rule.formula:
        raise SpecError(
            f"formula {rule.formula!r}: the weights are by {rule.weights}; for the formula give --normalize-weights "
            "formula too"
        )
    if rule.weights == "csv":
        beside = folder / rule.weights_file
        rule = rule.model_copy(update={"weights_file": str(beside if beside.exists() else Path(rule.weights_file))})
        weights_of_table(Path(rule.weights_file), lights)
    if rule.weights == "header":
        weights_of_headers(lights)
    return rule


def weigh(
    placed: Sequence[Placed], reference: Light, scales: np.ndarray, rule: Normalize
) -> tuple[np.ndarray, list[str]]:
    """Weight of each frame, mean 1, and notes. ``scales`` (frames, channels) are the factors of normalisation."""
    frames = [each.light.frame for each in placed]
    names = [each.light.name for each in placed]
    if rule.weights == "csv":
        return settle_weights(weights_of_table(Path(rule.weights_file), frames), names, rule.weights_file)
    if rule.weights == "header":
        return settle_weights(weights_of_headers(frames), names, KEYWORD)
    return frame_weights(rule.weights, metrics_of(placed, reference, scales), names, rule.formula)


def metrics_of(placed: Sequence[Placed], reference: Light, scales: np.ndarray) -> dict[str, np.ndarray]:
    """Every one of `METRICS` for every frame, float64; NaN where it is not known."""
    rows = [_metrics(each, reference, np.asarray(scale, np.float64)) for each, scale in zip(placed, scales)]
    return {name: np.array([row[name] for row in rows], np.float64) for name in METRICS}


def _metrics(placed: Placed, reference: Light, scale: np.ndarray) -> dict[str, float | None]:
    light = placed.light
    quality, meta = light.quality, light.frame.meta
    return {
        "stars": quality.n_stars,
        "fwhm": quality.fwhm,
        "hfr": quality.hfr,
        "eccentricity": quality.eccentricity,
        "background": float(light.level.mean()),
        "gradient": quality.gradient,
        "noise": float(light.noise.mean()),
        "snr": quality.snr,
        "exposure": meta.exposure,
        "airmass": meta.airmass,
        "gain": meta.gain,
        "scale": float(scale.mean()),
        "scaled_noise": float(np.sqrt(np.mean((scale * light.noise) ** 2))),
        "shared_snr": _shared_snr(placed, reference),
        "matched": placed.registration.n_matched,
        "reference_stars": reference.quality.n_stars,
    }


def _shared_snr(placed: Placed, reference: Light) -> float:
    """The median SNR of a poor frame may be high, since it shows bright stars only: the same stars must be compared."""
    mine, theirs = shared_stars(placed.light, reference, placed.registration.transform)
    if len(mine) < FEWEST_RATIOS:
        return placed.light.quality.snr
    return reference.quality.snr * float(np.median(mine.snr / theirs.snr))


def weights_of_headers(frames: Sequence[Frame]) -> np.ndarray:
    """The keyword WEIGHT of each frame.

    Raises
    ------
    InputError
        A frame has none, or it is no number.
    """
    found = []
    for frame in frames:
        value = next((v for keyword, v, _ in frame.meta.cards if keyword.upper() == KEYWORD), None)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(
                f"{frame.path.name}: {KEYWORD} is {'missing' if value is None else repr(value)}; weights by header "
                "need a number in every light"
            )
        found.append(float(value))
    return np.array(found)


def weights_of_table(path: Path, frames: Sequence[Frame]) -> np.ndarray:
    """Weights from a table of comma-, semicolon- or tab-separated lines: file, weight.

    A first line with the titles ``file`` (or ``name``) and ``weight`` allows other columns between, so that
    ``frames.csv`` of an earlier run serves with its weights changed. A frame is found by its path, file name, or name
    without extension.

    Raises
    ------
    InputError
        The table cannot be read, a weight is no number, or a frame has none or two.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); weights by csv need a table of file, weight") from None
    delimiter = next((d for d in ("\t", ";") if lines and d in lines[0]), ",")
    rows = [
        (number, [cell.strip() for cell in row])
        for number, row in enumerate(csv.reader(lines, delimiter=delimiter), 1)
        if row and not row[0].lstrip().startswith("#")
    ]
    file, weight = 0, 1
    if rows and "weight" in (titles := [cell.lower() for cell in rows[0][1]]):
        weight = titles.index("weight")
        file = next((titles.index(word) for word in ("file", "name", "frame") if word in titles), 0)
        rows = rows[1:]
    table: dict[str, float] = {}
    for number, row in rows:
        if len(row) <= max(file, weight) or not row[weight]:
            continue
        try:
            value = float(row[weight])
        except ValueError:
            raise InputError(f"{path}, line {number}: weight {row[weight]!r}; a number is needed") from None
        if table.setdefault(row[file], value) != value:
            raise InputError(f"{path}, line {number}: {row[file]} has the weights {table[row[file]]:g} and {value:g}")
    found, lost = [], []
    for frame in frames:
        value = _in_table(frame.path, table)
        found.append(value)
        if value is None:
            lost.append(frame.path.name)
    if lost:
        more = f" and {len(lost) - 1} more lights" if len(lost) > 1 else ""
        raise InputError(f"{path}: no weight for {lost[0]}{more}; give every light a line: file, weight")
    return np.array(found, np.float64)


def _in_table(path: Path, table: dict[str, float]) -> float | None:
    for name, weight in table.items():
        if name == path.stem or path.parts[-len(Path(name).parts) :] == Path(name).parts:
            return weight
    return None
