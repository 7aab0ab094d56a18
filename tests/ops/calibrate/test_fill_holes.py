"""Filled holes."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.fill_holes import FillHoles, fill_holes


def surface(shape=(80, 100)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return 500 + 2 * x - y + 0.02 * (x - 50) ** 2


HOLES = (np.s_[30:42, 40:55], np.s_[0:4, 0:6], np.s_[60, 70], np.s_[70:80, 95:100])


def broken(data, value=np.nan):
    data = data.copy()
    for hole in HOLES:
        data[hole] = value
    return data


def test_smooth_goes_on_as_a_biharmonic_surface_does():
    truth = surface()
    filled = fill_holes(Image(broken(truth)), FillHoles(method="smooth"))
    assert np.abs(filled.data[0] - truth)[HOLES[0]].max() < 2
    assert np.abs(filled.data[0] - truth)[HOLES[2]].max() < 0.1
    assert np.abs(filled.data[0] - truth).max() < 20


def test_smooth_is_the_inpainting_of_scikit_image():
    inpaint = pytest.importorskip("skimage.restoration").inpaint_biharmonic
    truth = surface()
    mask = np.zeros(truth.shape, bool)
    mask[HOLES[0]] = True
    data = np.where(mask, np.nan, truth)
    theirs = inpaint(np.where(mask, 0, truth), mask)
    ours = fill_holes(Image(data), FillHoles(method="smooth")).data[0]
    assert np.abs(ours - theirs)[mask].max() < 1


def test_noise_looks_like_its_surroundings_and_repeats():
    rng = np.random.default_rng(1)
    data = rng.normal(200, 7, (80, 100))
    image = Image(broken(data), variance=np.full(data.shape, 49.0))
    filled = fill_holes(image, FillHoles())
    values = np.concatenate([filled.data[0][hole].ravel() for hole in HOLES])
    assert values.mean() == pytest.approx(200, abs=3)
    assert values.std() == pytest.approx(7, rel=0.25)
    assert filled.variance[0][HOLES[0]].mean() == pytest.approx(49, rel=0.5)
    np.testing.assert_array_equal(filled.data, fill_holes(image, FillHoles()).data)
    assert not np.array_equal(filled.data, fill_holes(image, FillHoles(seed=2)).data)


def test_filled_pixels_stay_marked_and_zeros_are_holes_only_where_asked():
    image = Image(broken(np.full((80, 100), 9.0), 0.0))
    assert fill_holes(image, FillHoles()) is image
    filled = fill_holes(image, FillHoles(zeros=True))
    assert filled.data.min() == 9
    assert np.all(filled.flags[0][HOLES[0]] == Flag.INTERPOLATED | Flag.NO_DATA)
    assert filled.flags[0, 20, 20] == 0


def test_a_mosaic_is_filled_by_colour():
    data = np.tile([[100.0, 200.0], [200.0, 50.0]], (20, 20))
    data[10:14, 10:14] = np.nan
    filled = fill_holes(Image(data, meta=Meta(cfa="RGGB")), FillHoles())
    np.testing.assert_array_equal(filled.data[0, 10:14, 10:14], np.tile([[100.0, 200.0], [200.0, 50.0]], (2, 2)))


def test_what_is_too_large_is_refused():
    data = np.full((300, 400), np.nan)
    data[0, :] = 1
    with pytest.raises(InputError, match="use method=noise"):
        fill_holes(Image(data), FillHoles(method="smooth"))
