"""Profiles are written so that they are read back."""

from __future__ import annotations

import tomllib

import pytest

from firstlight.errors import InputError
from firstlight.observe.guiding.settings import Control, GuideSettings
from firstlight.observe.profile import FocuserPart, GuideTrain, Profile, as_toml, read_profile, write_profile


def test_all_of_it_comes_back(tmp_path):
    settings = GuideSettings(exposure=3.0, control=Control(dec_mode="north", compensate_backlash=False))
    profile = Profile(
        observer='A. "Name"',
        guiding=GuideTrain(camera="Guide", settings=settings),
        focuser=FocuserPart(device="F", offsets={"Ha": -40, "O III": 15}),
    )
    path = tmp_path / "one.toml"
    write_profile(profile, path)
    assert read_profile(str(path)) == profile.model_copy(update={"name": "one"})
    with pytest.raises(InputError, match="exists already"):
        write_profile(profile, path)


def test_settings_of_guiding_stand_in_it_only_where_they_are_others():
    assert "ra_aggressiveness" not in as_toml(Profile())
    assert tomllib.loads(as_toml(Profile())) == {
        name: {} for name in ("imaging", "guiding", "mount", "wheel", "focuser")
    }


def test_a_setting_that_is_none_is_named(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text("[guiding.settings.control]\nra_agressiveness = 0.7\n", encoding="utf-8")
    with pytest.raises(InputError, match="did you mean ra_aggressiveness"):
        read_profile(str(path))
