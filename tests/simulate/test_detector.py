"""The noise, the faults and the numbers of the simulated camera."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from firstlight.kernels import scene as kernels
from firstlight.simulate.detector import make_detector
from firstlight.simulate.settings import Camera, Telescope

CLEAN = {
    "column_pattern": 0.0,
    "row_pattern": 0.0,
    "pixel_pattern": 0.0,
    "banding": 0.0,
    "dark_current": 0.0,
    "hot_fraction": 0.0,
    "cold_fraction": 0.0,
    "amp_glow": 0.0,
    "pixel_response": 0.0,
}


def detector(seed=1, telescope=None, **camera):
    settings = Camera(**{"width": 400, "height": 300, **camera})
    return make_detector(settings, telescope or Telescope(), np.random.default_rng(seed))


def lit(device, level, exposure=1.0, seed=2):
    return device.expose(np.random.default_rng(seed), exposure, sky=np.array([level, 0, 0, 0, 0, 0.0]))


def noisy(mean, n=400_000, read_noise=0.0, seed=1):
    rng = np.random.default_rng(seed)
    electrons = np.full((1, n), mean, np.float32)
    uniform = rng.random((1, n), dtype=np.float32)
    kernels.add_noise(electrons, rng.standard_normal((1, n), dtype=np.float32), uniform, read_noise)
    return electrons[0].astype(float)


@pytest.mark.parametrize("mean", [0.05, 1.0, 6.0, 15.9])
def test_faint_light_follows_the_poisson_law(mean):
    counts = noisy(mean)
    top = int(stats.poisson.ppf(1 - 1e-4, mean))
    observed = np.bincount(counts.astype(int), minlength=top + 2)
    expected = stats.poisson.pmf(np.arange(top + 1), mean) * counts.size
    observed = np.append(observed[: top + 1], observed[top + 1 :].sum())
    expected = np.append(expected, counts.size - expected.sum())
    assert stats.chisquare(observed, expected).pvalue > 1e-3


@pytest.mark.parametrize("mean", [16.1, 50.0, 1000.0])
def test_bright_light_has_the_moments_of_the_poisson_law(mean):
    counts = noisy(mean)
    error = np.sqrt(mean / counts.size)
    assert counts.mean() == pytest.approx(mean, abs=4 * error)
    assert counts.var() == pytest.approx(mean, rel=0.02)
    assert stats.skew(counts) == pytest.approx(mean**-0.5, abs=0.02)


@pytest.mark.parametrize("mean", [0.0, 4.0, 40.0])
def test_read_noise_adds_in_squares(mean):
    assert noisy(mean, read_noise=3.0).var() == pytest.approx(mean + 9.0, rel=0.02)


def test_photon_transfer_gives_back_gain_and_read_noise():
    device = detector(**CLEAN, gain=0.8, read_noise=4.0, bias_level=300.0, telescope=Telescope(vignetting=0, dust=0))
    levels = [0.0, 100.0, 1000.0, 5000.0, 20000.0]
    means, variances = [], []
    for i, level in enumerate(levels):
        pair = [lit(device, level, 1.0 if level else 0.0, seed=10 * i + k).astype(float) for k in range(2)]
        means.append(np.mean(pair) - 300.0)
        variances.append((pair[0] - pair[1]).var() / 2 - 1 / 12)
    np.testing.assert_allclose(np.array(means) * 0.8, levels, rtol=1e-3, atol=0.05)
    np.testing.assert_allclose(variances, np.array(means) / 0.8 + (4.0 / 0.8) ** 2, rtol=0.015)


def test_frames_are_bias_and_dark_and_light_through_the_flat():
    device = detector(seed=4, width=200, height=150, amp_glow=0.5, hot_fraction=5e-3, full_well=2e6, gain=20.0)
    n = 60
    exposure = 50.0
    mean = np.mean([lit(device, 40.0, exposure, seed=100 + i) for i in range(n)], axis=0)
    electrons = (40.0 * device.flat + device.dark) * exposure
    expected = device.bias + electrons / 20.0
    sigma = np.sqrt((electrons + 1.6**2) / 20.0**2 + 1 / 12 + 0.25**2) / np.sqrt(n)
    pull = ((mean - expected) / sigma)[expected < 60000]
    assert abs(pull.mean()) < 0.1
    assert pull.std() == pytest.approx(1.0, abs=0.05)


def test_numbers_stop_at_the_converter_or_the_full_well():
    wide = detector(**CLEAN, gain=0.25, full_well=50000.0)
    assert (lit(wide, 1e6) == 65535).all()
    assert wide.camera.saturation == 65535
    narrow = detector(**CLEAN, gain=2.0, full_well=20000.0, bias_level=500.0)
    assert (lit(narrow, 1e6) == 10500).all()
    assert narrow.camera.saturation == 10500
    assert lit(detector(**CLEAN, bits=12), 1e6).max() == 4095


def test_saturation_of_the_header_is_reached_in_every_pixel():
    device = detector(gain=2.0, full_well=20000.0)
    assert (lit(device, 1e6) >= device.camera.saturation).all()


def test_no_number_wraps_below_zero():
    assert lit(detector(**CLEAN, bias_level=0.0, read_noise=5.0), 0.0, 0.0).max() < 60


def test_dark_current_doubles_in_six_degrees():
    device = detector(**{**CLEAN, "dark_current": 2.0})
    frames = [device.expose(np.random.default_rng(3), 100.0, temperature=t).astype(float) for t in (-10.0, -4.0)]
    cold, warm = (frame.mean() - device.camera.bias_level for frame in frames)
    assert warm / cold == pytest.approx(2.0, rel=0.01)


def test_faults_are_as_many_as_said():
    device = detector(width=1000, height=1000, hot_fraction=2e-3)
    assert len(device.hot) == pytest.approx(2000, rel=0.1)
    assert (device.dark.reshape(-1)[device.hot] >= 0.2).all()
    assert (np.diff(device.hot) > 0).all()
    assert device.flat.mean(dtype=float) == pytest.approx(1.0, rel=1e-5)
    assert device.bias.mean(dtype=float) == pytest.approx(500.0, abs=1.0)


def test_cosmic_rays_land_where_told():
    device = detector(**CLEAN, read_noise=0.0, gain=1.0)
    index, charge = np.array([5, 399, 400 * 100 + 7, 400 * 300 - 1]), np.array([10, 20, 3000, 7], np.float32)
    frame = device.expose(np.random.default_rng(1), 0.0, rays=(index, charge)).astype(int) - 500
    assert frame.reshape(-1)[index].tolist() == [10, 20, 3000, 7]
    assert frame.sum() == 3037
