"""The streaming engine against whole-frame arithmetic, and its promises: no-data, determinism, bounded memory."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from firstlight.model.flags import Flag, has
from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.align.resample import resample_tile
from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.integrate import Contribution, Engine
from firstlight.pipeline.mosaic import Colours
from memory_frame import memory_frame

SHAPE = (90, 120)
SKY, NOISE = 800.0, 10.0


def scene(y, x):
    stars = [(20, 30, 4000), (60, 80, 9000), (45, 15, 2500), (75, 100, 6000)]
    return SKY + sum(f * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / (2 * 1.6**2)) for sy, sx, f in stars)


def turned(degrees, x, y):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return Transform(np.array([[c, -s, x], [s, c, y], [0, 0, 1.0]]))


def frame_through(transform, seed, shape=SHAPE):
    """What a camera sees whose pixels the transform takes to the reference."""
    yy, xx = np.mgrid[: shape[0], : shape[1]].astype(float)
    seen = transform(np.column_stack([xx.ravel(), yy.ravel()]))
    light = scene(seen[:, 1], seen[:, 0]).reshape(shape)
    pixels = np.round(light + np.random.default_rng(seed).normal(0, NOISE, shape)).astype(np.uint16)
    return memory_frame(f"light_{seed}", pixels, saturation=60000.0)


def contribution(frame, transform, calibration=None, *, gain=1.0, weight=1.0, background=SKY):
    calibration = calibration or Calibration(defects=(Defects.of(np.zeros(frame.shape[1:], bool)),))
    one = np.ones(3)
    return Contribution(frame, calibration, transform, gain * one, background * one, NOISE * one, weight, 0.0)


def engine(contributions, method="mean", kernel="lanczos3", shape=SHAPE, **more):
    grid = Grid(*shape, Transform.identity())
    return Engine(tuple(contributions), grid, np.full(3, SKY), Combine(method=method), kernel, 0.0, **more)


@pytest.fixture(scope="module")
def executor():
    with ThreadPoolExecutor(3) as pool:
        yield pool


MOVES = [turned(0, 0, 0), turned(0, 3.4, -2.7), turned(0.4, -5.2, 6.1), turned(-0.3, 7.7, 1.2), turned(179.9, 118, 88)]


def test_equals_whole_frame_arithmetic(executor):
    frames = [frame_through(move, i) for i, move in enumerate(MOVES)]
    result = engine([contribution(f, m) for f, m in zip(frames, MOVES)], "winsorized").run(executor, 3, 10**8)
    cube = np.empty((len(MOVES), *SHAPE), np.float32)
    for i, (frame, move) in enumerate(zip(frames, MOVES)):
        source = frame.source.pixels[0].astype(np.float32)
        resample_tile(source, 0, SHAPE, move, cube[i], 0, 0)
    slow = combine_cube(cube, Combine(method="winsorized"), FrameTerms.equal(len(MOVES), noise=NOISE**2))
    empty = slow.kept == 0
    # The engine's noise model knows the smoothing of each frame, so a few limits differ; means do not.
    close = np.isclose(result.mean[0], slow.mean, atol=0.5)
    assert close[~empty].mean() > 0.995
    np.testing.assert_array_equal(has(result.flags[0], Flag.NO_DATA), empty)


def test_finds_the_true_scene(executor):
    frames = [frame_through(move, i) for i, move in enumerate(MOVES)]
    result = engine([contribution(f, m) for f, m in zip(frames, MOVES)]).run(executor, 2, 10**8)
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    pull = (result.mean[0] - scene(yy, xx)) / np.sqrt(result.variance[0])
    inner = np.s_[12:-12, 12:-12]
    assert abs(pull[inner].mean()) < 0.05
    assert pull[inner].std() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(
    "colours", [None, Colours("RGGB", "bilinear"), Colours("GBRG", "edge"), Colours("RGGB", "superpixel")]
)
def test_bytes_do_not_depend_on_threads_or_memory(colours):
    moves = [*MOVES[:4], turned(40, 60, -30)] if colours is None else MOVES[:4]
    bad = np.random.default_rng(0).random(SHAPE) < 0.01
    frames = [frame_through(move, i) for i, move in enumerate(moves)]
    calibration = Calibration(defects=(Defects.of(bad),), step=2 if colours else 1)
    parts = [contribution(f, m, calibration) for f, m in zip(frames, moves)]
    results = []
    for threads, budget in ((1, 10**9), (3, 10**9), (2, 200_000)):
        with ThreadPoolExecutor(threads) as pool:
            results.append(engine(parts, "winsorized", colours=colours).run(pool, threads, budget))
    for other in results[1:]:
        for name in ("mean", "variance", "flags", "coverage", "rejected_low", "rejected_high"):
            np.testing.assert_array_equal(getattr(results[0], name), getattr(other, name), err_msg=name)
        np.testing.assert_array_equal(results[0].rejected_fraction, other.rejected_fraction)


@pytest.mark.parametrize("degrees", [0.0, 40.0])
def test_guard_and_growth_do_not_depend_on_the_tiles(degrees):
    """Both look at neighbours: pixels at the edges of tiles must see them too."""
    moves = [
        turned(degrees if i == 2 else 0.2 * i, 3 * i - (60 if degrees and i == 2 else 0), 1.5 * i) for i in range(8)
    ]
    frames = [frame_through(move, i) for i, move in enumerate(moves)]
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    frames[1].source.pixels[0] += (300 * np.exp(-((yy - 0.7 * xx - 5) ** 2) / 4)).astype(np.uint16)
    parts = [
        replace(contribution(frame, move, weight=1 + 0.1 * i), fwhm=3.5 + 0.1 * i)
        for i, (frame, move) in enumerate(zip(frames, moves))
    ]
    results = []
    for threads, budget in ((1, 10**9), (3, 150_000)):
        with ThreadPoolExecutor(threads) as pool:
            results.append(engine(parts, "winsorized").run(pool, threads, budget))
    one, other = results
    for name in ("mean", "variance", "flags", "coverage", "rejected_low", "rejected_high", "rejected_fraction"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.rejected_fraction[1] > 3 * np.median(one.rejected_fraction)


def test_edges_are_no_data_never_zero_fill(executor):
    move = turned(0, 30, 0)
    result = engine([contribution(frame_through(move, 1), move)]).run(executor, 1, 10**8)
    assert has(result.flags[0, :, :30], Flag.NO_DATA).all()
    assert (result.coverage[0, :, :30] == 0).all()
    assert not has(result.flags[0, :, 30:], Flag.NO_DATA).any()
    assert (result.coverage[0, :, 30:] == 1).all()


def test_zero_is_a_number(executor):
    frame = memory_frame("dark sky", np.zeros(SHAPE, np.uint16), saturation=60000.0)
    parts = [contribution(frame, Transform.identity(), background=0.0) for _ in range(5)]
    result = Engine(
        tuple(parts), Grid(*SHAPE, Transform.identity()), np.zeros(3), Combine(method="winsorized"), "lanczos3", 0.0
    ).run(executor, 1, 10**8)
    assert (result.mean == 0).all()
    assert (result.coverage == 5).all()
    assert not has(result.flags, Flag.NO_DATA).any()


def test_bad_pixels_are_left_out_where_others_see_and_repaired_where_none_does(executor):
    bad = np.zeros(SHAPE, bool)
    bad[40, 50] = True
    calibration = Calibration(defects=(Defects.of(bad),))
    moves = [Transform.identity(), Transform.of_shift(6.0, 0.0)]
    frames = []
    for i, move in enumerate(moves):
        frame = frame_through(move, i)
        frame.source.pixels[0, 40, 50] = 50000
        frames.append(frame)
    both = engine([contribution(f, m, calibration) for f, m in zip(frames, moves)]).run(executor, 1, 10**8)
    assert both.coverage[0, 40, 50] == 1
    assert both.coverage[0, 40, 56] == 1
    assert abs(both.mean[0, 40, 50] - SKY) < 6 * NOISE
    assert not has(both.flags, Flag.INTERPOLATED).any()
    alone = engine([contribution(frames[0], moves[0], calibration)]).run(executor, 1, 10**8)
    assert has(alone.flags[0], Flag.INTERPOLATED)[40, 50]
    assert alone.coverage[0, 40, 50] == 0
    assert abs(alone.mean[0, 40, 50] - SKY) < 6 * NOISE


def test_saturated_stars_are_flagged_and_kept(executor):
    frame = frame_through(Transform.identity(), 3)
    frame.source.pixels[0, 60, 80] = 65535
    result = engine([contribution(frame, Transform.identity())]).run(executor, 1, 10**8)
    assert has(result.flags[0], Flag.SATURATED)[60, 80]
    assert result.mean[0, 60, 80] == 65535


def test_a_trail_in_one_frame_leaves_nothing_to_see(executor):
    frames = [frame_through(move, i) for i, move in enumerate(MOVES[:4] * 3)]
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    trail = 400 * np.exp(-((yy - 0.5 * xx - 10) ** 2) / 4)
    frames[0].source.pixels[0] += trail.astype(np.uint16)
    moves = MOVES[:4] * 3
    clean = [frame_through(move, i) for i, move in enumerate(moves)]
    dirty, without = (
        engine([contribution(f, m) for f, m in zip(each, moves)], "winsorized").run(executor, 2, 10**8).mean[0]
        for each in (frames, clean)
    )
    core = trail > 200
    assert np.abs((dirty - without)[core].mean()) < 0.3 * NOISE / np.sqrt(12)


def test_weights_and_scale_bring_unequal_frames_together(executor):
    good = frame_through(Transform.identity(), 1)
    poor = memory_frame("poor", np.round((good.source.pixels[0] - SKY) * 0.5 + 300).astype(np.uint16), saturation=6e4)
    result = engine(
        [
            contribution(good, Transform.identity(), weight=3.0),
            contribution(poor, Transform.identity(), gain=2.0, background=300.0, weight=1.0),
        ]
    ).run(executor, 1, 10**8)
    np.testing.assert_allclose(result.mean[0], good.source.pixels[0], atol=0.51)


def test_colours_of_a_mosaic_stay_where_they_are(executor):
    colour = np.array([3.0, 2.0, 1.0])
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pattern = np.where((yy % 2 == 0) & (xx % 2 == 0), 0, np.where((yy % 2 == 1) & (xx % 2 == 1), 2, 1))
    parts = []
    for i, (dx, dy) in enumerate([(0, 0), (3, 5), (-4, 2), (1, -3)]):
        light = scene(yy + dy, xx + dx) - SKY
        mosaic = np.round(100 + light * colour[pattern]).astype(np.uint16)
        frame = memory_frame(f"cfa_{i}", mosaic, cfa="RGGB", saturation=6e4)
        calibration = Calibration(defects=(Defects.of(np.zeros(SHAPE, bool)),), step=2)
        parts.append(contribution(frame, Transform.of_shift(dx, dy), calibration, background=100.0))
    result = Engine(
        tuple(parts), Grid(*SHAPE, Transform.identity()), np.full(3, 100.0), Combine(method="mean"), "lanczos3", 0.0,
        Colours("RGGB", "bilinear"),
    ).run(executor, 2, 10**8)  # fmt: skip
    flux = [(plane[48:73, 68:93] - 100).sum() for plane in result.mean]
    np.testing.assert_allclose(np.array(flux) / flux[2], colour, rtol=0.01)
    for plane in result.mean:
        y, x = ndimage.center_of_mass(np.clip(plane[52:69, 72:89] - 150, 0, None))
        assert (y + 52, x + 72) == pytest.approx((60, 80), abs=0.05)


@pytest.mark.parametrize("workers", [2, 16])
@pytest.mark.parametrize("colours", [None, Colours("RGGB", "bilinear")])
@pytest.mark.parametrize("degrees", [0.0, 40.0])
def test_a_thousand_large_frames_fit_the_budget(workers, colours, degrees):
    size, budget, n = (6388, 9576), 8 * 2**30, 1000
    frame = memory_frame("large", np.zeros((2, 2), np.uint16)).replace(shape=(1, *size))
    parts = [contribution(frame, turned(degrees, 0, 0))] * n
    large = engine(parts, "winsorized", shape=size, colours=colours)
    tiles = large.tiles(workers, budget, large.forwards())
    rim = 2 * large.combine.margin(n)
    held = max((bottom - top + rim) * (right - left + rim) for top, bottom, left, right in tiles)
    assert 4 * n * held * (large.channels + 1) * workers <= budget
    assert sum((bottom - top) * (right - left) for top, bottom, left, right in tiles) == size[0] * size[1]


def test_tiles_as_narrow_as_a_small_budget_wants_change_no_byte():
    frames = [frame_through(move, i) for i, move in enumerate(MOVES[:4])]
    parts = [contribution(f, m) for f, m in zip(frames, MOVES)]
    whole = engine(parts, "winsorized")
    with ThreadPoolExecutor(2) as pool:
        one, other = whole.run(pool, 2, 10**9), whole.run(pool, 2, 20_000)
    assert len({tile[2] for tile in whole.tiles(2, 20_000, whole.forwards())}) > 1
    for name in ("mean", "variance", "flags", "coverage", "rejected_low", "rejected_high", "rejected_fraction"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_limits_by_rows_want_whole_rows():
    frames = [frame_through(move, i) for i, move in enumerate(MOVES)]
    rows = engine([contribution(f, m) for f, m in zip(frames, MOVES)], "averaged", shape=(90, 700))
    for budget in (20_000, 10**9):
        assert {tile[2:] for tile in rows.tiles(2, budget, rows.forwards())} == {(0, 700)}
