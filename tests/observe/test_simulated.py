"""Simulated equipment does what the protocols promise."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import GuidePort, Mount, Pointing
from firstlight.observe.simulated import (
    Optics,
    SimulatedCamera,
    SimulatedClock,
    SimulatedFocuser,
    SimulatedMount,
    SimulatedWheel,
    Sky,
    at_pixels,
)


def sky_around(ra: float, dec: float, n: int = 40, spread: float = 0.15, seed: int = 3) -> Sky:
    rng = np.random.default_rng(seed)
    flux = 10 ** rng.uniform(2.5, 4.5, n)
    return Sky(
        ra + rng.uniform(-spread, spread, n) / np.cos(np.radians(dec)), dec + rng.uniform(-spread, spread, n), flux
    )


def test_the_brightest_star_is_where_the_projection_says():
    mount, clock = SimulatedMount(position=Pointing(80.0, 30.0)), SimulatedClock()
    sky = Sky(np.array([80.05]), np.array([30.02]), np.array([5000.0]))
    camera = SimulatedCamera(sky, mount.true_pointing, optics=Optics(rotation=20.0), clock=clock)
    frame = camera.expose(10.0)
    y, x = np.unravel_index(np.argmax(frame.data), frame.data.shape)
    expected = at_pixels(camera.optics, mount.position, sky.ra, sky.dec)
    assert (x, y) == pytest.approx((expected[0][0], expected[1][0]), abs=1.0)
    assert (clock.now() - frame.start).total_seconds() == 10.0


def test_synchronising_takes_the_error_away():
    mount = SimulatedMount(error=(0.3, -0.2))
    assert isinstance(mount, Mount)
    assert isinstance(mount, GuidePort)
    mount.goto(120.0, 40.0)
    true = mount.true_pointing()
    mount.sync(*true)
    assert mount.true_pointing() == pytest.approx(true)
    mount.goto(120.0, 40.0)
    assert mount.true_pointing() == pytest.approx((120.0, 40.0))


def test_backlash_is_used_up_first():
    focuser = SimulatedFocuser(backlash=100)
    focuser.move_to(31000)
    assert focuser.tube == 30900
    focuser.move_to(30950)
    assert focuser.tube == 30900
    focuser.move_to(30000)
    assert focuser.tube == 30000


def test_impossible_requests_are_refused():
    with pytest.raises(EquipmentError, match="0 to 60000 is allowed"):
        SimulatedFocuser().move_to(60001)
    with pytest.raises(EquipmentError, match="'Z'; L, R"):
        SimulatedWheel().select("Z")
    mount = SimulatedMount(parked=True)
    with pytest.raises(EquipmentError, match="parked"):
        mount.goto(1.0, 2.0)


def test_bins_and_regions():
    from firstlight.observe.equipment import Region

    camera = SimulatedCamera(sky_around(80.0, 30.0), lambda: Pointing(80.0, 30.0))
    assert camera.expose(1.0, binning=2).data.shape == (240, 320)
    assert camera.expose(1.0, region=Region(10, 20, 110, 70)).data.shape == (50, 100)
    dark, flat = camera.expose(1.0, "dark").data, camera.expose(10.0, "flat").data
    assert np.median(dark) == pytest.approx(500, abs=2)
    assert np.median(flat) == pytest.approx(20500, rel=0.01)
