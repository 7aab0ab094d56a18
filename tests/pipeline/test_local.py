"""Local normalisation: cells, differences, and whole stacks of frames whose skies differ."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from firstlight.library.plans import Assignment
from firstlight.model.registration import Registration, Transform
from firstlight.ops.align.grid import Grid, plan_grid
from firstlight.ops.inspect.stars import FindStars
from firstlight.ops.stack.combine import Combine
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.contribute import contributions_of
from firstlight.pipeline.integrate import Engine
from firstlight.pipeline.local import (
    SPACING,
    cell_side,
    lattice_for,
    measure_cells,
    noise_of_reference,
    sky_difference,
)
from firstlight.pipeline.measure import measure_light
from firstlight.pipeline.mosaic import Colours
from firstlight.pipeline.register import Placed, flux_ratio
from firstlight.pipeline.settings import Normalize
from memory_frame import memory_frame

SHAPE = (420, 520)
NOISE = 10.0
STARS = np.random.default_rng(5).uniform([40, 40], [480, 380], (40, 2))
FLUX = np.geomspace(6e4, 4e5, len(STARS))
WIDTH = 1.6


def sky_of(i):
    """Gradients of a frame: each its own, some with a bend."""
    rng = np.random.default_rng(100 + i)
    a, b, c, d = rng.uniform(-120, 120, 4)

    def sky(y, x):
        u, v = x / SHAPE[1] - 0.5, y / SHAPE[0] - 0.5
        return 800 + a * u + b * v + 0.5 * c * u * u + 0.5 * d * u * v

    return sky


def nebula(y, x):
    return 150 * np.exp(-((x - 260) ** 2 + (y - 200) ** 2) / (2 * 25**2)) * (1 + 0.5 * np.sin(x / 6))


def starlight(y, x):
    """Stars of the reference's sky at positions (y, x)."""
    total = np.zeros(y.shape)
    for (sx, sy), flux in zip(STARS, FLUX):
        total += flux / (2 * np.pi * WIDTH**2) * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / (2 * WIDTH**2))
    return total


def pixels_of(i, shift, transparency, *, gradients=True, seed=0):
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    y, x = yy + shift[1], xx + shift[0]
    light = transparency * (starlight(y, x) + nebula(y, x))
    sky = sky_of(i)(yy, xx) if gradients else 800.0
    return (light + sky + np.random.default_rng(1000 * seed + i).normal(0, NOISE, SHAPE)).astype(np.float32)


def light_of(name, pixels, **meta):
    frame = memory_frame(name, pixels, saturation=1e6, **meta)
    calibration = Calibration(defects=(Defects.of(np.zeros(pixels.shape, bool)),), step=2 if meta.get("cfa") else 1)
    return measure_light(Assignment(frame), calibration, FindStars(), keep_cells=True)


def placed_at(lights, shifts):
    placed = []
    for light, shift in zip(lights, shifts):
        transform = Transform.of_shift(*shift)
        ratio = 1.0 if light is lights[0] else flux_ratio(light, lights[0], transform)
        placed.append(Placed(light, Registration(transform, 40), ratio))
    return placed


def engine_of(placed, mode="local", grid=None, colours=None, method="winsorized", **rule):
    reference = placed[0].light
    grid = grid or Grid(*SHAPE, Transform.identity())
    contributions, notes = contributions_of(
        placed, reference, {id(p.light): p.light.calibration for p in placed}, grid, colours,
        Normalize(mode=mode, **rule),
    )  # fmt: skip
    assert not notes
    return Engine(contributions, grid, contributions[0].background, Combine(method=method), "lanczos3", 1.0, colours)


def run(engine, threads=2, budget=10**8):
    with ThreadPoolExecutor(threads) as pool:
        return engine.run(pool, threads, budget)


# Whole pixels: resampling then leaves the noise white, and theory is simple.
SHIFTS = [(0, 0), (5, -3), (-7, 4), (11, 9), (-2, -12), (6, 6), (-9, -5), (3, 14), (-13, 2), (8, -8), (1, 1), (-4, 10)]
CLEAR = [1.0, 0.97, 1.02, 0.9, 1.0, 0.6, 0.99, 1.01, 0.5, 1.03, 0.95, 1.0]


@pytest.fixture(scope="module")
def night():
    lights = [light_of(f"light_{i}", pixels_of(i, s, t)) for i, (s, t) in enumerate(zip(SHIFTS, CLEAR))]
    return placed_at(lights, SHIFTS)


@pytest.fixture(scope="module")
def stacked(night):
    return {mode: run(engine_of(night, mode, tile=96)) for mode in ("local", "additive+scale")}


EMPTY = np.s_[20:-20, 20:-20]


def residual(stack):
    """The stack without what is known to be in it, where there are no stars."""
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    stars = starlight(yy, xx)
    rest = stack.mean[0] - nebula(yy, xx) - sky_of(0)(yy, xx)
    rest[stars > 0.2] = np.nan
    return rest[EMPTY]


def test_cells_of_a_mosaic_are_means_of_one_colour():
    plane = np.random.default_rng(1).normal(500, 30, (1, 64, 80)).astype(np.float32)
    plane[0, 0::2, 0::2] += 100
    plane[0, 1::2, 1::2] -= 100
    red, green, blue = measure_cells(plane, "RGGB")
    side = cell_side((64, 80), 3)
    blocks = plane[0].reshape(64 // side, side, 80 // side, side).transpose(0, 2, 1, 3)
    np.testing.assert_allclose(red, blocks[..., 0::2, 0::2].mean(axis=(2, 3)), rtol=1e-6)
    np.testing.assert_allclose(blue, blocks[..., 1::2, 1::2].mean(axis=(2, 3)), rtol=1e-6)
    expected = (blocks[..., 0::2, 1::2].mean(axis=(2, 3)) + blocks[..., 1::2, 0::2].mean(axis=(2, 3))) / 2
    np.testing.assert_allclose(green, expected, rtol=1e-6)


def test_the_lattice_lies_where_the_pixels_are(night):
    """The surface of a plain slope is that slope, at every node, through shift and scale of the grid."""
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    plane = (0.1 * xx - 0.05 * yy).astype(np.float32)[None]
    side = cell_side(SHAPE, 1)
    cells, flat = measure_cells(plane, None)[0], measure_cells(np.zeros_like(plane), None)[0]
    difference = sky_difference(flat, cells, Transform.of_shift(12.0, -8.0), side, 1.0, 0.0)
    to_reference = Transform(np.array([[2.0, 0, 10.0], [0, 2.0, 5.0], [0, 0, 1.0]]))
    lattice = lattice_for(difference, 64, side, to_reference, (200, 250))
    assert lattice.shape == (8, 9)
    y, x = np.mgrid[: lattice.shape[0], : lattice.shape[1]] * SPACING
    expected = 0.1 * (2 * x + 10) - 0.05 * (2 * y + 5)
    inner = np.s_[1:-2, 1:-1]
    np.testing.assert_allclose(lattice[inner], expected[inner], atol=0.05)


def test_stars_and_nebula_are_no_sky(night):
    """The difference of two frames of one sky through other air is nothing but noise."""
    frames = (("a", 1, (0, 0), 1.0), ("b", 2, (9, -7), 0.5))
    a, b = (light_of(name, pixels_of(i, s, t, gradients=False)) for name, i, s, t in frames)
    ratio = flux_ratio(b, a, Transform.of_shift(9, -7))
    side = cell_side(SHAPE, 1)
    zero = a.level[0] - ratio * b.level[0]
    difference = sky_difference(b.cells[0], a.cells[0], Transform.of_shift(9, -7), side, ratio, zero)
    lattice = lattice_for(difference, 96, side, Transform.identity(), SHAPE)
    assert np.abs(lattice - np.median(lattice)).max() < 0.2 * NOISE


def test_frames_with_other_gradients_keep_their_pixels(stacked):
    local, plain = (stacked[mode].rejected_fraction for mode in ("local", "additive+scale"))
    assert local.max() < 0.005
    assert plain.mean() > 4 * local.mean()


def test_noise_of_the_stack_is_that_of_theory(night, stacked):
    rest = residual(stacked["local"])
    steps = (rest[1:, 1:] - rest[1:, :-1] - rest[:-1, 1:] + rest[:-1, :-1]) / 2
    measured = np.nanstd(steps)
    ratios = np.array([p.flux_ratio for p in night])
    theory = NOISE / np.sqrt(np.sum(1 / ratios**2))
    assert measured == pytest.approx(theory, rel=0.02)
    claimed = np.sqrt(np.median(stacked["local"].variance[0][EMPTY]))
    # The noise of each frame is measured among the nebula and wings of stars, and 3 % high.
    assert claimed == pytest.approx(theory, rel=0.05)


def test_the_sky_is_that_of_the_reference(stacked):
    rest = residual(stacked["local"])
    tiles = np.nanmean(rest[:352, :448].reshape(11, 32, 14, 32), axis=(1, 3))
    assert np.abs(tiles - np.median(tiles)).max() < 0.35 * NOISE
    assert np.std(tiles) < 0.1 * NOISE


def test_fluxes_of_stars_are_not_touched(stacked):
    yy, xx = np.mgrid[-16:17, -16:17]
    inside, ring = np.hypot(xx, yy) <= 9, np.hypot(xx, yy) > 12
    ratios = []
    smooth = stacked["local"].mean[0] - nebula(*np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float))
    others = np.hypot(*(STARS[:, None] - STARS[None]).transpose(2, 0, 1)) + 1000 * np.eye(len(STARS))
    for (x, y), flux, alone in zip(STARS, FLUX, others.min(axis=1) > 30):
        cx, cy = round(x), round(y)
        if alone:
            cut = smooth[cy - 16 : cy + 17, cx - 16 : cx + 17]
            ratios.append((cut[inside].sum() - np.median(cut[ring]) * inside.sum()) / flux)
    assert len(ratios) > 12
    assert np.median(ratios) == pytest.approx(1.0, abs=1e-3)


def test_large_faint_things_are_not_as_noisy_as_in_the_reference():
    """Flat skies: but for its gradient, the stack scatters in tiles like a mean of the frames, not like one."""
    lights = [light_of(f"l{i}", pixels_of(i, (0, 0), 1.0, gradients=False, seed=3)) for i in range(12)]
    stack = run(engine_of(placed_at(lights, [(0, 0)] * 12), tile=64, method="mean"))
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    rest = (stack.mean[0] - nebula(yy, xx) - starlight(yy, xx))[:384, :512]
    tiles = rest.reshape(6, 64, 8, 64).mean(axis=(1, 3)).ravel()
    y, x = (each.ravel() for each in np.mgrid[-1:1:6j, -1:1:8j])
    terms = np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    tiles -= terms @ np.linalg.lstsq(terms, tiles, rcond=None)[0]
    noise = np.sqrt(np.sum(tiles**2) / (48 - 6))
    assert noise < 1.25 * NOISE / np.sqrt(12) / 64


@pytest.mark.parametrize("turned", [False, True])
def test_bytes_do_not_depend_on_threads_or_memory(night, turned):
    placed = list(night[:5])
    if turned:
        c, s = np.cos(0.5), np.sin(0.5)
        turn = Transform(np.array([[c, -s, 120.0], [s, c, -60.0], [0, 0, 1.0]]))
        placed[1] = Placed(placed[1].light, Registration(turn, 40), 1.0)
    results = [run(engine_of(placed, tile=96), *how) for how in ((1, 10**9), (3, 10**9), (2, 300_000))]
    for other in results[1:]:
        for name in ("mean", "variance", "flags", "coverage", "rejected_low", "rejected_high"):
            np.testing.assert_array_equal(getattr(results[0], name), getattr(other, name), err_msg=name)


def test_panels_join_without_a_step_and_with_one_flux():
    """Two fields that overlap by half, each with its own sky: what local normalisation does for a mosaic."""
    shifts = [(0, 0), (260, 0)]
    lights = [light_of(f"panel_{i}", pixels_of(i, s, t, seed=7)) for i, (s, t) in enumerate(zip(shifts, (1.0, 0.8)))]
    placed = placed_at(lights, shifts)
    assert placed[1].flux_ratio == pytest.approx(1.25, rel=0.002)
    grid = plan_grid(SHAPE, [p.registration.transform for p in placed], "union")
    stack = run(engine_of(placed, grid=grid, tile=128, method="mean")).mean[0]
    rows = np.s_[60:380]
    yy, xx = np.mgrid[: grid.height, : grid.width].astype(float)
    free = np.where(starlight(yy, xx) > 0.1, np.nan, stack - nebula(yy, xx))
    for edge in (260, 519):
        columns = [np.nanmedian(free[rows, edge + a : edge + b]) for a, b in ((-24, -12), (-12, 0), (1, 13), (13, 25))]
        step = (1.5 * columns[2] - 0.5 * columns[3]) - (1.5 * columns[1] - 0.5 * columns[0])
        assert abs(step) < 0.5 * NOISE


def test_colours_have_surfaces_of_their_own():
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    channel = np.where((yy % 2 == 0) & (xx % 2 == 0), 0, np.where((yy % 2 == 1) & (xx % 2 == 1), 2, 1))
    slope = np.array([40.0, 0.0, -40.0])
    lights = []
    for i in range(4):
        plane = pixels_of(i, (0, 0), 1.0, gradients=False, seed=9)
        if i == 2:
            plane += (slope[channel] * (xx / SHAPE[1] - 0.5)).astype(np.float32)
        lights.append(light_of(f"c{i}", plane, cfa="RGGB"))
    placed = placed_at(lights, [(0, 0)] * 4)
    for method in ("bilinear", "superpixel"):
        colours = Colours("RGGB", method)
        engine = engine_of(placed, colours=colours, method="mean", tile=96)
        surfaces = engine.contributions[2].surface
        nodes = [-(-(n - 1) // SPACING) + 1 for n in engine.size]
        assert surfaces.shape == (3, *nodes)
        across = np.median(surfaces, axis=1)
        middle = across[:, 1:-1]
        step = SPACING * colours.shrink / SHAPE[1]
        np.testing.assert_allclose(np.diff(middle, axis=1).mean(axis=1), -slope * step, atol=0.5)


def test_the_reference_keeps_its_gradient_and_loses_its_noise():
    rng = np.random.default_rng(4)
    own = rng.normal(0, 1, (12, 15))
    y, x = np.mgrid[-1:1:12j, -1:1:15j]
    gradients = np.array([a * x + b * x * y for a, b in rng.normal(0, 20, (8, 2))])
    found = noise_of_reference((gradients - own).astype(np.float32), np.ones(8))
    assert np.std(found + own) < 0.25
    assert np.abs(found).max() < 4


def test_a_frame_that_sees_nothing_of_the_reference_is_told_of(night):
    far = Placed(night[1].light, Registration(Transform.of_shift(3000.0, 0.0), 40), 1.0)
    calibrations = {id(p.light): p.light.calibration for p in night}
    grid = Grid(*SHAPE, Transform.identity())
    contributions, notes = contributions_of(
        [night[0], far], night[0].light, calibrations, grid, None, Normalize(mode="local")
    )
    assert contributions[1].surface is None
    assert "too little of the reference" in notes[0]
