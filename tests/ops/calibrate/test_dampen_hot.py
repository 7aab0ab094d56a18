"""Hot pixels without weight."""

from __future__ import annotations

import numpy as np

from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta
from firstlight.ops.calibrate.bad_pixels import BadPixels, bad_pixels
from firstlight.ops.calibrate.dampen_hot import DampenHot, dampen_hot


def test_in_a_weighted_mean_other_frames_decide():
    rng = np.random.default_rng(1)
    dark = rng.normal(10, 1, (60, 60))
    hot = rng.permutation(3600)[:40]
    dark.flat[hot] += rng.uniform(300, 3000, 40)
    light = rng.normal(200, 10, (60, 60))
    light.flat[hot] += rng.normal(0, 500, 40)
    image = Image(light, variance=np.full(light.shape, 100.0), meta=Meta(calibrated=frozenset({"dark", "bias"})))
    master = Image(dark, meta=Meta(kind=Kind.MASTER_DARK))
    soft = dampen_hot(image, DampenHot(strength=10), master)
    found = has(soft.flags, Flag.HOT)[0]
    assert found.flat[hot].all()
    assert found.sum() == 40
    assert soft.variance[0][found].min() > 1e10
    assert np.abs(soft.data[0][found] - 200).max() < 60
    np.testing.assert_array_equal(soft.data[0][~found], light.astype(np.float32)[~found])
    assert soft.meta.calibrated == image.meta.calibrated


def test_strength_sets_the_limit():
    dark = np.random.default_rng(2).normal(10, 1, (60, 60))
    dark.flat[::97] += 400
    dark.flat[5::211] += 60
    image, master = Image(np.ones((60, 60))), Image(dark)
    weak, strong = (np.count_nonzero(dampen_hot(image, DampenHot(strength=s), master).flags) for s in (0.2, 2.0))
    assert weak < strong


def test_a_map_marks_what_it_names():
    flags = np.array([[2, 0, 0]], np.uint16)
    named = Image([[1.0, 2.0, 0.0]], flags)
    assert bad_pixels(Image([[1.0, 2.0, 3.0]]), BadPixels(), named).flags.ravel().tolist() == [2, 64, 0]
