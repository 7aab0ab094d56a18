"""Noise estimates against noise of known strength, other programs, and Monte Carlo."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from scipy.stats import norm

from firstlight import step
from firstlight.io.write import write
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.inspect.noise import METHODS, _kept_share, measure_noise, noise_of
from firstlight.ops.inspect.starlet import layer_factors, layers
from firstlight.simulate.scene import random_field, render_stars

SIGMA = 4.0


def sky(seed: int = 1, shape: tuple[int, int] = (400, 500), *, stars: bool = False, nebula: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    plane = rng.normal(1000, SIGMA, shape)
    y, x = np.mgrid[: shape[0], : shape[1]]
    if nebula:
        plane += 0.2 * x + 300 * np.exp(-((x - 250) ** 2 + (y - 200) ** 2) / 5000.0)
    if stars:
        plane += render_stars(shape, *random_field(rng, 300, shape, (200, 1e5)), 3.0)
    return plane.astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_pure_noise_is_measured_right(method):
    found = [measure_noise(sky(seed), method=method) for seed in range(4)]
    assert np.mean(found) == pytest.approx(SIGMA, rel=0.01)


@pytest.mark.parametrize(("method", "within"), [("mrs", 0.04), ("ksigma", 0.04), ("fnnoise3", 0.06)])
def test_stars_and_nebulae_are_no_noise(method, within):
    plane = sky(stars=True, nebula=True)
    assert measure_noise(plane, method=method) == pytest.approx(SIGMA, rel=within)
    assert measure_noise(plane, method="mad") > 2 * SIGMA


def test_factors_of_layers_by_monte_carlo():
    runs = [[layer.std() for layer in layers(sky(seed, (512, 512)) / SIGMA, 5)[:5]] for seed in range(6)]
    assert np.all(np.abs(np.mean(runs, axis=0) / layer_factors(5) - 1) < [0.002, 0.004, 0.01, 0.02, 0.04])


def test_share_of_noise_that_no_layer_shows_by_monte_carlo():
    from firstlight.ops.inspect.noise import _rest_noise
    from firstlight.ops.inspect.starlet import smoothed

    plane = (sky(3, (1024, 1024)) - 1000) / SIGMA
    for scales in (1, 4):
        coarse, significant = plane, np.zeros_like(plane)
        for scale, factor in enumerate(layer_factors(scales)):
            coarser = smoothed(coarse, scale)
            significant = np.maximum(significant, np.abs(coarse - coarser) / factor)
            coarse = coarser
        kept = (plane - coarse)[significant < 3].std() / np.sqrt(_rest_noise(scales))
        assert kept == pytest.approx(_kept_share(scales), abs=0.002)


def test_ikss_is_ninety_percent_efficient_and_breaks_down_late():
    rng = np.random.default_rng(2)
    found = np.array([measure_noise(rng.normal(size=(1, 100)).astype(np.float32), method="ikss") for _ in range(400)])
    limit = np.sqrt(1 / (2 * 99))
    assert (limit / (found / found.mean()).std()) ** 2 > 0.75
    half = rng.normal(0, 1, (200, 200)).astype(np.float32)
    half[:60] += 1000
    assert measure_noise(half, method="ikss") < 1.6


def test_order_three_is_that_of_the_manual():
    row = np.array([[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0]], np.float32)
    v = row[0]
    steps = np.abs(2 * v[2:-2] - v[:-4] - v[4:])
    assert measure_noise(row, method="fnnoise3") == pytest.approx(0.6052697 * np.median(steps), rel=1e-4)
    assert 1.4826 / np.sqrt(6) == pytest.approx(0.6052697, rel=1e-4)
    assert norm.ppf(0.75) == pytest.approx(1 / 1.4826, rel=1e-4)


def test_missing_pixels_take_no_part():
    plane = sky()
    flags = np.zeros(plane.shape, np.uint16)
    flags[100:200, 50:350] = Flag.NO_DATA
    wild = np.where(flags > 0, np.float32(1e6), plane)
    for method in METHODS:
        assert noise_of(Image(wild, flags), method)[0] == pytest.approx(SIGMA, rel=0.03), method


def test_each_channel_and_each_colour_of_a_mosaic():
    image = Image(np.stack([sky(1), 2 * sky(2), 3 * sky(3)]))
    assert noise_of(image) == pytest.approx([SIGMA, 2 * SIGMA, 3 * SIGMA], rel=0.02)
    mosaic = sky()
    mosaic[::2, ::2] += 500
    assert noise_of(Image(mosaic, meta=Meta(cfa="RGGB")))[0] == pytest.approx(SIGMA, rel=0.02)


def test_the_map_follows_the_noise():
    rng = np.random.default_rng(5)
    strength = np.linspace(2, 6, 512)[None, :] * np.ones((256, 1))
    found = step("inspect:noise", method="ksigma")(Image(100 + strength * rng.standard_normal(strength.shape))).data[0]
    np.testing.assert_allclose(found.mean(axis=0)[32:-32], strength[0, 32:-32], rtol=0.1)


@pytest.mark.skipif(shutil.which("siril-cli") is None, reason="siril-cli is not installed")
def test_siril_measures_the_same(tmp_path):
    write(tmp_path / "sky.fits", Image(sky(stars=True, nebula=True)))
    script = tmp_path / "noise.ssf"
    script.write_text(f"requires 1.0.0\ncd {tmp_path}\nload sky\nbgnoise\nclose\n")
    ran = subprocess.run(["siril-cli", "-s", script], capture_output=True, text=True, check=False, timeout=120)
    found = re.search(r"[Bb]ackground noise value.*?:\s*([\d.e+-]+)", ran.stdout)
    if found is None:
        pytest.skip(f"siril-cli said nothing of the noise: {ran.stdout[-200:]}")
    theirs = float(found.group(1))
    assert measure_noise(sky(stars=True, nebula=True), method="fnnoise1") == pytest.approx(theirs, rel=0.05)
