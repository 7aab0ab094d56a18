"""A telescope as one object, on simulated equipment."""

from __future__ import annotations

import pytest

from firstlight.observe.flats import FlatPlan
from firstlight.observe.focus import FocusPlan
from firstlight.observe.profile import ImagingTrain, Profile
from firstlight.observe.simulated import Optics
from firstlight.observe.telescope import Telescope
from simulated_rig import Rig


def test_a_night_by_one_object(tmp_path):
    rig = Rig(optics=Optics(size=(300, 400)), best={"L": 30300.0})
    profile = Profile(observer="A. Watcher", site="48.1,11.6", imaging=ImagingTrain(focal_length=392, aperture=80))
    said: list[str] = []
    telescope = Telescope(profile, rig.equipment(), said.append)
    facts = telescope.facts
    assert facts.pixel_scale == pytest.approx(2.0, abs=0.001)
    assert (facts.camera, facts.filters[0], facts.site.latitude) == ("simulated camera", "L", 48.1)
    assert telescope.focus(FocusPlan(step=150)).position == pytest.approx(30300, abs=50)
    assert len(telescope.sequence(tmp_path, ["L:10x2"], "M 27").files) == 2
    assert len(telescope.flats(tmp_path, FlatPlan(("L",), 2)).files) == 2
    assert len(telescope.darks(tmp_path, 2, "dark flat").files) == 2
    assert said
