"""The noise of a sky behind a flat, by what a flat does."""

from types import SimpleNamespace

import numpy as np
import pytest

from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.stack.combine import Combine
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.integrate import Contribution, Engine
from firstlight.pipeline.mosaic import Colours
from firstlight.pipeline.uneven import SIDE, flat_cells, uneven_on, unevenness

SHAPE = (320, 480)


def flat():
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    return 1.1 - 0.25 * (x**2 + y**2)


def engine(gains, moves, electrons=1.0, colours=None):
    frame = SimpleNamespace(shape=(1, *SHAPE))
    one = np.ones(3)
    contributions = tuple(
        Contribution(frame, Calibration(gain=gain), move, one, 400.0 * one, 20.0 * one, 1.0, electrons)
        for gain, move in zip(gains, moves)
    )
    grid = Grid(*SHAPE, Transform.identity())
    return Engine(contributions, grid, 400.0 * one, Combine(method="mean"), "lanczos3", 0.0, colours)


def gain_of(plane):
    return (1.0 / plane).astype(np.float32)[None]


def test_photons_alone_go_as_one_over_the_flat():
    factors = unevenness(engine([gain_of(flat())], [Transform.identity()]))[0]
    expected = (1 / flat())[::SIDE, ::SIDE]
    ratio = factors[1:9, 1:14] / expected[1:9, 1:14]
    assert ratio.std() / ratio.mean() < 0.005
    # A typical pixel has the noise that was measured.
    assert np.median(factors[:10, :15]) == pytest.approx(1.0, abs=0.02)


def test_readings_alone_go_as_its_square():
    factors = unevenness(engine([gain_of(flat())], [Transform.identity()], electrons=1e6))[0]
    ratio = factors[1:9, 1:14] * (flat() ** 2)[::SIDE, ::SIDE][1:9, 1:14]
    assert ratio.std() / ratio.mean() < 0.01


def test_frames_that_turn_share_their_corners():
    half = Transform(np.array([[-1.0, 0, SHAPE[1] - 1], [0, -1.0, SHAPE[0] - 1], [0, 0, 1]]))
    lopsided = np.broadcast_to(np.linspace(0.7, 1.3, SHAPE[1]), SHAPE)
    gain = gain_of(lopsided)
    alone = unevenness(engine([gain], [Transform.identity()]))[0]
    both = unevenness(engine([gain, gain], [Transform.identity(), half]))[0]
    assert alone[4, 1] / alone[4, 13] > 1.5
    assert both[4, 1] / both[4, 13] == pytest.approx(1.0, abs=0.05)


def test_nothing_where_flats_are_even_or_missing():
    assert unevenness(engine([gain_of(np.ones(SHAPE))], [Transform.identity()])) is None
    assert unevenness(engine([None], [Transform.identity()])) is None


def test_a_bad_pixel_of_the_flat_hardly_counts():
    plane = np.ones(SHAPE)
    plane[100, 100] = 0.01
    assert flat_cells(gain_of(plane), None).min() > 0.998


@pytest.mark.parametrize("method", ["bilinear", "superpixel"])
def test_colours_have_flats_of_their_own(method):
    plane = flat()
    plane[0::2, 0::2] = 1.0
    factors = unevenness(engine([gain_of(plane)], [Transform.identity()], colours=Colours("RGGB", method)))
    assert np.ptp(factors[0]) < 0.01 < np.ptp(factors[1])


def test_on_a_finer_grid():
    factors = np.linspace(1, 2, 12)[None, None, :].repeat(8, axis=1)
    zoom = Transform(np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]]))
    fine = uneven_on(factors, (448, 704), zoom)[0]
    assert fine[3, 8] == pytest.approx(np.interp((0.5 * 256 - 0.25) / 32, np.arange(12), factors[0, 0]), rel=1e-5)
