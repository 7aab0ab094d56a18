"""No rejection takes light from stars when the seeing varies, and trails are still rejected."""

import numpy as np
import pytest

from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube
from firstlight.ops.stack.guard import guard_stars
from firstlight.simulate.scene import render_stars, trail

SKY, GAIN, READ = 500.0, 1.5, 8.0
NOISE = np.sqrt(SKY / GAIN + (READ / GAIN) ** 2)
SHAPE = (120, 120)
METHODS = ["sigma", "mad", "winsorized", "linear", "esd", "averaged", "noise", "adaptive", "percentile", "minmax"]
SEEING = {
    "even": np.linspace(2.5, 4.0, 20),
    "mostly good": np.r_[np.linspace(2.5, 2.8, 17), 3.8, 3.9, 4.0],
    "mostly poor": np.r_[np.linspace(3.7, 4.0, 18), 2.5, 2.6],
}


def terms(fwhm, *, known=True):
    one = np.ones(len(fwhm), np.float32)
    return FrameTerms(
        one, 0 * one, one, np.float32(NOISE**2 * known) * one, np.float32(known / GAIN) * one, SKY, np.asarray(fwhm)
    )


def night(fwhm, seed=1, flux=(2e5, 1.5e6), beta=None):
    """Frames (n, y, x), the same without noise and sky, and places of the stars."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[20:120:40, 20:120:40].reshape(2, -1) + rng.uniform(-0.5, 0.5, (2, 9))
    fluxes = np.geomspace(*flux, 9)
    clean = np.array(
        [
            render_stars(SHAPE, x + rng.normal(0, 0.05), y + rng.normal(0, 0.05), fluxes, each, beta=beta,
                         ellipticity=abs(rng.normal(0, 0.05)), angle=rng.uniform(0, 180))
            for each in fwhm
        ]
    )  # fmt: skip
    frames = rng.poisson((clean + SKY) * GAIN) / GAIN + rng.normal(0, READ / GAIN, clean.shape)
    return frames.astype(np.float32), clean, np.array([x, y]).T


def fluxes(image, places):
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.array([image[(yy - y) ** 2 + (xx - x) ** 2 <= 64].sum(dtype=np.float64) for x, y in places])


@pytest.fixture(scope="module", params=SEEING)
def varied(request):
    fwhm = SEEING[request.param]
    return fwhm, *night(fwhm, beta=None if request.param == "mostly poor" else 3.0)


@pytest.mark.parametrize("method", METHODS)
def test_bright_stars_keep_their_light(varied, method):
    fwhm, frames, _, places = varied
    everything = fluxes(combine_cube(frames, Combine(method="mean"), terms(fwhm)).mean - SKY, places)
    bias = fluxes(combine_cube(frames, Combine(method=method), terms(fwhm)).mean - SKY, places) / everything - 1
    assert abs(bias.mean()) < 1e-3
    assert abs(bias).max() < 3e-3


def test_without_the_guard_they_lose_it():
    fwhm = SEEING["mostly poor"]
    frames, _, places = night(fwhm)
    everything = fluxes(combine_cube(frames, Combine(method="mean"), terms(fwhm)).mean - SKY, places)
    bare = combine_cube(frames, Combine(method="sigma", guard=0), terms(fwhm)).mean
    assert (fluxes(bare - SKY, places) / everything - 1).mean() < -5e-3


def test_guard_without_noise_model_keeps_them_too():
    fwhm = SEEING["mostly poor"]
    frames, _, places = night(fwhm)
    everything = fluxes(combine_cube(frames, Combine(method="mean"), terms(fwhm)).mean - SKY, places)
    result = combine_cube(frames, Combine(method="winsorized"), terms(fwhm, known=False)).mean
    assert abs((fluxes(result - SKY, places) / everything - 1).mean()) < 1e-3


@pytest.mark.parametrize("method", ["sigma", "mad", "winsorized", "esd", "noise"])
@pytest.mark.parametrize("height", [15.0, 60.0, 400.0])
def test_a_trail_in_one_of_twenty_frames_leaves_nothing(method, height):
    """Between the stars, and across stars fainter than the trail. The trail is straight-edged, without faint wings."""
    fwhm = np.full(20, 3.0)
    frames, _, places = night(fwhm, flux=(NOISE * 20, NOISE * 150))
    light = trail(SHAPE, 60, 60, 0.0, 1.0, 3.0) + trail(SHAPE, 60, 20.0, 4.0, 1.0, 3.0)
    hit = light > 0.3 * light.max()
    dirty = frames.copy()
    dirty[7][hit] += np.float32(height * NOISE)
    one, other = (combine_cube(each, Combine(method=method), terms(fwhm)) for each in (dirty, frames))
    left = (one.mean - other.mean) / np.sqrt(other.variance)
    assert abs(left[hit].mean()) < 0.3
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    crossing = hit & (np.min([np.hypot(xx - x, yy - y) for x, y in places], axis=0) < 3)
    assert crossing.sum() > 30
    assert abs(left[crossing].mean()) < 0.3


@pytest.mark.parametrize("height", [8.0, 15.0, 60.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_trail_in_one_of_four_frames_leaves_no_dots(height, seed):
    """Also where another frame has no sample, as at a hot pixel; and bright stars keep their light there."""
    fwhm = np.array([2.8, 3.0, 3.1, 3.3])
    frames, _, places = night(fwhm, seed, flux=(NOISE * 20, NOISE * 50000))
    frames[1][np.random.default_rng(seed).random(SHAPE) < 0.1] = np.nan
    light = trail(SHAPE, 60, 62, 4.0, 1.0, 3.0)
    hit = light > 0.3 * light.max()
    dirty = frames.copy()
    dirty[3][hit] += np.float32(height * NOISE)
    one, other = (combine_cube(each, Combine(method="noise"), terms(fwhm)) for each in (dirty, frames))
    left = (one.mean - other.mean) / np.sqrt(other.variance)
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    away = hit & (np.min([np.hypot(xx - x, yy - y) for x, y in places], axis=0) > 12)
    assert abs(left[away].mean()) < 0.3
    assert (left[away] > 3).mean() < 0.01
    everything = fluxes(combine_cube(frames, Combine(method="mean"), terms(fwhm)).mean - SKY, places)[-3:]
    assert abs(fluxes(other.mean - SKY, places)[-3:] / everything - 1).max() < 2e-3


def test_cosmic_rays_on_sky_and_stars_are_rejected():
    fwhm = SEEING["even"]
    frames, _, places = night(fwhm)
    dirty = frames.copy()
    rng = np.random.default_rng(3)
    hit = rng.random(frames.shape) < 0.002
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    hit &= np.min([np.hypot(xx - x, yy - y) for x, y in places], axis=0) > 8
    dirty[hit] += np.float32(200 * NOISE)
    one, other = (combine_cube(each, Combine(method="winsorized"), terms(fwhm)) for each in (dirty, frames))
    left = (one.mean - other.mean) / np.sqrt(other.variance)
    assert abs(left[hit.any(axis=0)].mean()) < 0.3


def test_flat_sky_has_no_tolerance():
    frames = np.random.default_rng(2).normal(SKY, NOISE, (20, 80, 90)).astype(np.float32)
    one = np.ones(20, np.float32)
    guard = guard_stars(frames, 3 * one, one, 0 * one, (NOISE**2, 1 / GAIN, SKY), np.s_[:, :])
    assert (guard.slope > 0).mean() < 0.03
    assert (guard.curve < 0).mean() < 0.01


def test_core_of_a_star_is_predicted():
    """At the core of a Gaussian the tolerance is what a frame of another width differs by, times 1.5."""
    wide, narrow = (render_stars((41, 41), [20.0], [20.0], [1e6], fwhm) for fwhm in (6.0, 5.0))
    frames = np.array([wide] * 6 + [narrow], np.float32)
    one = np.ones(7, np.float32)
    guard = guard_stars(frames, np.array([6.0] * 6 + [5.0]), one, 0 * one, (1.0, 0.0, 0.0), np.s_[:, :])
    core = 20 * 41 + 20
    assert guard.bend[0] == 0
    assert guard.bend[6] * guard.curve[core] == pytest.approx(1.5 * (narrow - wide)[20, 20], rel=0.1)


def test_inner_part_is_that_of_the_whole():
    fwhm = SEEING["even"]
    frames, *_ = night(fwhm)
    whole = combine_cube(frames, Combine(method="winsorized"), terms(fwhm))
    for inner in (np.s_[1:50, 0:120], np.s_[0:120, 0:120], np.s_[30:77, 11:90]):
        outer = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in inner)
        shifted = tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip(inner, outer))
        part = combine_cube(frames[:, *outer], Combine(method="winsorized"), terms(fwhm), inner=shifted)
        for name in ("mean", "variance", "kept", "rejected_low", "rejected_high"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[inner], err_msg=name)


def test_a_noisier_frame_is_judged_by_its_own_noise():
    rng = np.random.default_rng(4)
    frames = rng.normal(SKY, 10, (20, 60, 60)).astype(np.float32)
    frames[3] = rng.normal(SKY, 40, (60, 60))
    one = np.ones(20, np.float32)
    noise = np.full(20, 100, np.float32)
    noise[3] = 1600
    result = combine_cube(frames, Combine(method="noise"), FrameTerms(one, 0 * one, one, noise, 0 * one))
    assert result.hits[3] / 3600 == pytest.approx(0.0027, abs=0.004)
