"""The guide log, written as it happens and read back."""

from __future__ import annotations

import pytest

from firstlight.errors import InputError
from firstlight.observe.guiding.guider import Guider
from firstlight.observe.guiding.log import CALIBRATION_COLUMNS, GUIDE_COLUMNS, GuideLog
from firstlight.observe.guiding.log_reader import read_guide_log
from firstlight.observe.guiding.settings import GuideSettings
from firstlight.observe.guiding.simulated import Faults, SimulatedGuideCamera, SimulatedGuideMount


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A calibration, guiding with a dither and clouds; the log and what was guided."""
    mount = SimulatedGuideMount(Faults(seeing=2.0, jitter=0.4, clouds=((370.0, 380.0, 0.0),)))
    camera = SimulatedGuideCamera(mount)
    log = GuideLog(tmp_path_factory.mktemp("logs"), mount.clock, profile="backyard")
    settings = GuideSettings(focal_length=400.0)
    guider = Guider(camera, mount, settings, clock=mount.clock, scale=1.93, watchers=(log,))
    guider.begin()
    steps = [guider.step() for _ in range(20)]
    guider.dither(5.0)
    steps += [guider.step() for _ in range(30)]
    guider.stop()
    log.close()
    return log.path, guider, steps


def test_what_is_read_back_is_what_was_guided(night):
    path, guider, steps = night
    record = read_guide_log(path)
    assert record.version.startswith("firstlight ")
    (calibration,), (session,) = record.calibrations, record.sessions
    assert calibration.complete
    assert {step[0] for step in calibration.steps} == {"Backlash", "West", "East", "North", "South"}
    assert session.scale == 1.93
    assert session.rates == pytest.approx(guider.here.rates, abs=1e-3)
    assert session.angles == pytest.approx(guider.here.angles, abs=0.06)
    assert len(session.steps) == len(steps)
    assert any(step.lost for step in steps)
    for read, given in zip(session.steps, steps):
        assert (read.frame, bool(read.lost)) == (given.frame, bool(given.lost))
        for name in ("time", "dx", "dy", "ra", "dec", "ra_pulse", "dec_pulse"):
            assert getattr(read, name) == pytest.approx(getattr(given, name), abs=6e-4)
    assert any(info.startswith("DITHER by ") for info in session.infos)
    assert "SETTLING STATE CHANGE, Settling complete" in session.infos


def test_it_is_laid_out_as_phd2_does(night):
    path, _, _ = night
    lines = path.read_text().splitlines()
    assert lines[0].startswith("PHD2 version ")
    assert ", Log version 2.5. Log enabled at 2026-01-01 20:" in lines[0]
    assert CALIBRATION_COLUMNS in lines
    assert GUIDE_COLUMNS in lines
    at = lines.index(GUIDE_COLUMNS)
    header = [line for line in lines[:at] if line.startswith("Mount = ")][-1]
    assert ", xAngle = " in header
    assert ", xRate = " in header
    # PHD2 Log Viewer ends a session at an empty line or at these words.
    assert all(lines[at + 1 : lines.index(next(x for x in lines if x.startswith("Guiding Ends")))])
    # It takes the first 253 characters of a line.
    assert max(map(len, lines[at:])) < 253
    # Pulses to the west correct what is positive, as in PHD2.
    rows = [line.split(",") for line in lines[at + 1 :] if '"Mount"' in line]
    strong = [row for row in rows if abs(float(row[5])) > 0.8 and row[10]]
    assert strong
    assert all((row[10] == "W") == (float(row[5]) > 0) for row in strong)


def test_nothing_is_replaced(night, tmp_path):
    _, guider, _ = night
    names = set()
    for _ in range(2):
        log = GuideLog(tmp_path / "again", guider.clock)
        log.guiding_begins(guider)
        log.close()
        names.add(log.path)
    assert len(names) == 2


def test_other_files_are_refused(tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("nothing of that kind\n")
    with pytest.raises(InputError, match="holds no guiding"):
        read_guide_log(other)
    with pytest.raises(InputError, match="cannot be read"):
        read_guide_log(tmp_path / "missing.txt")
