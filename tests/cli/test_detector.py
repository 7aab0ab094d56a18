"""``firstlight detector``."""

from __future__ import annotations

import json

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.io.read import read
from firstlight.library.profile import read_profile
from firstlight.model.meta import Kind
from synthetic_detector import SyntheticDetector


@pytest.fixture
def session(tmp_path):
    device = SyntheticDetector(width=128, height=96)
    folder = tmp_path / "session"
    folder.mkdir()
    for number in range(3):
        device.write(folder, Kind.BIAS, number)
        device.write(folder, Kind.FLAT, number, exposure=8.0, light=2000.0)
        device.write(folder, Kind.DARK, number, exposure=60.0)
    return folder


def test_a_page_numbers_a_map_and_a_profile(session, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path / "home"))
    own = tmp_path / "own.yaml"
    own.write_text("columns: [7]\n")
    out = tmp_path / "out"
    assert run(["detector", str(session), "-o", str(out), "--bad-pixels", str(own), "-q"]) == 0
    said = capsys.readouterr().out
    assert "gain " in said
    assert "e-/adu (pairs of flats)" in said
    stem = "Synthetic_1_gain120_offset30"
    assert {p.name for p in out.iterdir()} == {f"{stem}{end}" for end in (".pdf", ".png", ".json", "_badpixels.fits")}
    numbers = json.loads((out / f"{stem}.json").read_text())
    assert numbers["gain_e_per_adu"] == pytest.approx(1.5, rel=0.05)
    profile = read_profile(tmp_path / "home" / "detectors" / f"{stem}.toml")
    assert profile.gain == pytest.approx(numbers["gain_e_per_adu"], rel=1e-6)
    assert read_png(out / f"{stem}.png").std() > 10
    bad = read(out / f"{stem}_badpixels.fits")
    assert np.all(bad.data[0, :, 6] >= 2)
    first = (out / f"{stem}.pdf").read_bytes()
    assert run(["detector", str(session), "-o", str(out), "--no-profile", "-q"]) == 0
    assert (out / f"{stem}.pdf").read_bytes() == first


def read_png(path):
    return read(path).data * 255


def test_frames_that_tell_nothing_are_an_error(tmp_path, capsys):
    assert run(["detector", str(tmp_path)]) == 2
    assert "no frames" in capsys.readouterr().err
