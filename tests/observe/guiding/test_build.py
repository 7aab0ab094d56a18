"""A guider out of a profile."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.observe.equipment import Equipment
from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.build import guider_of, settings_of
from firstlight.observe.guiding.frames import dark_path, write_dark
from firstlight.observe.guiding.settings import GuideSettings
from firstlight.observe.guiding.simulated import SimulatedGuideCamera, SimulatedGuideMount
from firstlight.observe.profile import GuideTrain, Profile

PROFILE = Profile(guiding=GuideTrain(focal_length=240.0, gain=30.0))


@pytest.fixture
def found() -> Equipment:
    mount = SimulatedGuideMount()
    return Equipment(guide_camera=SimulatedGuideCamera(mount), guide_port=mount, mount=mount, clock=mount.clock)


def test_what_is_said_goes_before_the_profile():
    assert settings_of(PROFILE, GuideSettings(gain=5.0)).gain == 5.0
    assert settings_of(PROFILE).gain == 30.0


def test_a_calibration_is_kept_and_used_again(found, tmp_path):
    guider = guider_of(PROFILE, found, folder=tmp_path)
    assert guider.calibration is None
    assert guider.scale == pytest.approx(206.265 * 3.75 / 240.0, rel=1e-5)
    guider._keep(Calibration((4.0, 0.0), (0.0, 4.0)))
    assert guider_of(PROFILE, found, folder=tmp_path).calibration == Calibration((4.0, 0.0), (0.0, 4.0))
    assert guider_of(PROFILE, found, folder=tmp_path, calibrate=True).calibration is None
    longer = Profile(guiding=GuideTrain(focal_length=400.0))
    assert guider_of(longer, found, folder=tmp_path).calibration is None
    found.mount.guide_rate = 15.0
    assert guider_of(PROFILE, found, folder=tmp_path).calibration is None


def test_a_dark_of_the_same_settings_is_used(found, tmp_path):
    settings = settings_of(PROFILE)
    write_dark(
        dark_path(tmp_path, found.guide_camera.name, settings), np.full((240, 320), 7.0, np.float32), settings, 3
    )
    assert guider_of(PROFILE, found, folder=tmp_path)._dark[0, 0] == 7.0
    assert guider_of(PROFILE, found, GuideSettings(exposure=5.0), folder=tmp_path)._dark is None


def test_without_a_guide_camera_there_is_none():
    with pytest.raises(InputError, match=r"guiding\.camera"):
        guider_of(Profile(), Equipment())
