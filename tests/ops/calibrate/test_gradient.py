"""What all removals of gradients share: the level, masks, mosaics, division, the model itself."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Meta
from firstlight.ops.calibrate.debayer import pattern_of
from firstlight.ops.calibrate.nodes import Surface, node_places
from firstlight.ops.calibrate.surface import Cells
from firstlight.ops.spec import parse_step
from firstlight.pipeline.hands import hands

Y, X = np.mgrid[:240, :320].astype(float)
SLOPE = 60 * X / 320 + 40 * Y / 240
SMOOTH = ["localgradient", "polynomial", "samples", "multiscale", "envelope"]


def noisy(level=1000.0, seed=2, shape=X.shape):
    return level + np.random.default_rng(seed).normal(0, 5, shape)


def flatness(plane):
    """Range of the means of blocks of 40 x 40."""
    return float(np.ptp(plane.reshape(6, 40, 8, 40).mean(axis=(1, 3))))


@pytest.mark.parametrize("size", [1, 2, 7, 21, 94])
@pytest.mark.parametrize("holes", [False, True])
def test_medians_of_cells_are_exact(size, holes):
    rng = np.random.default_rng(size)
    plane = np.round(rng.normal(0, 3, (190, 230)), 1).astype(np.float32)
    plane[rng.random(plane.shape) < 0.02] += 1e4
    good = rng.random(plane.shape) < (0.6 if holes else 2)
    plane[20:30, 20:30] = np.nan
    cells = Cells.of(plane, good, size)
    tall, wide = 190 // (190 // size), 230 // (230 // size)
    every = tall * wide // 1000 | 1
    for j in range(190 // size):
        for i in range(230 // size):
            y, x = j * 190 // (190 // size), i * 230 // (230 // size)
            part = np.s_[y + (every - 1) // 2 : y + tall : every, x : x + wide]
            values = plane[part][good[part] & np.isfinite(plane[part])]
            truth = np.median(values.astype(float)) if values.size * 2 >= plane[part].size else np.nan
            assert cells.value[j, i] == truth or (np.isnan(truth) and np.isnan(cells.value[j, i]))


def test_a_surface_is_exact_for_parabolas_and_straight_beyond():
    for shape in ((50, 90), (3, 40), (1, 1)):
        ys, xs = node_places(shape, 7)
        y, x = np.mgrid[: shape[0], : shape[1]]
        line = Surface(2.0 * ys[:, None] - 3.0 * xs + 5, shape).at(np.arange(shape[0]))
        # Of an axis with a single node nothing is known but its level.
        truth = 2.0 * (y if len(ys) > 1 else ys[:, None]) - 3.0 * (x if len(xs) > 1 else xs[None]) + 5
        np.testing.assert_allclose(line, truth, atol=1e-4)
    ys, xs = node_places((60, 90), 6)
    bowl = Surface(0.01 * ys[:, None] ** 2 + 0.02 * ys[:, None] * xs, (60, 90)).at(np.arange(20, 40))
    y, x = np.mgrid[20:40, :90]
    np.testing.assert_allclose(bowl[:, 12:-12], (0.01 * y**2 + 0.02 * y * x)[:, 12:-12], atol=1e-3)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("cfa", ["RGGB", "GBRG"])
def test_a_mosaic_is_treated_colour_by_colour(name, cfa):
    own = pattern_of(cfa)[np.arange(240)[:, None] % 2, np.arange(320) % 2]
    level, slope = np.array([300.0, 900.0, 500.0])[own], np.array([0.5, 1.0, 2.0])[own]
    image = Image(noisy(0) + level + slope * SLOPE, meta=Meta(cfa=cfa))
    result = step(f"abr:{name}")(image)
    assert result.meta.cfa == cfa
    for colour in range(3):
        before, after = (np.where(own == colour, each.data[0], np.nan) for each in (image, result))
        assert np.nanmedian(after) == pytest.approx(np.nanmedian(before), abs=0.2)
        blocks = np.nanmean(after.reshape(6, 40, 8, 40), axis=(1, 3))
        assert np.ptp(blocks) < 3, f"colour {colour}"
        assert np.ptp(np.nanmean(before.reshape(6, 40, 8, 40), axis=(1, 3))) > 35


@pytest.mark.parametrize("name", SMOOTH)
def test_a_mask_protects_what_it_covers(name):
    """A glow as wide as a gradient, under a mask, keeps its light."""
    glow = 80 * np.exp(-((X - 90) ** 2 + (Y - 120) ** 2) / (2 * 35**2))
    image = Image(noisy() + SLOPE + glow)
    mask = Image((glow > 0.5).astype(float), unit=PixelUnit.NORMALISED)
    settings = {"samples": {}, "polynomial": {"degree": 1}}.get(name, {"scale": 128})
    kept = step(f"abr:{name}", **settings)(image, mask).data[0]
    away = glow < 0.5
    light = (kept - np.median(kept[away]))[~away].sum()
    assert light == pytest.approx(glow[~away].sum(), rel=0.04)
    assert flatness(np.where(away, kept, np.median(kept))) < 4
    with pytest.raises(InputError, match=rf"abr:{name}: the mask is 1 x 4 x 4, the image 1 x 240 x 320"):
        step(f"abr:{name}")(image, Image(np.ones((4, 4))))


@pytest.mark.parametrize("name", SMOOTH)
def test_the_model_is_what_is_taken(name):
    image = Image(noisy() + SLOPE, variance=np.full(X.shape, 25.0))
    model = step(f"abr:{name}", mode="model")(image)
    assert model.variance is None
    # The envelope lies below the sky: by its offset, and by what noise is left in the cells.
    assert float(np.median(model.data)) == pytest.approx(1050.0, abs=6 if name == "envelope" else 1)
    taken = step(f"abr:{name}")(image)
    difference = image.data - taken.data - model.data
    assert np.ptp(difference) < 0.01
    np.testing.assert_array_equal(taken.variance, image.variance)


def test_words_of_earlier_programs_are_taken_for_ours():
    for old, new in {"sub": "subtract", "div": "divide", "ldiv": "luminance", "set": "model"}.items():
        each = parse_step(f"abr:localgradient:mode={old}")
        assert each.params.mode == new
        assert f"mode={new}" in each.pinned()


def test_division_by_the_luminance_keeps_colours():
    falloff = 1 - 0.3 * (((X - 160) / 320) ** 2 + ((Y - 120) / 240) ** 2)
    colours = np.array([400.0, 1000.0, 700.0])[:, None, None]
    image = Image(colours * falloff, variance=colours * falloff**2)
    result = step("abr:polynomial", mode="luminance")(image)
    for before, after in zip(image.data, result.data):
        assert np.ptp(after) < 0.002 * after.mean()
        assert np.median(after) == pytest.approx(np.median(before), rel=1e-5)
    ratio = result.data / image.data
    np.testing.assert_allclose(ratio[0] / ratio[0].mean(), ratio[2] / ratio[2].mean(), rtol=1e-4)
    np.testing.assert_allclose(result.variance, result.variance.mean(axis=(1, 2), keepdims=True) + 0 * X, rtol=5e-3)


def test_nothing_is_clipped_and_pixels_without_data_stay():
    data = noisy(-100) + SLOPE
    flags = np.zeros(data.shape, np.uint16)
    flags[100:140, 100:140], data[100:140, 100:140] = Flag.NO_DATA, 1e6
    for name in SMOOTH:
        result = step(f"abr:{name}")(Image(data, flags))
        assert (result.data[0][flags == 0] < 0).any()
        np.testing.assert_array_equal(result.flags[0], flags)
        assert flatness(np.where(flags, np.median(result.data), result.data[0])) < 4


@pytest.mark.parametrize("name", [*SMOOTH, "uniform", "floor"])
@pytest.mark.parametrize("mode", ["subtract", "divide"])
@pytest.mark.parametrize("cfa", [None, "GRBG"])
def test_any_number_of_hands_gives_the_same_bytes(name, mode, cfa):
    if mode == "divide" and name in ("uniform", "floor"):
        mode = "model"
    shape = (603, 801) if cfa else (2, 603, 801)
    data = np.random.default_rng(4).normal(1000, 9, shape) + np.linspace(0, 90, 801)
    image = Image(data, variance=np.full(shape, 81.0), meta=Meta(cfa=cfa))
    image.flags[0, 100:140, 60:90] = Flag.NO_DATA
    alone = step(f"abr:{name}", mode=mode)(image)
    for threads in (2, 5):
        with hands(threads):
            other = step(f"abr:{name}", mode=mode)(image)
        np.testing.assert_array_equal(other.data, alone.data)
        if mode != "model":
            np.testing.assert_array_equal(other.variance, alone.variance)
