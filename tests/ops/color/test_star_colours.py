"""Light of stars in all colours; balances by stars, background and reference; stars and background apart."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.color.star_colours import measure_star_colours
from firstlight.ops.color.white_balance import SETS
from firstlight.ops.spec import parse_step

CAST = np.array([0.5, 1.0, 0.8])
Y, X = np.mgrid[:300, :400]


@pytest.fixture(scope="module")
def field():
    rng = np.random.default_rng(5)
    n = 120
    x, y = rng.uniform(12, 388, n), rng.uniform(12, 288, n)
    colour = np.stack([10 ** rng.normal(0, 0.1, n), np.ones(n), 10 ** rng.normal(0, 0.1, n)], 1)
    flux = 10 ** rng.uniform(3.6, 5.2, n)
    light = np.zeros((3, 300, 400))
    for k in range(n):
        part = slice(int(y[k]) - 11, int(y[k]) + 12), slice(int(x[k]) - 11, int(x[k]) + 12)
        spot = np.exp(-((X[part] - x[k]) ** 2 + (Y[part] - y[k]) ** 2) / (2 * 1.4**2)) / (2 * np.pi * 1.4**2)
        light[:, part[0], part[1]] += (flux[k] * CAST * colour[k])[:, None, None] * spot
    sky = np.array([200.0, 300.0, 250.0])[:, None, None]
    data = sky + light + rng.normal(0, 4, light.shape)
    return Image(data, meta=Meta(saturation=60000.0)), np.stack([x, y], 1), flux[:, None] * CAST * colour


def test_fluxes_are_those_of_the_scene(field):
    image, places, truth = field
    found = measure_star_colours(image)
    assert len(found.x) > 50
    nearest = [int(np.argmin(np.hypot(*(places - (x, y)).T))) for x, y in zip(found.x, found.y)]
    ratio = found.flux / truth[nearest]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.01)
    pull = (found.flux / found.flux[:, 1:2] - truth[nearest] / truth[nearest][:, 1:2])[:, 0]
    assert abs(np.median(pull)) < 0.003


def test_stars_become_white_in_the_median(field):
    image, places, truth = field
    result = step("color:whitebalance", source="stars")(image)
    factor = (result.data / image.data)[:, 150, 200]
    found = measure_star_colours(image)
    nearest = [int(np.argmin(np.hypot(*(places - (x, y)).T))) for x, y in zip(found.x, found.y)]
    np.testing.assert_allclose(factor, np.median(truth[nearest][:, 1:2] / truth[nearest], axis=0), rtol=0.01)
    with pytest.raises(InputError, match="0 stars can be measured in all colours; 3 are needed"):
        step("color:whitebalance", source="stars")(Image(np.full((3, 60, 60), 100.0)))


def test_background_reference_and_sets(field):
    image, _, _ = field
    grey = step("color:whitebalance", source="autobg")(image)
    assert [float(np.median(p)) for p in grey.data] == pytest.approx([300] * 3, rel=0.01)
    white = Image(np.array([50.0, 100.0, 200.0])[:, None, None] * np.ones((3, 9, 9)))
    result = step("color:whitebalance", source="reference")(image, white)
    np.testing.assert_allclose((result.data / image.data)[:, 5, 5], [2, 1, 0.5], rtol=1e-5)
    with pytest.raises(InputError, match="no reference is given"):
        step("color:whitebalance", source="reference")(image)
    for name, factors in SETS.items():
        result = step("color:whitebalance", source="set", set=name)(image)
        np.testing.assert_allclose((result.data / image.data)[:, 5, 5], factors, rtol=1e-5)
    assert parse_step("color:wb:source=set,set=zwoasi1600-lpro").params.set == "mn34230-orion5561"


def test_stars_and_background_are_balanced_apart(field):
    image, places, truth = field
    stars = step("color:whitebalance", source="none", red=2, part="stars", star_size=16)(image)
    sky = step("color:whitebalance", source="none", red=2, part="background", star_size=16)(image)
    assert float(np.median(stars.data[0])) == pytest.approx(float(np.median(image.data[0])), rel=0.01)
    assert float(np.median(sky.data[0])) == pytest.approx(2 * float(np.median(image.data[0])), rel=0.01)
    x, y = places[np.argmax(truth[:, 0])].round().astype(int)
    level = np.median(image.data[0])
    assert stars.data[0, y, x] - level == pytest.approx(2 * (image.data[0, y, x] - level), rel=0.05)
    assert sky.data[0, y, x] - 2 * level == pytest.approx(image.data[0, y, x] - level, rel=0.05)


def test_full_pixels_stay_white():
    full = Image(np.array([[[60000.0, 1000.0]]] * 3), meta=Meta(saturation=60000.0))
    tinted = step("color:whitebalance", source="none", red=2, blue=1.5)(full).data
    assert np.ptp(tinted[:, 0, 0]) > 10000
    kept = step("color:whitebalance", source="none", red=2, blue=1.5, protect_white=True)(full).data
    assert np.ptp(kept[:, 0, 0]) == 0
    np.testing.assert_allclose(kept[:, 0, 1], [2000, 1000, 1500])
