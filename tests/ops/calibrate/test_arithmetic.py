"""Arithmetic with units, variance and flags."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.arithmetic import Arithmetic, Constant, arithmetic, constant
from firstlight.ops.calibrate.electrons import ToElectrons, to_electrons

A = Image([[8.0, 6.0]], flags=[[1, 0]], variance=[[2.0, 1.0]])
B = Image([[2.0, 3.0]], flags=[[0, 2]], variance=[[0.5, 0.25]])


@pytest.mark.parametrize("do", ["add", "subtract", "multiply", "divide"])
def test_values_and_variance_are_those_of_nddata(do):
    from astropy.nddata import NDDataRef, VarianceUncertainty

    a, b = (
        NDDataRef(i.data[0].astype(float), uncertainty=VarianceUncertainty(i.variance[0].astype(float))) for i in (A, B)
    )
    expected = getattr(a, do)(b)
    other = B if do in ("add", "subtract", "divide") else B.replace(unit=PixelUnit.NORMALISED)
    result = arithmetic(A, Arithmetic(do=do), other)
    np.testing.assert_allclose(result.data[0], expected.data, rtol=1e-6)
    np.testing.assert_allclose(result.variance[0], expected.uncertainty.array, rtol=1e-6)
    assert result.flags.ravel().tolist() == [1, 2]


@pytest.mark.parametrize(
    ("do", "mine", "theirs", "unit"),
    [("add", "adu", "adu", "adu"), ("divide", "electron", "electron", "normalised"),
     ("divide", "adu", "normalised", "adu"), ("multiply", "normalised", "electron", "electron"),
     ("add", "adu", "electron", None), ("multiply", "adu", "adu", None), ("divide", "adu", "electron", None)],
)  # fmt: skip
def test_units(do, mine, theirs, unit):
    a, b = A.replace(unit=PixelUnit(mine)), B.replace(unit=PixelUnit(theirs))
    if unit is None:
        with pytest.raises(InputError, match="cal:arithmetic"):
            arithmetic(a, Arithmetic(do=do), b)
    else:
        assert arithmetic(a, Arithmetic(do=do), b).unit == unit


def test_nothing_is_divided_by_zero():
    result = arithmetic(A, Arithmetic(do="divide"), B.replace(data=np.array([[[0.0, 3.0]]])))
    assert result.data.ravel().tolist() == [8, 2]
    assert result.flags[0, 0, 0] & Flag.NO_DATA
    with pytest.raises(InputError, match="divided by 0"):
        constant(A, Constant(do="divide", value=0))


def test_other_shapes_and_patterns_are_refused():
    with pytest.raises(InputError, match="1 x 1 x 2, the other 1 x 2 x 2"):
        arithmetic(A, Arithmetic(), Image(np.ones((2, 2))))
    with pytest.raises(InputError, match="CFA pattern is RGGB, of the other GRBG"):
        arithmetic(A.replace(meta=Meta(cfa="RGGB")), Arithmetic(), B.replace(meta=Meta(cfa="GRBG")))


def test_a_number_moves_saturation_and_gain():
    image = A.replace(meta=Meta(saturation=100.0, gain=2.0))
    assert constant(image, Constant(do="subtract", value=10)).meta.saturation == 90
    halved = constant(image, Constant(do="divide", value=2))
    assert (halved.meta.saturation, halved.meta.gain) == (50, 4)
    assert halved.variance.ravel().tolist() == [0.5, 0.25]
    # The same electrons either way.
    np.testing.assert_allclose(
        to_electrons(halved, ToElectrons()).data, to_electrons(image, ToElectrons()).data, rtol=1e-6
    )


def test_electrons():
    image = to_electrons(A, ToElectrons(gain=1.5))
    assert image.unit == PixelUnit.ELECTRON
    assert image.variance.ravel().tolist() == [4.5, 2.25]
    with pytest.raises(InputError, match="is in electron"):
        to_electrons(image, ToElectrons(gain=1.5))
    with pytest.raises(InputError, match="write it: gain"):
        to_electrons(A, ToElectrons())
