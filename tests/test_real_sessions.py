"""Real frames, judged by registrations and noise that were measured with other programs."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from scipy.ndimage import median_filter

from firstlight.cli.main import run
from firstlight.io.read import read
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Output, Settings

QUICK = Settings(output=Output(pictures=False))


def spread(pixels: np.ndarray) -> float:
    """Noise of single pixels about the median of their surroundings."""
    fine = pixels - median_filter(pixels, 15)
    return 1.4826 * float(np.median(np.abs(fine - np.median(fine))))


def transforms_of(output) -> dict[str, np.ndarray]:
    with open(output / "frames.csv", newline="") as file:
        return {
            row["file"].removesuffix(".fz"): np.array([[float(row[f"m{i}{j}"]) for j in range(3)] for i in range(2)])
            for row in csv.DictReader(file)
            if row["m00"]
        }


@pytest.mark.parametrize("name", ["hatp32_microobs", "m27_asi224mc_als", "stargate_ssdsi2"])
def test_transforms_are_those_of_another_program(name, real_data, tmp_path):
    result = process(real_data(name), QUICK, output=tmp_path / "run")
    truth = json.loads((real_data("_truth") / f"{name}.json").read_text())
    ours = transforms_of(result.output)
    height, width = result.stacks[0].image.shape[1:]
    grid = np.array([(x, y, 1.0) for x in np.linspace(0, width, 5) for y in np.linspace(0, height, 5)])
    theirs = {name: np.vstack([each["matrix"], [0, 0, 1]]) for name, each in truth["frames"].items() if name in ours}
    whole = {name: np.vstack([ours[name], [0, 0, 1]]) for name in theirs}
    assert len(theirs) >= 6
    (first,) = (name for name in whole if np.allclose(whole[name], np.eye(3), atol=1e-9))
    squares = []
    for frame, matrix in theirs.items():
        between = [np.linalg.solve(each[first], each[frame])[:2] for each in (whole, theirs | {frame: matrix})]
        squares.append((((grid @ between[0].T) - (grid @ between[1].T)) ** 2).sum(axis=1).mean())
        # Where wind has shaken the telescope, the peak of a star and the middle of its light are half a pixel apart.
        assert np.sqrt(squares[-1]) < 0.6
    assert np.sqrt(np.mean(squares)) < 0.3


def test_eight_frames_of_the_pelican_are_as_quiet_as_eight_frames_can_be(real_data, tmp_path):
    folder = real_data("pelican_mono_crop800")
    result = process(folder, QUICK, output=tmp_path / "run")
    stack = result.stacks[0]
    dark = read(next((tmp_path / "run" / "masters").glob("master_dark*.fits"))).data[0]
    single = read(folder / "Lights" / "light_001.fits.fz").data[0] - dark
    inner = read(stack.files[0]).data[0][80:-80, 80:-80]
    assert stack.n_frames == 8
    assert spread(inner) < 1.1 * spread(single) / np.sqrt(8)
    # Of noise alone one pixel in a billion is 6 sigma from its surroundings; above them there are stars.
    fine = (inner - median_filter(inner, 5)) / spread(inner)
    assert np.mean(fine < -6) < 1e-5


@pytest.mark.parametrize("name", ["zoo_public", "zoo_reencoded"])
def test_odd_and_broken_files_cost_themselves_only(name, real_data, tmp_path, capsys):
    code = run(["process", str(real_data(name)), "-o", str(tmp_path / "run"), "-q"])
    said = capsys.readouterr()
    # 1: of some lights that can be read no stack can be made.
    assert code in (0, 1)
    assert "Traceback" not in said.out + said.err
    assert list((tmp_path / "run" / "stacks").glob("*.fits"))
