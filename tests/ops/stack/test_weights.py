"""Every named weight against numbers worked out by hand, and frames that lack what it asks for."""

import numpy as np
import pytest

from firstlight.errors import InputError, SpecError
from firstlight.ops.stack.weights import FORMULAS, METRICS, frame_weights, settle_weights

NAMES = ["a", "b", "c"]
MEASURED = {
    "stars": [100, 50, 80],
    "fwhm": [2.0, 4.0, 3.0],
    "scaled_noise": [10.0, 20.0, 10.0],
    "shared_snr": [30.0, 15.0, 60.0],
    "exposure": [30.0, 60.0, 30.0],
    "reference_stars": [100, 100, 100],
}


def metrics(**changes):
    found = {name: np.full(3, np.nan) for name in METRICS}
    return found | {name: np.array(values, float) for name, values in (MEASURED | changes).items()}


def relative(weighing, **changes):
    weights, notes = frame_weights(weighing, metrics(**changes), NAMES)
    assert weights.mean() == pytest.approx(1)
    return weights / weights.max(), notes


# wFWHM: FWHM + 2 FWHM (N_ref - N) / N gives 2, 4 + 8 * 50 / 50 = 12 and 3 + 6 * 20 / 80 = 4.5;
# (1/4.5^2 - 1/12^2) / (1/2^2 - 1/12^2) = 0.174603.
@pytest.mark.parametrize(
    ("weighing", "expected"),
    [
        ("noise", [1, 0.25, 1]),
        ("snr", [0.25, 0.0625, 1]),
        ("psf", [1, 1 / 16, 4 / 9]),
        ("fwhm", [1, 0.25, 4 / 9]),
        ("wfwhm", [1, 0.001, 0.1746032]),
        ("stars", [1, 0.001, 0.36]),
        ("exposure", [0.5, 1, 0.5]),
        ("equal", [1, 1, 1]),
    ],
)
def test_formulas(weighing, expected):
    found, notes = relative(weighing)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not notes
    assert set(FORMULAS) == {"noise", "snr", "psf", "fwhm", "wfwhm", "stars", "exposure", "equal"}


@pytest.mark.parametrize("weighing", sorted(FORMULAS))
def test_equal_frames_weigh_the_same(weighing):
    same = {name: [values[0]] * 3 for name, values in MEASURED.items()}
    found, notes = relative(weighing, **same)
    np.testing.assert_array_equal(found, 1)
    assert not notes


def test_formula_of_the_user():
    weights, _ = frame_weights("formula", metrics(), NAMES, "stars / fwhm")
    np.testing.assert_allclose(weights / weights[0], [1, 12.5 / 50, 80 / 3 / 50])
    with pytest.raises(SpecError, match="unknown metric 'seeing'"):
        frame_weights("formula", metrics(), NAMES, "1 / seeing")


def test_a_frame_without_stars_gets_the_lowest_weight_and_a_word():
    found, notes = relative("fwhm", fwhm=[2.0, np.nan, 3.0])
    np.testing.assert_allclose(found, [1, 4 / 9, 4 / 9])
    assert notes == ["weights by fwhm (1 / fwhm**2): not known for b; the lowest weight of the others is used"]
    found, _ = relative("wfwhm", stars=[100, 0, 80])
    assert np.isfinite(found).all()
    assert found[1] == found.min()


def test_where_nothing_is_known_all_weigh_the_same():
    found, notes = relative("exposure", exposure=[np.nan] * 3)
    np.testing.assert_array_equal(found, 1)
    assert "not known for any frame" in notes[0]


def test_zero_noise_is_no_division_by_zero():
    found, _ = relative("noise", scaled_noise=[0.0, 0.0, 0.0])
    np.testing.assert_array_equal(found, 1)


def test_weights_below_zero_and_all_zero_are_refused():
    with pytest.raises(InputError, match="w: -1 for b; weights are 0 or above"):
        settle_weights(np.array([1.0, -1.0, 1.0]), NAMES, "w")
    with pytest.raises(InputError, match="0 for every frame"):
        settle_weights(np.zeros(3), NAMES, "w")
    assert settle_weights(np.array([3.0, 0.0, 3.0]), NAMES, "w")[0].tolist() == [1.5, 0, 1.5]


def test_weights_that_throw_most_frames_away_get_a_word():
    """As Siril defines them, alike frames are told apart far beyond their worth."""
    counts = np.array([83, 84, 72, 71, 74, 73, 76, 75.0])
    names = [f"{k}.fits" for k in range(8)]
    _, (note,) = frame_weights("stars", {"stars": counts}, names)
    assert "the noise is that of 2.7 equal frames, not 8" in note
    assert frame_weights("noise", {"scaled_noise": np.linspace(10, 14, 8)}, names)[1] == []
