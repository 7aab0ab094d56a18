from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.library.build import build_master
from firstlight.library.plans import MasterPlan
from firstlight.model.flags import Flag, has
from firstlight.model.meta import Kind
from memory_frame import memory_frame

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def bias_frames(n=20, shape=(40, 60)):
    pattern = 1000 + RNG(1).normal(0, 5, shape)
    pixels = [np.round(pattern + RNG(10 + i).normal(0, 8, shape)).astype(np.uint16) for i in range(n)]
    pixels[3][5, 6] = 40000  # a cosmic ray
    return pattern, [
        memory_frame(f"bias_{i:02d}.fits", p, kind=Kind.BIAS, saturation=65535.0) for i, p in enumerate(pixels)
    ]


def test_master_bias_is_the_pattern_without_the_cosmic_ray(executor):
    pattern, frames = bias_frames()
    master = build_master(MasterPlan(Kind.BIAS, tuple(frames)), None, executor, rows=16)
    error = master.image.data[0] - pattern
    assert error.std() == pytest.approx(8 / np.sqrt(20), rel=0.06)
    assert abs(error[5, 6]) < 8
    assert np.sqrt(np.median(master.image.variance)) == pytest.approx(8 / np.sqrt(20), rel=0.05)
    assert master.image.meta.n_combined == 20
    assert master.image.meta.kind == Kind.MASTER_BIAS


def test_bands_do_not_change_a_byte(executor):
    _, frames = bias_frames()
    plan = MasterPlan(Kind.BIAS, tuple(frames))
    one, two = (build_master(plan, None, executor, rows=rows).image for rows in (7, 40))
    np.testing.assert_array_equal(one.data, two.data)
    np.testing.assert_array_equal(one.variance, two.variance)


def test_hot_pixels_are_flagged_and_glow_is_not(executor):
    yy, xx = np.mgrid[:80, :80]
    glow = 300 * np.exp(-((xx - 79) ** 2 + (yy - 40) ** 2) / 300)
    truth = 500 + glow
    truth[20, 30] += 4000
    truth[61, 12] += 700
    frames = [
        memory_frame(f"dark_{i}", np.round(truth + RNG(i).normal(0, 6, truth.shape)).astype(np.uint16), kind=Kind.DARK)
        for i in range(12)
    ]
    image = build_master(MasterPlan(Kind.DARK, tuple(frames)), None, executor, rows=32).image
    assert np.argwhere(has(image.flags[0], Flag.HOT)).tolist() == [[20, 30], [61, 12]]


def flat_frames(levels, cfa=None, shape=(60, 80)):
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    shade = 1 - 0.3 * ((xx - 40) ** 2 + (yy - 30) ** 2) / 2500
    shade[10, 10] = 0.3
    if cfa:
        shade = shade * np.tile([[0.6, 1.0], [1.0, 0.5]], (shape[0] // 2, shape[1] // 2))
    return shade, [
        memory_frame(
            f"flat_{i}", RNG(i).poisson(level * shade + 1000).astype(np.uint16), kind=Kind.FLAT, cfa=cfa,
            exposure=1.0, saturation=65535.0,
        )
        for i, level in enumerate(levels)
    ]  # fmt: skip


def under(executor, shape=(60, 80)):
    frames = [memory_frame(f"b{i}", np.full(shape, 1000, np.uint16), kind=Kind.BIAS) for i in range(5)]
    return build_master(MasterPlan(Kind.BIAS, tuple(frames)), None, executor, rows=64)


def test_master_flat_has_mean_one_and_the_shade(executor):
    shade, frames = flat_frames([20000, 25000, 15000, 30000, 22000, 18000])
    image = build_master(MasterPlan(Kind.FLAT, tuple(frames)), under(executor), executor, rows=16).image
    assert np.mean(image.data, dtype=np.float64) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(image.data[0], shade / shade.mean(), rtol=0.02)
    assert has(image.flags[0], Flag.COLD)[10, 10]
    assert has(image.flags[0], Flag.COLD).sum() == 1


def test_flat_keeps_a_gradient_along_columns(executor):
    shade = np.broadcast_to(np.linspace(0.8, 1.2, 60)[:, None], (60, 80))
    frames = [memory_frame(f"f{i}", np.round(20000 * shade + 1000).astype(np.uint16), kind=Kind.FLAT) for i in range(5)]
    image = build_master(MasterPlan(Kind.FLAT, tuple(frames)), under(executor), executor, rows=16).image
    np.testing.assert_allclose(image.data[0], shade, rtol=1e-3)


def test_colours_of_a_mosaic_are_normalised_apart(executor):
    _, frames = flat_frames([20000] * 6, cfa="RGGB")
    image = build_master(MasterPlan(Kind.FLAT, tuple(frames)), under(executor), executor, rows=16).image
    for j in (0, 1):
        for i in (0, 1):
            assert np.mean(image.data[0, j::2, i::2], dtype=np.float64) == pytest.approx(1.0, abs=1e-6)


def test_saturated_flats_are_set_aside_with_numbers(executor):
    _, frames = flat_frames([20000] * 5)
    white = memory_frame("white", np.full((60, 80), 65535, np.uint16), kind=Kind.FLAT, saturation=65535.0)
    master = build_master(MasterPlan(Kind.FLAT, (*frames, white)), under(executor), executor, rows=64)
    ((frame, reason),) = master.set_aside
    assert frame.path.name == "white"
    assert "100 % of its pixels are saturated" in reason
    with pytest.raises(FrameError, match="none of 1 frames can be used"):
        build_master(MasterPlan(Kind.FLAT, (white,)), under(executor), executor, rows=64)
