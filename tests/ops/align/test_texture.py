"""Transforms refined by texture, against truth."""

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.model.registration import Transform
from firstlight.ops.align.texture import refine_by_texture, texture_of
from ops.align.textures import distances, rms, seen, smooth_field, surface

SHAPE = (480, 560)


@pytest.fixture(scope="module")
def scene():
    return surface(SHAPE)


def by(x, y):
    """The same shift everywhere."""
    return lambda positions: np.broadcast_to([x, y], positions.shape)


@pytest.mark.parametrize(("length", "noise", "limit"), [(60, 10.0, 0.08), (60, 30.0, 0.16), (120, 10.0, 0.04)])
def test_seeing_is_undone(scene, length, noise, limit):
    field = smooth_field(SHAPE, length, 1.5)
    reference, frame = seen(scene, SHAPE, noise=noise), seen(scene, SHAPE, field, noise, 7, gain=0.7, level=300.0)
    before = frame.copy()
    found = refine_by_texture(frame, reference, Transform.identity())
    assert rms(distances(Transform.identity(), field, SHAPE)) > 1.0
    assert rms(distances(found.transform, field, SHAPE)) < limit
    assert found.after < 0.2 * found.before
    np.testing.assert_array_equal(frame, before)
    again = refine_by_texture(frame, reference, Transform.identity())
    corners = np.array([[0.0, 0.0], [559.0, 479.0]])
    np.testing.assert_array_equal(again.transform(corners), found.transform(corners))


def test_optical_flow_serves_too(scene):
    field = smooth_field(SHAPE, 120, 1.5)
    found = refine_by_texture(seen(scene, SHAPE, field, seed=7), seen(scene, SHAPE), Transform.identity(), "ilk")
    assert rms(distances(found.transform, field, SHAPE)) < 0.06


def test_a_shift_that_was_found_coarsely_becomes_exact(scene):
    field = by(3.4, -2.3)
    found = refine_by_texture(seen(scene, SHAPE, field, seed=7), seen(scene, SHAPE), Transform.of_shift(3.0, -2.0))
    assert found.spacing == 0
    assert rms(distances(found.transform, field, SHAPE)) < 0.01


def test_frames_that_fit_are_left_alone(scene):
    with pytest.raises(FrameError, match="no smooth correction"):
        refine_by_texture(seen(scene, SHAPE, noise=30.0, seed=7), seen(scene, SHAPE, noise=30.0), Transform.identity())


def test_noise_has_no_texture():
    rng = np.random.default_rng(5)
    planes = [rng.normal(100, 10, SHAPE).astype(np.float32) for _ in range(2)]
    with pytest.raises(FrameError, match="fewer than 24 patches"):
        refine_by_texture(*planes, Transform.identity())


def test_nothing_to_see():
    empty = np.full(SHAPE, np.nan, np.float32)
    for planes in ((empty, np.zeros(SHAPE)), (np.zeros(SHAPE), np.zeros(SHAPE)), (np.zeros((20, 20)),) * 2):
        with pytest.raises(FrameError, match="texture"):
            refine_by_texture(*(each.astype(np.float32) for each in planes), Transform.identity())


def test_a_part_of_the_frame_is_enough(scene):
    field = smooth_field(SHAPE, 120, 1.5)
    reference, frame = seen(scene, SHAPE), seen(scene, SHAPE, field, seed=7)
    reference[:, 330:] = np.nan
    frame[300:320, 100:120] = np.nan
    found = refine_by_texture(frame, reference, Transform.identity())
    part = (SHAPE[0], 320)
    assert rms(distances(found.transform, field, part)) < 0.06
    # Where nothing is known, nothing runs away.
    far = np.array([[500.0, y] for y in range(0, 480, 20)])
    assert np.hypot(*(found.transform(far) - far).T).max() < 6.0


def test_sensors_do_not_see_themselves(scene):
    """Hot pixels lie where they lie, whatever moves beneath them."""
    rng = np.random.default_rng(9)
    hot = (rng.random(SHAPE) < 0.002) * 3000.0
    field = by(0.6, 0.5)
    planes = [seen(scene, SHAPE, field, seed=7) + hot, seen(scene, SHAPE) + hot]
    found = refine_by_texture(*(each.astype(np.float32) for each in planes), Transform.identity())
    assert rms(distances(found.transform, field, SHAPE)) < 0.05


def test_wide_faint_structure_is_seen_on_reduced_planes():
    from scipy.ndimage import gaussian_filter, spline_filter

    rng = np.random.default_rng(3)
    shape = (800, 1000)
    cloud = spline_filter(gaussian_filter(rng.normal(0, 1, [n + 60 for n in shape]), 12.0), order=3)
    cloud *= 20 / cloud.std()
    field = smooth_field(shape, 300, 2.0)
    planes = [seen(cloud, shape, how, 25.0, seed) for how, seed in ((field, 7), (None, 8))]
    found = refine_by_texture(*planes, Transform.identity())
    assert found.spacing >= 64
    assert rms(distances(found.transform, field, shape)) < 0.5 * rms(distances(Transform.identity(), field, shape))


def test_texture_is_what_is_finer_than_a_patch(scene):
    ys, xs = np.indices(SHAPE)
    plane = (5.0 * xs + 3.0 * ys).astype(np.float32)
    assert np.abs(texture_of(plane)[40:-40, 40:-40]).max() < 0.1
    plane[100, 100] += 1000.0
    assert np.abs(texture_of(plane)[95:106, 95:106]).max() < 60.0
    plane[200:300, 200:300] = np.nan
    assert np.isnan(texture_of(plane)[250, 250])
