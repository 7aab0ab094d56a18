"""Drizzle in the streaming engine: true to the scene, to its noise and to its promises."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from dithered import (
    COLOUR,
    FLUXES,
    GAIN,
    SHAPE,
    SKY,
    STARS,
    contribution,
    dithers,
    engine_of,
    frame_of,
    light_of,
    photometry,
    run,
    turned,
)
from firstlight.model.distortion import Bend, Distorted
from firstlight.model.flags import Flag, has
from firstlight.model.registration import Transform
from firstlight.ops.align.grid import plan_grid
from firstlight.ops.stack.drizzle import Drizzle
from firstlight.pipeline.drizzle import Drizzler
from memory_frame import memory_frame

PLANES = ("mean", "variance", "flags", "coverage", "rejected_low", "rejected_high", "rejected_fraction")


@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.mark.parametrize(("scale", "pixfrac", "kernel"), [
    (1, 1.0, "square"), (1.5, 0.8, "square"), (2, 1.0, "square"), (2, 0.7, "turbo"), (3, 1.0, "square"),
    (2, 0.5, "point"),
])  # fmt: skip
def test_finds_the_true_scene(scale, pixfrac, kernel, executor):
    moves = dithers(24)
    parts = [contribution(frame_of(light_of(m), i), m) for i, m in enumerate(moves)]
    _, result = run(engine_of(parts), Drizzle(scale=scale, pixfrac=pixfrac, kernel=kernel), executor)
    assert result.mean.shape == (1, np.ceil(scale * SHAPE[0]), np.ceil(scale * SHAPE[1]))
    flux, dx, dy = photometry(result.mean[0], scale).T
    # 5 px aperture over 24 frames: 18 adu of sky noise, and that of the star's light.
    error = np.sqrt(18**2 + FLUXES / GAIN / len(moves))
    pull = (flux - FLUXES) / error
    assert abs(np.mean(pull)) < 0.5
    assert np.std(pull) < (1.5 if kernel == "square" else 2.0)
    bright = FLUXES > 3e4
    assert np.median(flux[bright] / FLUXES[bright]) == pytest.approx(1.0, abs=1e-3)
    # With few dithers, drops that are no whole number of pixels wide are off by a part of one.
    most = {"square": 0.01, "turbo": 0.02, "point": 0.1}[kernel]
    assert abs(np.mean(dx[bright])) < most
    assert abs(np.mean(dy[bright])) < most
    assert np.std(dx[bright]) < 2.5 * most


def test_variance_is_the_scatter(executor):
    """Over noisy runs of the same night, star by star and sky."""
    moves = dithers(6, 3)
    lights = [light_of(m) for m in moves]
    runs = []
    for seed in range(25):
        parts = [contribution(frame_of(light, 100 * seed + i), m) for i, (light, m) in enumerate(zip(lights, moves))]
        runs.append(run(engine_of(parts), Drizzle(scale=2, pixfrac=0.8), executor)[1])
    scatter = np.var([r.mean[0] for r in runs], axis=0, ddof=1)
    claim = np.mean([r.variance[0] for r in runs], axis=0)
    whole = np.all([(r.coverage[0] > 0) & ~has(r.flags[0], Flag.INTERPOLATED) for r in runs], axis=0)
    whole[:12] = whole[-12:] = whole[:, :12] = whole[:, -12:] = False
    dark = whole & (claim < 2 * np.median(claim[whole]))
    light = whole & (claim > 4 * np.median(claim[whole]))
    assert dark.sum() > 10_000
    assert light.sum() > 500
    # Rejection at 4 sigma takes 0.1 % of the variance.
    assert (scatter[dark] / claim[dark]).mean() == pytest.approx(1.0, abs=0.03)
    assert (scatter[light] / claim[light]).mean() == pytest.approx(1.0, abs=0.08)


def strike(frame, seed, n=25):
    """Cosmic rays onto a frame; where they are."""
    rng = np.random.default_rng(seed)
    pixels = frame.source.pixels[0]
    hit = np.zeros(SHAPE, bool)
    for y, x in rng.integers(3, 115, (n, 2)):
        for step in range(rng.integers(1, 4)):
            pixels[y + step, x] += rng.uniform(300, 5000)
            hit[y + step, x] = True
    return hit


def trail(frame, slope=0.37, level=60.0):
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    across = (yy - 20 - slope * xx) / np.hypot(1, slope)
    frame.source.pixels[0] += (level * np.exp(-(across**2) / 2 / 1.3**2)).astype(np.float32)
    return np.abs(across) < 2


def where_hit(drizzler, hits, shape):
    """Pixels of the result nearest to what was hit."""
    touched = np.zeros(shape, bool)
    for hit, forward in zip(hits, drizzler.forwards):
        ys, xs = np.nonzero(hit)
        x, y = np.round(forward(np.column_stack([xs, ys]))).astype(int).T
        inside = (x >= 1) & (y >= 1) & (x < shape[1] - 1) & (y < shape[0] - 1)
        touched[y[inside], x[inside]] = True
    return touched


def far_from_stars(shape, scale, px=5.0):
    yy, xx = np.indices(shape)
    places = scale * np.array([star[:2] for star in STARS]) + 0.5 * (scale - 1)
    return np.min([np.hypot(yy - y, xx - x) for x, y in places], axis=0) > px * scale


@pytest.fixture(scope="module")
def untouched(executor):
    """Twenty frames without outliers, and what becomes of them when all pixels are dropped."""
    moves = dithers(20, 5)
    frames = [frame_of(light_of(m), i) for i, m in enumerate(moves)]
    engine = engine_of([contribution(f, m) for f, m in zip(frames, moves)])
    return moves, frames, run(engine, Drizzle(scale=2, reject=0), executor)[1]


def copies(frames):
    return [memory_frame(f.path.name, f.source.pixels[0].copy(), gain=GAIN) for f in frames]


def test_rejects_cosmic_rays(executor, untouched):
    moves, frames, without = untouched
    frames = copies(frames)
    hits = [strike(frame, i) for i, frame in enumerate(frames)]
    engine = engine_of([contribution(f, m) for f, m in zip(frames, moves)])
    drizzler, result = run(engine, Drizzle(scale=2), executor)
    off = (result.mean[0] - without.mean[0]) / np.sqrt(result.variance[0])
    touched = where_hit(drizzler, hits, off.shape)
    sky = far_from_stars(off.shape, 2)
    assert (touched & sky).sum() > 500
    assert abs(off[touched & sky].mean()) < 0.05
    assert np.quantile(np.abs(off[touched & sky]), 0.999) < 2
    assert (result.rejected_high[0] > 0)[touched & sky].mean() > 0.99
    # Hits on stars may hide in their light; most do not.
    flux = photometry(result.mean[0], 2)[:, 0] / photometry(without.mean[0], 2)[:, 0]
    bright = FLUXES > 3e4
    assert np.median(flux[bright]) == pytest.approx(1, abs=1e-3)
    assert np.abs(flux[bright] - 1).max() < 0.02


@pytest.mark.parametrize("level", [30.0, 60.0, 300.0])
def test_rejects_trails_with_their_wings(level, executor, untouched):
    moves, frames, without = untouched
    frames = copies(frames)
    hit = trail(frames[7], level=level)
    engine = engine_of([contribution(f, m) for f, m in zip(frames, moves)])
    drizzler, result = run(engine, Drizzle(scale=2), executor)
    off = (result.mean[0] - without.mean[0]) / np.sqrt(result.variance[0])
    touched = where_hit(drizzler, [hit if i == 7 else ~hit & False for i in range(20)], off.shape)
    assert abs(off[touched].mean()) < 0.3
    assert result.rejected_fraction[7] > 3 * np.median(result.rejected_fraction)


@pytest.mark.parametrize("cfa", ["", "RGGB"])
def test_star_cores_survive_changing_seeing(cfa, executor):
    """FWHM from 1.4 to 2.6 px: rejecting costs the stars no light."""
    rng = np.random.default_rng(8)
    moves = dithers(24, 6)
    parts = [
        contribution(frame_of(light_of(m, fwhm, cfa), i), m, fwhm=fwhm)
        for i, (m, fwhm) in enumerate(zip(moves, rng.uniform(1.4, 2.6, len(moves))))
    ]
    engine = engine_of(parts, cfa=cfa)
    first = engine.run(executor, 2, 10**8)
    kept, all_of_it = (
        Drizzler.of(engine, first, Drizzle(scale=2, reject=reject)).run(executor, 2, 10**8) for reject in (4.0, 0.0)
    )
    assert kept.rejected_fraction.max() < 2e-3
    bright = FLUXES > 1e4
    for c in range(len(kept.mean)):
        with_, without = (photometry(r.mean[c], 2)[:, 0] for r in (kept, all_of_it))
        ratio = with_[bright] / without[bright]
        assert np.median(ratio) == pytest.approx(1, abs=1e-3)
        assert np.abs(ratio - 1).max() < (0.03 if cfa else 0.01)
        colour = COLOUR[c] if cfa else 1.0
        assert np.median(with_[bright] / FLUXES[bright]) == pytest.approx(colour, rel=6e-3 if cfa else 2e-3)


def bent(move):
    return Distorted.of(Bend((75.0, 60.0), 100.0, np.array([[1.2, -0.8], [0.9, 1.1], [-1.5, 0.7]])), move)


@pytest.mark.parametrize("kernel", ["square", "turbo", "point"])
def test_follows_distortion(kernel, executor):
    moves = [bent(m) for m in dithers(12, 9)]
    assert np.hypot(*(moves[0](np.array([[5.0, 5.0]])) - Transform(moves[0].matrix)(np.array([[5.0, 5.0]])))[0]) > 0.5
    parts = [contribution(frame_of(light_of(m), i), m) for i, m in enumerate(moves)]
    _, result = run(engine_of(parts), Drizzle(scale=2, kernel=kernel), executor)
    _, dx, dy = photometry(result.mean[0], 2).T
    bright = FLUXES > 3e4
    assert np.abs([dx[bright], dy[bright]]).max() < (0.12 if kernel == "point" else 0.06)
    assert result.rejected_fraction.max() < 0.01


@pytest.mark.parametrize("kind", ["mono", "cfa", "turned", "bent", "by light"])
def test_bytes_do_not_depend_on_threads_or_memory(kind):
    cfa = "GBRG" if kind == "cfa" else ""
    moves = dithers(6, 1)
    if kind == "turned":
        moves[2] = turned(140, 140, 40)
    if kind == "bent":
        moves = [bent(m) for m in moves]
    rng = np.random.default_rng(0)
    frames = [frame_of(light_of(m, cfa=cfa), i) for i, m in enumerate(moves)]
    for i, frame in enumerate(frames):
        strike(frame, i)
    parts = [
        contribution(f, m, bad=rng.random(SHAPE) < 0.02, weight=1 + 0.1 * i)
        for i, (f, m) in enumerate(zip(frames, moves))
    ]
    engine = engine_of(parts, cfa=cfa, by_light=kind == "by light")
    drizzle = Drizzle(scale=2, pixfrac=0.6, context=True)
    results = []
    for threads, budget in ((1, 10**9), (3, 10**9), (2, 10**5)):
        with ThreadPoolExecutor(threads) as pool:
            results.append(run(engine, drizzle, pool, threads, budget)[1])
    drizzler = Drizzler.of(engine, engine.run(ThreadPoolExecutor(1), 1, 10**8), drizzle)
    assert len(drizzler.tiles(2, 10**5)) > 2 * len(drizzler.tiles(1, 10**9))
    for other in results[1:]:
        for name in (*PLANES, "context"):
            np.testing.assert_array_equal(getattr(results[0], name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("cfa", ["", "RGGB"])
def test_context_and_coverage_agree(cfa, executor):
    moves = dithers(37, 2)
    parts = [contribution(frame_of(light_of(m, cfa=cfa), i), m) for i, m in enumerate(moves)]
    _, result = run(engine_of(parts, cfa=cfa), Drizzle(scale=1.5, pixfrac=0.5, context=True), executor)
    assert result.context.shape == (3 if cfa else 1, 2, 180, 225)
    np.testing.assert_array_equal(np.bitwise_count(result.context).sum(axis=1), result.coverage)
    assert run(engine_of(parts[:3], cfa=cfa), Drizzle(scale=1.5), executor)[1].context is None


@pytest.mark.parametrize("cfa", ["", "RGGB"])
def test_holes_take_the_first_pass(cfa, executor):
    moves = dithers(4, 2, 0.0)
    parts = [contribution(frame_of(light_of(m, cfa=cfa), i), m) for i, m in enumerate(moves)]
    engine = engine_of(parts, cfa=cfa)
    drizzler, filled = run(engine, Drizzle(scale=2, pixfrac=0.3), executor)
    _, open_ = run(engine, Drizzle(scale=2, pixfrac=0.3, fill=False), executor)
    hole = filled.coverage == 0
    assert hole.mean() > (0.3 if cfa else 0.01)
    np.testing.assert_array_equal(hole, has(open_.flags, Flag.NO_DATA))
    np.testing.assert_array_equal(filled.mean[~hole], open_.mean[~hole])
    inner = np.zeros_like(hole)
    inner[:, 20:-20, 20:-20] = True
    known = hole & inner
    assert has(filled.flags, Flag.INTERPOLATED)[known].all()
    assert not has(filled.flags, Flag.NO_DATA)[inner].any()
    assert not has(filled.flags, Flag.INTERPOLATED)[~hole & inner].any()
    # Between the pixels of the first pass, a quarter of one off each.
    first = drizzler.first.mean[0].astype(float)
    y, x = 30, 41
    wanted = np.array([0.25, 0.75]) @ first[14:16, 20:22] @ np.array([0.75, 0.25])
    blank = replace(drizzler, drizzle=drizzler.drizzle)
    mean, variance = np.zeros((len(first.shape) + 1, 1, 1), np.float32)[:3], np.zeros((3, 1, 1), np.float32)
    flags = np.full((3, 1, 1), Flag.NO_DATA, np.uint16)
    blank._fill(mean[: blank.channels], variance[: blank.channels], flags[: blank.channels], (y, y + 1, x, x + 1))
    assert mean[0, 0, 0] == pytest.approx(wanted, rel=1e-6)
    assert variance[0, 0, 0] == drizzler.first.variance[0, 15, 20]


def test_no_frame_no_data(executor):
    moves = [Transform.of_shift(40.3, 0.2), Transform.of_shift(42.0, 1.0), Transform.of_shift(41.1, -1.0)]
    parts = [contribution(frame_of(light_of(m), i), m) for i, m in enumerate(moves)]
    _, result = run(engine_of(parts), Drizzle(scale=2), executor)
    nothing = has(result.flags[0], Flag.NO_DATA)
    assert nothing[:, :79].all()
    assert not nothing[8:-8, 90:].any()
    assert (result.mean[0][nothing] == 0).all()
    assert (result.coverage[0][nothing] == 0).all()


def test_bad_pixels_are_not_dropped(executor):
    moves = dithers(12, 4)
    bad = np.zeros(SHAPE, bool)
    bad[::7, ::5] = True
    frames = [frame_of(light_of(m), i) for i, m in enumerate(moves)]
    for frame in frames:
        frame.source.pixels[0][bad] = 30_000
        frame.source.pixels[0][1::7, ::5] = np.nan
    parts = [contribution(f, m, bad=bad) for f, m in zip(frames, moves)]
    _, result = run(engine_of(parts), Drizzle(scale=2, reject=0), executor)
    flux = photometry(result.mean[0], 2)[:, 0]
    bright = FLUXES > 3e4
    assert np.median(flux[bright] / FLUXES[bright]) == pytest.approx(1, abs=3e-3)
    assert result.mean.max() < 60_000
    assert np.isfinite(result.mean).all()


def test_saturated_drops_are_flagged(executor):
    moves = dithers(3, 4, 0.0)
    frames = [frame_of(light_of(m), i) for i, m in enumerate(moves)]
    white = 20_000.0
    frames = [memory_frame(f.path.name, np.minimum(f.source.pixels[0], white), saturation=white) for f in frames]
    _, result = run(engine_of([contribution(f, m) for f, m in zip(frames, moves)]), Drizzle(scale=2), executor)
    flagged = has(result.flags[0], Flag.SATURATED)
    assert flagged[result.mean[0] > white - 1].all()
    assert 0 < flagged.mean() < 0.01


def test_mosaic_keeps_colours_apart(executor):
    """No fringes: away from its noise every pixel of a star has the star's colour."""
    moves = dithers(40, 12, 0.0)
    parts = [contribution(frame_of(light_of(m, 2.2, "RGGB"), i, noise=0.5, gain=1e9), m) for i, m in enumerate(moves)]
    engine = engine_of(parts, cfa="RGGB")
    first = engine.run(executor, 2, 10**8)
    _, result = run(engine, Drizzle(scale=1), executor)

    def fringe(mean):
        light = mean[:, 15:-15, 15:-15] - SKY
        core = light[1] > 300
        return [np.std(light[c][core] / light[1][core]) / COLOUR[c] for c in (0, 2)]

    assert np.all(np.array(fringe(result.mean)) < np.array(fringe(first.mean)))
    for c, colour in enumerate(COLOUR):
        flux = photometry(result.mean[c], 1)[:, 0]
        assert np.median(flux / FLUXES) == pytest.approx(colour, rel=5e-3)


def test_weights_by_light(executor):
    """Two cameras, one noisy in the sky and quiet in the light: on stars the other counts less."""
    moves = dithers(8, 3, 0.0)
    parts = []
    for i, m in enumerate(moves):
        gain, noise = (0.5, 5.0) if i % 2 else (50.0, 20.0)
        frame = frame_of(light_of(m), i, noise=noise, gain=gain)
        parts.append(contribution(frame, m, noise=noise * np.ones(3), electrons=gain, weight=noise**-2))
    even, by_light = (run(engine_of(parts, by_light=how), Drizzle(scale=1), executor)[1] for how in (False, True))
    star = light_of(Transform.identity()) > SKY + 3000
    dark = light_of(Transform.identity()) < SKY + 1
    assert np.median(by_light.variance[0][star] / even.variance[0][star]) < 0.5
    assert np.median(by_light.variance[0][dark] / even.variance[0][dark]) == pytest.approx(1, abs=0.01)


def test_grid_of_all_frames(executor):
    moves = [Transform.of_shift(dx, 0.0) for dx in (0.0, 30.4, 60.7)]
    grid = plan_grid(SHAPE, moves, "union")
    parts = [contribution(frame_of(light_of(m), i), m) for i, m in enumerate(moves)]
    drizzler, result = run(engine_of(parts, grid=grid), Drizzle(scale=1.5), executor)
    assert result.mean.shape[1:] == drizzler.size == Drizzle(scale=1.5).size(grid.height, grid.width)
    # Where less than three frames see, nobody testifies.
    assert result.rejected_high[0, :, :80].sum() == 0
