"""Sequences on simulated equipment: order, counts, headers, dithers, failures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firstlight.errors import EquipmentError, InputError
from firstlight.io.read import open_frame
from firstlight.model.meta import Kind
from firstlight.model.observing import Site
from firstlight.observe.equipment import Pointing
from firstlight.observe.frames import Session, Shot
from firstlight.observe.profile import FocuserPart, ImagingTrain, Profile
from firstlight.observe.sequence import Plan, Take, run_sequence
from simulated_rig import Guider, Rig

PROFILE = Profile(
    observer="A. Watcher",
    imaging=ImagingTrain(telescope="Newton", focal_length=750, aperture=150, gain=100, temperature=-10),
    focuser=FocuserPart(offsets={"L": 0, "Ha": 150, "R": 30}),
)


def session_in(folder) -> Session:
    return Session(folder, PROFILE, "M 27", Pointing(299.9, 22.7), Site("here", 48.1, 11.6, 520.0))


def plan_of(*takes: tuple[str, float, int], **more) -> Plan:
    return Plan(tuple(Take(Shot("light", seconds, name), count) for name, seconds, count in takes), **more)


def test_filters_in_turn_with_their_exposures_and_focus(tmp_path):
    rig = Rig()
    result = run_sequence(rig.equipment(), session_in(tmp_path), plan_of(("L", 30, 2), ("Ha", 60, 2)))
    assert [path.name for path in result.files] == [
        "M_27_L_30s_0001.fits", "M_27_Ha_60s_0001.fits", "M_27_L_30s_0002.fits", "M_27_Ha_60s_0002.fits",
    ]  # fmt: skip
    assert rig.focuser.position == 30150
    assert {path.parent for path in result.files} == {tmp_path / "lights"}
    meta = open_frame(result.files[1]).meta
    assert (meta.kind, meta.target, meta.filter, meta.exposure) == (Kind.LIGHT, "M 27", "Ha", 60.0)
    assert (meta.observer, meta.telescope, meta.camera) == ("A. Watcher", "Newton", "simulated camera")
    assert (meta.gain_setting, meta.gain, meta.temperature, meta.set_temperature) == (100.0, 1.0, -10.0, -10.0)
    assert (meta.focal_length, meta.pixel_size, meta.binning) == (750.0, 3.8, (1, 1))
    assert (meta.ra, meta.dec) == pytest.approx((80.0, 30.0))
    assert (meta.latitude, meta.longitude, meta.pier_side) == (48.1, 11.6, "east")
    assert meta.start.isoformat() == "2026-01-01T20:00:32.300000+00:00"
    assert meta.notes == ()


def test_a_second_run_goes_on_and_replaces_nothing(tmp_path):
    rig, session = Rig(), session_in(tmp_path)
    first = run_sequence(rig.equipment(), session, plan_of(("L", 30, 2)))
    before = [path.read_bytes() for path in first.files]
    said: list[str] = []
    second = run_sequence(rig.equipment(), session, plan_of(("L", 30, 3), ("R", 30, 1)), said.append)
    assert [path.name for path in second.files] == ["M_27_L_30s_0003.fits", "M_27_R_30s_0001.fits"]
    assert [path.read_bytes() for path in first.files] == before
    assert said[0] == "light L 30 s: 2 of 3 are there already"
    assert run_sequence(rig.equipment(), session, plan_of(("L", 30, 3))).files == []


def test_dithers_and_waits_for_the_guider(tmp_path):
    rig, guider = Rig(), Guider()
    plan = plan_of(("L", 10, 5), guide=True, dither_every=2, dither_pixels=7)
    result = run_sequence(rig.equipment(guider=guider), session_in(tmp_path), plan)
    assert guider.calls == ["start", "dither 7", "dither 7", "stop"]
    assert (result.dithers, result.notes) == (2, [])


def test_a_guider_that_never_settles_is_noted_and_the_night_goes_on(tmp_path):
    plan = plan_of(("L", 10, 2), guide=True, settle=5)
    result = run_sequence(Rig().equipment(guider=Guider(10**6)), session_in(tmp_path), plan)
    assert len(result.files) == 2
    assert "not settled after 5 s" in result.notes[0]


class Failing:
    """A camera that fails at some of its exposures."""

    def __init__(self, camera, at) -> None:
        self._camera, self._at, self.n = camera, at, 0

    def __getattr__(self, name):
        return getattr(self._camera, name)

    def expose(self, *arguments):
        self.n += 1
        if self.n in self._at:
            raise EquipmentError("cam: usb error")
        return self._camera.expose(*arguments)


def test_a_frame_that_fails_is_tried_again_once(tmp_path):
    rig = Rig()
    equipment = replace(rig.equipment(), camera=Failing(rig.camera, {2}))
    result = run_sequence(equipment, session_in(tmp_path), plan_of(("L", 10, 2)))
    assert len(result.files) == 2
    assert "usb error; tried again" in result.notes[0]


def test_what_stands_stands_and_the_guider_is_stopped_when_the_camera_dies(tmp_path):
    rig, guider = Rig(), Guider()
    equipment = replace(rig.equipment(guider=guider), camera=Failing(rig.camera, {2, 3}))
    with pytest.raises(EquipmentError, match="usb error"):
        run_sequence(equipment, session_in(tmp_path), plan_of(("L", 10, 3), guide=True))
    assert guider.calls[-1] == "stop"
    assert [path.name for path in (tmp_path / "lights").iterdir()] == ["M_27_L_10s_0001.fits"]


def test_what_cannot_be_done_is_refused_before_anything_moves(tmp_path):
    rig = Rig()
    for plan, words in [
        (plan_of(("Z", 10, 1)), "no filter 'Z'; the wheel has L, R"),
        (plan_of(("L", 0, 1)), "exposures above 0 s"),
        (plan_of(("L", 10, 1), dither_every=2), "a guider is needed"),
    ]:
        with pytest.raises(InputError, match=words):
            run_sequence(rig.equipment(), session_in(tmp_path), plan)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="a file in its place"):
        run_sequence(rig.equipment(), session_in(tmp_path / "file"), plan_of(("L", 1, 1)))
    assert rig.clock.now().minute == 0


def test_a_camera_that_stays_warm_is_an_error(tmp_path):
    rig = Rig()
    rig.camera.cool_to = lambda celsius: None
    with pytest.raises(EquipmentError, match=r"15\.0 C after 900 s; -10 C is wanted"):
        run_sequence(rig.equipment(), session_in(tmp_path), plan_of(("L", 10, 1)))


def test_frames_are_what_the_camera_gave(tmp_path):
    rig = Rig()
    [path] = run_sequence(rig.equipment(), session_in(tmp_path), plan_of(("L", 10, 1))).files
    frame = open_frame(path)
    pixels = frame.read().data[0]
    assert np.median(pixels) == pytest.approx(500 + 10 * 2.05, abs=2)
    assert not [p for p in path.parent.iterdir() if p.name.startswith(".")]
