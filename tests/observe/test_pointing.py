"""Centring on a mount that is off, by plates that are really solved, and what stops it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from firstlight.errors import EquipmentError, FrameError, InputError
from firstlight.io.catalogs import cone
from firstlight.model.observing import Site
from firstlight.observe.equipment import Pointing
from firstlight.observe.frames import Session
from firstlight.observe.pointing import Centring, check_height, goto_and_centre, words
from firstlight.observe.profile import ImagingTrain, Profile
from firstlight.observe.simulated import Optics, Sky
from simulated_rig import Rig, random_sky

TARGET = Pointing(84.0, 30.5)


def solver_of(rig):
    return lambda taken: rig.mount.true_pointing()


@pytest.mark.parametrize("sync", [True, False])
def test_a_mount_that_is_off_is_brought_home(tmp_path, sync):
    rig = Rig(error=(0.4, -0.3))
    how = Centring(sync=sync)
    found = goto_and_centre(rig.equipment(), Session(tmp_path), TARGET, how, solver=solver_of(rig))
    assert found.within
    assert found.steps[0] == pytest.approx(1800, rel=0.01)
    assert found.steps[-1] < 30
    assert rig.mount.true_pointing() == pytest.approx(tuple(TARGET), abs=3e-3)
    # Only where it is wanted is the mount's belief changed.
    assert (rig.mount.error == (0.4, -0.3)) is not sync


@pytest.mark.slow
def test_real_plates(tmp_path):
    """Stars of the catalogue as the simulated camera sees them; nothing is told but what a header tells."""
    near = cone("auto", *TARGET, 1.5)
    bright = near.mag < 11.5
    sky = Sky(near.ra[bright], near.dec[bright], 10 ** (-0.4 * (near.mag[bright] - 15.0)))
    optics = Optics(size=(600, 800), pixel_scale=5.0, rotation=33.0)
    rig = Rig(sky=sky, optics=optics, error=(0.3, 0.2))
    profile = Profile(imaging=ImagingTrain(focal_length=206.265 * 3.8 / 5.0))
    found = goto_and_centre(rig.equipment(), Session(tmp_path, profile), TARGET, Centring(tolerance=5.0))
    assert found.within
    true = rig.mount.true_pointing()
    assert true == pytest.approx(tuple(TARGET), abs=6 / 3600)


def test_a_frame_that_is_not_solved_is_taken_longer_then_it_ends(tmp_path):
    rig = Rig()
    seconds: list[float] = []

    def blind(taken):
        seconds.append(taken.seconds)
        raise FrameError("3 stars are too few")

    with pytest.raises(EquipmentError, match=r"two frames could not be solved \(3 stars are too few\)"):
        goto_and_centre(rig.equipment(), Session(tmp_path), TARGET, Centring(seconds=4), solver=blind)
    assert seconds == [4.0, 8.0]


def test_a_mount_that_has_lost_its_bearings_is_not_sent_on(tmp_path):
    rig = Rig(error=(40.0, 0.0))
    with pytest.raises(EquipmentError, match="degrees from where the mount was sent; up to 15 are corrected"):
        goto_and_centre(rig.equipment(), Session(tmp_path), TARGET, solver=solver_of(rig))
    assert rig.mount.error == (40.0, 0.0)


def test_tries_end(tmp_path):
    rig = Rig()
    found = goto_and_centre(
        rig.equipment(), Session(tmp_path), TARGET, Centring(tries=3), solver=lambda taken: Pointing(84.5, 30.5)
    )
    assert not found.within
    assert len(found.steps) == 3


def test_places_below_the_horizon_and_none_at_all(tmp_path):
    session = Session(tmp_path, site=Site("here", 48.0, 11.0))
    when = datetime(2026, 1, 1, 20, tzinfo=UTC)
    check_height(Pointing(84.0, 30.5), session, when, 10.0)
    with pytest.raises(InputError, match="above the horizon of here now; from 10 on"):
        check_height(Pointing(264.0, -40.0), session, when, 10.0)
    with pytest.raises(InputError, match="Dec -90 to 90"):
        goto_and_centre(Rig().equipment(), Session(tmp_path), Pointing(10.0, 95.0))
    with pytest.raises(InputError, match="a mount and a camera are needed"):
        goto_and_centre(replace(Rig().equipment(), mount=None), Session(tmp_path), TARGET)


def test_a_parked_mount_is_left_alone(tmp_path):
    rig = Rig(sky=random_sky())
    rig.mount.park()
    with pytest.raises(EquipmentError, match="parked"):
        goto_and_centre(rig.equipment(), Session(tmp_path), TARGET)


def test_places_in_words():
    assert words(Pointing(359.99999, -0.5)) == "00h00m00.0s -00d30m00s"
