"""Guide frames and their darks."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import EquipmentError, FrameError
from firstlight.observe.guiding.frames import read_dark, take_dark, take_frame, write_dark
from firstlight.observe.guiding.settings import GuideSettings
from firstlight.observe.guiding.simulated import GuideOptics, SimulatedGuideCamera, SimulatedGuideMount


def test_a_dark_comes_back_from_its_file(tmp_path):
    camera = SimulatedGuideCamera(SimulatedGuideMount(), GuideOptics(hot_pixels=100))
    settings = GuideSettings(exposure=1.0)
    dark = take_dark(camera, settings, 5)
    write_dark(tmp_path / "dark.fits", dark, settings, 5)
    assert np.array_equal(read_dark(tmp_path / "dark.fits"), dark)
    assert (dark > 2.0 * np.median(dark)).sum() > 50


def test_settings_reach_the_camera():
    asked = {}

    class Camera(SimulatedGuideCamera):
        def expose(self, seconds, kind="light", **more):
            asked.update(more, seconds=seconds, kind=kind)
            return super().expose(seconds, kind)

    camera = Camera(SimulatedGuideMount())
    take_frame(camera, GuideSettings(exposure=3.0, gain=120.0, binning=2))
    assert asked == {"seconds": 3.0, "kind": "light", "gain": 120.0, "offset": None, "binning": 2}


def test_a_frame_that_is_broken_is_the_cameras_fault():
    camera = SimulatedGuideCamera(SimulatedGuideMount())

    def broken(*_, **__):
        raise FrameError("cut off")

    camera.expose = broken
    with pytest.raises(EquipmentError, match="simulated guide camera: cut off"):
        take_frame(camera, GuideSettings())
