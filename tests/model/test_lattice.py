"""Displacements held by a lattice of B-splines."""

import numpy as np
import pytest
from scipy.interpolate import NdBSpline

from firstlight.model.distortion import Distorted, Unbend
from firstlight.model.lattice import Lattice, lattice_size
from firstlight.model.registration import Transform

SHAPE = (300, 400)


@pytest.fixture
def lattice():
    return Lattice(50.0, np.random.default_rng(1).normal(0, 1, (*lattice_size(SHAPE, 50.0), 2)))


@pytest.fixture
def positions():
    return np.random.default_rng(2).uniform((0, 0), (399, 299), (500, 2))


def test_it_is_the_spline_of_its_nodes(lattice, positions):
    rows, columns = lattice.coefficients.shape[:2]
    knots = tuple((np.arange(n + 4) - 3.0) * 50.0 for n in (rows, columns))
    spline = NdBSpline(knots, lattice.coefficients, 3)
    np.testing.assert_allclose(lattice.shift(positions), spline(positions[:, ::-1]), atol=1e-12)


def test_what_is_done_is_undone(lattice, positions):
    np.testing.assert_allclose(lattice.undo(lattice(positions)), positions, atol=1e-6)


def test_beyond_the_edge_it_stays_as_at_the_edge(lattice):
    edge, beyond = (
        lattice.shift(np.array([[0.0, 120.0], [400.0, 120.0]])),
        lattice.shift(np.array([[-70.0, 120.0], [900.0, 120.0]])),
    )
    np.testing.assert_array_equal(beyond, edge)


def test_positions_do_not_depend_on_their_number(lattice, positions):
    np.testing.assert_array_equal(lattice(positions)[:3], lattice(positions[:3]))


def test_it_is_a_part_of_transforms(lattice, positions):
    forward = Distorted.of(Transform.of_shift(3.0, -2.0), Unbend(lattice))
    np.testing.assert_allclose(forward.inverse(forward(positions)), positions, atol=1e-6)
    np.testing.assert_allclose(forward.inverse(positions), lattice(positions) - [3.0, -2.0], atol=1e-12)
    assert isinstance(forward.inverse.inverse.parts[1], Unbend)
    assert not forward.is_affine
