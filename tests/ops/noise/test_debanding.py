"""Bands of known strength, and the two-dimensional filter that debanding claims to be."""

import numpy as np
import pytest

from firstlight import step
from firstlight.model.image import Image
from firstlight.simulate.scene import random_field, render_stars

SHAPE = (512, 400)


def banded(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = np.fft.rfft(rng.normal(0, 4, SHAPE[0]))
    rows[:90] = 0
    bands = np.fft.irfft(rows, SHAPE[0])[:, None]
    sky = 200 + 0.05 * np.arange(SHAPE[1])[None, :] + rng.normal(0, 3, SHAPE)
    return sky, bands


def test_bands_go_and_stars_stay():
    sky, bands = banded()
    rng = np.random.default_rng(2)
    stars = render_stars(SHAPE, *random_field(rng, 200, SHAPE, (500, 1e5)), 3.0)
    for spec in ("nr:debanding:mask=3", "nr:starlessdebanding:mask=3"):
        from firstlight.ops.spec import parse_step

        clean = parse_step(spec)(Image(sky + bands + stars)).data[0]
        left = (clean - sky - stars).mean(axis=1)
        assert left.std() < 0.2 * bands.std(), spec
        peak = np.unravel_index(stars.argmax(), SHAPE)
        assert clean[peak] == pytest.approx((sky + bands + stars)[peak], rel=0.01)


def test_it_is_the_filter_of_the_plane_spectrum():
    sky, bands = banded()
    plane = (sky + bands).astype(np.float32)
    clean = step("nr:debanding", mask=100)(Image(plane)).data[0]
    spectrum = np.fft.fft2(plane.astype(np.float64))
    ky = np.abs(np.fft.fftfreq(SHAPE[0], 1 / SHAPE[0]))
    kx = np.abs(np.fft.fftfreq(SHAPE[1], 1 / SHAPE[1]))
    spectrum[ky >= 80, 0] = 0
    spectrum[0, kx >= 80] = 0
    np.testing.assert_allclose(clean, np.fft.ifft2(spectrum).real, atol=1e-3)


def test_direction_and_tiles():
    sky, bands = banded()
    along = step("nr:debanding", direction="columns")(Image(sky + bands)).data[0]
    assert (along - sky).mean(axis=1).std() > 0.9 * bands.std()
    half = bands * (np.arange(SHAPE[1]) < 200)[None, :]
    whole = step("nr:debanding", direction="rows")(Image(sky + half)).data[0] - sky
    tiled = step("nr:debanding", direction="rows", tile=128, hipass=20)(Image(sky + half)).data[0] - sky
    assert tiled[:, 20:150].mean(axis=1).std() < 0.5 * whole[:, 20:150].mean(axis=1).std()


def test_bands_that_are_a_share_of_the_light():
    rng = np.random.default_rng(3)
    gain = 1 + 0.02 * np.where(np.arange(SHAPE[0]) % 2, 1, -1)[:, None]
    light = np.linspace(200, 1000, SHAPE[1])[None, :] * np.ones((SHAPE[0], 1))
    image = Image(gain * light + rng.normal(0, 2, SHAPE))
    clean = step("nr:flatdebanding", envelope=16.0)(image).data[0]
    rest = (clean / light)[::2].mean(axis=0) - (clean / light)[1::2].mean(axis=0)
    assert np.abs(rest).max() < 0.004
    plain = step("nr:debanding")(image).data[0]
    assert np.abs((plain / light)[::2].mean(axis=0) - (plain / light)[1::2].mean(axis=0)).max() > 0.02
