"""What a frame shows, and its picture."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.observe.frames import Session, Shot, save
from firstlight.observe.snapshot import facts_of, facts_of_plane, write_preview
from simulated_rig import Rig


def test_a_frame_with_stars(tmp_path):
    rig = Rig()
    path = save(Session(tmp_path), Shot("light", 5), rig.camera.expose(5.0), rig.equipment())
    facts = facts_of(path)
    assert facts.fwhm == pytest.approx(2.6, rel=0.05)
    assert facts.stars > 20
    assert "FWHM 2." in facts.words
    picture = write_preview(path)
    assert picture.name == "light_5s_0001.png"
    assert picture.stat().st_size > 1000


def test_a_frame_without_stars():
    facts = facts_of_plane(np.random.default_rng(1).normal(100, 3, (200, 200)))
    assert (facts.stars, facts.fwhm) == (0, None)
    assert facts.words == f"median 100 adu, largest {facts.largest:.0f}, 0 stars"
