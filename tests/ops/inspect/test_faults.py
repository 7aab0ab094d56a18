"""Faults told apart by their numbers."""

import numpy as np
import pytest

from firstlight.ops.inspect.faults import Faults, Line, find_faults, streak_faults

N = 12
USUAL = {
    "fwhm": 3.0, "eccentricity": 0.2, "elongation": 0.3, "angle": 20.0, "short_fwhm": 2.9, "halo": 0.06,
    "transparency": 1.0, "background": 500.0, "noise": 12.0, "stars": 300.0, "sun_altitude": -40.0,
    "moon_altitude": -10.0,
}  # fmt: skip


def kinds(**changes):
    """Faults of a frame with these numbers, the others of its group being steady."""
    wobble = np.resize([0.0, 0.005, -0.005, 0.01, -0.01], N)
    metrics = {name: value * (1 + wobble) for name, value in USUAL.items()}
    for name, value in changes.items():
        metrics[name][5] = value
    found = find_faults(metrics, [()] * N)
    assert all(not faults for i, faults in enumerate(found) if i != 5)
    return [fault.kind for fault in found[5]], " ".join(fault.evidence for fault in found[5])


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"transparency": 0.6, "background": 600.0, "stars": 150.0}, ["clouds"], "40 % fainter, sky \\+20 %"),
        ({"transparency": 0.6, "halo": 0.2}, ["dew"], "in halos"),
        ({"transparency": 0.4, "fwhm": 4.5, "short_fwhm": 4.4, "halo": 0.1}, ["dew"], "no brighter"),
        ({"fwhm": 4.2, "short_fwhm": 4.1}, ["focus"], "40 % wider all round"),
        (
            {"fwhm": 4.0, "short_fwhm": 2.9, "eccentricity": 0.85, "elongation": 0.97, "angle": 33.0},
            ["wind"],
            "along 33 deg",
        ),
        (
            {"fwhm": 5.0, "short_fwhm": 4.2, "eccentricity": 0.8, "elongation": 0.97},
            ["wind", "focus"],
            "drawn out",
        ),
        ({"background": 900.0, "moon_altitude": 30.0}, ["bright_sky"], "the Moon stands at 30 deg"),
        ({"background": 900.0, "sun_altitude": -14.0}, ["bright_sky"], "twilight"),
        ({"stars": 60.0}, ["few_stars"], "60 stars, usually 300"),
        ({}, [], ""),
        ({"fwhm": 3.2, "transparency": 0.95, "background": 530.0}, [], ""),
    ],
)
def test_each_fault_is_told_from_the_others(changes, kind, words):
    found, evidence = kinds(**changes)
    assert found == kind
    import re

    assert re.search(words, evidence)


def test_elongation_without_a_common_direction_is_no_wind():
    assert kinds(eccentricity=0.8, elongation=0.2)[0] == []


def test_what_was_not_measured_is_no_fault():
    assert kinds(transparency=np.nan, halo=np.nan, background=np.nan)[0] == []


def test_streaks():
    one, beside = Line(30.0, 500.0, 4.0, 10.0), Line(31.0, 480.0, 4.0, 60.0)
    assert [f.kind for f in streak_faults((one,), 3.0)] == ["satellite"]
    assert [f.kind for f in streak_faults((one, beside), 3.0)] == ["plane"]
    assert [f.kind for f in streak_faults((Line(30.0, 500.0, 20.0, 10.0),), 3.0)] == ["plane"]
    assert [f.kind for f in streak_faults((one, Line(120.0, 400.0, 4.0, 0.0)), 3.0)] == ["satellite"]
    # 179 and 1 degree are 2 degrees apart.
    assert [f.kind for f in streak_faults((Line(179.5, 300.0, 4.0, 0.0), Line(0.5, 300.0, 4.0, 30.0)), 3.0)] == [
        "plane"
    ]
    assert streak_faults((), 3.0) == []


def test_limits_are_settings():
    metrics = {name: np.full(N, value) for name, value in USUAL.items()}
    metrics["fwhm"][3] = 3.3
    assert find_faults(metrics, [()] * N)[3] == ()
    assert find_faults(metrics, [()] * N, Faults(wider=5))[3][0].kind == "focus"
