"""Looking at lights: what cannot be one is told as what it is."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.library.plans import Assignment
from firstlight.ops.inspect.stars import FindStars
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.measure import measure_light
from memory_frame import memory_frame


@pytest.mark.parametrize("bad", [False, True])
def test_a_light_without_numbers(bad):
    """Pixels that the darks call bad count twice among those that are missing."""
    frame = memory_frame("nan.fits", np.full((60, 80), np.nan, np.float32))
    defects = np.zeros((60, 80), bool)
    defects[::9, ::7] = bad
    with pytest.raises(FrameError, match="none of its pixels holds a number"):
        measure_light(Assignment(frame), Calibration(defects=(Defects.of(defects),)), FindStars())
