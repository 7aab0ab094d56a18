"""Bias, dark and flat: what was put on comes off again, and nothing is corrected twice."""

import numpy as np
import pytest

from firstlight import apply, step
from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Kind, Meta

SHAPE = (1, 48, 64)
EXPOSURE = 120.0


@pytest.fixture(scope="module")
def truth():
    """Noise-free detector: sky with stars, flat, dark current, bias; exact in float64."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    sky = (
        200.0 + 0.5 * x + sum(5000 * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 6) for a, b in rng.uniform(5, 45, (8, 2)))
    )
    flat = 1.0 - 0.3 * ((x - 30) ** 2 + (y - 20) ** 2) / 2500 + 0.01 * rng.standard_normal(SHAPE[1:])
    flat /= flat.mean()
    dark_rate = 0.05 + 0.02 * rng.random(SHAPE[1:])
    dark_rate[10, 10] = 20.0
    bias = 500 + rng.standard_normal(SHAPE[1:])
    return {"sky": sky, "flat": flat, "dark": dark_rate, "bias": bias}


def masters(truth, exposure=EXPOSURE):
    bias = Image(truth["bias"], meta=Meta(kind=Kind.MASTER_BIAS))
    full = Image(truth["bias"] + exposure * truth["dark"], meta=Meta(kind=Kind.MASTER_DARK, exposure=exposure))
    bare = Image(
        exposure * truth["dark"],
        meta=Meta(kind=Kind.MASTER_DARK, exposure=exposure, calibrated=frozenset({"bias"})),
    )
    flat = Image(truth["flat"], meta=Meta(kind=Kind.MASTER_FLAT), unit=PixelUnit.NORMALISED)
    return bias, full, bare, flat


def raw(truth):
    data = truth["sky"] * truth["flat"] + EXPOSURE * truth["dark"] + truth["bias"]
    return Image(data, meta=Meta(exposure=EXPOSURE, kind=Kind.LIGHT, saturation=65535.0))


def test_true_masters_recover_the_sky(truth):
    bias, full, bare, flat = masters(truth)
    by_dark = step("cal:divideflat")(step("cal:subtractdark")(raw(truth), full), flat)
    by_bias = step("cal:subtractdark")(step("cal:subtractbias")(raw(truth), bias), bare)
    by_bias = step("cal:divideflat")(by_bias, flat)
    for image in (by_dark, by_bias):
        # The hot pixel holds 2400 adu of dark: float32 leaves 2e-4 adu of it.
        np.testing.assert_allclose(image.data[0], truth["sky"], rtol=1e-5)
        assert image.meta.calibrated == {"bias", "dark", "flat"}
        assert 65000 < image.meta.saturation < 65536 - 500


def test_a_dark_of_another_exposure_is_scaled(truth):
    bias, _, bare, _ = masters(truth, exposure=300.0)
    light = step("cal:subtractbias")(raw(truth), bias)
    image = step("cal:subtractdark", scale_exposure=True)(light, bare)
    np.testing.assert_allclose(image.data[0], truth["sky"] * truth["flat"], rtol=1e-5)


def test_a_flat_in_adu_is_normalised_by_cfa_colour():
    cell = np.tile([[1.0, 2.0], [2.0, 0.5]], (8, 8))
    light, flat = (Image(k * cell, meta=Meta(cfa="RGGB")) for k in (100, 30000))
    assert np.unique(step("cal:divideflat")(light, flat).data).tolist() == [50, 100, 200]


def test_flags_of_masters_pass_on(truth):
    bias, *_, flat = masters(truth)
    flags = np.zeros(SHAPE, np.uint16)
    flags[0, 3, 4], flags[0, 3, 5] = Flag.HOT, Flag.SATURATED
    result = step("cal:subtractbias")(raw(truth), bias.replace(flags=flags))
    assert np.argwhere(result.flags).tolist() == [[0, 3, 4]]
    dead = flat.data.copy()
    dead[0, 5, 6] = 0
    light = raw(truth)
    result = step("cal:divideflat")(light, flat.replace(data=dead))
    assert result.flags[0, 5, 6] == Flag.NO_DATA
    assert result.data[0, 5, 6] == light.data[0, 5, 6]


@pytest.mark.parametrize(
    ("name", "light", "master", "words"),
    [
        ("cal:subtractbias", Meta(calibrated=frozenset({"bias"})), Meta(), "corrected already"),
        ("cal:subtractbias", Meta(), Meta(kind=Kind.MASTER_DARK), "given as bias is a master dark"),
        ("cal:subtractdark", Meta(calibrated=frozenset({"bias"})), Meta(), "still holds its own"),
        ("cal:subtractdark:scale_exposure=true", Meta(exposure=1), Meta(exposure=2), "still holds its bias"),
        (
            "cal:subtractdark:scale_exposure=true",
            Meta(exposure=1),
            Meta(calibrated=frozenset({"bias"})),
            "exposure of the dark is not known",
        ),
        ("cal:divideflat", Meta(cfa="RGGB"), Meta(cfa="BGGR"), "CFA pattern RGGB, the flat BGGR"),
        ("cal:divideflat", Meta(), Meta(binning=(2, 2)), "binning"),
    ],
)
def test_what_does_not_fit_is_refused(name, light, master, words):
    from firstlight.ops.spec import parse_step

    with pytest.raises(InputError, match=words):
        parse_step(name)(Image(np.ones((4, 4)), meta=light), Image(np.ones((4, 4)), meta=master))


def test_another_shape_is_refused():
    with pytest.raises(InputError, match="1 x 4 x 4, the bias is 1 x 4 x 5"):
        step("cal:subtractbias")(Image(np.ones((4, 4))), Image(np.ones((4, 5))))


def test_noise_of_a_calibrated_frame_is_what_the_variance_says(truth):
    """A2: the scatter of calibrated noisy raw frames over the claim, from the detector's gain and read noise."""
    gain, read_noise, n = 1.7, 6.0, 60
    rng = np.random.default_rng(3)
    _, full, _, flat = masters(truth)
    signal = truth["sky"] * truth["flat"] + EXPOSURE * truth["dark"]
    pulls, dark_noise = [], 2.0
    for _ in range(n):
        counts = rng.poisson(signal * gain) / gain + rng.normal(0, read_noise / gain, SHAPE[1:])
        light = Image(counts + truth["bias"], meta=Meta(gain=gain, read_noise=read_noise))
        noisy_dark = full.data + np.float32(dark_noise) * rng.standard_normal(SHAPE, dtype=np.float32)
        dark = full.replace(data=noisy_dark, variance=np.full(SHAPE, dark_noise**2))
        light = step("cal:noisemodel", bias=500)(light)
        image = step("cal:divideflat")(step("cal:subtractdark")(light, dark), flat)
        pulls.append((image.data[0] - truth["sky"]) / np.sqrt(image.variance[0]))
    assert np.std(pulls) == pytest.approx(1.0, abs=0.02)


def test_noise_model_asks_for_what_is_missing():
    with pytest.raises(InputError, match=r"does not give the read_noise; write it: read_noise=\.\.\. \(e-\)"):
        apply(Image([[1.0]], meta=Meta(gain=1.0)), "cal:noisemodel")
