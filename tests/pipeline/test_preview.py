"""Previews: the same picture, smaller."""

import numpy as np
import pytest

from firstlight import apply, write
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.spec import parse_step
from firstlight.pipeline.preview import preview, reduced, scaled_steps

STEPS = ["abr:localgradient:scale=256", "nr:gaussian:sigma=6", "stretch:midtones"]


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    y, x = np.mgrid[:900, :1200] / 1200.0
    light = 300 + 100 * x + 200 * np.exp(-((x - 0.5) ** 2 + (y - 0.4) ** 2) / 0.01)
    data = light * np.array([1.0, 0.9, 1.1])[:, None, None] + np.random.default_rng(1).normal(0, 5, (3, 900, 1200))
    image = Image(data, meta=Meta(saturation=4000.0))
    return image, write(tmp_path_factory.mktemp("preview") / "in.fits", image)


def test_it_looks_like_the_whole(field):
    image, path = field
    steps = [parse_step(text) for text in STEPS]
    before, after = preview(path, steps, side=300)
    assert before.shape == after.shape == (3, 225, 300)
    whole = apply(image, *STEPS)
    small = whole.data.reshape(3, 225, 4, 300, 4).mean(axis=(2, 4))
    assert np.abs(after.data - small).mean() < 0.03
    assert np.corrcoef(after.data.ravel(), small.ravel())[0, 1] > 0.98


def test_means_are_exact_and_small_images_stay(field):
    image, path = field
    small, factor = reduced(path, side=400)
    assert factor == 3
    np.testing.assert_allclose(small.data, image.data.reshape(3, 300, 3, 400, 3).mean(axis=(2, 4)), rtol=1e-5)
    assert reduced(path, side=5000)[1] == 1


def test_mosaics_stay_mosaics(tmp_path):
    cell = np.tile([[1.0, 2.0], [3.0, 4.0]], (100, 150))
    path = write(tmp_path / "cfa.fits", Image(cell, meta=Meta(cfa="RGGB")))
    small, factor = reduced(path, side=100)
    assert factor == 3
    np.testing.assert_array_equal(small.data[0, :2, :4], [[1, 2, 1, 2], [3, 4, 3, 4]])
    assert small.meta.cfa == "RGGB"


def test_lengths_shrink_and_stay_allowed():
    (one,) = scaled_steps([parse_step("abr:localgradient:scale=20")], 8)
    assert one.params.scale == 16
    (two,) = scaled_steps([parse_step("stretch:hdr:radius=64,smooth=8")], 4)
    assert (two.params.radius, two.params.smooth) == (16, 2)
