"""An image brought to the sky and light of another, on fields whose levels are known."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.ops.spec import step


def field(sky, light, seed=0, channels=1):
    """Stars on a flat sky, noise 2."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256]
    stars = sum(
        peak * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18)
        for cx, cy, peak in zip(*np.random.default_rng(5).uniform(10, 245, (2, 60)), np.geomspace(40, 4000, 60))
    )
    planes = [(k + 1) * (sky + light * stars) + 2 * rng.standard_normal((256, 256)) for k in range(channels)]
    return Image(np.stack(planes), variance=np.full((channels, 256, 256), 4.0))


def test_sky_and_light_become_those_of_the_reference():
    image, reference = field(100, 1.0, 1, 3), field(250, 2.5, 2, 3)
    out = step("norm:match")(image, reference)
    assert np.median(out.data - reference.data, axis=(1, 2)) == pytest.approx(0, abs=3.0)
    bright = image.data[0] > 400
    ratio = (out.data[0][bright] - 250) / (reference.data[0][bright] - 250)
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    assert np.median(out.variance[0]) == pytest.approx(4 * 2.5**2, rel=0.03)


def test_one_of_the_two_may_stay():
    image, reference = field(100, 1.0, 1), field(250, 2.5, 2)
    sky_only = step("norm:bgstat")(image, reference)
    assert np.ptp(sky_only.data - image.data) < 1e-3
    assert np.median(sky_only.data) - np.median(image.data) == pytest.approx(150, abs=1)
    light_only = step("norm:sigstat")(image, reference)
    assert np.median(light_only.data) == pytest.approx(np.median(image.data), abs=1.5)
    assert light_only.data.max() - 100 == pytest.approx(2.5 * (image.data.max() - 100), rel=0.02)
    factor = step("norm:match", background="mul", signal="no")(image, reference)
    assert np.median(factor.data / image.data) == pytest.approx(2.5, rel=0.02)


def test_what_cannot_be_matched_is_said():
    flat = Image(100 + np.random.default_rng(1).normal(0, 1, (1, 128, 128)))
    with pytest.raises(InputError, match="too little to match; signal=keep"):
        step("norm:match")(flat, field(100, 1.0))
    with pytest.raises(InputError, match="1 channel"):
        step("norm:match")(field(1, 1), field(1, 1, channels=3))
    with pytest.raises(InputError, match="needs both above 0"):
        step("norm:match", background="multiply")(field(-5, 1), field(10, 1))
