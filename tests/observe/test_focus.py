"""Autofocus on simulated focusers whose best position is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from firstlight.errors import EquipmentError, InputError
from firstlight.observe.focus import FocusPlan, autofocus, train_offsets
from firstlight.observe.frames import Session
from firstlight.observe.profile import FocuserPart, Profile
from firstlight.observe.simulated import Optics, Sky
from simulated_rig import Rig

PLAN = FocusPlan(step=150, seconds=3.0)
SMALL = Optics(size=(300, 400))
DEPTH = 100
"""Steps from the focus at which the FWHM has grown by 1 %: far inside the depth of focus."""


def session_of(tmp_path, backlash: int = 0) -> Session:
    return Session(tmp_path, Profile(focuser=FocuserPart(backlash=backlash)))


@pytest.mark.parametrize(("start", "best"), [(30000, 30700.0), (31200, 30100.0), (30000, 30000.0)])
def test_the_focus_is_found_from_both_sides(tmp_path, start, best):
    rig = Rig(optics=SMALL, best={"L": best}, start=start)
    found = autofocus(rig.equipment(), session_of(tmp_path), PLAN)
    assert found.position == pytest.approx(best, abs=30)
    assert found.fwhm == pytest.approx(2.6, rel=0.05)
    assert found.fit.by == "both"
    assert rig.focuser.position == found.position


def test_seeing_and_backlash_do_not_mislead(tmp_path):
    errors = []
    for seed in range(5):
        rig = Rig(optics=SMALL, best={"L": 30400.0}, seeing=0.08, backlash=250, seed=seed)
        autofocus(rig.equipment(), session_of(tmp_path, 250), PLAN)
        errors.append(rig.focuser.tube - 30400.0)
    assert np.abs(errors).max() < 2 * DEPTH
    assert np.std(errors) < DEPTH


def test_backlash_that_nobody_has_told_shifts_all_alike(tmp_path):
    """Without its backlash in the profile, the final move still comes from the side of some of the samples: the check
    sees where it ends."""
    rig = Rig(optics=SMALL, best={"L": 30400.0}, backlash=250)
    found = autofocus(rig.equipment(), session_of(tmp_path), PLAN)
    assert found.fwhm < 1.2 * 2.6


def test_a_single_curve_is_enough(tmp_path):
    from firstlight.observe.vcurve import fit_focus, measure

    rig = Rig(optics=SMALL, best={"L": 30000.0})
    samples = []
    for position in range(28800, 31300, 300):
        rig.focuser.move_to(position)
        samples.append(measure(rig.camera.expose(3.0).data, position))
    blind = [replace(each, fwhm=math.nan) for each in samples]
    fit = fit_focus(blind)
    assert fit.by == "contrast"
    assert fit.position == pytest.approx(30000, abs=DEPTH)
    flat = [replace(each, fwhm=math.nan, contrast=1.0 + (each.position == 29700)) for each in samples]
    assert (fit_focus(flat).by, fit_focus(flat).position) == ("best frame", 29700.0)


def test_without_stars_the_focuser_goes_back(tmp_path):
    rig = Rig(sky=Sky(np.zeros(0), np.zeros(0), np.zeros(0)), optics=SMALL, start=30123)
    with pytest.raises(EquipmentError, match="no stars are seen"):
        autofocus(rig.equipment(), session_of(tmp_path), replace(PLAN, most=3))
    assert rig.focuser.position == 30123


def test_bounds_are_kept(tmp_path):
    rig = Rig(optics=SMALL, best={"L": 30000.0})
    seen = []
    move = rig.focuser.move_to
    rig.focuser.move_to = lambda position: (seen.append(position), move(position))
    autofocus(rig.equipment(), session_of(tmp_path), replace(PLAN, least=29500, greatest=30600))
    assert min(seen) >= 29500
    assert max(seen) <= 30600
    with pytest.raises(InputError, match="a camera and a focuser are needed"):
        autofocus(replace(rig.equipment(), focuser=None), session_of(tmp_path), PLAN)


def test_offsets_of_filters(tmp_path):
    rig = Rig(optics=SMALL, best={"L": 30000.0, "Ha": 30240.0}, seeing=0.03)
    lum, ha = train_offsets(rig.equipment(), session_of(tmp_path), PLAN, ("L", "Ha"), 3)
    assert (lum.filter, lum.median, lum.std) == ("L", 0, 0.0)
    assert ha.median == pytest.approx(240, abs=DEPTH)
    assert len(ha.runs) == 3
    with pytest.raises(InputError, match="two filters or more"):
        train_offsets(rig.equipment(), session_of(tmp_path), PLAN, ("L",), 3)
