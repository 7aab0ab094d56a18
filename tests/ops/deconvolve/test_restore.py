"""Deconvolution against scenes whose sharp truth is known."""

import numpy as np
import pytest
from scipy.ndimage import convolve
from skimage.restoration import richardson_lucy as skimage_rl
from skimage.restoration import wiener as skimage_wiener

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.deconvolve.blur import Blur
from firstlight.ops.deconvolve.fourier import wiener
from firstlight.ops.deconvolve.richardson_lucy import Manner, Noise, richardson_lucy
from firstlight.ops.deconvolve.shapes import airy_kernel, box_kernel, gaussian_kernel, moffat_kernel
from firstlight.simulate.scene import random_field, render_stars

SHAPE = (160, 200)
SIGMA, GAIN, READ_NOISE = 1.6, 2.0, 4.0


def scene() -> np.ndarray:
    """A nebula with a sharp edge, and stars narrower than the blur."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    nebula = 150 * np.exp(-((x - 120) ** 2 + (y - 90) ** 2) / 1500.0) * (x + 0.5 * y > 140)
    rng = np.random.default_rng(4)
    sx, sy, flux = random_field(rng, 30, SHAPE, (1500, 6e4), 0.6, -20.0)
    return nebula + render_stars(SHAPE, sx, sy, flux, 1.2)


def blurred(noise: bool = True, kernel: np.ndarray | None = None, seed: int = 1) -> tuple[Image, np.ndarray]:
    truth = scene()
    light = 100 + Blur.of(gaussian_kernel(SIGMA) if kernel is None else kernel)(truth)
    variance = light / GAIN + (READ_NOISE / GAIN) ** 2
    data = light + noise * np.sqrt(variance) * np.random.default_rng(seed).standard_normal(SHAPE)
    meta = Meta(gain=GAIN, read_noise=READ_NOISE)
    return Image(data, variance=variance, meta=meta), truth


def error(image: Image, truth: np.ndarray) -> float:
    """Root mean square over the stars and the nebula, what is under the noise left out."""
    where = truth > 10
    return float(np.sqrt(np.mean((image.data[0] - 100 - truth)[where] ** 2)))


@pytest.mark.parametrize("method", ["rl", "wiener", "unsupervised", "bregman"])
def test_every_method_comes_nearer_to_the_truth(method):
    image, truth = blurred()
    sharp = step("sharp:gaussian", sigma=SIGMA, method=method)(image)
    assert error(sharp, truth) < {"rl": 0.7, "wiener": 0.98, "unsupervised": 0.8, "bregman": 0.85}[method] * error(
        image, truth
    )


@pytest.mark.parametrize(("aside", "noise"), [(4.0, True), (0.0, False), (0.0, True)])
def test_flux_stays(aside, noise):
    image, _ = blurred(noise)
    light = (image.data - 100).sum(dtype=float)

    def gained(**settings: float) -> float:
        sharp = step("sharp:gaussian", sigma=SIGMA, aside=aside, **settings)(image)
        return (sharp.data.sum(dtype=float) - image.data.sum(dtype=float)) / light

    assert abs(gained(dering=0)) < 2e-3
    # What fills a ring is taken from the star inside it.
    assert abs(gained()) < 2e-3
    assert abs(gained(method="wiener")) < 2e-3


def test_more_light_in_the_cores_and_no_rings():
    image, truth = blurred()
    sharp = step("sharp:gaussian", sigma=SIGMA, iterations=60, stop=False)(image)
    y, x = np.unravel_index(truth.argmax(), truth.shape)
    assert sharp.data[0, y, x] > 2 * image.data[0, y, x]
    sky = np.sqrt(image.variance.min())
    around = np.hypot(*(np.mgrid[: SHAPE[0], : SHAPE[1]] - np.array([y, x])[:, None, None])) < 12
    assert sharp.data[0][around].min() > 100 - 5 * sky


def test_the_noise_of_the_sky_stays_as_it_was():
    rng = np.random.default_rng(7)
    sky = Image(rng.normal(100, 5, (120, 120)), variance=np.full((120, 120), 25.0))
    sharp = step("sharp:gaussian", sigma=1.5, iterations=50, stop=False)(sky)
    assert sharp.data.std() == pytest.approx(5, rel=0.05)
    worms = step("sharp:gaussian", sigma=1.5, iterations=50, stop=False, aside=0, smoothness=0)(sky)
    assert worms.data.std() > 7


def test_iterations_are_those_of_scikit_image():
    truth = scene().astype(np.float32) + 5
    kernel = gaussian_kernel(SIGMA)
    blur = Blur.of(kernel)
    data = blur(truth)
    ours = richardson_lucy(data, blur, Noise(1.0, 0.0), Manner(15))
    assert ours.iterations == 15
    # The same start as ours: scikit-image begins with a flat picture.
    estimate = data.astype(np.float64)
    for _ in range(15):
        ratio = data / convolve(estimate, blur.kernel, mode="mirror")
        estimate = estimate * convolve(ratio, blur.kernel, mode="mirror")
    inner = np.s_[20:-20, 20:-20]
    np.testing.assert_allclose(ours.plane[inner], estimate[inner], rtol=2e-3)
    far = skimage_rl(data.astype(np.float64) / 1e5, kernel, 60, clip=False) * 1e5
    near = richardson_lucy(data, blur, Noise(1.0, 0.0), Manner(60)).plane
    assert np.sqrt(np.mean((near - truth)[inner] ** 2)) < 1.1 * np.sqrt(np.mean((far - truth)[inner] ** 2))


def test_wiener_is_that_of_scikit_image():
    data = Blur.of(gaussian_kernel(SIGMA))(scene())
    ours = wiener(data, Blur.of(gaussian_kernel(SIGMA)), 0.01)
    theirs = skimage_wiener(data.astype(np.float64), Blur.of(gaussian_kernel(SIGMA)).kernel, 0.01, clip=False)
    inner = np.s_[24:-24, 24:-24]
    np.testing.assert_allclose(ours[inner], theirs[inner], atol=2e-3 * np.ptp(data))


def test_it_stops_by_itself_and_says_why():
    image, _ = blurred(noise=True)
    light = image.data[0] - 90
    blur = Blur.of(gaussian_kernel(SIGMA))
    noise = Noise(float(image.variance.min()), 1 / GAIN)
    early = richardson_lucy(light, blur, noise, Manner(500, stop=True))
    assert early.iterations < 200
    assert early.misfit < 1.3
    assert richardson_lucy(light, blur, noise, Manner(40)).iterations == 40


def test_smoothness_and_damping_quieten_the_noise():
    rng = np.random.default_rng(3)
    flat = (50 + 5 * rng.standard_normal((100, 100))).astype(np.float32)
    blur = Blur.of(gaussian_kernel(1.5))

    def spread(**changes: float) -> float:
        settings = {"smoothness": 0.0, "damping": 0.0} | changes
        return float(richardson_lucy(flat, blur, Noise(25.0, 0.0), Manner(40, **settings)).plane.std())

    assert spread(smoothness=0.02) < 0.9 * spread()
    assert spread(damping=3.0) < 0.6 * spread()


def test_full_cores_keep_the_original_in_all_channels():
    image, truth = blurred()
    limit = 1500.0
    data = np.minimum(np.stack([image.data[0], 0.5 * image.data[0]]), limit)
    star = Image(data, meta=Meta(saturation=limit))
    sharp = step("sharp:gaussian", sigma=SIGMA)(star)
    y, x = np.unravel_index(truth.argmax(), truth.shape)
    np.testing.assert_array_equal(sharp.data[:, y - 2 : y + 3, x - 2 : x + 3], data[:, y - 2 : y + 3, x - 2 : x + 3])
    free = step("sharp:gaussian", sigma=SIGMA, protect_full=1.1)(star)
    assert free.data[1, y, x] > 1.5 * data[1, y, x]


def test_only_stars_or_only_what_lies_between():
    image, truth = blurred()
    y, x = np.unravel_index(truth.argmax(), truth.shape)
    stars = step("sharp:gaussian", sigma=SIGMA, target="stars")(image)
    between = step("sharp:gaussian", sigma=SIGMA, target="background")(image)
    assert stars.data[0, y, x] > 1.5 * image.data[0, y, x]
    assert between.data[0, y, x] == pytest.approx(image.data[0, y, x], rel=0.1)
    edge = (truth > 30) & (truth < 160)

    def changed(sharp: Image) -> float:
        return float(np.median(np.abs(sharp.data[0] - image.data[0])[edge]))

    assert changed(between) > 3 * changed(stars)


def test_by_its_own_stars_and_by_a_sample():
    rng = np.random.default_rng(5)
    x, y, flux = random_field(rng, 60, (260, 300), (8e3, 2e5), 0.6, -15.0)
    data = 100 + render_stars((260, 300), x, y, flux, 3.4, beta=3.5, ellipticity=0.15, angle=30.0)
    image = Image(data + rng.normal(0, 3, data.shape))
    sharp = step("sharp:stars")(image)
    before, after = (step("extract:background", size=16)(i).data for i in (image, sharp))
    assert (sharp.data - after).max() > 2 * (image.data - before).max()
    brightest = int(flux.argmax())
    place = {"x": round(x[brightest]), "y": round(y[brightest]), "size": 21}
    sampled = step("sharp:deconvolution", **place)(image, image)
    row, column = place["y"], place["x"]
    assert sampled.data[0, row, column] > 2 * image.data[0, row, column]


def test_what_cannot_be_used_is_said():
    nothing = Image(np.zeros((21, 21)))
    with pytest.raises(InputError, match="no star"):
        step("sharp:deconvolution", x=10, y=10)(blurred()[0], nothing)
    with pytest.raises(InputError, match="no pixel"):
        step("sharp:deconvolution", x=90)(blurred()[0], nothing)
    with pytest.raises(InputError, match="px wide"):
        step("sharp:gaussian", sigma=10)(Image(np.random.default_rng(1).normal(size=(15, 15))))
    with pytest.raises(InputError, match="linear"):
        step("sharp:stars")(step("stretch:midtones")(blurred()[0]))


def test_holes_take_no_part():
    image, _ = blurred()
    flags = image.flags.copy()
    flags[0, 40:46, 50:60] = Flag.NO_DATA
    wild = image.data.copy()
    wild[0, 40:46, 50:60] = 1e7
    one = step("sharp:gaussian")(image.replace(flags=flags))
    other = step("sharp:gaussian")(image.replace(flags=flags, data=wild))
    np.testing.assert_array_equal(np.delete(one.data, np.s_[40:46], 1), np.delete(other.data, np.s_[40:46], 1))


def test_kernels_hold_what_they_say():
    for kernel in (gaussian_kernel(2.0), moffat_kernel(3.0, 3.0), airy_kernel(2.0, 0.3, 0.5), box_kernel(2.0)):
        assert kernel.shape[0] == kernel.shape[1]
        assert kernel.shape[0] % 2 == 1
        assert kernel.sum() == pytest.approx(1)
        np.testing.assert_allclose(kernel, kernel.T, atol=1e-12)
    at = np.arange(-13, 14)
    width = np.sqrt((gaussian_kernel(3.0) * at[:, None] ** 2).sum())
    assert width == pytest.approx(np.hypot(3.0, np.sqrt(1 / 12)), rel=0.01)
    line = airy_kernel(4.0, 0.0, 0.0)[:, 24]
    assert 24 + np.argmin(line[24:30]) == 28


def test_old_spellings_still_work():
    from firstlight.ops.spec import parse_step

    assert parse_step("sharp:sampled_deconvolution").operation.id == "sharp:stars"
    assert parse_step("sharp:double_gaussian_deconvolution:sigma=2").operation.id == "sharp:doublegaussian"


def test_corners_become_rounder_and_nearly_as_sharp_as_the_middle():
    """Stars that are the longer and wider the further from the middle they stand, as under a field curvature."""
    height, width = 1100, 1300
    rng = np.random.default_rng(3)
    x, y, flux = random_field(rng, 420, (height, width), (2e4, 4e5), 0.6, 25.0)
    away = np.hypot(x - width / 2, y - height / 2) / np.hypot(width / 2, height / 2)
    angle = np.degrees(np.arctan2(y - height / 2, x - width / 2))
    light = render_stars(
        (height, width), x, y, flux, 3.6 + 1.2 * away**2, beta=3.5, ellipticity=0.3 * away**2, angle=angle
    )
    image = Image(100 + light + rng.normal(0, 3, light.shape))

    def look(image: Image, part: np.ndarray) -> tuple[float, float]:
        """Median width (root of the mean second moment, px) and length over width of bright stars."""
        plane, found = image.data[0] - 100, []
        offsets = np.arange(-7, 8)
        bell = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 2.5**2))
        for a, b in zip(x[part], y[part]):
            i, j = round(a), round(b)
            cut = plane[j - 7 : j + 8, i - 7 : i + 8] * bell
            u, v = offsets[None, :] - (a - i), offsets[:, None] - (b - j)
            moments = np.array([[(cut * p * q).sum() for p in (u, v)] for q in (u, v)]) / cut.sum()
            small, large = np.linalg.eigvalsh(moments)
            found.append((np.sqrt(0.5 * (small + large)), np.sqrt(large / small)))
        return tuple(np.median(found, axis=0))

    bright = (flux > 6e4) & (x > 9) & (y > 9) & (x < width - 10) & (y < height - 10)
    middle, corners = bright & (away < 0.3), bright & (away > 0.75)
    one, each = step("sharp:stars", follow=False)(image), step("sharp:stars")(image)
    width_before, length_before = look(image, corners)
    (wide, long), (width, length) = look(one, corners), look(each, corners)
    core = look(each, middle)[0]
    # One kernel for all sharpens what is not round to something longer still.
    assert length_before > 1.1
    assert length - 1 < 0.55 * (long - 1)
    assert width < 0.6 * width_before
    assert width - core < 0.55 * (wide - look(one, middle)[0])
    light = (image.data - 100).sum(dtype=float)
    assert abs(each.data.sum(dtype=float) - image.data.sum(dtype=float)) < 2e-3 * light
