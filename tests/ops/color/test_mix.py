"""Matrices of channels."""

import numpy as np
import pytest

from firstlight.errors import InputError, SpecError
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.ops.chain import apply
from firstlight.ops.spec import parse_step, step

DATA = np.random.default_rng(1).normal(5, 1, (3, 6, 7)).astype(np.float32)


def test_it_is_a_matrix_product():
    m = np.array([[0.7, 0.3, 0], [0.1, 0.8, 0.1], [-0.2, 0, 1.2]])
    out = apply(Image(DATA, variance=np.ones_like(DATA)), step("color:mix", matrix="/".join(map(str, m.ravel()))))
    np.testing.assert_allclose(out.data, np.tensordot(m, DATA, axes=1), rtol=1e-4)
    np.testing.assert_allclose(out.variance[:, 0, 0], (m**2).sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("text", ["1/0/0.5", "1,0,0.5", "1;0;0.5", "1:0:0.5", "1 0 0.5", "1|0|0.5"])
def test_every_way_to_write_a_list(text):
    """The earlier program took slashes alone."""
    each = parse_step(f"color:mix:matrix={text}")
    np.testing.assert_allclose(apply(Image(DATA), each).data[0], DATA[0] + 0.5 * DATA[2], rtol=1e-6)
    again = parse_step(each.pinned())
    assert again.params == each.params


def test_channels_without_a_share_leave_no_gaps():
    flags = np.zeros(DATA.shape, np.uint16)
    flags[2, 1, 1] = Flag.NO_DATA
    data = DATA.copy()
    data[2, 1, 1] = np.nan
    out = apply(Image(data, flags=flags), "color:mix:matrix=1/0/0/0/1/0/1/1/0")
    assert not (out.flags != 0).any()
    assert np.isfinite(out.data).all()


@pytest.mark.parametrize("text", ["1/2", "1/2/3/4", "1/2/3/4/5/6"])
def test_numbers_that_are_no_matrix(text):
    with pytest.raises(InputError, match="numbers, and the image has 3"):
        apply(Image(DATA), f"color:mix:matrix={text}")
    with pytest.raises(SpecError, match="no list of numbers"):
        step("color:mix", matrix="a/b")
