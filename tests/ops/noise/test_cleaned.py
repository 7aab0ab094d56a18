"""Noise reduction against the truth and against an oracle."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.restoration import denoise_tv_chambolle, denoise_wavelet

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Meta
from firstlight.ops.noise.strength import stabilised, unstabilised
from firstlight.ops.noise.tv import least_variation
from firstlight.ops.spec import parse_step
from firstlight.simulate.scene import random_field, render_stars

SHAPE = (200, 240)
GAIN, READ_NOISE = 1.5, 4.0


def truth() -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    arc = np.exp(-(((np.hypot(x - 120, y - 110) - 50) / 9) ** 2))
    light = 80 + 60 * arc + 80 * np.exp(-((x - 60) ** 2 + (y - 60) ** 2) / 800.0)
    rng = np.random.default_rng(9)
    return light + render_stars(SHAPE, *random_field(rng, 40, SHAPE, (500, 5e4), 0.7), 2.8)


def noisy(seed: int = 1, *, variance: bool = True) -> Image:
    light = truth()
    var = light / GAIN + (READ_NOISE / GAIN) ** 2
    data = light + np.sqrt(var) * np.random.default_rng(seed).standard_normal(SHAPE)
    meta = Meta(gain=GAIN, read_noise=READ_NOISE)
    return Image(data, variance=var if variance else None, meta=meta)


def error(image: Image) -> float:
    """Root mean square in units of the noise of each pixel."""
    light = truth()
    return float(np.sqrt(np.mean((image.data[0] - light) ** 2 / (light / GAIN + (READ_NOISE / GAIN) ** 2))))


def oracle() -> float:
    """The best Gaussian for each of three parts: by how far a linear filter that knows the truth brings the error."""
    image, light = noisy(), truth()
    filtered = [image.data[0], *(gaussian_filter(image.data[0], s) for s in (0.7, 1, 1.5, 2, 3, 4, 6))]
    squares = [gaussian_filter((f - light) ** 2, 4) for f in filtered]
    best = np.choose(np.argmin(squares, axis=0), filtered)
    return error(image.replace(data=best[None]))


@pytest.mark.parametrize(
    ("spec", "most"),
    [
        ("nr:starlet", 0.42),
        ("nr:wavelet:rule=ksigma,law=garrote,shifts=2", 0.75),
        ("nr:tv", 0.5),
        ("nr:bilateral", 0.55),
        ("nr:diffusion", 0.55),
        ("nr:nlmeans", 0.55),
        ("nr:starlessstarlet", 0.55),
        ("nr:starlesstv", 0.6),
        ("nr:starlessbilateral", 0.6),
        ("nr:starlessdiffusion", 0.6),
        ("nr:starlesswavelet", 0.6),
    ],
)
def test_the_error_falls(spec, most):
    image = noisy()
    assert error(image) == pytest.approx(1, abs=0.02)
    assert error(parse_step(spec)(image)) < most


def test_starlets_beat_an_oracle_that_chooses_gaussians():
    assert error(step("nr:starlet")(noisy())) < oracle()


def test_level_and_light_of_stars_stay():
    image, light = noisy(), truth()
    clean = step("nr:starlet")(image)
    assert clean.data.mean() == pytest.approx(image.data.mean(), rel=1e-3)
    y, x = np.unravel_index(light.argmax(), light.shape)
    near = np.s_[max(y - 6, 0) : y + 7, max(x - 6, 0) : x + 7]
    assert clean.data[0][near].sum() == pytest.approx(image.data[0][near].sum(), rel=0.02)


@pytest.mark.parametrize("rule", ["ksigma", "bayes", "visu"])
@pytest.mark.parametrize("law", ["soft", "hard", "garrote"])
def test_every_rule_and_law(rule, law):
    assert error(step("nr:starlet", rule=rule, law=law)(noisy())) < (0.98 if rule == "bayes" else 0.8)
    assert error(step("nr:wavelet", rule=rule, law=law, sigma=1.0, shifts=2)(noisy())) < 0.98


def test_the_sources_of_noise_agree_and_auto_takes_the_best():
    image = noisy()
    found = {each: step("nr:starlet", noise=each)(image) for each in ("variance", "anscombe", "measured")}
    assert max(map(error, found.values())) < 1.25 * min(map(error, found.values()))
    np.testing.assert_array_equal(step("nr:starlet")(image).data, found["variance"].data)
    np.testing.assert_array_equal(step("nr:starlet")(noisy(variance=False)).data, found["anscombe"].data)
    blind = noisy(variance=False).replace(meta=Meta())
    np.testing.assert_array_equal(step("nr:starlet")(blind).data, found["measured"].data)
    with pytest.raises(InputError, match="no variance plane"):
        step("nr:starlet", noise="variance")(blind)
    with pytest.raises(InputError, match="gain and read noise"):
        step("nr:tv", noise="anscombe")(blind)


def test_strength_follows_the_variance_pixel_by_pixel():
    rng = np.random.default_rng(2)
    sigma = np.where(np.arange(200) < 100, 1.0, 8.0)[None, :] * np.ones((120, 1))
    image = Image(100 + sigma * rng.standard_normal(sigma.shape), variance=sigma**2)
    for spec in ("nr:starlet", "nr:tv", "nr:diffusion", "nr:bilateral"):
        clean = step(spec)(image).data[0]
        for part in (np.s_[:, 20:80], np.s_[:, 120:180]):
            assert clean[part].std() < 0.5 * sigma[part].mean(), spec


def test_amount_mixes():
    image = noisy()
    for spec in ("nr:starlet", "nr:diffusion"):
        full, half = (step(spec, amount=a)(image).data for a in (1.0, 0.5))
        np.testing.assert_allclose(half, 0.5 * (full + image.data), rtol=1e-4)


def test_total_variation_is_that_of_scikit_image():
    plane = noisy().data[0][:60, :70].astype(np.float32)
    ours = np.empty_like(plane)
    least_variation(plane, np.ones((1, 1), np.float32), 8.0, 400, ours)
    theirs = denoise_tv_chambolle(plane, weight=8.0, eps=1e-9, max_num_iter=400)
    np.testing.assert_allclose(ours, theirs, atol=0.4)
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.1


def test_orthogonal_wavelets_are_those_of_scikit_image():
    rng = np.random.default_rng(1)
    plane = (rng.standard_normal((128, 128)) + 10 * (np.arange(128) > 64)).astype(np.float32)
    ours = step("nr:wavelet", sigma=1.0, noise="measured")(Image(plane)).data[0]
    theirs = denoise_wavelet(
        plane, sigma=1.0, wavelet="coif1", mode="soft", method="VisuShrink", rescale_sigma=False, wavelet_levels=4
    )
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.15


def test_anscombe_is_unbiased_both_ways():
    rng = np.random.default_rng(3)
    for mean in (1.0, 5.0, 40.0, 1000.0):
        counts = (rng.poisson(mean, 200_000) + rng.normal(0, 2.0, 200_000)) / GAIN
        level = stabilised(counts.astype(np.float32), GAIN, 2.0)
        back = unstabilised(np.array([level.mean()]), GAIN, 2.0)[0] * GAIN
        assert back == pytest.approx(mean, abs=0.05 + 0.005 * mean)
        if mean >= 5:
            assert level.std() == pytest.approx(1, abs=0.04)


def test_electrons_are_counts_of_their_own():
    light = truth()
    image = noisy(variance=False)
    electrons = image.replace(data=image.data * GAIN, unit=PixelUnit.ELECTRON)
    clean = step("nr:starlet", noise="anscombe")(electrons).data / GAIN
    assert error(image.replace(data=clean)) < 0.5
    assert light.min() > 0


def test_correlated_noise_is_found_out():
    rng = np.random.default_rng(4)
    smooth = gaussian_filter(rng.standard_normal((256, 256)), 0.7)
    image = Image(100 + smooth, variance=np.full(smooth.shape, smooth.var()))
    assert step("nr:starlet")(image).data.std() < 0.35 * smooth.std()


def test_missing_pixels_take_no_part():
    image = noisy()
    flags = image.flags.copy()
    flags[0, 50:60, 60:80] = Flag.NO_DATA
    for spec in ("nr:starlet", "nr:tv", "nr:bilateral", "nr:diffusion", "nr:nlmeans", "nr:wavelet"):
        results = []
        for value in (0.0, np.nan, 1e7):
            data = image.data.copy()
            data[0, 50:60, 60:80] = value
            results.append(step(spec)(image.replace(data=data, flags=flags)).data)
        outside = np.delete(results[0], np.s_[50:60], axis=1)
        for other in results[1:]:
            np.testing.assert_array_equal(outside, np.delete(other, np.s_[50:60], axis=1))


def test_stars_stay_between_steps_for_the_background():
    image, light = noisy(), truth()
    bright = np.unravel_index(light.argmax(), light.shape)
    for spec in ("nr:starlesstv", "nr:starlessdiffusion", "nr:starlessbilateral"):
        clean = step(spec)(image)
        assert clean.data[0][bright] == pytest.approx(image.data[0][bright], rel=1e-3)
