"""What the variance plane claims, against the scatter of pixels over nights that differ by their noise alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from firstlight import read
from firstlight.io.fits_writer import write_raw_fits
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Settings
from firstlight.simulate.headers import cards_of
from firstlight.simulate.night import Night, Scene, preset

NIGHTS = 12
EDGE = 26
APART = 7
FEW = {"n_lights": 8, "n_darks": 4, "n_flats": 4, "n_bias": 4}


def night(**changes):
    """Vignetting and a sky that moves, no trails or cosmic rays; masters of few frames."""
    settings = preset("tiny").model_dump() | FEW | {"trails": 0.0, "cosmic_rays": 0.0}
    settings["camera"] |= {"width": 240, "height": 180} | changes.pop("camera", {})
    settings["sky"] |= {"stars_per_mpx": 700.0, "star_flux": (60.0, 3000.0)} | changes.pop("sky", {})
    return Night.model_validate(settings | changes)


def stacks(scene, folder, settings):
    """Data and variance (nights, channels, y, x) of stacks of one sky, each of frames and masters of its own."""
    reference = {"registration": {"reference": "light_L_60s_0001.fits"} | settings.get("registration", {})}
    settings = Settings.model_validate({"output": {"pictures": False, "report": False}} | settings | reference)
    data, variance = [], []
    for k in range(NIGHTS):
        for frame in scene.frames:
            (folder / frame.file).parent.mkdir(parents=True, exist_ok=True)
            pixels = scene.expose(replace(frame, number=frame.number + 1000 * (k + 1)))
            write_raw_fits(folder / frame.file, pixels, cards_of(scene.night, frame))
        (stack,) = process(folder, settings, output=folder.parent / f"run{k}").stacks
        image = read(stack.files[0])
        data.append(np.where(image.good, image.data, np.nan))
        variance.append(image.variance)
    return np.array(data, np.float64), np.array(variance, np.float64)


def noise_over_claim(data, variance, where):
    """As a user measures it: MAD of differences of pixels that share no noise, between which the sky hardly changes."""
    both = where[:, APART:] & where[:, :-APART]
    steps = (data[..., APART:] - data[..., :-APART]) / np.sqrt(variance[..., APART:] + variance[..., :-APART])
    return 1.4826 * np.median(np.abs(steps[..., both]))


def scatter_over_claim(data, variance, where):
    return np.var(data, axis=0, ddof=1)[where].mean() / variance.mean(axis=0)[where].mean()


CASES = {
    "rejected": ({}, {"stack": {"method": "noise"}}),
    "winsorized": ({}, {"stack": {"method": "winsorized"}, "normalize": {"mode": "local"}}),
    "turned": ({"rotation": 20.0}, {"stack": {"method": "mean"}}),
    "faint sky": ({"sky": {"background": 0.1}, "camera": {"amp_glow": 0.0}}, {"stack": {"method": "median"}}),
    "drizzled": ({}, {"drizzle": {"scale": 1.0, "pixfrac": 0.8}}),
    "colour": ({"camera": {"cfa": "RGGB"}}, {}),
    "colour, drizzled": ({"camera": {"cfa": "RGGB"}}, {"drizzle": {"scale": 1.0}}),
}


@pytest.mark.parametrize("case", CASES)
def test_scatter_of_the_sky_is_what_the_variance_says(case, tmp_path):
    changes, settings = CASES[case]
    scene = Scene(night(**changes))
    data, variance = stacks(scene, tmp_path / "night", settings)
    free = ~binary_dilation(scene.sky("L").max(axis=0) > 0.02, iterations=5)
    free[:EDGE] = free[-EDGE:] = free[:, :EDGE] = free[:, -EDGE:] = False
    y, x = np.mgrid[-1 : 1 : free.shape[0] * 1j, -1 : 1 : free.shape[1] * 1j]
    middle = np.hypot(y, x) < 0.6
    ratios, measured = [], []
    for channel in range(data.shape[1]):
        where = free & np.isfinite(data[:, channel]).all(axis=0)
        assert where.sum() > 5000
        ratios += [
            scatter_over_claim(data[:, channel], variance[:, channel], where & part) for part in (middle, ~middle)
        ]
        measured.append(noise_over_claim(data[:, channel], variance[:, channel], where))
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.02), ratios
    assert ratios == pytest.approx(np.ones(len(ratios)), abs=0.05)
    assert measured == pytest.approx(np.ones(len(measured)), abs=0.02)
