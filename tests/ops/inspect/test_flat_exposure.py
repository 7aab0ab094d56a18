"""Flats that are too bright or too faint."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.shape_flat import ShapeFlat, shape_flat
from firstlight.ops.inspect.flat_exposure import why_unfit


def flat(level, noise, seed=1, **meta):
    return Image(np.random.default_rng(seed).normal(level, noise, (60, 80)), meta=Meta(**meta))


def test_a_good_flat_is_fit():
    assert why_unfit(flat(20000, 140, saturation=65535.0)) is None


@pytest.mark.parametrize(
    ("image", "pedestal", "words"),
    [(flat(66000, 300, saturation=65535.0), 0, r"\d+ % of its pixels are saturated; at most 5 %"),
     (flat(1100, 20), 1000, r"its signal is [45]\.\d times its noise; at least 10"),
     (flat(900, 20), 1000, "its level above the pedestal is -")],
)  # fmt: skip
def test_a_bad_one_is_refused_with_numbers(image, pedestal, words):
    with pytest.raises(InputError, match=words):
        shape_flat(image, ShapeFlat(pedestal=pedestal))


def test_every_colour_is_judged():
    image = flat(20000, 140, cfa="RGGB")
    data = image.data.copy()
    data[0, 1::2, 1::2] = np.random.default_rng(2).normal(50, 20, (30, 40))
    assert "times its noise" in why_unfit(image.replace(data=data))


def test_a_few_full_pixels_do_no_harm():
    image = flat(20000, 140, saturation=65535.0)
    data = image.data.copy()
    data.flat[:100] = 65535
    assert why_unfit(image.replace(data=data)) is None
