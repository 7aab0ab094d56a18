"""Arrays in scratch files."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.spool import scratch_array, spooled


def test_spooled_numbers_are_the_same_and_read_only(tmp_path):
    plane = np.random.default_rng(1).normal(size=(3, 40, 50)).astype(np.float32)
    back = spooled(plane, tmp_path)
    np.testing.assert_array_equal(back, plane)
    with pytest.raises(ValueError, match="read-only"):
        back[0, 0, 0] = 1.0


def test_scratch_arrays_are_zero_and_keep_what_is_written(tmp_path):
    plane = scratch_array((2, 30, 40), np.uint16, tmp_path)
    assert not plane.any()
    plane[1, 3] = 7
    assert plane.sum() == 7 * 40


def test_what_has_no_room_is_refused(tmp_path):
    with pytest.raises(InputError, match="MB are needed"):
        scratch_array((10**7, 10**7), np.float32, tmp_path)
