"""Marks lie where the sky is."""

import numpy as np
import pytest

from firstlight.ops.align.sky_target import SkyGrid, sky_of
from firstlight.pipeline.sky_marks import direction, field_of, grid_lines, in_words, length_of_bar, place

GRID = SkyGrid.around(83.8, -5.4, 3.0, (400, 300), rotation=30.0)
SHAPE = (300, 400)


def test_an_object_is_placed_with_its_size_and_angle():
    mark = place(GRID.plate, SHAPE, "X", "galaxy", 83.8, -5.4, 2.0, 1.0, 40.0)
    assert (mark.x, mark.y) == (pytest.approx(199.5), pytest.approx(149.5))
    assert (mark.major, mark.minor) == (pytest.approx(40.0), pytest.approx(20.0))
    # North is up, turned by 30 degrees counter-clockwise: at 120 from +x (rows count upwards); east is further on.
    assert mark.angle == pytest.approx(120.0 + 40.0, abs=0.01)
    assert place(GRID.plate, SHAPE, "X", "galaxy", 84.5, -5.4) is None
    assert place(GRID.plate, SHAPE, "X", "galaxy", 263.8, 5.4) is None


def test_directions_turn_with_mirrored_images():
    assert direction(GRID.plate, (83.8, -5.4), 90.0) == pytest.approx(-150.0, abs=0.01)
    mirrored = SkyGrid.around(83.8, -5.4, 3.0, (400, 300), mirrored=True)
    assert direction(mirrored.plate, (83.8, -5.4), 90.0) == pytest.approx(0.0, abs=0.01)


def test_lines_hold_their_value():
    lines = list(grid_lines(GRID.plate, SHAPE))
    assert 4 <= len(lines) <= 16
    for line in lines:
        points = line.points[np.isfinite(line.points).all(axis=1)]
        ra, dec = sky_of(GRID.plate, points).T
        spread = np.ptp(dec) if "°" in line.label else np.ptp(ra)
        assert spread < 1e-6


@pytest.mark.parametrize("dec", [89.9, -89.5, 60.0])
def test_lines_near_the_pole(dec):
    grid = SkyGrid.around(120.0, dec, 20.0, (400, 300))
    lines = list(grid_lines(grid.plate, SHAPE))
    assert 3 <= len(lines) <= 60


def test_bar_is_round_and_fits():
    for scale, width in ((0.3, 1000), (1.5, 4000), (60.0, 3000)):
        grid = SkyGrid.around(10.0, 20.0, scale, (width, 100))
        length, words = length_of_bar(grid.plate, width)
        assert 0.08 < length / width < 0.34
        assert words
    assert [in_words(v) for v in (30, 300, 7200, 5400)] == ['30"', "5'", "2°", "90'"]


def test_field():
    ra, dec, radius = field_of(GRID.plate, SHAPE)
    assert (ra, dec) == (pytest.approx(83.8), pytest.approx(-5.4))
    assert radius == pytest.approx(np.hypot(199.5, 149.5) * 3 / 3600, rel=1e-4)
