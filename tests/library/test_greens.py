"""A colour pattern that is shifted against the pixels."""

import numpy as np
import pytest

from firstlight.io.read import open_frame
from firstlight.library.greens import contradicts_pattern
from memory_frame import memory_frame


def frame(cfa, red=900.0, blue=1300.0, second_green=1502.0):
    cell = np.array([[red, 1500.0], [second_green, blue]])
    noise = np.random.default_rng(1).normal(0, 30, (400, 600))
    return memory_frame("light.fits", (np.tile(cell, (200, 300)) + noise).astype(np.float32), cfa=cfa)


def test_a_shifted_pattern_is_told():
    told = contradicts_pattern(frame("GRBG"))
    assert "contradict the colour pattern GRBG" in told
    assert "RGGB or BGGR" in told
    assert contradicts_pattern(frame("RGGB")) == ""
    assert contradicts_pattern(frame("BGGR")) == "", "red and blue changed places: the sky's levels do not tell"


def test_nothing_is_said_where_the_pixels_do_not_tell():
    assert contradicts_pattern(frame("GRBG", red=1500, blue=1500, second_green=1500)) == ""
    assert contradicts_pattern(frame("RGGB", red=1000, blue=1000, second_green=1600)) != ""
    assert contradicts_pattern(frame("RGGB", red=1000, blue=1200, second_green=1600)) == ""
    assert contradicts_pattern(frame(None)) == ""


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("panoptes_dslr/unsolved.fits", True), ("m27_asi224mc_als/Light_1069.fits.fz", False)],
)
def test_real_frames(real_data, name, wrong):
    assert bool(contradicts_pattern(open_frame(real_data(name)))) == wrong
