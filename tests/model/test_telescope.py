"""What follows from the numbers of a telescope."""

from __future__ import annotations

import pytest

from firstlight.model.telescope import TelescopeFacts


def test_unknown_numbers_give_no_others():
    nothing = TelescopeFacts(aperture=100.0)
    assert (nothing.focal_ratio, nothing.pixel_scale, nothing.field_of_view, nothing.depth_of_focus) == (None,) * 4
    assert nothing.resolution == pytest.approx(1.384, abs=0.001)


def test_a_field_needs_a_sensor():
    assert TelescopeFacts(focal_length=400.0, pixel_size=3.76).field_of_view is None
    assert TelescopeFacts(focal_length=400.0, pixel_size=3.76).pixel_scale == pytest.approx(1.939, abs=0.001)
