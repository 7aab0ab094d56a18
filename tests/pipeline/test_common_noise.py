"""Noise of masters that the frames of a stack share, against what a stack of such frames does."""

from types import SimpleNamespace

import numpy as np
import pytest

from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.align.resample import resample_tile
from firstlight.ops.stack.combine import Combine
from firstlight.pipeline.calibration import Calibration
from firstlight.pipeline.common_noise import common_noise
from firstlight.pipeline.integrate import Contribution, Engine

SIZE = 400
NOISE, DARK = 10.0, 4.0


def engine(moves, calibrations, weights=None, kernel="lanczos3"):
    frame, one = SimpleNamespace(shape=(1, SIZE, SIZE)), np.ones(3)
    weights = np.ones(len(moves)) if weights is None else weights
    contributions = tuple(
        Contribution(frame, calibration, move, one, 100.0 * one, NOISE * one, weight, 1.0)
        for move, calibration, weight in zip(moves, calibrations, weights)
    )
    grid = Grid(SIZE, SIZE, Transform.identity())
    return Engine(contributions, grid, 100.0 * one, Combine(method="mean"), kernel, 0.0)


def dark(variance=DARK**2, **more):
    return Calibration(offset=np.zeros((1, 4, 4), np.float32), offset_variance=variance, **more)


def shifts(*places):
    return [Transform.of_shift(x, y) for x, y in places]


@pytest.mark.parametrize("kernel", ["lanczos3", "bilinear"])
@pytest.mark.parametrize(
    "moves",
    [shifts(*[(0.0, 0.0)] * 5), shifts((0, 0), (0.3, 0.1), (-0.4, 0.2), (0.8, 0.9), (0.1, -1.2), (5, 3))],
    ids=["still", "drifting"],
)
def test_the_mean_of_one_dark_seen_from_many_places(moves, kernel):
    weights = np.linspace(0.6, 1.4, len(moves))
    noise = np.random.default_rng(2).normal(0, DARK, (SIZE, SIZE)).astype(np.float32)
    total, alone = np.zeros((SIZE, SIZE)), 0.0
    for move, weight in zip(moves, weights):
        out = np.empty_like(noise)
        resample_tile(noise, 0, noise.shape, move, out, 0, 0, kernel=kernel)
        total += weight * out
        alone += weight**2 * np.nanvar(out)
    beyond = (np.nanvar(total) - alone) / weights.sum() ** 2
    found = common_noise(engine(moves, [dark()] * len(moves), weights, kernel))
    # Phases are taken alike for all frames: a few per cent of a small part.
    assert found[0] == pytest.approx(beyond, rel=0.12)


def test_nothing_in_common():
    apart = shifts((0, 0), (8, 3), (-5, 6), (2, -9))
    assert common_noise(engine(apart, [dark()] * 4)) is None
    still = shifts(*[(0.0, 0.0)] * 4)
    assert common_noise(engine(still, [dark() for _ in range(4)])) is None, "each has a dark of its own"
    assert common_noise(engine(still, [dark(0.0)] * 4)) is None
    assert common_noise(engine(still[:1], [dark()])) is None


def test_many_frames_are_told_by_some():
    found = common_noise(engine(shifts(*[(0.0, 0.0)] * 1000), [dark()] * 1000))
    assert found[0] == pytest.approx(DARK**2 * 999 / 1000, rel=1e-6)


def test_flats_go_with_the_sky():
    one = Calibration(gain=np.ones((1, 4, 4), np.float32), flat_variance=1e-4)
    found = common_noise(engine(shifts(*[(0.0, 0.0)] * 10), [one] * 10))
    assert found[0] == pytest.approx(0.9 * 1e-4 * 100.0**2)
