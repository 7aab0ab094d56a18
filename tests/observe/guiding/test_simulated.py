"""The simulated mount and guide camera do what their faults say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from firstlight.observe.equipment import Camera, Mount, Pointing
from firstlight.observe.guiding.simulated import (
    Faults,
    GuideOptics,
    SimulatedGuideCamera,
    SimulatedGuideMount,
)


def test_they_are_what_the_program_takes_for_equipment():
    mount: Mount = SimulatedGuideMount()
    camera: Camera = SimulatedGuideCamera(mount)
    assert isinstance(mount, Mount)
    assert camera.expose(1.0).data.shape == camera.size
    assert camera.expose(1.0, binning=2).data.shape == (120, 160)


def test_periodic_error_and_drift():
    mount = SimulatedGuideMount(Faults(periodic_error=20.0, drift=(0.0, 2.0)), position=Pointing(0.0, 0.0))
    places = []
    for _ in range(48):
        mount.clock.sleep(10.0)
        places.append(mount.pointing())
    assert np.ptp(np.array(places)[:, 0]) == pytest.approx(20.0, rel=0.01)
    # Stars drift to the north where the mount falls behind to the south.
    assert mount.pointing()[1] == pytest.approx(-16.0)


def test_pulses_move_by_rate_declination_and_play():
    mount = SimulatedGuideMount(Faults(backlash=(0.0, 2.0)), position=Pointing(0.0, 60.0))
    mount.pulse(2.0, 2.0)
    assert mount.moved == pytest.approx((7.5, 7.5))
    mount.pulse(-1.5, 0.0)
    assert mount.moved == pytest.approx((7.5, 7.5))


def test_stars_move_against_the_pointing_and_turn_over_with_a_flip():
    mount = SimulatedGuideMount()
    camera = SimulatedGuideCamera(mount, GuideOptics(rotation=0.0))
    first = camera.optics.on_sensor(np.array([10.0]), np.array([0.0]), flipped=False)
    other = camera.optics.on_sensor(np.array([10.0]), np.array([0.0]), flipped=True)
    assert first[0][0] < 159.5 < other[0][0]
    mount.flip()
    mount.pulse(1.0, 0.0)
    assert mount.moved[1] == pytest.approx(-7.5)


def test_seeing_has_the_size_and_memory_asked_for():
    mount = SimulatedGuideMount(Faults(jitter=0.8, memory=1.0))
    camera = SimulatedGuideCamera(mount)
    places = np.array([camera.seen(2.0)[1] for _ in range(1500)])
    # Mean over 2 s of a motion with a memory of 1 s.
    expected = 0.8 * math.sqrt(2.0 / 4.0 * 2.0 * (1.0 - (1.0 - math.exp(-2.0)) / 2.0))
    assert places.std(axis=0) == pytest.approx([expected, expected], rel=0.1)
