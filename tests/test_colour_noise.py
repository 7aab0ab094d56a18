"""The variance plane of a colour stack against the truth of its night: honest in each channel."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, median_filter, uniform_filter

from firstlight import read
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Output, Settings
from firstlight.simulate.night import preset, simulate
from firstlight.simulate.settings import Night


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colour") / "night"
    settings = preset("tiny").model_dump() | {"n_lights": 10, "n_darks": 12, "n_flats": 12, "n_bias": 12, "trails": 0.0}
    settings["camera"] |= {"width": 420, "height": 320, "cfa": "RGGB"}
    settings["sky"] |= {"stars_per_mpx": 300.0, "star_flux": (60.0, 600.0)}
    return folder, simulate(folder, Night.model_validate(settings))


def ratio(plane, variance, free):
    """Noise of single pixels between the stars, over what the variance says."""
    filled = np.where(free, plane, np.median(plane[free])).astype(float)
    sky = (
        median_filter(uniform_filter(filled, 9)[::8, ::8], 9)
        .repeat(8, 0)
        .repeat(8, 1)[: plane.shape[0], : plane.shape[1]]
    )
    off = ((plane - sky) / np.sqrt(variance))[free]
    return 1.4826 * np.median(np.abs(off - np.median(off)))


@pytest.mark.parametrize("drizzle", [{}, {"scale": 1.0}])
def test_noise_is_what_the_variance_says_in_each_colour(night, drizzle, tmp_path):
    folder, truth = night
    settings = Settings(output=Output(pictures=False, report=False), drizzle=drizzle)
    (stack,) = process(folder, settings, output=tmp_path / "run").stacks
    image = read(stack.files[0])
    starlight = np.asarray(truth.sky(truth.lights[0].filter)).max(axis=0)
    free = ~binary_dilation(starlight > 0.02, iterations=8) & image.good.all(axis=0)
    free[:30] = free[-30:] = free[:, :30] = free[:, -30:] = False
    assert free.mean() > 0.3
    ratios = [ratio(image.data[c], image.variance[c], free) for c in range(3)]
    assert max(ratios) < 1.04, ratios
    assert min(ratios) > 0.95, ratios
