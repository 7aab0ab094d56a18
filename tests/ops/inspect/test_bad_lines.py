"""Bad columns and rows."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.ops.inspect.bad_lines import find_bad_lines, mask_of


def plane(seed=1, shape=(300, 260)):
    return np.random.default_rng(seed).normal(1000, 6, shape)


def test_a_quiet_sensor_has_none():
    assert [line for seed in range(10) for line in find_bad_lines(plane(seed))] == []


@pytest.mark.parametrize("step", [1, 2])
def test_whole_and_partial_lines(step):
    data = plane()
    data[:, 40] += 10
    data[100:, 200] -= 12
    data[77] += 9
    if step == 2:
        data[::2, ::2] += 300
    found = {(line.axis, line.index): line for line in find_bad_lines(data, step)}
    assert set(found) == {("column", 40), ("column", 200), ("row", 77)}
    assert (found["column", 40].first, found["column", 40].last) == (0, 299)
    assert abs(found["column", 200].first - 100) <= 32
    assert found["column", 200].excess == pytest.approx(-12, abs=2)
    mask = mask_of(list(found.values()), data.shape)
    assert mask[:, 40].all()
    assert mask[77].all()
    assert mask[0, 0] == np.False_


def test_slopes_and_single_hot_pixels_are_no_lines():
    y, x = np.mgrid[:300, :260]
    data = plane() + 0.5 * x + 0.2 * y
    data[50:53, 90:93] += 5000
    assert find_bad_lines(data) == []


def test_small_images_have_none():
    assert find_bad_lines(plane(shape=(20, 20))) == []
