"""What is no guide star."""

from __future__ import annotations

import pytest

from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.plausible import refuse_unlikely
from firstlight.observe.guiding.settings import Track
from firstlight.observe.guiding.step import GuideStep
from firstlight.observe.guiding.track import StarsLost

AXES = Calibration((4.0, 0.0), (0.0, 4.0))


def test_too_far_is_refused():
    with pytest.raises(StarsLost, match="120 px from its place; 96 px"):
        refuse_unlikely(GuideStep(1, 2.0, 120.0), None, Track(), AXES, None)


def test_what_a_pulse_has_moved_is_no_speed():
    before = GuideStep(1, 2.0, ra_pulse=8.0)
    refuse_unlikely(GuideStep(2, 4.0, dx=32.0), before, Track(), AXES, 2.0)
    with pytest.raises(StarsLost, match="arcsec/s"):
        refuse_unlikely(GuideStep(2, 4.0, dx=-32.0), before, Track(), AXES, 2.0)
    refuse_unlikely(GuideStep(2, 4.0, dx=-32.0), before, Track(), AXES, None)
