"""Formulas against numbers worked out by hand, and what they refuse."""

import numpy as np
import pytest

from firstlight.errors import SpecError
from firstlight.ops.stack.formula import LONGEST, check_formula, evaluate_formula

METRICS = {"fwhm": np.array([2.0, 4.0, 3.0]), "noise": np.array([10.0, 5.0, 10.0]), "stars": np.array([100.0, 50, 75])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/(fwhm**2*noise**2)", [1 / 400, 1 / 400, 1 / 900]),
        ("stars / median(stars)", [100 / 75, 50 / 75, 1]),
        ("mean(noise) - noise", [25 / 3 - 10, 25 / 3 - 5, 25 / 3 - 10]),
        ("where(fwhm < 3.5, 1, 0.2)", [1, 0.2, 1]),
        ("(stars >= 60) * 2", [2, 0, 2]),
        ("2 < fwhm <= 4", [0, 1, 1]),
        ("share(stars)**2", [1, 0, 0.25]),
        ("share(2)", [1, 1, 1]),
        ("max(fwhm, 2.5)", [2.5, 4, 3]),
        ("max(fwhm) - min(fwhm)", [2, 2, 2]),
        ("sqrt(noise * 10) + abs(-1) - log10(100) + log(exp(1))", [10, np.sqrt(50), 10]),
        ("mad(fwhm) + 0 * std(fwhm) + sum(stars)", [226, 226, 226]),
        (" -fwhm + +1 ", [-1, -3, -2]),
        ("2**3**2", [512, 512, 512]),
        ("1", [1, 1, 1]),
    ],
)
def test_values(text, expected):
    np.testing.assert_allclose(evaluate_formula(text, METRICS), expected, rtol=1e-12)


def test_missing_metrics_stay_out_of_medians():
    metrics = {"fwhm": np.array([2.0, np.nan, 4.0])}
    np.testing.assert_array_equal(evaluate_formula("median(fwhm) / fwhm", metrics), [1.5, np.nan, 0.75])
    assert np.isnan(evaluate_formula("median(fwhm)", {"fwhm": np.full(3, np.nan)})).all()


def test_divisions_by_zero_are_infinite_and_silent():
    assert np.isposinf(evaluate_formula("1/(fwhm-2)", METRICS)[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1/fwmh", "unknown metric 'fwmh'; did you mean fwhm"),
        ("medain(fwhm)", "unknown function 'medain'; did you mean median"),
        ("median()", "median was given 0 arguments; it takes 1"),
        ("where(fwhm, 1)", "where was given 2 arguments; it takes 3"),
        ("1/(fwhm", "never closed"),
        ("", "write it like"),
        ("fwhm.real", "'fwhm.real' is not allowed"),
        ("__import__('os')", "not allowed"),
        ("fwhm[0]", "not allowed"),
        ("[x for x in fwhm]", "not allowed"),
        ("lambda: 1", "not allowed"),
        ("'a'", "not allowed"),
        ("True", "not allowed"),
        ("1j", "not allowed"),
        ("fwhm if noise else 1", "not allowed"),
        ("max(*fwhm)", "not allowed"),
        ("share(x=fwhm)", "not allowed"),
        ("fwhm // 2", "not allowed"),
        ("1 +" * LONGEST + "1", "characters; at most"),
    ],
)
def test_refusals_say_what_is_wrong(text, words):
    with pytest.raises(SpecError, match=words.replace("(", r"\(").replace("[", r"\[").replace("*", r"\*")):
        check_formula(text, METRICS)


def test_deep_nesting_does_no_harm():
    check_formula("(" * 80 + "fwhm" + ")" * 80, METRICS)
    check_formula("-" * 200 + "fwhm", METRICS)
    with pytest.raises(SpecError):
        check_formula("(" * 290 + "1", METRICS)


def test_and_or_not_and_percentiles():
    metrics = {"fwhm": np.array([2.0, 3.0, 4.0]), "stars": np.array([100.0, 90.0, 20.0])}
    text = "fwhm < 1.3*median(fwhm) and stars > 0.6*median(stars)"
    assert evaluate_formula(text, metrics).tolist() == [1, 1, 0]
    assert evaluate_formula("not fwhm < 3 or stars > 95", metrics).tolist() == [1, 1, 1]
    assert evaluate_formula("not (fwhm < 3 or stars < 30)", metrics).tolist() == [0, 1, 0]
    assert evaluate_formula("percentile(fwhm, 50)", metrics).tolist() == [3, 3, 3]
