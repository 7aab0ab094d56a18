"""Darks that fit lights and flats."""

from __future__ import annotations

import pytest

from firstlight.errors import InputError
from firstlight.io.read import open_frame
from firstlight.model.meta import Kind
from firstlight.observe.darks import darks_for, take_darks
from firstlight.observe.flats import FlatPlan, take_flats
from firstlight.observe.frames import Session, Shot
from firstlight.observe.sequence import Plan, Take, run_sequence
from simulated_rig import Rig


def test_dark_flats_and_darks_as_the_folder_needs_them(tmp_path):
    rig, session = Rig(), Session(tmp_path, target="M 27")
    take_flats(rig.equipment(), session, FlatPlan(("L",), 2, gain=100, offset=30))
    lights = (Take(Shot("light", 30, "L", gain=100), 1), Take(Shot("light", 20, "R", gain=100, binning=2), 1))
    run_sequence(rig.equipment(), session, Plan(lights))
    flats, darks = darks_for(session, "dark flat", 3), darks_for(session, "dark", 2)
    assert flats == (Take(Shot("dark flat", 12.0, "", 100.0, 30.0), 3),)
    assert [take.shot for take in darks] == [Shot("dark", 20.0, "", 100.0, None, 2), Shot("dark", 30.0, "", 100.0)]
    result = take_darks(rig.equipment(), session, flats + darks)
    assert [(count.shot.kind, count.taken) for count in result.counts] == [("dark flat", 3), ("dark", 2), ("dark", 2)]
    assert {path.parent.name for path in result.files} == {"darkflats", "darks"}
    meta = open_frame(result.files[0]).meta
    assert (meta.kind, meta.exposure, meta.gain_setting, meta.target) == (Kind.DARK_FLAT, 12.0, 100.0, None)
    assert take_darks(rig.equipment(), session, flats + darks).files == []


def test_a_folder_without_flats_says_so(tmp_path):
    with pytest.raises(InputError, match="holds no frames that need dark flats"):
        darks_for(Session(tmp_path), "dark flat", 3)
