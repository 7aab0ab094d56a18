"""Guide stars are found again, and nothing else is taken for them."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.observe.guiding.settings import Track
from firstlight.observe.guiding.simulated import (
    Faults,
    GuideOptics,
    SimulatedGuideCamera,
    SimulatedGuideMount,
)
from firstlight.observe.guiding.track import StarsLost, Tracker, hot_pixels


class Rig:
    """A camera whose true motion on the sensor is known."""

    def __init__(self, faults: Faults = Faults(), optics: GuideOptics = GuideOptics(), track: Track = Track(), seed=1):
        self.mount = SimulatedGuideMount(faults)
        self.camera = SimulatedGuideCamera(self.mount, optics, seed=seed)
        self.tracker = Tracker(track)
        self.first = self.tracker.begin(self.camera.expose(2.0).data)
        self.begin = self.mount.pointing()

    def error(self, seconds: float = 2.0) -> tuple[float, float]:
        found = self.tracker.find(self.camera.expose(seconds).data)
        east, north = self.begin - self.mount.pointing()
        x, y = self.camera.optics.on_sensor(np.array([east]), np.array([north]), flipped=False)
        height, width = self.camera.size
        return found.dx - (x[0] - (width - 1) / 2), found.dy - (y[0] - (height - 1) / 2)


def test_a_hundredth_of_a_pixel_without_air():
    rig = Rig()
    for _ in range(8):
        rig.mount.pulse(0.1, 0.2)
        assert np.hypot(*rig.error()) < 0.01


def test_phase_correlation_agrees():
    rig = Rig(track=Track(method="correlation"))
    for _ in range(4):
        rig.mount.pulse(0.3, 0.5)
        assert np.hypot(*rig.error()) < 0.15


def test_hot_pixels_hold_nothing_back():
    optics = GuideOptics(hot_pixels=200, n_stars=5)
    rig = Rig(optics=optics)
    for _ in range(8):
        rig.mount.pulse(0.2, 0.4)
        assert np.hypot(*rig.error()) < 0.05


def test_a_dark_takes_hot_pixels_out():
    optics = GuideOptics(hot_pixels=200)
    camera = SimulatedGuideCamera(SimulatedGuideMount(), optics)
    dark = np.median([camera.expose(2.0, "dark").data for _ in range(5)], axis=0)
    assert hot_pixels(dark).sum() > 600
    tracker = Tracker(dark=dark)
    tracker.begin(camera.expose(2.0).data)
    assert np.hypot(tracker.find(camera.expose(2.0).data).dx, 0.0) < 0.02


def test_one_star_is_enough_and_another_is_not_taken_for_it():
    rig = Rig()
    rig.camera.put(np.array([[20.0], [-30.0]]), np.array([20000.0]))
    assert rig.tracker.begin(rig.camera.expose(2.0).data).n_stars == 1
    rig.mount.pulse(0.5, 0.5)
    assert np.hypot(*rig.error()) < 0.03
    rig.camera.flux *= 0.1
    with pytest.raises(StarsLost, match="may be another"):
        rig.error()


def test_stars_that_leave_are_replaced_by_those_that_come():
    rig = Rig(optics=GuideOptics(n_stars=12))
    for _ in range(60):
        rig.mount.pulse(0.0, 1.0)
        # 195 arcsec, a third of the field of 640.
        away = rig.error()
    assert np.hypot(*away) < 0.1


def test_a_satellite_does_not_move_the_star():
    rig = Rig(Faults(flashes=(5.0,)))
    lost = 0
    for _ in range(6):
        try:
            assert np.hypot(*rig.error()) < 0.1
        except StarsLost:
            lost += 1
    assert lost <= 1


def test_clouds_lose_the_stars_and_give_them_back():
    rig = Rig(Faults(clouds=((2.5, 8.5, 0.0),)))
    lost = 0
    for _ in range(5):
        try:
            assert np.hypot(*rig.error()) < 0.05
        except StarsLost:
            lost += 1
    assert 2 <= lost <= 3


def test_the_light_of_a_clear_sky_is_remembered_through_thin_clouds():
    rig = Rig(Faults(clouds=((5.0, 205.0, 0.1),)), GuideOptics(hot_pixels=60))
    light = rig.tracker.light
    for _ in range(110):
        assert np.hypot(*rig.error()) < 0.3
    assert rig.tracker.light == pytest.approx(light, rel=0.15)


def test_behind_clouds_hot_pixels_are_no_stars():
    rig = Rig(Faults(clouds=((5.0, 1e9, 0.0),)), GuideOptics(hot_pixels=200))
    rig.error()
    for _ in range(6):
        try:
            rig.error()
        except StarsLost:
            continue
    with pytest.raises(StarsLost):
        rig.error()


def test_a_frame_without_stars_cannot_begin():
    rig = Rig()
    rig.camera.flux *= 0.0
    with pytest.raises(StarsLost, match="no star"):
        Tracker().begin(rig.camera.expose(2.0).data)
