"""Smooth displacements through those of patches, no finer than they warrant."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.model.distortion import Distorted
from firstlight.model.registration import Transform
from firstlight.ops.align.lattice import correct, fit_lattice
from ops.align.textures import rms, smooth_field

SHAPE = (500, 600)


def patches(shifts, noise, seed=3):
    """Positions on the frame and the reference, errors, and which are held out."""
    xs, ys = np.meshgrid(np.arange(24.0, SHAPE[1] - 24, 24), np.arange(24.0, SHAPE[0] - 24, 24))
    target = np.column_stack([xs.ravel(), ys.ravel()])
    source = target + shifts(target) + np.random.default_rng(seed).normal(0, noise, target.shape)
    rows, columns = np.indices(xs.shape)
    return source, target, np.full(len(target), noise), ((columns + 2 * rows) % 5 == 0).ravel()


def error(correction, shifts, target):
    return rms(correction.transform.inverse(target) - target - shifts(target))


@pytest.mark.parametrize(("length", "spacings"), [(60, (32, 48)), (150, (64, 128))])
def test_as_fine_as_the_field(length, spacings):
    field = smooth_field(SHAPE, length, 1.5)
    measured = patches(field, 0.05)
    found = correct(Transform.identity(), *measured, SHAPE, 32.0)
    assert spacings[0] <= found.spacing <= spacings[1]
    assert found.after < 0.12 < 1.0 < found.before
    assert error(found, field, measured[1]) < 0.06


def test_an_affine_map_stays_one():
    turn = np.array([[0.002, -0.001], [0.001, -0.001]])
    measured = patches(lambda positions: positions @ turn.T + [0.4, 0.3], 0.05)
    found = correct(Transform.identity(), *measured, SHAPE, 32.0)
    assert found.spacing == 0
    assert not isinstance(found.transform, Distorted)
    assert found.after == pytest.approx(0.07, abs=0.01)


def test_noise_is_not_followed():
    with pytest.raises(FrameError, match="no smooth correction"):
        correct(Transform.identity(), *patches(np.zeros_like, 0.3), SHAPE, 32.0)


def test_a_fold_is_refused():
    field = smooth_field(SHAPE, 60, 25.0)
    with pytest.raises(FrameError, match="no distortion"):
        correct(Transform.identity(), *patches(field, 0.05), SHAPE, 32.0)


def test_it_follows_the_transform_that_was_known():
    field = smooth_field(SHAPE, 100, 1.0)
    known = Transform(np.array([[0.0, -1.0, 500.0], [1.0, 0.0, -3.0], [0.0, 0.0, 1.0]]))
    source, *rest = patches(field, 0.05)
    found = correct(known, known.inverse(source), *rest, SHAPE, 32.0)
    assert rms(known(found.transform.inverse(rest[0])) - rest[0] - field(rest[0])) < 0.06


def test_gaps_are_bridged_within_bounds():
    rng = np.random.default_rng(1)
    positions = rng.uniform(0, 150, (300, 2))
    shifts = 0.01 * positions
    lattice = fit_lattice(positions, shifts, np.ones(300), (1000, 1000), 64.0)
    far = rng.uniform(0, 999, (1000, 2))
    assert np.abs(lattice.shift(far)).max() < 2.0
    assert rms(lattice.shift(positions) - shifts) < 0.02
