"""Flats on a simulated panel and a sky that darkens; the dark flats that fit them."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.read import open_frame
from firstlight.observe.flats import FlatPlan, take_flats
from firstlight.observe.frames import Session
from simulated_rig import Rig


def medians(files) -> list[float]:
    return [float(np.median(open_frame(path).read().data)) for path in files]


def test_the_exposure_is_found_for_each_filter(tmp_path):
    rig = Rig()
    light = {"L": 40000.0, "Ha": 900.0}
    rig.camera.panel = lambda: light[rig.wheel.current]
    result = take_flats(rig.equipment(), Session(tmp_path), FlatPlan(("L", "Ha"), 3))
    assert [count.taken for count in result.counts] == [3, 3]
    assert all(abs(level - 25000) < 0.25 * 25000 for level in medians(result.files))
    exposures = [open_frame(path).meta.exposure for path in result.files]
    assert exposures == [0.6, 0.6, 0.6, 25.0, 25.0, 25.0]
    assert [path.name for path in result.files][::3] == ["flat_L_0001.fits", "flat_Ha_0001.fits"]


def test_dusk_is_followed_until_it_is_too_dark(tmp_path):
    rig = Rig()
    begun = rig.clock.now()
    # Half of the light is left every 30 s.
    rig.camera.panel = lambda: 20000.0 * 0.5 ** ((rig.clock.now() - begun).total_seconds() / 30.0)
    result = take_flats(rig.equipment(), Session(tmp_path), FlatPlan(("L",), 99, longest=20.0))
    assert 20 < result.counts[0].taken < 99
    assert "too dark: 20 s gives" in result.notes[0]
    assert all(abs(level - 25000) < 0.25 * 25000 for level in medians(result.files))
    exposures = {open_frame(path).meta.exposure for path in result.files}
    assert len(exposures) < 15


def test_a_second_run_goes_on(tmp_path):
    rig = Rig()
    take_flats(rig.equipment(), Session(tmp_path), FlatPlan(("L",), 2))
    more = take_flats(rig.equipment(), Session(tmp_path), FlatPlan(("L",), 3))
    assert [path.name for path in more.files] == ["flat_L_0003.fits"]


def test_light_that_no_exposure_fits(tmp_path):
    rig = Rig()
    rig.camera.panel = lambda: 1e6
    result = take_flats(rig.equipment(), Session(tmp_path), FlatPlan(("L",), 2))
    assert result.files == []
    assert "too bright: 0.1 s gives 65535 adu" in result.notes[0]
    for plan, words in [(FlatPlan(target=65000), "--white"), (FlatPlan(shortest=5, longest=1), "the first must be")]:
        with pytest.raises(InputError, match=words):
            take_flats(rig.equipment(), Session(tmp_path), plan)
