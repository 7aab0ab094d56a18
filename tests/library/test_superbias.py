import numpy as np
import pytest

from firstlight.library.superbias import superbias
from firstlight.model.image import Image

SHAPE = (200, 260)


def truth(pixel=0.4, seed=0):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    bias = 500 + 2 * (xx / SHAPE[1]) ** 2 + rng.normal(0, 1.5, SHAPE[1]) + rng.normal(0, 0.8, (SHAPE[0], 1))
    bias += rng.normal(0, pixel, SHAPE) + 3.0 * ((yy % 2) ^ (xx % 2))
    bias[50, 60] += 40
    bias[:, 100] += 8
    return bias


def master(bias, n, noise=4.0, seed=1):
    sigma = noise / n**0.5
    data = bias + np.random.default_rng(seed).normal(0, sigma, bias.shape)
    return Image(data, variance=np.full(bias.shape, sigma**2, np.float32))


@pytest.mark.parametrize(("n", "gain"), [(5, 3.5), (20, 1.8), (400, 1.0)])
def test_a_master_of_few_frames_gains_and_one_of_many_loses_nothing(n, gain):
    bias = truth()
    plain = master(bias, n)
    better = superbias(plain)
    before, after = ((image.data[0] - bias).std() for image in (plain, better))
    assert before / after > gain * 0.98


def test_columns_and_single_pixels_stay():
    bias = truth()
    image = superbias(master(bias, 5))
    assert image.data[0, 50, 60] - np.median(image.data[0, 49:52, 56:65]) > 30
    assert np.median(image.data[0, :, 100] - bias[:, 100]) == pytest.approx(0, abs=0.2)


def test_variance_is_that_of_repeated_masters_where_there_is_no_pattern():
    bias = truth(pixel=0.0)
    made = [superbias(master(bias, 5, seed=i)) for i in range(40)]
    scatter = np.var([m.data[0] for m in made], axis=0, ddof=1)
    claimed = np.mean([m.variance[0] for m in made], axis=0)
    assert np.median(scatter) == pytest.approx(np.median(claimed), rel=0.6)


def test_without_variance_nothing_changes():
    image = Image(truth())
    assert superbias(image) is image
