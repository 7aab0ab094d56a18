"""Profiles: read, refused with the entry that is wrong, written so that nothing of the user's is lost."""

from __future__ import annotations

import tomllib

import pytest

from firstlight.errors import InputError
from firstlight.observe.guiding.settings import Control, GuideSettings
from firstlight.observe.profile import (
    FocuserPart,
    GuideTrain,
    Profile,
    as_toml,
    profile_folder,
    profile_names,
    read_profile,
    write_offsets,
    write_profile,
)

TEXT = """# on the roof
server = "pi:7624"

[imaging]
camera = "ZWO CCD ASI533MM"   # the cooled one
focal_length = 750
gain = 0

[focuser]
backlash = 120
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("FIRSTLIGHT_PROFILE", raising=False)
    profile_folder().mkdir(parents=True)
    return profile_folder()


def test_the_only_profile_is_taken(folder):
    (folder / "newton.toml").write_text(TEXT, encoding="utf-8")
    found = read_profile()
    assert (found.name, found.server, found.imaging.gain, found.imaging.offset) == ("newton", "pi:7624", 0, None)
    (folder / "refractor.toml").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="several profiles are there: newton, refractor; name one"):
        read_profile()
    with pytest.raises(InputError, match="no such profile; did you mean newton"):
        read_profile("newtom")


def test_without_a_profile(folder):
    with pytest.raises(InputError, match="firstlight observe profile new NAME"):
        read_profile()
    with pytest.raises(InputError, match="letters, digits"):
        read_profile("a|b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[imaging]\ncamra = 'x'", "imaging.camra is not known; did you mean camera"),
        ("[imaging]\nfocal_length = -1", "imaging.focal_length = -1: input should be greater"),
        ("servr = 'x'", "servr is not known; did you mean server"),
        ("[imaging", "cannot be read as a profile"),
    ],
)
def test_mistakes_name_their_entry(folder, text, words):
    (folder / "a.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_profile("a")


def test_written_and_read_again_it_is_the_same(folder):
    (folder / "newton.toml").write_text(TEXT, encoding="utf-8")
    write_offsets(folder / "newton.toml", {"L": 0, "H\u03b1": -30})
    found = read_profile("newton")
    assert found.focuser.offsets == {"L": 0, "H\u03b1": -30}
    write_profile(found, folder / "copy.toml")
    assert read_profile("copy") == found.model_copy(update={"name": "copy"})
    with pytest.raises(InputError, match="exists already"):
        write_profile(found, folder / "copy.toml")
    assert profile_names() == ["copy", "newton"]


def test_offsets_leave_the_rest_of_the_file(folder):
    path = folder / "newton.toml"
    path.write_text(TEXT + "\n[focuser.offsets]\nL = 5\n\n[mount]\ndevice = 'EQMod'\n", encoding="utf-8")
    write_offsets(path, {"L": 0, "Ha": 12})
    text = path.read_text(encoding="utf-8")
    assert "# the cooled one" in text
    assert "L = 5" not in text
    found = read_profile("newton")
    assert (found.focuser.offsets, found.mount.device) == ({"L": 0, "Ha": 12}, "EQMod")


def test_an_empty_profile_is_all_comments():
    assert all(not line or line[0] in "#[" for line in as_toml(Profile()).splitlines())


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
