import numpy as np
import pytest

from firstlight.library.check import against_last, facts_of, odd_frames
from firstlight.library.raw import sampled
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta
from memory_frame import memory_frame

SHAPE = (1, 60, 80)


def cube(n, noise=5.0, seed=0):
    rng = np.random.default_rng(seed)
    return [500 + rng.normal(0, noise, SHAPE).astype(np.float32) for _ in range(n)]


def test_frames_that_differ_by_noise_all_belong():
    for seed in range(20):
        assert odd_frames(Kind.DARK, cube(5 + seed % 12, seed=seed)) == ({}, [])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda x: x + 20, "level is +"),
        (lambda x: x - 20, "level is -"),
        (lambda x: x + np.random.default_rng(5).normal(0, 10, SHAPE), "its noise is 10.8 adu"),
        (lambda x: x + 300 * (np.random.default_rng(5).random(SHAPE) < 0.006), "stand out"),
    ],
)
def test_a_frame_unlike_the_others_is_named_with_numbers(spoil, words):
    frames = cube(20)
    frames[7] = spoil(frames[7]).astype(np.float32)
    odd, remarks = odd_frames(Kind.DARK, frames)
    assert list(odd) == [7]
    assert words in odd[7]
    assert remarks == []


def test_levels_that_wander_are_no_fault():
    frames = [frame + 3 * i for i, frame in enumerate(cube(12))]
    assert odd_frames(Kind.BIAS, frames)[0] == {}


def test_of_three_nobody_knows_which_is_right():
    frames = cube(3)
    frames[0] += 200
    assert odd_frames(Kind.BIAS, frames) == ({}, [])


def test_if_most_are_odd_all_stay_with_a_remark():
    frames = [frame + 200 * (i % 2) for i, frame in enumerate(cube(8))]
    frames[1] += 900
    odd, remarks = odd_frames(Kind.BIAS, frames)
    assert odd == {} or len(odd) == 1
    assert odd or remarks


def test_a_flat_with_a_cloud_is_odd_and_a_slight_gradient_is_not():
    rng = np.random.default_rng(2)
    slope = np.linspace(-1, 1, SHAPE[2])
    frames = [(1 + 0.004 * i / 10 * slope + rng.normal(0, 0.004, SHAPE)).astype(np.float32) for i in range(10)]
    assert odd_frames(Kind.FLAT, frames)[0] == {}
    frames[4] = (frames[4] + 0.12 * slope).astype(np.float32)
    odd, _ = odd_frames(Kind.FLAT, frames)
    assert list(odd) == [4]
    assert "clouds or stray light" in odd[4]


def test_samples_are_few_and_cover_the_frame():
    pixels = np.arange(3000 * 400, dtype=np.float32).reshape(3000, 400)
    values = sampled(memory_frame("a", pixels))
    assert values.size <= 200_000
    assert values.min() == 0
    assert values.max() > 2990 * 400


def master(level=500.0, n=16, noise=5.0, seed=0, **meta):
    rng = np.random.default_rng(seed)
    data = level + rng.normal(0, noise / n**0.5, (1, 100, 120))
    variance = np.full(data.shape, noise**2 / n, np.float32)
    return Image(data, variance=variance, meta=Meta(kind=Kind.MASTER_BIAS, n_combined=n, **meta))


def test_the_rule_of_the_last_master():
    old = master()
    assert not against_last(master(seed=1), old, "old").bad
    assert not against_last(master(level=520, seed=1), old, "old").bad
    bad = against_last(master(level=540, seed=1), old, "old")
    assert bad.bad
    assert "differ from old by more than 6 sigma, its level by +39.97" in bad.words


def test_a_corner_with_light_is_bad_at_five_per_cent():
    old, new = master(), master(seed=1)
    for share, is_bad in ((0.04, False), (0.06, True)):
        data = new.data.copy()
        data[0, : int(100 * share)] += 60
        assert against_last(new.replace(data=data), old, "old").bad is is_bad


def test_facts_of_a_master():
    image = master()
    flags = image.flags.copy()
    flags[0, 3, :4] = Flag.HOT
    facts = facts_of(image.replace(flags=flags), by_scatter=False)
    assert facts["level"] == pytest.approx(500, abs=0.1)
    assert (facts["frame_noise"], facts["hot"], facts["pixels"]) == (pytest.approx(5, rel=1e-3), 4, 12000)


@pytest.mark.parametrize("n", [3, 8, 30])
def test_the_noise_of_a_frame_is_not_biased_by_few_frames(n):
    samples = np.random.default_rng(n).normal(500, 5, (n, 1, 100, 120))
    image = Image(samples.mean(axis=0), variance=samples.var(axis=0, ddof=1) / n, meta=Meta(n_combined=n))
    assert facts_of(image)["frame_noise"] == pytest.approx(5, rel=0.02)
