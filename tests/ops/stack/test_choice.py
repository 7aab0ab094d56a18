"""The best share of a group, and frames chosen by a formula."""

import numpy as np
import pytest

from firstlight.errors import SpecError
from firstlight.ops.stack.choice import check_percent, not_among_best, not_chosen_by
from firstlight.pipeline.settings import Select

METRICS = {
    "stars": np.array([100.0, 120.0, 80.0, 20.0, np.nan]),
    "fwhm": np.array([3.0, 2.5, 3.2, 5.0, np.nan]),
    "eccentricity": np.array([0.3, 0.2, 0.3, 0.4, np.nan]),
}


def test_seventy_is_seventy_percent_and_a_fraction_is_refused_with_words():
    assert Select(best=70).best == 70
    for value in (0.7, 1.0):
        with pytest.raises(SpecError, match="keeps"):
            Select(best=value)
    with pytest.raises(SpecError, match=r"best 0.7: would keep 0.7 % of the frames; 70 keeps 70 %"):
        check_percent(0.7)


@pytest.mark.parametrize(("percent", "kept"), [(100, 5), (60, 3), (50, 3), (40, 2), (2, 1)])
def test_the_share_is_of_all_frames_of_the_group(percent, kept):
    reasons = not_among_best(METRICS, percent, "score", np.ones(5, bool))
    assert reasons.count("") == kept
    assert reasons[1] == ""


def test_frames_set_aside_before_count_in_the_share():
    left = np.array([True, False, True, True, True])
    reasons = not_among_best(METRICS, 40, "fwhm", left)
    assert [bool(reason) for reason in reasons] == [False, False, False, True, True]
    assert "rank 3 of 5 by fwhm; the best 40 % (2) are kept" in reasons


def test_a_formula_tells_the_numbers_behind_its_verdict():
    reasons = not_chosen_by("fwhm < 1.3*median(fwhm) and stars > 0.6*median(stars)", METRICS)
    assert reasons[:3] == ["", "", ""]
    assert "(stars 20, fwhm 5)" in reasons[3]
    assert "no stars, no fwhm" in reasons[4]


def test_unknown_names_are_refused_before_any_work():
    with pytest.raises(SpecError, match="fwmh"):
        Select(where="fwmh < 3")
