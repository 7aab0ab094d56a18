"""False colours."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.image import Image, State
from firstlight.ops.color.palette import Palette, palette

RNG = np.random.default_rng(8)
H, O, S = (Image(RNG.uniform(1, 9, (1, 32, 32))) for _ in range(3))


@pytest.mark.parametrize("name", ["sho", "hso", "hos", "osh", "ohs", "soh"])
def test_letters_say_red_green_blue(name):
    out = palette(H, Palette(palette=name, fit="none"), O, S).data
    for channel, letter in zip(out, name):
        np.testing.assert_array_equal(channel, {"h": H, "o": O, "s": S}[letter].data[0])


def test_two_lines_make_a_picture_and_three_are_asked_for():
    out = palette(H, Palette(palette="hoo", fit="none"), O).data
    np.testing.assert_array_equal(out[1], out[2])
    with pytest.raises(InputError, match="shows sulphur, and none is given"):
        palette(H, Palette(palette="sho"), O)


@pytest.mark.parametrize("fit", ["line", "background"])
def test_faint_lines_are_brought_up(fit):
    y, x = np.mgrid[:64, :64]
    cloud = np.exp(-np.hypot(x - 30, y - 30) / 10)
    h, o = Image(5 + 100 * cloud), Image(2 + 4 * cloud)
    out = palette(h, Palette(palette="hoo", fit=fit), o).data
    np.testing.assert_allclose(out[1], out[0], rtol=1e-3, atol=0.1)


def test_dynamic_shows_hydrogen_gold_oxygen_teal_and_both_pale():
    def colour(h, o):
        bright = [Image(np.full((1, 16, 16), v), state=State.STRETCHED) for v in (h, o)]
        return palette(bright[0], Palette(palette="dynamic", fit="none"), bright[1]).data[:, 3, 3]

    gold, teal, both = colour(0.8, 0.1), colour(0.1, 0.8), colour(0.8, 0.8)
    assert gold[0] > gold[1] > 2 * gold[2]
    assert teal[2] == pytest.approx(0.8)
    assert teal[1] > 0.7
    assert teal[0] < 0.15
    assert np.ptp(both) < 0.25
    assert both.min() > 0.55
