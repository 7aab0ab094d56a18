"""Drizzle against the truth, and against the implementation of the Space Telescope Science Institute."""

import itertools

import drizzle.resample as stsci
import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage
from scipy.special import erf

from firstlight.kernels import drizzle as kernels
from firstlight.model.flags import Flag, has
from firstlight.model.registration import Transform
from firstlight.ops.align.resample import resample_tile
from firstlight.ops.stack.drizzle import Canvas, Drizzle, noise_ratio

SHAPE = (48, 56)
SKY = 200.0


def turned(degrees, x, y, scale=1.0):
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return Transform(np.array([[c, -s, x], [s, c, y], [0, 0, 1.0]]))


def even_dithers(n, off=(3.0, 5.0)):
    """n x n shifts by n-ths of a pixel."""
    return [Transform.of_shift(off[0] + i / n, off[1] + j / n) for i, j in itertools.product(range(n), range(n))]


def random_dithers(n, seed=0, degrees=0.0):
    rng = np.random.default_rng(seed)
    return [turned(rng.uniform(-degrees, degrees), *rng.uniform(-3, 3, 2)) for _ in range(n)]


def frame_of(stars, transform, shape=SHAPE, sigma=0.9):
    """Gaussian stars (x, y on the reference; flux), integrated over the pixels of a shifted frame."""
    ys, xs = (np.arange(n, dtype=float) for n in shape)
    light = np.full(shape, SKY)
    for x, y, flux in stars:
        ((fx, fy),) = transform.inverse(np.array([[x, y]]))
        edges = [erf((np.append(c, c[-1] + 1) - 0.5 - f) / (sigma * np.sqrt(2))) / 2 for c, f in ((ys, fy), (xs, fx))]
        light += flux * np.outer(np.diff(edges[0]), np.diff(edges[1]))
    return light.astype(np.float32)


def drizzled(frames, transforms, drizzle, *, weights=None, variances=None, states=None, shape=SHAPE):
    height, width = drizzle.size(*shape)
    canvas = Canvas(1, (0, height, 0, width), drizzle, len(frames))
    for i, (frame, transform) in enumerate(zip(frames, transforms)):
        canvas.add(
            frame, transform.then(drizzle.zoom), weight=1.0 if weights is None else weights[i],
            variances=0.0 if variances is None else variances[i], states=None if states is None else states[i],
        )  # fmt: skip
    return canvas.finish()


def theirs(frames, transforms, drizzle, *, weights, variances):
    size = drizzle.size(*SHAPE)
    out = stsci.Drizzle(
        kernel=drizzle.kernel, out_shape=size, fillval=0.0, out_img2=[np.zeros(size, np.float32)], fillval2=0.0
    )
    ys, xs = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for frame, transform, weight, variance in zip(frames, transforms, weights, variances):
        at = transform.then(drizzle.zoom)(np.column_stack([xs.ravel(), ys.ravel()])).reshape(*SHAPE, 2)
        out.add_image(
            frame, 1.0, at, data2=[variance], weight_map=np.full(SHAPE, weight, np.float32), pixfrac=drizzle.pixfrac,
            pixel_scale_ratio=1 / drizzle.scale, in_units="cps",
        )  # fmt: skip
    return out


@pytest.mark.parametrize("degrees", [0.0, 9.0])
@pytest.mark.parametrize("scale", [1, 1.5, 2, 3])
@pytest.mark.parametrize("pixfrac", [1.0, 0.7, 0.4])
@pytest.mark.parametrize("kernel", ["square", "turbo", "point"])
def test_agrees_with_stsci(kernel, pixfrac, scale, degrees):
    drizzle = Drizzle(scale=scale, pixfrac=pixfrac, kernel=kernel, context=True)
    rng = np.random.default_rng(1)
    moves = random_dithers(5, 2, degrees)
    frames = [rng.normal(SKY, 20, SHAPE).astype(np.float32) for _ in moves]
    variances = [rng.uniform(100, 500, SHAPE).astype(np.float32) for _ in moves]
    weights = rng.uniform(0.5, 2, len(moves))
    ours = drizzled(frames, moves, drizzle, weights=weights, variances=variances)
    their = theirs(frames, moves, drizzle, weights=weights, variances=variances)
    # At the edges of their frames the positions of corners are guessed; and a share of theirs may be rounding.
    seen = np.zeros(ours.mean.shape[1:], bool)
    seen[6 * round(scale) : -6 * round(scale), 6 * round(scale) : -6 * round(scale)] = True
    if degrees:
        seen &= np.hypot(*(np.indices(seen.shape) - np.array(seen.shape)[:, None, None] / 2)) < 15 * scale
    solid = seen & (ours.weight[0] > 0.05 * np.median(ours.weight[0]))
    np.testing.assert_allclose(ours.mean[0][solid], their.out_img[solid], rtol=1e-4)
    np.testing.assert_allclose(ours.variance[0][solid], their.out_img2[0][solid], rtol=2e-4)
    # Theirs weigh a drop by its area in input pixels, or by 1; ours always by 1.
    ratio = ours.weight[0][solid] / their.out_wht[solid]
    assert np.ptp(ratio) < 2e-4 * np.median(ratio)
    context = np.atleast_3d(their.out_ctx.reshape(-1, *seen.shape))[0].astype(np.uint32)
    different = (context != ours.context[0, 0]) & seen
    assert different.mean() < 2e-3
    np.testing.assert_array_equal(np.bitwise_count(ours.context[0, 0]), ours.coverage[0])


COVERS_EVENLY = {1: (2, 0.25), 1.5: (3, 0.0), 2: (4, 0.125), 3: (6, 0.5 / 6)}
"""Dithers an axis, and the first, with which every pixel of the result gets the same light, and as much from the left
as from the right."""


@pytest.mark.parametrize("scale", COVERS_EVENLY)
@pytest.mark.parametrize("pixfrac", [1.0, 0.6, 0.3])
@pytest.mark.parametrize("kernel", ["square", "turbo", "point"])
def test_keeps_flux_place_and_brightness(kernel, pixfrac, scale):
    drizzle = Drizzle(scale=scale, pixfrac=pixfrac, kernel=kernel)
    star = (27.3, 25.6, 50_000.0)
    n, first = COVERS_EVENLY[scale]
    moves = even_dithers(n, (first, first))
    result = drizzled([frame_of([star], move) for move in moves], moves, drizzle)
    inner = np.s_[3 * round(scale) : -3 * round(scale), 3 * round(scale) : -3 * round(scale)]
    assert not has(result.flags[0][inner], Flag.NO_DATA).any()
    light = result.mean[0][inner].astype(float) - SKY
    assert light.sum() / scale**2 == pytest.approx(star[2], rel=1e-4)
    ys, xs = np.indices(result.mean[0].shape)
    x, y = ((light * c[inner]).sum() / light.sum() for c in (xs, ys))
    (wanted,) = drizzle.zoom(np.array([star[:2]]))
    assert np.hypot(x - wanted[0], y - wanted[1]) < 1e-3 * scale
    corner = result.mean[0][inner][:20, :20]
    np.testing.assert_allclose(corner, SKY, rtol=1e-6)


@pytest.mark.parametrize("pixfrac", [1.0, 0.5])
@pytest.mark.parametrize("kernel", ["square", "turbo", "point"])
def test_weighted_sum_is_the_light_that_fell(kernel, pixfrac):
    drizzle = Drizzle(scale=2, pixfrac=pixfrac, kernel=kernel)
    moves = [turned(20, 16, -2, 0.7), turned(-8, 5, 9, 0.8)]
    frames = [np.random.default_rng(i).normal(SKY, 20, SHAPE).astype(np.float32) for i in range(2)]
    for frame in frames:
        frame[:8] = frame[-8:] = frame[:, :8] = frame[:, -8:] = 0
    result = drizzled(frames, moves, drizzle, weights=[1.0, 3.0])
    wanted = frames[0].sum(dtype=float) + 3 * frames[1].sum(dtype=float)
    assert (result.mean * result.weight).sum() == pytest.approx(wanted, rel=1e-6)


def width_in_squares(plane):
    """Of the only star: second moment, px of the plane."""
    light = plane.astype(float) - SKY
    total = light.sum()
    return np.mean([(light * (c - (light * c).sum() / total) ** 2).sum() / total for c in np.indices(light.shape)])


def width_at_peak(plane):
    """FWHM of a Gaussian that has the flux of the only star, and its peak."""
    light = plane.astype(float) - SKY
    y, x = np.unravel_index(light.argmax(), light.shape)
    peak = ndimage.zoom(light[y - 8 : y + 9, x - 8 : x + 9], 8, order=3).max()
    return 2.3548 * np.sqrt(light.sum() / (2 * np.pi * peak))


def test_undersampled_stars_come_out_as_sharp_as_their_drops():
    """A star of 1.2 px FWHM, 16 dithers to twice the scale: 1.49 px with half drops, 1.51 resampled, 1.6 whole ones."""
    sigma = 1.2 / 2.3548
    moves = even_dithers(4, (0.125, 0.125))
    frames = [frame_of([(27.3, 25.6, 50_000.0)], move, sigma=sigma) for move in moves]
    width = {}
    inner = np.s_[6:-6, 6:-6]
    for pixfrac in (0.5, 1.0):
        plane = drizzled(frames, moves, Drizzle(scale=2, pixfrac=pixfrac)).mean[0][inner]
        # The squares of the widths of the star, the pixel, the drop and the pixel of the result add up.
        wanted = 4 * (sigma**2 + (1 + pixfrac**2 + 0.5**2) / 12)
        assert width_in_squares(plane) == pytest.approx(wanted, rel=0.02)
        width[pixfrac] = width_at_peak(plane) / 2
    resampled = np.zeros(Drizzle(scale=2).size(*SHAPE))
    for frame, move in zip(frames, moves):
        out = np.empty(resampled.shape, np.float32)
        resample_tile(frame, 0, SHAPE, move.then(Drizzle(scale=2).zoom), out, 0, 0)
        resampled += np.nan_to_num(out, nan=SKY) / len(moves)
    lanczos = width_at_peak(resampled[inner]) / 2
    assert width[0.5] < lanczos
    assert lanczos < width[1.0] < 1.08 * lanczos


@pytest.mark.parametrize(("kernel", "pixfrac"), [("square", 1.0), ("square", 0.6), ("turbo", 0.8), ("point", 0.5)])
def test_variance_is_the_scatter(kernel, pixfrac):
    drizzle = Drizzle(scale=1.5, pixfrac=pixfrac, kernel=kernel)
    moves = random_dithers(9, 4, 3.0)
    rng = np.random.default_rng(5)
    variances = [rng.uniform(20, 200, SHAPE).astype(np.float32) for _ in moves]
    weights = rng.uniform(0.5, 2, len(moves))
    runs = []
    for _ in range(200):
        frames = [rng.standard_normal(SHAPE, np.float32) * np.sqrt(v) for v in variances]
        runs.append(drizzled(frames, moves, drizzle, weights=weights, variances=variances))
    claim = runs[0].variance[0]
    scatter = np.var([run.mean[0] for run in runs], axis=0, ddof=1)
    known = runs[0].weight[0] > 0
    assert (scatter[known] / claim[known]).mean() == pytest.approx(1.0, abs=0.03)
    assert np.corrcoef(scatter[known], claim[known])[0, 1] > 0.9


@pytest.mark.parametrize(("scale", "pixfrac"), [(1, 1.0), (1, 0.5), (2, 1.0), (2, 0.6)])
def test_ratio_of_correlated_noise(scale, pixfrac):
    """Scatter of the means of large blocks, for many dithers, over what the pixels promise."""
    drizzle = Drizzle(scale=scale, pixfrac=pixfrac)
    shape, side = (96, 96), 20 * scale
    rng = np.random.default_rng(6)
    moves = [Transform.of_shift(*rng.uniform(-1, 1, 2)) for _ in range(60)]
    ratios = []
    for _ in range(12):
        frames = [rng.standard_normal(shape, np.float32) for _ in moves]
        plane = drizzled(frames, moves, drizzle, variances=np.ones(len(moves)), shape=shape).mean[0]
        plane = plane[4 * scale : -12 * scale, 4 * scale : -12 * scale]
        blocks = plane.reshape(4, side, 4, side).mean(axis=(1, 3))
        ratios.append(np.mean(blocks**2) * side**2 / np.mean(plane**2))
    # At the edges of a block a part of what its pixels share lies outside.
    edge = (1 - max(pixfrac, 1 / scale) / (3 * 20)) ** 2
    assert np.sqrt(np.mean(ratios) / edge) == pytest.approx(noise_ratio(pixfrac, scale), rel=0.08)


def test_flags_and_holes():
    drizzle = Drizzle(scale=2, pixfrac=0.5)
    frames = [np.full((4, 4), SKY, np.float32)] * 2
    states = [np.zeros((4, 4), np.uint8) for _ in frames]
    states[0][1, 1] = kernels.SATURATED_BIT
    states[1][1, 1] = kernels.MISSING
    states[0][2, 2] = kernels.TOO_HIGH
    states[1][2, 2] = kernels.TOO_LOW
    states[0][3, 3] = states[1][3, 3] = kernels.MISSING
    moves = [Transform.of_shift(0.25, 0.25)] * 2
    result = drizzled(frames, moves, drizzle, states=states, shape=(4, 4), variances=[9.0, 9.0])
    # Drops of half a pixel, a quarter to the lower right: one pixel of the finer grid each.
    fell = np.zeros((8, 8), int)
    fell[1::2, 1::2] = 2
    fell[3, 3] = 1
    fell[5, 5] = fell[7, 7] = 0
    np.testing.assert_array_equal(result.coverage[0], fell)
    np.testing.assert_array_equal(has(result.flags[0], Flag.NO_DATA), fell == 0)
    assert (result.flags[0, 3, 3], result.flags[0, 1, 1]) == (Flag.SATURATED, 0)
    assert (result.rejected_high[0, 5, 5], result.rejected_low[0, 5, 5]) == (1, 1)
    assert result.rejected_high.sum() == result.rejected_low.sum() == 1
    np.testing.assert_array_equal(result.mean[0][fell > 0], np.float32(SKY))
    np.testing.assert_array_equal(result.variance[0][fell > 0], 9 / fell[fell > 0])
    assert (result.mean[0][fell == 0] == 0).all()


def test_context_of_many_frames():
    drizzle = Drizzle(scale=1, context=True)
    n = 70
    canvas = Canvas(1, (0, 4, 0, n + 3), drizzle, n)
    for i in range(n):
        if i == 40:
            canvas.skip()
            continue
        canvas.add(np.ones((4, 2), np.float32), Transform.of_shift(i, 0))
    context = canvas.finish().context
    assert context.shape == (1, 3, 4, n + 3)
    for i in range(n):
        seen = (context[0, i // 32, 0] >> np.uint32(i % 32)) & 1
        assert np.flatnonzero(seen).tolist() == ([] if i == 40 else [i, i + 1])


def test_of_settings():
    for words, said in (
        ({"scale": 0.5}, "bin the stack"),
        ({"scale": 5}, "less than or equal to 4"),
        ({"scale": 2, "pixfrac": 0}, "greater than or equal to 0.1"),
        ({"scale": 2, "reject": 1}, "good pixels are noisy too"),
        ({"scale": 2, "kernel": "gaussian"}, "'square', 'turbo' or 'point'"),
    ):
        with pytest.raises(ValidationError, match=said):
            Drizzle(**words)
    assert Drizzle().scale == 0
    assert Drizzle(scale=1.5).size(101, 200) == (152, 300)
