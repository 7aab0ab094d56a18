"""Pixels that stand for all: evenly spread, whatever the shape, and as levels see them."""

import numpy as np
import pytest

from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.ops.stretch import sample as module
from firstlight.ops.stretch.sample import RUN, percentiles, sample, sample_step, trusted


@pytest.mark.parametrize("shape", [(4000, 6000), (4096, 4096), (3000, 4500), (100, 60_000), (9000, 601)])
def test_all_columns_and_rows_are_seen(shape):
    height, width = shape
    step = sample_step(shape)
    assert height * width / step == pytest.approx(module.MANY, rel=0.6)
    starts = np.arange(0, height * width, step * RUN)
    pixels = (starts[:, None] + np.arange(RUN)).ravel()
    pixels = pixels[pixels < height * width]
    seen = np.bincount(pixels % width, minlength=width)
    assert seen.min() > 0.5 * seen.mean()
    if width < step * RUN:
        return
    # No row has more than another but a run at its ends.
    rows = np.bincount(pixels // width, minlength=height)
    assert np.ptp(rows) <= 2 * RUN


def test_bands_of_any_height_give_the_sample_of_the_whole(monkeypatch):
    monkeypatch.setattr(module, "MANY", 2000)
    plane = np.arange(97 * 211, dtype=np.float32).reshape(97, 211)
    whole = sample(plane)
    assert 1000 < len(whole) < 4000
    for rows in (1, 2, 5, 96, 97):
        bands = [sample(plane[top : top + rows], plane.shape, top) for top in range(0, 97, rows)]
        np.testing.assert_array_equal(np.concatenate(bands), whole)


def test_percentiles_are_those_of_numpy_without_what_is_flagged():
    rng = np.random.default_rng(3)
    data = rng.normal(0, 1, (2, 50, 60)).astype(np.float32)
    flags = np.zeros(data.shape, np.uint16)
    flags[0, :5], flags[1, :, 7] = Flag.SATURATED, Flag.NO_DATA
    image = Image(data, flags)
    for channel, found in enumerate(percentiles(image, 0, 12.5, 99.9, 100)):
        kept = data[channel][flags[channel] == 0]
        np.testing.assert_allclose(found, np.percentile(kept.astype(float), [0, 12.5, 99.9, 100]), rtol=1e-6)
        assert len(trusted(image, channel)) == len(kept)


def test_levels_of_structured_rows_are_true(monkeypatch):
    """Rows that differ, columns that differ, and stars that are neighbours: a part says what the whole says."""
    rng = np.random.default_rng(5)
    data = rng.normal(100, 3, (1, 1200, 1800)) + 4 * (np.arange(1200) % 2)[:, None] + 3 * (np.arange(1800) % 3 == 0)
    for y, x in zip(rng.integers(0, 1190, 900), rng.integers(0, 1790, 900)):
        data[0, y : y + 6, x : x + 6] += 500
    whole = np.percentile(data, [5, 50, 95, 99])
    monkeypatch.setattr(module, "MANY", 150_000)
    (found,) = percentiles(Image(data), 5, 50, 95, 99)
    np.testing.assert_allclose(found, whole, atol=0.15)
