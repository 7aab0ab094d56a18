"""Bad pixels: the median of good neighbours of the same colour, against the same in plain numpy."""

import numpy as np

from firstlight import step
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta

RNG = np.random.default_rng(5)


def scene(cfa=None):
    data = RNG.normal(100, 5, (1, 40, 50)).astype(np.float32)
    flags = np.zeros(data.shape, np.uint16)
    for y, x in RNG.integers(0, (40, 50), (80, 2)):
        data[0, y, x], flags[0, y, x] = 9e3, Flag.HOT
    return Image(data, flags, np.full(data.shape, 25.0), meta=Meta(cfa=cfa))


def by_hand(image, distance, step):
    """Slow twin: one pixel at a time."""
    data = image.data[0].copy()
    for y, x in np.argwhere(image.flags[0]):
        reach = range(-distance * step, distance * step + 1, step)
        around = [(y + j, x + i) for j in reach for i in reach]
        values = [
            image.data[0, j, i]
            for j, i in around
            if 0 <= j < data.shape[0] and 0 <= i < data.shape[1] and not image.flags[0, j, i]
        ]
        if len(values) >= 4:
            data[y, x] = np.median(values)
    return data


def test_equals_the_slow_twin():
    for cfa, stride in ((None, 1), ("GRBG", 2)):
        for distance in (1, 2, 3):
            image = scene(cfa)
            fixed = step("cal:repair", distance=distance)(image)
            np.testing.assert_array_equal(fixed.data[0], by_hand(image, distance, stride))


def test_flags_and_variance_of_repaired_pixels():
    image = scene()
    fixed = step("cal:repair")(image)
    hot = image.flags[0] > 0
    assert np.all(fixed.flags[0][hot] == Flag.HOT | Flag.INTERPOLATED)
    assert np.all(fixed.flags[0][~hot] == 0)
    assert np.all(fixed.variance[0][~hot] == 25)
    # It claims to foretell a pixel no better than its neighbours scatter: (true - repaired)^2 is within the claim.
    truth = RNG.normal(100, 5, hot.sum())
    claim = fixed.variance[0][hot]
    assert claim.min() >= 25
    assert 0.6 < np.mean((fixed.data[0][hot] - truth) ** 2 / claim) < 1.2


def test_too_few_neighbours_change_nothing():
    flags = np.zeros((6, 6), np.uint16)
    flags[:, :5] = Flag.NO_DATA
    image = Image(np.arange(36.0).reshape(6, 6), flags)
    fixed = step("cal:repair", distance=1)(image)
    kept = np.arange(36.0).reshape(6, 6)
    np.testing.assert_array_equal(fixed.data[0], kept)
    assert not np.any(fixed.flags & Flag.INTERPOLATED)


def test_colours_do_not_mix():
    data = np.tile([[10.0, 1000.0], [1000.0, 50.0]], (8, 8))
    flags = np.zeros((16, 16), np.uint16)
    flags[6, 6] = flags[7, 7] = Flag.COLD
    fixed = step("cal:repair")(Image(data, flags, meta=Meta(cfa="RGGB")))
    assert (fixed.data[0, 6, 6], fixed.data[0, 7, 7]) == (10.0, 50.0)
