"""Fringes against truth."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.ops.calibrate.fringe import Fringe, subtract_fringe


def waves(shape=(400, 400)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.sin(np.hypot(x - 900, y + 300) / 4)


@pytest.mark.parametrize("strength", [0.3, 5.0])
def test_the_strength_is_found_in_spite_of_stars(strength):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:400, :400]
    sky = 300 + 0.1 * x + strength * waves() + rng.normal(0, 2, waves().shape)
    for _ in range(80):
        cx, cy = rng.uniform(0, 400, 2)
        sky += 10 ** rng.uniform(2, 4) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 2**2))
    master = Image(1000 + waves() + rng.normal(0, 0.05, waves().shape))
    result = subtract_fringe(Image(sky), Fringe(), master)
    taken = sky - result.data[0]
    assert np.sum(taken * waves()) / np.sum(waves() ** 2) == pytest.approx(strength, rel=0.05, abs=0.03)
    # The level of the master stays out of it.
    assert np.median(result.data) == pytest.approx(np.median(sky), abs=0.5)


def test_the_strength_can_be_given_and_the_noise_of_the_master_counts():
    image = Image(np.full((128, 128), 50.0), variance=np.full((128, 128), 1.0))
    master = Image(waves((128, 128)), variance=np.full((128, 128), 0.25))
    result = subtract_fringe(image, Fringe(scale=2.0), master)
    assert result.variance.mean() == pytest.approx(2.0)
    assert np.std(result.data) == pytest.approx(2 * np.std(waves((128, 128))), rel=0.05)


def test_another_size_is_refused():
    with pytest.raises(InputError, match="another size"):
        subtract_fringe(Image(np.ones((8, 8))), Fringe(), Image(np.ones((8, 9))))
