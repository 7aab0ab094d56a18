from datetime import UTC, datetime, timedelta

import pytest

from firstlight.library.match import best, compare, compare_sensor, group_alike, same_exposure
from memory_frame import memory_frame

CAMERA = {"camera": "QHY600", "gain_setting": 26.0, "offset": 10.0, "set_temperature": -10.0}


def frame(name="light.fits", **meta):
    return memory_frame(name, **{**CAMERA, **meta})


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("offset", 30.0, "offset 30.0 against 10.0"),
        ("readout_mode", "fast", "readout mode fast against slow"),
        ("origin", (16, 0), "sub-frame (16, 0) against (0, 0)"),
        ("gain_setting", 0.0, "gain setting 0.0 against 26.0"),
        ("binning", (2, 2), "binning (2, 2) against (1, 1)"),
        ("cfa", "GRBG", "CFA pattern GRBG against RGGB"),
        ("camera", "ASI1600", "camera ASI1600 against QHY600"),
    ],
)
def test_what_contradicts_is_refused(field, value, words):
    light = frame(readout_mode="slow", cfa="RGGB")
    master = frame("dark.fits", **{"readout_mode": "slow", "cfa": "RGGB", field: value})
    fit = compare_sensor(light, master)
    assert not fit.usable
    assert words in fit.refusals


def test_missing_on_both_sides_is_unknown_not_a_match():
    fit = compare_sensor(memory_frame("a"), memory_frame("b"))
    assert fit.usable
    assert {"gain setting", "offset", "camera"} <= set(fit.unknown)


def test_geometry_is_always_compared():
    import numpy as np

    fit = compare_sensor(memory_frame("a", np.zeros((4, 6))), memory_frame("b", np.zeros((4, 8))))
    assert fit.refusals == ("8 x 4 against 6 x 4 px",)


def test_exposures_within_the_jitter_of_a_clock_are_equal():
    assert same_exposure(30.05, 30.0)
    assert not same_exposure(30.5, 30.0)
    assert not same_exposure(None, 30.0)


def test_dark_of_another_exposure_is_refused_and_a_near_one_is_not():
    assert compare(frame(exposure=300.0), frame(exposure=310.0), exposure=True, filter=False).usable
    fit = compare(frame(exposure=300.0), frame(exposure=60.0), exposure=True, filter=False)
    assert fit.refusals == ("exposure 60 s against 300 s",)


def test_temperature_beyond_two_degrees_warns():
    fit = compare(frame(), frame(set_temperature=-5.0), exposure=False, filter=False)
    assert fit.usable
    assert fit.warnings == ("temperature -5 C against -10 C",)


def test_filters_are_compared_without_case():
    assert compare(frame(filter="ha"), frame(filter="Ha"), exposure=False, filter=True).usable
    assert not compare(frame(filter="R"), frame(filter="G"), exposure=False, filter=True).usable


def test_the_better_of_two_wins_whatever_the_order():
    light = frame(set_temperature=-10.0)
    near, far = frame("z.fits", set_temperature=-9.0), frame("a.fits", set_temperature=-5.0)
    for candidates in ([(near, 5), (far, 5)], [(far, 5), (near, 5)]):
        index, _, _ = best(light, candidates, exposure=False, filter=False)
        assert candidates[index][0] is near


def test_nearest_date_decides_between_equals():
    start = datetime(2024, 5, 1, tzinfo=UTC)
    light = frame(start=start)
    old, new = frame("a", start=start - timedelta(days=90)), frame("b", start=start - timedelta(days=2))
    index, _, _ = best(light, [(old, 5), (new, 5)], exposure=False, filter=False)
    assert index == 1


def test_groups_split_by_offset_gain_mode_and_temperature():
    frames = [
        frame("1"), frame("2"), frame("3", offset=30.0), frame("4", readout_mode="fast"), frame("5", gain_setting=0.0),
        frame("6", set_temperature=0.0), frame("7", set_temperature=None, temperature=-9.8),
    ]  # fmt: skip
    groups = group_alike(frames, exposure=False, filter=False, temperature=True)
    assert sorted([f.path.name for f in g] for g in groups) == [["1", "2", "7"], ["3"], ["4"], ["5"], ["6"]]


def test_flats_of_two_filters_never_share_a_master():
    frames = [frame("1", filter="R"), frame("2", filter="G"), frame("3", filter="R")]
    groups = group_alike(frames, exposure=False, filter=True, temperature=False)
    assert [[f.path.name for f in g] for g in groups] == [["1", "3"], ["2"]]
