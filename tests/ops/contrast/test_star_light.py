"""What stays behind stars whose light was taken off: threads, faint clouds, the same on any number of threads."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from firstlight import step
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.contrast.star_light import take_off_stars
from firstlight.ops.contrast.star_search import StarSearch
from firstlight.pipeline.hands import hands
from firstlight.simulate.scene import random_field, render_stars

SHAPE = (320, 360)
NOISE = 3.0
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]


def thread(strength: float, width: float = 3.0) -> np.ndarray:
    """A crooked one as thin as a star, with knots."""
    way = 160 + 60 * np.sin(X / 45.0)
    along = strength * NOISE * (1 + 0.3 * np.sin(X / 4.0) * np.sin(X / 11.0))
    return along * np.exp(-4 * np.log(2) * ((Y - way) * np.cos(np.arctan(60 / 45 * np.cos(X / 45.0))) / width) ** 2)


def clouds() -> np.ndarray:
    """Turbulent light of 20 times the noise, finest at 8 px."""
    rng = np.random.default_rng(5)
    layers = [gaussian_filter(rng.standard_normal(SHAPE), s, mode="wrap") for s in (4, 8, 16, 32)]
    light = sum(layer / layer.std() * s for layer, s in zip(layers, (1, 3, 7, 12)))
    return 300 + 2.0 * NOISE * (light - light.min())


def picture(behind, seed=1, channels=1, n=160, fwhm=3.0, saturation=None):
    rng = np.random.default_rng(seed)
    x, y, flux = random_field(rng, n, SHAPE, (400, 1e6), 0.6)
    stars = render_stars(SHAPE, x, y, flux, fwhm, beta=3.5)
    light = np.repeat((behind + stars)[None], channels, axis=0)
    data = light + rng.normal(0, NOISE, light.shape)
    if saturation:
        data = np.minimum(data, saturation)
    return Image(data, meta=Meta(saturation=saturation)), stars, (x, y, flux)


@pytest.mark.parametrize("strength", [5.0, 20.0, 40.0])
def test_threads_as_thin_as_stars_stay(strength):
    line = thread(strength)
    image, stars, _ = picture(200 + line)
    behind = step("extract:starless")(image).data[0]
    on = (line > 0.5 * line.max()) & (stars < NOISE)
    assert (behind - 200)[on].sum() / line[on].sum() == pytest.approx(1, abs=0.03)


def test_threads_are_seen_behind_stars_too():
    line = thread(10.0)
    image, stars, _ = picture(200 + line, n=400)
    behind = step("extract:starless")(image).data[0]
    covered = (line > 0.5 * line.max()) & (stars > 3 * NOISE) & (stars < 60 * NOISE)
    assert covered.sum() > 100
    assert (behind - 200)[covered].sum() / line[covered].sum() > 0.6


def test_faint_stars_in_front_of_clouds_are_found():
    light = clouds()
    image, _, (x, y, flux) = picture(light, n=500)
    error = gaussian_filter(step("extract:starless")(image).data[0] - light, 1.5)
    peak = 0.7 * flux / 9.0
    inside = (x > 5) & (y > 5) & (x < SHAPE[1] - 6) & (y < SHAPE[0] - 6) & (peak > 12 * NOISE) & (peak < 60 * NOISE)
    left = error[np.rint(y[inside]).astype(int), np.rint(x[inside]).astype(int)]
    assert np.mean(np.abs(left) < 0.3 * 12 * NOISE) > 0.75


def test_clouds_without_stars_stay():
    light = clouds()
    image = Image(light + np.random.default_rng(2).normal(0, NOISE, SHAPE))
    assert take_off_stars(image, StarSearch()).mask.mean() < 0.01


def test_stretched_pictures_come_apart_as_linear_ones_do():
    light = clouds()
    image, stars, _ = picture(light, n=300, saturation=60000.0)
    stretched = step("stretch:midtones")(image)
    order = np.argsort(image.data, axis=None)

    def curve(values):
        return np.interp(values, image.data.ravel()[order], stretched.data.ravel()[order])

    slope = (curve(light + 1) - curve(light - 1)) / 2
    apart = step("extract:starless")(stretched).data[0]
    found = [step("extract:starless")(image).data[0] - light, (apart - curve(light)) / slope]
    covered = stars > 2 * NOISE
    linear, bent = (np.sqrt(np.mean(gaussian_filter(error, 1.5)[covered] ** 2)) for error in found)
    assert bent < 1.5 * linear


def test_full_cores_and_halos_go():
    image, stars, _ = picture(np.full(SHAPE, 200.0), saturation=5000.0)
    image = image.replace(flags=np.where(image.data >= 5000, np.uint16(Flag.SATURATED), np.uint16(0)))
    error = gaussian_filter(step("extract:starless")(image).data[0] - 200, 2.0)
    full = stars > 5000
    assert full.sum() > 50
    assert np.abs(error[full]).max() < 4 * NOISE


def test_any_number_of_threads_gives_the_same():
    image, _, _ = picture(clouds(), channels=3)
    alone = step("extract:starless")(image).data
    with hands(3):
        np.testing.assert_array_equal(step("extract:starless")(image).data, alone)
