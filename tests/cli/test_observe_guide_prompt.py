"""Commands while the mount is guided."""

from __future__ import annotations

import io

import pytest

from firstlight.cli.observe_guide_prompt import GuidePrompt, Kept, run_prompt
from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.guider import Guider
from firstlight.observe.guiding.settings import GuideSettings, Settle
from firstlight.observe.guiding.simulated import GuideOptics, SimulatedGuideCamera, SimulatedGuideMount


@pytest.fixture
def prompt():
    mount = SimulatedGuideMount()
    optics = GuideOptics(rotation=0.0)
    kept = Kept()
    guider = Guider(
        SimulatedGuideCamera(mount, optics), mount, GuideSettings(settle=Settle(seconds=4.0)), clock=mount.clock,
        scale=2.0, calibration=Calibration((3.25, 0.0), (0.0, -3.75), dec=30.0, pier_side="east"),
        watchers=(kept,),
    )  # fmt: skip
    yield GuidePrompt(guider, kept)
    guider.stop()


def test_start_status_dither_stop(prompt, capsys):
    prompt.onecmd("status")
    assert "not guiding yet" in capsys.readouterr().out
    prompt.onecmd("start")
    assert prompt.guider.settled()
    prompt.onecmd("dither 6")
    assert prompt.guider.settled()
    assert prompt.guider.lock != (0.0, 0.0)
    prompt.onecmd("status")
    said = capsys.readouterr().out
    assert "settled" in said
    assert "RMS RA" in said
    prompt.onecmd("pulse 1 1")
    assert "stop it first" in capsys.readouterr().err
    prompt.onecmd("stop")
    assert not prompt.guider.running


def test_settings_are_changed_while_it_guides(prompt, capsys):
    prompt.onecmd("start")
    prompt.onecmd("set control.ra_aggressiveness 0.5")
    assert prompt.guider.settings.control.ra_aggressiveness == 0.5
    assert prompt.guider._axes[0].manner.aggressiveness == 0.5
    for wrong, told in (("set a 1", "is no setting"), ("set control.ra_aggressivenes 1", "did you mean"),
                        ("set control.ra_aggressiveness 7", "--control-ra-aggressiveness"), ("set a", "NAME VALUE"),
                        ("dither", "dither PX"), ("dither x", "dither PX"), ("dance", "is no command")):  # fmt: skip
        prompt.onecmd(wrong)
        assert told in capsys.readouterr().err
    prompt.onecmd("show")
    assert "control.ra_aggressiveness 0.5" in capsys.readouterr().out


def test_by_hand_at_rest(prompt, capsys):
    before = prompt.guider.port.moved.copy()
    prompt.onecmd("pulse 1 0")
    assert prompt.guider.port.moved[0] > before[0] + 5.0
    prompt.onecmd("pulse 100 0")
    assert "6 s is allowed" in capsys.readouterr().err
    prompt.onecmd("flip")
    assert prompt.guider.calibration.east == (-3.25, 0.0)


def test_the_end_of_the_input_stops_guiding(prompt, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("start\n"))
    run_prompt(prompt.guider, prompt._kept)
    assert not prompt.guider.running
