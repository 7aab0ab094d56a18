"""Marks drawn over pictures."""

import numpy as np

from firstlight.io.drawing import Line, Words, drawn, ink, words_width


def test_lines_and_words_cover_what_they_should():
    covered = ink((60, 80), [Line(((10, 30), (70, 30)), width=3), Words("N", 40, 10, 14, "mm")])
    assert covered.shape == (60, 80)
    assert covered[30, 20:60].min() > 0.9
    assert covered[40:].max() == 0
    assert covered[5:16, 34:47].max() > 0.8


def test_a_rim_keeps_marks_readable_on_white():
    white = np.ones((1, 60, 80), np.float32)
    out = drawn(white, [Line(((10, 30), (70, 30)), width=3)])
    assert out[0, 30, 40] > 0.9
    assert out[0, 26:29, 40].min() < 0.7
    assert out[0, 50, 40] == 1
    assert drawn(white, []) is white


def test_widths():
    assert words_width("long words", 12) > words_width("l", 12) > 0
