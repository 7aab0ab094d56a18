"""Names and files of frames: never replaced, never half."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from firstlight.io.read import open_frame
from firstlight.observe.equipment import Equipment, Exposure
from firstlight.observe.frames import Session, Shot, check_room, n_there, numbers_of, save, stem_of
from firstlight.observe.profile import ImagingTrain, Profile

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)


def exposure(value: float = 7, dtype=np.uint16, **header) -> Exposure:
    return Exposure(np.full((4, 5), value, dtype), WHEN, 30.0, header)


@pytest.mark.parametrize(
    ("shot", "target", "name"),
    [
        (Shot("light", 30, "H\u03b1"), "M 31/b", "M_31_b_H\u03b1_30s"),
        (Shot("light", 0.25), "", "light_0.25s"),
        (Shot("flat", 1.5, "L", gain=100), "M 31", "flat_L_gain100"),
        (Shot("dark flat", 1.5, "", 100, 30, 2), "", "darkflat_1.5s_gain100_offset30_bin2"),
        (Shot("bias", 0.0), "", "bias"),
        (Shot("light", 30), "../../x", "x_30s"),
    ],
)
def test_names(shot, target, name):
    assert stem_of(shot, target) == name


def test_numbers_go_on_and_nothing_is_replaced(tmp_path):
    session, shot = Session(tmp_path), Shot("dark", 30)
    first = save(session, shot, exposure(1), Equipment())
    assert first == tmp_path / "darks" / "dark_30s_0001.fits"
    (tmp_path / "darks" / "dark_30s_0009.fits").write_bytes(b"mine")
    assert save(session, shot, exposure(2), Equipment()).name == "dark_30s_0010.fits"
    assert numbers_of(tmp_path / "darks", "dark_30s") == [1, 9, 10]
    assert (tmp_path / "darks" / "dark_30s_0009.fits").read_bytes() == b"mine"
    assert n_there(session, shot) == 3
    assert n_there(session, Shot("dark", 31)) == 0


def test_two_programs_in_one_folder(tmp_path, monkeypatch):
    from firstlight.observe import frames

    session, shot = Session(tmp_path), Shot("dark", 30)
    save(session, shot, exposure(1), Equipment())
    # The other one has taken the number after we have looked.
    monkeypatch.setattr(frames, "numbers_of", lambda folder, stem: [])
    assert save(session, shot, exposure(2), Equipment()).name == "dark_30s_0002.fits"
    assert open_frame(tmp_path / "darks" / "dark_30s_0001.fits").read().data.max() == 1


def test_disks_without_links(tmp_path, monkeypatch):
    def refuse(*names):
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    session, shot = Session(tmp_path), Shot("dark", 30)
    names = [save(session, shot, exposure(n), Equipment()).name for n in (1, 2)]
    assert names == ["dark_30s_0001.fits", "dark_30s_0002.fits"]
    assert len(list((tmp_path / "darks").iterdir())) == 2


def test_the_driver_adds_what_we_do_not_know(tmp_path):
    profile = Profile(imaging=ImagingTrain(electrons=0.25, focal_length=800))
    header = {"BAYERPAT": "RGGB", "FRAME": "Light", "FOCALLEN": 1.0, "OBJECT": "Unknown", "GAIN": 120, "NOTHING": None}
    path = save(Session(tmp_path, profile, "M 31"), Shot("light", 30), exposure(**header), Equipment())
    meta = open_frame(path).meta
    assert (meta.cfa, meta.focal_length, meta.target, meta.gain_setting, meta.gain) == ("RGGB", 800, "M 31", 120, 0.25)
    assert meta.start == WHEN.replace(microsecond=678000)


def test_floats_stay_floats(tmp_path):
    path = save(Session(tmp_path), Shot("dark", 30), exposure(0.125, np.float32), Equipment())
    assert open_frame(path).read().data.max() == 0.125


def test_a_folder_that_can_be_written_to(tmp_path):
    check_room(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
