"""The loop as a whole, on the simulator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from firstlight.errors import EquipmentError
from firstlight.observe.equipment import Dithering
from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.guider import Guider
from firstlight.observe.guiding.settings import GuideSettings, Settle, Track
from firstlight.observe.guiding.simulated import (
    PERFECT,
    Faults,
    GuideOptics,
    SimulatedGuideCamera,
    SimulatedGuideMount,
)
from firstlight.observe.guiding.step import GuideStep
from firstlight.observe.guiding.summary import rms_of
from firstlight.observe.guiding.watcher import Watcher

AIR: dict[str, Any] = {"seeing": 2.0, "jitter": 0.84, "own_jitter": 0.4}
HARD = Faults(periodic_error=20.0, worm_period=480.0, drift=(0.3, 2.0), backlash=(0.0, 3.0), **AIR)
OPTICS = GuideOptics()
COS = math.cos(math.radians(30.0))


def true_calibration(mount: SimulatedGuideMount) -> Calibration:
    """As a perfect calibration would have found it."""
    x, y = OPTICS.on_sensor(np.array([0.0, -7.5 * COS, 0.0]), np.array([0.0, 0.0, -7.5]), flipped=False)
    arrows = [(float(x[k] - x[0]), float(y[k] - y[0])) for k in (1, 2)]
    return Calibration(*arrows, dec=30.0, pier_side="east", north_backlash=mount.faults.backlash[1])


class Rig:
    def __init__(
        self,
        faults: Faults = PERFECT,
        settings: GuideSettings = GuideSettings(),
        calibrated: bool = True,
        seed: int = 1,
        watchers: tuple[Watcher, ...] = (),
    ) -> None:
        self.mount = SimulatedGuideMount(faults)
        self.camera = SimulatedGuideCamera(self.mount, OPTICS, seed=seed)
        calibration = true_calibration(self.mount) if calibrated else None
        self.guider = Guider(
            self.camera, self.mount, settings, clock=self.mount.clock, scale=2.0, calibration=calibration,
            watchers=watchers,
        )  # fmt: skip

    def run(self, n: int) -> tuple[list[GuideStep], np.ndarray]:
        """Frames, and where the mount truly pointed after each, arcsec."""
        steps, places = [], []
        for _ in range(n):
            steps.append(self.guider.step())
            places.append(self.mount.pointing())
        return steps, np.array(places)


def test_guiding_comes_near_to_what_the_air_allows():
    """480 s of the worm. The figures are those of ADR 0075."""
    rig = Rig(HARD, calibrated=False)
    rig.guider.begin()
    steps, places = rig.run(220)
    guided = rms_of(steps[20:])
    true = places[20:].std(axis=0)
    # A perfect mount that nobody guides: only the air moves the stars.
    still = Rig(Faults(**AIR))
    still.guider.begin()
    measured = []
    for _ in range(220):
        found = still.guider._tracker.find(still.camera.expose(2.0).data)
        measured.append((found.dx, found.dy))
    floor = np.array(measured).std(axis=0).mean()
    assert not any(step.lost for step in steps)
    assert guided.ra < 1.4 * floor
    assert guided.dec < 1.5 * floor
    # Without guiding: 7 arcsec of the worm, 5 of the drift.
    assert np.hypot(*true) < 1.0
    assert rig.guider.settled()


def test_a_dither_settles_and_stays_around_the_first_place():
    rig = Rig(Faults(backlash=(0.0, 1.0), **AIR), GuideSettings(settle=Settle(pixels=2.0, seconds=8.0, timeout=90.0)))
    rig.guider.begin()
    rig.run(10)
    for _ in range(4):
        before = rig.guider.lock
        rig.guider.dither(10.0)
        assert not rig.guider.settled()
        steps, _ = rig.run(30)
        assert rig.guider.settled()
        assert max(abs(v) for v in rig.guider.lock) <= 10.0
        assert math.dist(before, rig.guider.lock) >= 2.5
        assert steps[0].dithering
        assert math.hypot(steps[-1].dx, steps[-1].dy) < 2.0


def test_clouds_do_not_send_the_mount_away():
    rig = Rig(Faults(drift=(0.3, 1.0), clouds=((40.0, 240.0, 0.0),), **AIR))
    told: list[str] = []
    rig.guider._watchers = (type("Told", (Watcher,), {"info": lambda self, text: told.append(text)})(),)
    rig.guider.begin()
    steps, places = rig.run(160)
    lost = [step for step in steps if step.lost]
    assert len(lost) > 60
    assert all(step.ra_pulse == step.dec_pulse == 0.0 for step in lost)
    assert not [p for p in rig.mount.pulses if 45.0 < p[0] < 240.0]
    assert any("found again" in text for text in told)
    # 200 s of drift is 3.3 arcsec; then it is brought back.
    assert np.abs(places).max() < 8.0
    assert np.abs(places[-10:]).max() < 2.5


def test_clouds_over_hot_pixels_do_not_make_it_begin_anew():
    """Thick, thin and thick again: the place of the star is that of before."""
    clouds = ((60.0, 140.0, 0.1), (140.0, 220.0, 0.0), (220.0, 300.0, 0.03))
    mount = SimulatedGuideMount(Faults(drift=(0.3, 1.0), clouds=clouds, **AIR))
    camera = SimulatedGuideCamera(mount, GuideOptics(hot_pixels=150))
    told: list[str] = []
    guider = Guider(
        camera, mount, clock=mount.clock, scale=2.0, calibration=true_calibration(mount),
        watchers=(type("Told", (Watcher,), {"info": lambda self, text: told.append(text)})(),),
    )  # fmt: skip
    guider.begin()
    for _ in range(170):
        guider.step()
    assert not [text for text in told if "anew" in text]
    assert np.abs(mount.pointing()).max() < 3.0


def test_a_star_lost_for_too_long_ends_guiding():
    settings = GuideSettings(give_up_after=60.0)
    rig = Rig(Faults(clouds=((20.0, 1e9, 0.0),)), settings)
    rig.guider.begin()
    with pytest.raises(EquipmentError, match="lost for"):
        rig.run(60)
    assert not rig.guider.settled()
    with pytest.raises(EquipmentError, match="has ended"):
        rig.guider.dither(5.0)


def test_a_jump_out_of_reach_begins_anew_where_the_stars_are():
    settings = GuideSettings(track=Track(distance=60))
    rig = Rig(Faults(jumps=((30.0, 100.0, 40.0),)), settings)
    rig.guider.begin()
    steps, places = rig.run(40)
    assert 10 <= sum(bool(step.lost) for step in steps) <= 12
    assert not steps[-1].lost
    # It stays there, and does not drag the mount back over 100 arcsec. (The frame in which it jumped was believed.)
    assert places[-1] == pytest.approx((100.0, 40.0), abs=12.0)


def test_a_small_jump_is_corrected():
    rig = Rig(Faults(jumps=((30.0, 12.0, -9.0),)))
    rig.guider.begin()
    _, places = rig.run(40)
    assert np.abs(places[-1]).max() < 1.0


def test_after_a_flip_the_old_calibration_still_holds():
    rig = Rig(Faults(drift=(0.5, 1.0), **AIR))
    rig.mount.flip()
    rig.guider.begin()
    _, places = rig.run(60)
    assert np.abs(places[-30:]).max() < 3.0


def test_a_wrong_calibration_is_refused_before_anything_moves():
    rig = Rig()
    rig.guider.calibration = Calibration((3.0, 0.0), (-2.9, 0.4))
    with pytest.raises(EquipmentError, match="degrees apart"):
        rig.guider.begin()
    assert rig.mount.pulses == []
    assert rig.camera.aborted == 1


@pytest.mark.parametrize("turned", ["east", "north", "both"])
def test_a_calibration_that_does_not_hold_any_more_ends_it_soon(turned):
    """The guide camera was turned since, or the mount flips declination itself."""
    rig = Rig(Faults(drift=(0.5, 1.0), **AIR))
    (east, north), signs = (
        (rig.guider.calibration.east, rig.guider.calibration.north),
        {"east": (-1, 1), "north": (1, -1)},
    )
    a, b = signs.get(turned, (-1, -1))
    rig.guider.calibration = Calibration((a * east[0], a * east[1]), (b * north[0], b * north[1]), dec=30.0)
    rig.guider.begin()
    with pytest.raises(EquipmentError, match="drive the star away"):
        rig.run(100)
    assert np.abs(rig.mount.pointing()).max() < 120.0


def test_in_a_thread_as_a_sequence_uses_it():
    rig = Rig(Faults(**AIR), GuideSettings(settle=Settle(pixels=2.0, seconds=6.0)))
    dithering: Dithering = rig.guider
    dithering.start()
    assert dithering.settled()
    dithering.dither(6.0)
    assert dithering.settled()
    dithering.stop()
    assert not dithering.settled()
    given = len(rig.mount.pulses)
    rig.mount.clock.sleep(60.0)
    assert len(rig.mount.pulses) == given


def test_a_camera_that_fails_ends_guiding_and_is_told():
    rig = Rig()
    rig.guider.start()

    def broken(*_: Any, **__: Any) -> None:
        raise EquipmentError("guide camera: does not answer; check its cable")

    rig.camera.expose = broken  # type: ignore[assignment]
    with pytest.raises(EquipmentError, match="check its cable"):
        rig.guider.dither(5.0)
    assert not rig.guider.settled()
    rig.guider.stop()


def test_when_nothing_answers_any_more_the_first_error_is_told():
    rig = Rig()
    rig.guider.begin()

    def gone(*_: Any, **__: Any) -> None:
        raise EquipmentError("server: has closed the connection")

    def broken(*_: Any, **__: Any) -> None:
        raise EquipmentError("guide camera: no frame came")

    rig.mount.stop = rig.camera.abort = gone  # type: ignore[method-assign, assignment]
    rig.camera.expose = broken  # type: ignore[assignment]
    with pytest.raises(EquipmentError, match="no frame came"):
        rig.guider.step()
    rig.guider.stop()
    # That the mount cannot be stopped is news only where nothing was known before.
    again = Rig()
    again.guider.begin()
    again.mount.stop = gone  # type: ignore[method-assign, assignment]
    with pytest.raises(EquipmentError, match="closed the connection"):
        again.guider.stop()
    assert not again.guider.running


def test_ctrl_c_stops_the_mount():
    rig = Rig()
    rig.guider.begin()
    stopped: list[bool] = []
    rig.mount.stop = lambda: stopped.append(True)  # type: ignore[method-assign]

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    rig.camera.expose = interrupted  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        rig.guider.step()
    assert stopped


@pytest.mark.parametrize(("state", "told"), [({"parked": True}, "is parked"), ({"tracking": False}, "does not track")])
def test_a_mount_that_is_parked_or_stands_still_gets_no_pulse(state, told):
    rig = Rig()
    for name, value in state.items():
        setattr(rig.mount, name, value)
    for begin in (rig.guider.start, rig.guider.calibrate):
        with pytest.raises(EquipmentError, match=told):
            begin()
    assert rig.mount.pulses == []


def test_no_star_no_guiding():
    rig = Rig()
    rig.camera.flux *= 0.0
    with pytest.raises(EquipmentError, match="focus the guide scope"):
        rig.guider.begin()
