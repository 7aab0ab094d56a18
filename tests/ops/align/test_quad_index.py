"""Indexes of quads: sizes, codes, members."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.kernels.quads import SPREAD
from firstlight.ops.align.plate_fit import on_tangent_plane
from firstlight.ops.align.quad_index import STEP, build_index
from ops.align.sky_fields import invented_sky


@pytest.fixture(scope="module")
def index():
    return build_index(invented_sky(8000), 2.5, 6.0)


def test_levels_step_by_the_root_of_two(index):
    sizes = np.degrees([level.shortest for level in index.levels])
    assert np.allclose(sizes, 2.5 * STEP ** np.arange(len(sizes)))
    assert len(index) == sum(len(level.members) for level in index.levels) > 1000


def test_codes_are_those_of_their_stars(index):
    """By complex numbers: (c - a) / (b - a) on the plane about the quad."""
    for level in index.levels:
        rng = np.random.default_rng(2)
        for k in rng.choice(len(level.members), 40):
            four = level.vectors[level.members[k]].astype(float)
            ra, dec = np.degrees(np.arctan2(*four.mean(0)[[1, 0]])), np.degrees(np.arcsin(four.mean(0)[2]))
            a, b, c, d = on_tangent_plane(four, ra, dec) @ np.array([1.0, 1.0j])
            length = np.radians(abs(b - a))
            assert level.shortest * 0.995 <= length <= 1.425 * level.shortest
            c, d = (c - a) / (b - a), (d - a) / (b - a)
            code = level.codes[k] / SPREAD * 2 - 0.5
            assert np.allclose([c.real, c.imag, d.real, d.imag], code, atol=0.01)
            assert c.real <= d.real + 0.01
            assert c.real + d.real <= 1.01
            assert max(abs(c - 0.5), abs(d - 0.5)) < 0.505


def test_quads_lie_in_their_bins_in_order(index):
    for level in index.levels:
        assert level.bins[0] == 0
        assert level.bins[-1] == len(level.codes)
        for cell in range(0, len(level.bins) - 1, 97):
            part = level.codes[level.bins[cell] : level.bins[cell + 1]].astype(int)
            assert (np.diff(part[:, 2]) >= 0).all()
