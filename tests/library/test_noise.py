"""Gain and read noise of a light: asked for, measured, of the header, in this order."""

from __future__ import annotations

import pytest

from firstlight.library.noise import noise_facts
from firstlight.library.profile import DetectorProfile, write_profile
from firstlight.model.meta import Meta

META = Meta(camera="SBIG", gain=2.06, read_noise=15.0)


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path))
    return write_profile(DetectorProfile(camera="SBIG", gain=1.94, read_noise=13.0))


def test_the_header_speaks_where_nothing_was_measured():
    meta, words = noise_facts(META)
    assert meta is META
    assert words == "gain 2.06 e-/adu (header), read noise 15 e- (header)"


def test_what_was_measured_comes_before_the_header(library):
    meta, words = noise_facts(META)
    assert (meta.gain, meta.read_noise) == (1.94, 13.0)
    assert meta.sources["gain"] == "detector profile SBIG.toml"
    assert "gain 1.94 e-/adu (detector profile SBIG.toml; the header says 2.06)" in words


def test_what_is_asked_for_comes_first(library):
    meta, words = noise_facts(META, gain=1.5)
    assert (meta.gain, meta.read_noise) == (1.5, 13.0)
    assert (meta.sources["gain"], meta.sources["read_noise"]) == ("as asked", "detector profile SBIG.toml")
    assert "gain 1.5 e-/adu (as asked; the header says 2.06)" in words


def test_another_camera_has_no_part_in_it(library):
    meta, words = noise_facts(Meta(camera="QHY"))
    assert (meta.gain, meta.read_noise) == (None, None)
    assert words == "gain not known: taken from the frames, read noise not known: taken from the frames"
