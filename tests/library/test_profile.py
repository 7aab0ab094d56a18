"""Detector profiles: written, read, found again, and refused where they are wrong."""

from __future__ import annotations

import pytest

from firstlight.errors import InputError
from firstlight.library.profile import DetectorProfile, known_profiles, profile_of, read_profile, write_profile
from firstlight.model.meta import Meta

PROFILE = DetectorProfile(
    camera="ZWO ASI2600MM", gain=0.77, gain_error=0.002, read_noise=1.62, gain_setting=100.0, offset=50.0,
    readout_mode="High Gain", doubling_temperature=6.1, gains={"R": 0.76, "G": 0.78}, measured="2026-02-01",
)  # fmt: skip
META = Meta(camera="ZWO ASI2600MM", gain_setting=100.0, offset=50.0, readout_mode="High Gain")


def test_a_profile_comes_back_as_it_was(tmp_path):
    path = write_profile(PROFILE, tmp_path)
    assert path.name == "ZWO_ASI2600MM_gain100_offset50_High_Gain.toml"
    assert read_profile(path) == PROFILE
    assert known_profiles(tmp_path) == {path: PROFILE}


def test_it_lies_in_the_users_library(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path))
    assert profile_of(META) is None
    path = write_profile(PROFILE)
    assert path.parent == tmp_path / "detectors"
    assert profile_of(META) == (path, PROFILE)


@pytest.mark.parametrize(
    "other", [{"camera": "Another"}, {"gain_setting": 0.0}, {"gain_setting": None}, {"offset": 10.0},
              {"readout_mode": "Low Noise"}, {"binning": (2, 2)}, {"camera": None}]
)  # fmt: skip
def test_another_setting_is_another_detector(tmp_path, other):
    write_profile(PROFILE, tmp_path)
    assert profile_of(META.replace(**other), tmp_path) is None


def test_what_one_side_does_not_name_is_no_contradiction_but_the_better_match_wins(tmp_path):
    rough = write_profile(DetectorProfile(camera="ZWO ASI2600MM", gain_setting=100.0, gain=0.5), tmp_path)
    assert profile_of(META, tmp_path)[0] == rough
    exact = write_profile(PROFILE, tmp_path)
    assert profile_of(META, tmp_path)[0] == exact
    assert profile_of(META.replace(serial="1234"), tmp_path)[0] == exact


@pytest.mark.parametrize(
    ("line", "words"),
    [("gain = -1.0", "gain is -1.0; a number above 0"), ("gian = 1.0", "'gian' is not known"),
     ("binning = [1]", "two whole numbers"), ("gain = ", "cannot be understood")],
)  # fmt: skip
def test_mistakes_of_a_person_are_named(tmp_path, line, words):
    path = tmp_path / "a.toml"
    path.write_text(f'camera = "A"\n{line}\n')
    with pytest.raises(InputError, match=words):
        read_profile(path)
    path.write_text("gain = 1.0\n")
    with pytest.raises(InputError, match="names no camera"):
        read_profile(path)
