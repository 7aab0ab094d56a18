from dataclasses import replace

import numpy as np
import pytest

from firstlight.library.plans import Assignment
from firstlight.model.registration import Registration, Transform
from firstlight.model.stars import Quality, Stars
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.measure import Light
from firstlight.pipeline.register import Placed
from firstlight.pipeline.select import reasons_after_registration, reasons_against
from firstlight.pipeline.settings import Select
from memory_frame import memory_frame


def light(i=0, *, fwhm=3.0, stars=200, eccentricity=0.3, background=500.0, noise=12.0):
    frame = memory_frame(f"light_{i}", exposure=60.0)
    quality = Quality(stars, fwhm + 0.01 * (i % 5), fwhm / 2, eccentricity, 30.0, background, noise)
    level = np.array([background + i])
    return Light(frame, Assignment(frame), Calibration(), Stars.empty(), quality, level, np.array([noise]))


GOOD = [light(i) for i in range(10)]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"fwhm": 4.5}, "FWHM 4.50 px above"),
        ({"stars": 50}, "50 stars, fewer than 80"),
        ({"eccentricity": 0.95}, "eccentricity 0.95 above 0.8"),
        ({"background": 3000.0, "noise": 30.0}, "background 3000 adu above"),
    ],
)
def test_a_poor_frame_is_set_aside_with_its_number(bad, words):
    reasons = reasons_against([*GOOD, light(0, **bad)], Select())
    assert reasons[:-1] == [""] * 10
    assert words in reasons[-1]


def test_a_steady_night_loses_nothing():
    nearly = [light(i, fwhm=3.0 + 0.04 * i) for i in range(10)]
    assert reasons_against(nearly, Select()) == [""] * 10


def test_few_frames_are_not_judged_by_each_other():
    assert reasons_against([*GOOD[:3], light(fwhm=9.0)], Select()) == [""] * 4


def test_everything_keeps_everything():
    assert reasons_against([*GOOD, light(fwhm=9.0)], Select(everything=True)) == [""] * 11


def test_elongated_stars_of_the_whole_night_are_no_reason():
    assert reasons_against([light(i, eccentricity=0.9) for i in range(8)], Select()) == [""] * 8


def test_frames_behind_clouds_are_found_by_the_light_of_their_stars():
    registration = Registration(Transform.identity())
    placed = [
        Placed(each, registration, ratio) for each, ratio in zip(GOOD, [1, 1.02, 0.98, 1, 1.05, 1.6, 1, 2.7, 1, 1])
    ]
    reasons = reasons_after_registration(placed, Select())
    assert [bool(r) for r in reasons].index(True) == 7
    assert sum(map(bool, reasons)) == 1
    assert "its stars have 37 % of the median flux" in reasons[7]


def test_short_exposures_are_judged_by_short_exposures():
    short = [light(i, stars=60, background=90.0, noise=4.0) for i in range(6)]
    short = [replace(each, frame=memory_frame(f"s{i}", exposure=10.0)) for i, each in enumerate(short)]
    assert reasons_against([*GOOD, *short], Select()) == [""] * 16
    registration = Registration(Transform.identity())
    placed = [Placed(each, registration, 1.0) for each in GOOD] + [Placed(each, registration, 6.0) for each in short]
    assert reasons_after_registration(placed, Select()) == [""] * 16
    other_gain = [
        replace(each, frame=memory_frame(f"g{i}", exposure=60.0, gain_setting=300.0)) for i, each in enumerate(short)
    ]
    known_gain = [
        replace(each, frame=memory_frame(f"k{i}", exposure=60.0, gain_setting=0.0)) for i, each in enumerate(GOOD)
    ]
    assert reasons_against([*known_gain, *other_gain], Select()) == [""] * 16


def test_a_share_and_a_formula_set_aside_what_the_limits_leave():
    frames = [light(i, fwhm=3.0 + 0.05 * i) for i in range(10)]
    reasons = reasons_against(frames, Select(best=60, best_by="fwhm"))
    assert [bool(reason) for reason in reasons] == [False] * 6 + [True] * 4
    assert reasons[-1].startswith("rank 10 of 10 by fwhm")
    reasons = reasons_against([*GOOD, light(0, stars=100)], Select(where="stars > 0.6*median(stars)"))
    assert reasons[-1].startswith("not stars > 0.6*median(stars) (stars 100)")
    assert reasons[:-1] == [""] * 10
    # Also where a group is too small to be judged by its own median.
    assert reasons_against(frames[:2], Select(where="fwhm < 3.03"))[1]
    assert reasons_against(frames, Select(best=10, everything=True)) == [""] * 10
