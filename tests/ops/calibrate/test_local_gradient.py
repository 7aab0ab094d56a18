"""Gradients go, stars and nebulae stay: figure A13 on synthetic skies."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image

HEIGHT, WIDTH, SKY = 600, 800, 1000.0
Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(float)
U, V = X / WIDTH, Y / HEIGHT

GRADIENTS = {
    "plane": 300 * U + 150 * V,
    "quadratic": 200 * (U - 0.4) ** 2 - 150 * U * V + 100 * V,
    "cubic": 800 * (U - 0.5) ** 3 + 100 * V**2,
    "exponential": 300 * np.exp(-2 * U) + 100 * np.exp(-3 * V),
}


def blob(y, x, fwhm, peak):
    return peak * np.exp(-((X - x) ** 2 + (Y - y) ** 2) * 4 * np.log(2) / fwhm**2)


@pytest.fixture(scope="module")
def stars_and_noise():
    rng = np.random.default_rng(9)
    image = rng.normal(0, 25, (HEIGHT, WIDTH))
    for y, x, flux in zip(rng.uniform(0, HEIGHT, 300), rng.uniform(0, WIDTH, 300), 10 ** rng.uniform(2, 5, 300)):
        part = slice(max(int(y) - 12, 0), int(y) + 13), slice(max(int(x) - 12, 0), int(x) + 13)
        image[part] += flux / 14 * np.exp(-((X[part] - x) ** 2 + (Y[part] - y) ** 2) / 4.5)
    return image


def removed(text, data):
    """Difference of input and output, zero-mean: what the operation took for gradient."""
    from firstlight.ops.spec import parse_step

    image = Image(data)
    result = parse_step(text)(image)
    assert float(np.median(result.data)) == pytest.approx(float(np.median(image.data)), abs=0.01)
    return image.data[0].astype(float) - result.data[0]


LOCAL = ["abr:localgradient:scale=200", "abr:samples", "abr:multiscale:scale=200", "abr:envelope:scale=200"]


@pytest.mark.parametrize("text", [*LOCAL, "abr:polynomial:degree=3", "abr:polynomial:degree=4"])
@pytest.mark.parametrize("gradient", GRADIENTS)
def test_what_is_left_is_below_one_percent_of_the_sky(gradient, text, stars_and_noise):
    truth = GRADIENTS[gradient]
    error = removed(text, SKY + truth + stars_and_noise) - truth
    assert np.abs(error - np.median(error)).max() < 0.01 * SKY
    assert error.std() < 0.001 * SKY


@pytest.mark.parametrize("text", [*LOCAL, "abr:polynomial:degree=4"])
@pytest.mark.parametrize("gradient", ["plane", "exponential"])
def test_a_nebula_keeps_its_flux(gradient, text, stars_and_noise):
    truth, nebula = GRADIENTS[gradient], blob(280, 430, 90, 300)
    sky = SKY + truth + stars_and_noise
    error = removed(text, sky + nebula) - truth
    error -= np.median(error[nebula < 0.5])
    # The noise of the sky under the nebula alone makes 0.5 % of its light uncertain.
    assert abs(error[nebula > 6].sum()) < 0.0125 * nebula.sum()
    lost = error + truth - removed(text, sky)
    lost -= np.median(lost[nebula < 0.5])
    assert abs(lost[nebula > 6].sum()) < 0.01 * nebula.sum()


@pytest.mark.parametrize(
    ("text", "most"), [(LOCAL[0], 1.0), (LOCAL[1], 2.5), (LOCAL[2], 1.0), ("abr:polynomial:degree=3", 1.5)]
)
def test_a_faint_nebula_keeps_its_flux(text, most, stars_and_noise):
    """A peak of 2.4 times the noise of a pixel: what the nebula does to the model, in per cent of its light."""
    lost = []
    for truth in GRADIENTS.values():
        sky = SKY + truth + stars_and_noise
        without = removed(text, sky)
        for y, x in ((280, 430), (180, 250), (400, 560)):
            nebula = blob(y, x, 90, 60)
            change = removed(text, sky + nebula) - without
            change -= np.median(change[nebula < 0.3])
            lost.append(100 * change[nebula > 1.2].sum() / nebula.sum())
    assert abs(np.mean(lost)) < most


def test_a_nebula_larger_than_half_the_field_survives_a_large_scale(stars_and_noise):
    truth, nebula = GRADIENTS["plane"], blob(300, 420, 400, 300)
    error = removed("abr:localgradient:scale=1600", SKY + truth + nebula + stars_and_noise) - truth
    assert np.ptp(error) < 0.01 * SKY


def test_sources_shape_and_small_fields_do_not_matter():
    for shape in ((20, 20), (16, 300), (7, 5), (1, 1)):
        data = np.random.default_rng(0).normal(100, 1, (3, *shape))
        for name in ("abr:localgradient", "abr:polynomial"):
            result = step(name)(Image(data)).data
            assert np.all(np.isfinite(result))
            assert np.abs(result - data).max() < 3


def test_missing_pixels_take_no_part(stars_and_noise):
    data = SKY + GRADIENTS["plane"] + stars_and_noise
    flags = np.zeros(data.shape, np.uint16)
    flags[:, :60], data[100:200, 300:400] = Flag.NO_DATA, np.nan
    spoilt = data.copy()
    spoilt[:, :60] = -1e6
    a, b = (step("abr:localgradient")(Image(d, flags)) for d in (data, spoilt))
    np.testing.assert_array_equal(a.data[0, :, 60:], b.data[0, :, 60:])
    assert np.isfinite(b.data[0, :, 60:]).sum() == HEIGHT * (WIDTH - 60) - 100 * 100


def test_vignetting_divides_out():
    falloff = 1 - 0.3 * ((U - 0.5) ** 2 + (V - 0.5) ** 2)
    image = Image(SKY * falloff, variance=SKY * falloff**2)
    result = step("abr:polynomial", mode="divide")(image)
    assert np.ptp(result.data) < 0.2
    np.testing.assert_allclose(result.variance, result.variance.mean(), rtol=1e-3)
    with pytest.raises(InputError, match="mode=divide, but the sky goes down to"):
        step("abr:polynomial", mode="divide")(Image(X - 400))
