"""A calibration finds the truth of a simulated mount, and says so where it cannot."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import Pointing
from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.calibrate import Step, calibrate
from firstlight.observe.guiding.settings import GuideSettings, Track
from firstlight.observe.guiding.simulated import (
    Faults,
    GuideOptics,
    SimulatedGuideCamera,
    SimulatedGuideMount,
)

AIR: dict[str, Any] = {"seeing": 2.0, "jitter": 0.84, "own_jitter": 0.4}
SETTINGS = GuideSettings(exposure=2.0)


def equipment(
    faults: Faults, optics: GuideOptics = GuideOptics(), dec: float = 30.0, side: str = "east", **more: Any
) -> tuple[SimulatedGuideMount, SimulatedGuideCamera]:
    mount = SimulatedGuideMount(faults, position=Pointing(80.0, dec), pier_side=side, **more)  # type: ignore[arg-type]
    return mount, SimulatedGuideCamera(mount, optics)


def truth(mount: SimulatedGuideMount, optics: GuideOptics) -> tuple[np.ndarray, np.ndarray]:
    """What a second of pulse moves the stars by, px."""
    flipped = mount.pier_side == "west"

    def moved(east: float, north: float) -> np.ndarray:
        x, y = optics.on_sensor(np.array([0.0, -east]), np.array([0.0, -north]), flipped)
        return np.array([x[1] - x[0], y[1] - y[0]])

    tilt, sign = math.radians(mount.faults.orthogonality), -1.0 if flipped and not mount.reverses_dec else 1.0
    rate = mount.guide_rate
    east = rate * math.cos(math.radians(mount.position.dec))
    return moved(east, 0.0), moved(sign * rate * math.sin(tilt), sign * rate * math.cos(tilt))


def assert_true(found: Calibration, mount: SimulatedGuideMount, optics: GuideOptics) -> None:
    for given, true in zip((found.east, found.north), truth(mount, optics)):
        assert math.hypot(*given) == pytest.approx(math.hypot(*true), rel=0.02)
        turned = math.degrees(math.atan2(given[1], given[0]) - math.atan2(true[1], true[0]))
        assert abs((turned + 180.0) % 360.0 - 180.0) < 1.0


def test_without_air_it_is_exact():
    mount, camera = equipment(Faults())
    found = calibrate(camera, mount, SETTINGS, clock=mount.clock, scale=2.0)
    east, north = truth(mount, camera.optics)
    assert found.east == pytest.approx(tuple(east), abs=0.01)
    assert found.north == pytest.approx(tuple(north), abs=0.01)
    assert (found.dec, found.pier_side, found.pixel_scale) == (30.0, "east", 2.0)
    assert found.east_backlash < 0.05


def test_within_two_percent_and_a_degree_under_all_faults():
    faults = Faults(periodic_error=20.0, drift=(0.3, 2.0), backlash=(0.1, 3.0), **AIR)
    mount, camera = equipment(faults, GuideOptics(rotation=140.0, hot_pixels=50))
    seen: list[Step] = []
    found = calibrate(camera, mount, SETTINGS, clock=mount.clock, tell=seen.append)
    assert_true(found, mount, camera.optics)
    assert found.north_backlash == pytest.approx(3.0, abs=0.3)
    # The stars drift to the north: against the arrow, which is their motion while the mount goes north.
    assert found.drift[1] == pytest.approx(-2.0 / 60.0 / 2.0, abs=0.006)
    legs = [step.leg for step in seen]
    assert legs.count("Rest") == 10
    assert legs.count("West") >= 10
    # The star is back where it began.
    assert math.hypot(seen[-1].offset.dx, seen[-1].offset.dy) < 4.0


@pytest.mark.slow
@pytest.mark.parametrize("side", ["east", "west"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_mirrored_and_on_both_sides_of_the_pier(side, mirrored):
    optics = GuideOptics(mirrored=mirrored, rotation=250.0)
    mount, camera = equipment(Faults(backlash=(0.0, 1.0)), optics, dec=-50.0, side=side)
    assert_true(calibrate(camera, mount, SETTINGS, clock=mount.clock), mount, optics)


def test_a_real_tilt_between_the_axes_is_kept():
    mount, camera = equipment(Faults(orthogonality=8.0))
    found = calibrate(camera, mount, SETTINGS, clock=mount.clock)
    assert abs(found.orthogonality) == pytest.approx(8.0, abs=0.5)
    assert_true(found, mount, camera.optics)


def test_a_long_telescope_and_a_fast_mount():
    """0.3 arcsec/px and 15 arcsec/s: the first pulses of 0.3 s move the star by 15 px each."""
    optics = GuideOptics(pixel_scale=0.3, blur=0.8, size=(480, 640), n_stars=60)
    mount, camera = equipment(Faults(), optics, guide_rate=15.0)
    found = calibrate(camera, mount, GuideSettings(track=Track(distance=120)), clock=mount.clock)
    assert_true(found, mount, optics)
    assert min(found.pulses) < 0.3


def test_a_mount_that_does_not_hear_is_told_so():
    mount, camera = equipment(Faults(), deaf=True)
    with pytest.raises(EquipmentError, match=r"10 pulses of 6 s in right ascension moved the star by .* guide cable"):
        calibrate(camera, mount, SETTINGS, clock=mount.clock)
    assert camera.aborted == 1


def test_axes_too_alike_are_refused():
    mount, camera = equipment(Faults(orthogonality=60.0))
    with pytest.raises(EquipmentError, match="degrees apart"):
        calibrate(camera, mount, SETTINGS, clock=mount.clock)


def test_clouds_end_it():
    mount, camera = equipment(Faults(clouds=((60.0, 1e9, 0.0),)))
    with pytest.raises(EquipmentError, match="clouds"):
        calibrate(camera, mount, SETTINGS, clock=mount.clock)
    last = mount.pulses[-1][0]
    assert last < 60.0 + 5.0
