"""Logs of other programs."""

from __future__ import annotations

from firstlight.observe.guiding.log_reader import parse_guide_log

KSTARS = """KStars version 3.4.3. PHD2 log version 2.5. Log enabled at 2020-09-07 21:57:09

Calibration Begins at 2020-09-07 21:57:09
Pixel scale = 4.98 arc-sec/px, Binning = 1, Focal length = 120 mm
Direction,Step,dx,dy,x,y,Dist
West,1,0.000,0.000,1335.000,901.000,0.000
West calibration complete. Angle = 300.2 deg

Guiding Begins at 2020-09-07 21:57:30
Pixel scale = 4.98 arc-sec/px, Binning = 1, Focal length = 120 mm
Mount = mount, xAngle = 300.2, xRate = 1.290, yAngle = 30.2, yRate = 1.100
Frame,Time,mount,dx,dy,RARawDistance,DECRawDistance,RAGuideDistance,DECGuideDistance,RADuration,RADirection,DECDuration,DECDirection,XStep,YStep,StarMass,SNR,ErrorCode
1,2.1,"Mount",0.1,-0.2,-0.3,0.25,-0.2,0.2,120,E,40,S,,,99,21.0,0
2,4.2,"DROP",,,,,,,,,,,,,11,1.20,2,"Star lost, low SNR"
3,6.3,"Mount",0.1,-0.2,-0.3,0.25,0.000,0.000,0,,0,,,,99,21.0,1
4,8.4,"Mount",0.1,-
INFO: SETTLING STATE CHANGE, Settling started
"""


def test_a_log_of_kstars_with_a_cut_line():
    record = parse_guide_log(KSTARS)
    (session,) = record.sessions
    assert session.scale == 4.98
    assert session.angles == (300.2, 30.2)
    assert [step.frame for step in session.steps] == [1, 2, 3]
    assert (session.steps[0].ra_pulse, session.steps[0].dec_pulse) == (0.12, -0.04)
    assert session.steps[1].lost == "Star lost, low SNR"
    assert not session.steps[2].lost
    assert record.calibrations[0].steps == [("West", 1, 0.0, 0.0)]
