from datetime import UTC, datetime, timedelta

import pytest

from firstlight.library.group import group_alike
from firstlight.library.match import NEEDS, best, compare, compare_sensor, same_exposure
from firstlight.model.meta import Kind
from memory_frame import memory_frame

CAMERA = {"camera": "QHY600", "gain_setting": 26.0, "offset": 10.0, "set_temperature": -10.0}


def frame(name="light.fits", **meta):
    return memory_frame(name, **{**CAMERA, **meta})


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("offset", 30.0, "offset 30 against 10"),
        ("readout_mode", "fast", "readout mode fast against slow"),
        ("origin", (16, 0), "sub-frame (16, 0) against (0, 0)"),
        ("gain_setting", 0.0, "gain setting 0 against 26"),
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
    assert compare(frame(exposure=300.0), frame(exposure=310.0), NEEDS[Kind.DARK]).usable
    fit = compare(frame(exposure=300.0), frame(exposure=60.0), NEEDS[Kind.DARK])
    assert fit.refusals == ("exposure 60 s against 300 s",)


def test_temperature_beyond_two_degrees_warns():
    fit = compare(frame(), frame(set_temperature=-5.0), NEEDS[Kind.BIAS])
    assert fit.usable
    assert fit.warnings == ("temperature -5 C against -10 C",)


def test_filters_are_compared_without_case():
    assert compare(frame(filter="ha"), frame(filter="Ha"), NEEDS[Kind.FLAT]).usable
    assert not compare(frame(filter="R"), frame(filter="G"), NEEDS[Kind.FLAT]).usable


def test_the_better_of_two_wins_whatever_the_order():
    light = frame(set_temperature=-10.0)
    near, far = frame("z.fits", set_temperature=-9.0), frame("a.fits", set_temperature=-5.0)
    for candidates in ([(near, 5), (far, 5)], [(far, 5), (near, 5)]):
        index, _, _ = best(light, candidates, NEEDS[Kind.BIAS])
        assert candidates[index][0] is near


def test_nearest_date_decides_between_equals():
    start = datetime(2024, 5, 1, tzinfo=UTC)
    light = frame(start=start)
    old, new = frame("a", start=start - timedelta(days=90)), frame("b", start=start - timedelta(days=2))
    index, _, _ = best(light, [(old, 5), (new, 5)], NEEDS[Kind.BIAS])
    assert index == 1


def test_groups_split_by_offset_gain_mode_and_temperature():
    frames = [
        frame("1"), frame("2"), frame("3", offset=30.0), frame("4", readout_mode="fast"), frame("5", gain_setting=0.0),
        frame("6", set_temperature=0.0), frame("7", set_temperature=None, temperature=-9.8),
    ]  # fmt: skip
    groups = group_alike(frames, NEEDS[Kind.BIAS])
    assert sorted([f.path.name for f in g] for g in groups) == [["1", "2", "7"], ["3"], ["4"], ["5"], ["6"]]


def test_flats_of_two_filters_never_share_a_master():
    frames = [frame("1", filter="R"), frame("2", filter="G"), frame("3", filter="R")]
    groups = group_alike(frames, NEEDS[Kind.FLAT])
    assert [[f.path.name for f in g] for g in groups] == [["1", "3"], ["2"]]


def test_a_warming_camera_climbs_the_ladder():
    """Measured temperatures only: sets of 1 C, joined up to 2 C where they are few, never further."""
    warm = [frame(f"{i:02d}", set_temperature=None, temperature=10 + 0.5 * i) for i in range(12)]
    fine = group_alike(warm, NEEDS[Kind.DARK])
    coarse = group_alike(warm, NEEDS[Kind.DARK], fewest=10)
    assert [len(g) for g in fine] == [3, 3, 3, 3]
    assert [len(g) for g in coarse] == [3, 3, 3, 3] or all(
        max(f.meta.temperature for f in g) - min(f.meta.temperature for f in g) <= 2 for g in coarse
    )
    sparse = [frame(f"{i}", set_temperature=None, temperature=t) for i, t in enumerate((10.0, 11.5, 14.0))]
    assert [len(g) for g in group_alike(sparse, NEEDS[Kind.DARK], fewest=10)] == [2, 1]


def test_set_temperatures_are_never_joined():
    two = [frame("1", set_temperature=-10.0), frame("2", set_temperature=-8.5)]
    assert len(group_alike(two, NEEDS[Kind.DARK], fewest=10)) == 2


def test_a_sensor_that_did_not_reach_its_temperature_has_the_measured_one():
    fit = compare(frame(temperature=-10.0), frame(temperature=-4.0), NEEDS[Kind.DARK])
    assert fit.warnings == ("temperature -4 C against -10 C",)


def test_optics_count_for_flats_alone():
    light = frame(telescope="RC8", focal_length=1600.0, rotator=10.0)
    for change, words in (
        ({"telescope": "C11"}, "telescope C11 against RC8"),
        ({"focal_length": 1120.0}, "focal length 1120 mm against 1600 mm"),
    ):
        other = frame(**{"telescope": "RC8", "focal_length": 1600.0, **change})
        assert compare(light, other, NEEDS[Kind.FLAT]).refusals == (words,)
        assert compare(light, other, NEEDS[Kind.DARK]).usable
    turned = compare(light, frame(telescope="rc 8", rotator=100.0), NEEDS[Kind.FLAT])
    assert turned.warnings == ("rotator at 100 degrees against 10",)
    flipped = compare(light, frame(telescope="RC8", rotator=190.0), NEEDS[Kind.FLAT])
    assert flipped.warnings == ()


def test_age_warns_by_kind():
    start = datetime(2024, 5, 1, tzinfo=UTC)
    light, old = frame(start=start), frame(start=start - timedelta(days=100))
    assert compare(light, old, NEEDS[Kind.DARK]).warnings == ()
    assert compare(light, old, NEEDS[Kind.FLAT]).warnings == ("100 days apart, more than 30",)


def test_what_was_taken_out_before_counts():
    def done(*names):
        return frame(calibrated=frozenset(names))

    assert compare(frame(), done("bias"), NEEDS[Kind.DARK]).wants_bias
    assert not compare(frame(), done("bias", "dark"), NEEDS[Kind.DARK]).usable
    assert not compare(frame(), done("bias"), NEEDS[Kind.BIAS]).usable
    assert not compare(frame(), done("flat"), NEEDS[Kind.FLAT]).usable
    assert not compare(done("bias"), frame(), NEEDS[Kind.DARK]).usable
    assert compare(done("bias"), done("bias"), NEEDS[Kind.DARK]).usable


def test_a_library_asks_for_the_name_of_the_camera():
    assert compare(frame(camera=None), frame(camera=None), NEEDS[Kind.BIAS]).usable
    fit = compare(frame(camera=None), frame(), NEEDS[Kind.BIAS], strict=True)
    assert fit.refusals == ("the light's header names no camera",)
    assert not compare(frame(filter="R"), frame(), NEEDS[Kind.FLAT], strict=True).usable
    assert compare(frame(gain_setting=None), frame(), NEEDS[Kind.BIAS], strict=True).warnings


def test_a_pause_begins_a_new_set():
    start = datetime(2024, 5, 1, tzinfo=UTC)
    frames = [frame(f"{d}", start=start + timedelta(days=d)) for d in (0, 10, 20, 60, 70)] + [frame("undated")]
    groups = group_alike(frames, NEEDS[Kind.BIAS], epoch=30)
    assert sorted(len(g) for g in groups) == [1, 2, 3]
