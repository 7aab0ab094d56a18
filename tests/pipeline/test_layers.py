"""Stars and comet as two layers, judged by the truth of a simulated comet."""

from dataclasses import replace

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.align.resample import resample_tile
from firstlight.ops.stack.combine import Combine, FrameTerms, combine_cube
from firstlight.pipeline.calibration import Calibration, Defects
from firstlight.pipeline.comet import Comet, find_track
from firstlight.pipeline.integrate import Contribution, Engine
from firstlight.pipeline.layer import Layer
from firstlight.pipeline.layers import follow, without
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Output, Settings
from firstlight.simulate.comet import comet_position
from firstlight.simulate.night import Camera, Night, Scene, Sky, Telescope, simulate
from firstlight.simulate.settings import Comet as TrueComet
from memory_frame import memory_frame

NIGHT = Night(
    target="Comet", n_lights=16, n_darks=5, n_bias=5, n_flats=8, exposures=(60.0,), dither=5.0, drift=30.0,
    rotation=2.0, trails=0.1, camera=Camera(width=480, height=360), telescope=Telescope(dust=2, focal_length=500.0),
    sky=Sky(stars_per_mpx=1500.0, moffat_beta=None, star_flux=(5.0, 3000.0)),
    comet=TrueComet(flux=900.0, rate=360.0, tail=60.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def scene():
    return Scene(NIGHT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comet") / "night"
    simulate(folder, NIGHT)
    return folder


def clicks(scene, error=2.0):
    """What an observer would type who clicks a little beside the comet."""
    lights = [f for f in scene.frames if f.kind == "light"]
    first, last = (scene.comet_place(f) for f in (lights[0], lights[-1]))
    return {"first": "{:.0f},{:.0f}".format(*(first + error)), "last": "{:.0f},{:.0f}".format(*(last - error))}


@pytest.fixture(scope="module")
def results(folder, scene, tmp_path_factory):
    settings = Settings(comet=Comet(**clicks(scene)), output=Output(pictures=False))
    return process(folder, settings, output=tmp_path_factory.mktemp("out") / "run").stacks


@pytest.fixture(scope="module")
def truth(scene, results):
    """Frame of the reference, its transform, and electrons to adu of the stacks."""
    name = results[0].prepared.reference.name
    return next(f for f in scene.frames if f.file.endswith(name))


def aperture(plane, x, y, radius, ring=(1.3, 2.0)):
    yy, xx = np.mgrid[: plane.shape[0], : plane.shape[1]]
    distance = np.hypot(xx - x, yy - y)
    sky = np.median(plane[(distance > ring[0] * radius) & (distance < ring[1] * radius)])
    return float((plane[distance < radius] - sky).sum())


def stars_of(scene, frame, shape):
    x, y = frame.transform.inverse(np.column_stack([scene.field.x, scene.field.y])).T
    flux = scene.star_table()["flux_L"].ravel()
    return x, y, flux


def test_three_stacks_are_made(results):
    assert [r.name.rpartition("_")[2] for r in results] == ["stars", "comet", "composite"]
    assert all(r.n_frames == NIGHT.n_lights and r.files[0].exists() for r in results)


def test_the_motion_is_found(scene, results):
    note = next(note for note in results[1].notes if "px/h" in note)
    found = np.array([float(v) for v in note.split("by ")[1].split(" px/h")[0].split(",")])
    moved = comet_position(NIGHT, NIGHT.start.replace(hour=23)) - comet_position(NIGHT, NIGHT.start)
    reference = next(f for f in scene.frames if f.file.endswith(results[0].prepared.reference.name))
    wanted = np.linalg.inv(reference.transform.matrix[:2, :2]) @ moved
    hours = NIGHT.n_lights * (60 + NIGHT.pause) / 3600
    assert np.hypot(*(found - wanted)) * hours < 0.6


def test_comet_has_its_flux_and_place(scene, results, truth):
    x, y = scene.comet_place(truth)
    stars, comet, composite = (r.image.data[0].astype(float) for r in results)
    sx, sy, flux = stars_of(scene, truth, stars.shape)
    # Lone bright stars tell what an electron per second is worth in the stack.
    alone = [
        i for i in np.argsort(-flux)
        if 20 < sx[i] < 459 and 20 < sy[i] < 339 and np.hypot(sx[i] - x, sy[i] - y) > 90
        and (flux[np.hypot(sx - sx[i], sy - sy[i]) < 22].sum() < 1.01 * flux[i])
    ][:10]  # fmt: skip
    scale = np.median([aperture(stars, sx[i], sy[i], 10) / flux[i] for i in alone])
    wide = 12 * NIGHT.comet.coma / NIGHT.pixel_scale / 4
    head = aperture(comet, x, y, wide, (1.6, 1.9))
    expected = aperture(comet_alone(scene, truth), x, y, wide, (1.6, 1.9)) / truth.transparency * scale
    assert head == pytest.approx(expected, rel=0.02)
    yy, xx = np.mgrid[: comet.shape[0], : comet.shape[1]]
    near = np.where(np.hypot(xx - x, yy - y) < 7, comet - np.median(comet), 0).clip(0)
    assert abs((near * xx).sum() / near.sum() - x) < 0.25
    assert abs((near * yy).sum() / near.sum() - y) < 0.25
    both = aperture(composite, x, y, 5, (3, 4)) / aperture(comet, x, y, 5, (3, 4))
    assert both == pytest.approx(1.0, abs=0.03)


def comet_alone(scene, frame):
    """e-/s of the comet as the reference sees it; stars are left out."""
    with_it = scene.light(frame)
    return (with_it - Scene(NIGHT.model_copy(update={"comet": TrueComet()}), scene.field).light(frame)).astype(float)


def test_stars_keep_their_light_under_the_coma(scene, results, truth):
    stars = results[0].image.data[0].astype(float)
    sx, sy, flux = stars_of(scene, truth, stars.shape)
    lights = [f for f in scene.frames if f.kind == "light"]
    place = truth.transform.inverse(np.array([f.transform(scene.comet_place(f)[None])[0] for f in lights]))
    inside = (sx > 20) & (sx < 459) & (sy > 20) & (sy < 339) & (flux > 15)
    lone = np.array([flux[np.hypot(sx - a, sy - b) < 17].sum() < 1.03 * f for a, b, f in zip(sx, sy, flux)])
    near = np.array([np.hypot(a - place[:, 0], b - place[:, 1]).min() for a, b in zip(sx, sy)])
    ratio = {
        hit: np.array([aperture(stars, sx[i], sy[i], 8) / flux[i] for i in np.flatnonzero(inside & lone & where)])
        for hit, where in ((True, near < 40), (False, near > 60))
    }
    assert len(ratio[True]) >= 2
    assert np.median(ratio[True]) == pytest.approx(np.median(ratio[False]), rel=0.02)


def test_trails_of_stars_are_gone_from_the_comet(results):
    stars, comet = results[0], results[1]
    inner = np.s_[30:-30, 30:-30]
    data = comet.image.data[0][inner].astype(float)
    box = 3
    height, width = (n // box * box for n in data.shape)
    means = data[:height, :width].reshape(height // box, box, width // box, box).mean(axis=(1, 3))
    steps = (means[1:, 1:] - means[1:, :-1] - means[:-1, 1:] + means[:-1, :-1]) / 2
    sigma = np.sqrt(np.median(comet.image.variance[0]))
    # Bright stars of 100 times the noise would leave trails of several sigma; the head of the comet is no trail.
    assert np.percentile(np.abs(steps), 99) < 1.2 * sigma
    assert stars.image.data[0].max() > 300 * sigma


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"first": "9000,10", "last": "20,20"}, "9000,10 lies outside of light_L_60s_0001"),
        ({"first": "nothere.fits:90,10", "last": "20,20"}, "no registered light is called 'nothere"),
        ({"first": "light_L_60s_0004:9,9", "last": "light_L_60s_0004.fits:20,20"}, "of one time"),
        ({"rate": 100.0}, "has no plate"),
    ],
)
def test_wrong_clicks_are_told(results, rule, words):
    prepared = results[0].prepared
    with pytest.raises(InputError, match=words):
        find_track(prepared.placed, prepared.reference, Comet(**rule))


def test_files_hold_what_the_results_do(results):
    for result in results:
        image = read(result.files[0])
        np.testing.assert_array_equal(image.data, result.image.data)
        assert any("comet: moves by" in step for step in image.history)


SHAPE = (80, 100)


def test_taking_a_layer_off_equals_whole_frame_arithmetic():
    """The streaming engine and the plain way: resample the frame, resample the layer, subtract, combine."""
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(3)
    layer = np.zeros((1, *SHAPE), np.float32)
    layer[0, 30:50, 40:60] = rng.normal(200, 40, (20, 20))
    moves = [Transform.of_shift(*shift) for shift in ((0.0, 0.0), (1.4, -2.2), (-3.7, 0.6))]
    offsets = np.array([[0.0, 0.0], [4.3, 1.1], [9.0, -2.5]])
    one = np.ones(1)
    parts, cube = [], np.empty((3, *SHAPE), np.float32)
    for i, (move, offset) in enumerate(zip(moves, offsets)):
        pixels = rng.normal(900, 20, SHAPE).round().astype(np.uint16)
        calibration = Calibration(defects=(Defects.of(np.zeros(SHAPE, bool)),))
        gain = (1.0 + 0.1 * i) * one
        parts.append(
            Contribution(memory_frame(f"f{i}", pixels), calibration, move, gain, 900 * one, 20 * one, 1.0, 0.0)
        )
        plane, moved = np.empty(SHAPE, np.float32), np.empty(SHAPE, np.float32)
        resample_tile(pixels.astype(np.float32), 0, SHAPE, move, plane, 0, 0)
        resample_tile(layer[0], 0, SHAPE, Transform.of_shift(*offset), moved, 0, 0)
        cube[i] = (plane - np.nan_to_num(moved) * np.float32(1 / gain[0])) * gain[0] + (900 - gain[0] * 900)
    slow = combine_cube(cube, Combine(method="mean"), FrameTerms.equal(3))
    engine = Engine(
        tuple(parts), Grid(*SHAPE, Transform.identity()), 900 * one, Combine(method="mean"), "lanczos3", 0.0
    )
    engine = without(engine, Layer(layer, Transform.identity()), offsets)
    with ThreadPoolExecutor(2) as pool:
        for budget in (10**8, 10**5):
            fast = engine.run(pool, 2, budget)
            good = fast.coverage[0] == slow.kept
            assert good.all()
            seen = slow.kept > 0
            np.testing.assert_allclose(fast.mean[0][seen], slow.mean[seen], atol=2e-3)


def test_following_moves_every_frame_back():
    one = np.ones(1)
    frame = memory_frame("f", np.zeros(SHAPE, np.uint16))
    calibration = Calibration(defects=(Defects.of(np.zeros(SHAPE, bool)),))
    lattice = np.fromfunction(lambda c, y, x: 3.0 * x, (1, 4, 5)).astype(np.float32)
    part = Contribution(frame, calibration, Transform.of_shift(2.0, 1.0), one, one, one, 1.0, 0.0, surface=lattice)
    grid = Grid(*SHAPE, Transform.of_shift(5.0, 5.0))
    engine = Engine((part, replace(part)), grid, one, Combine(method="mean"), "lanczos3", 0.0)
    moved = follow(engine, np.array([[0.0, 0.0], [16.0, -3.0]])).contributions
    np.testing.assert_allclose(moved[0].to_reference.matrix, part.to_reference.matrix)
    np.testing.assert_allclose(moved[1].to_reference.matrix[:2, 2], [-14.0, 4.0])
    # The sky's surface belongs to the pixels, and goes with them.
    np.testing.assert_allclose(moved[1].surface[0, 1, :3], lattice[0, 1, :3] + 1.5)
