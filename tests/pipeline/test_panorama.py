"""A mosaic of four panels, each with a sky, transparency and gradient of its own, against the truth."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.spatial import cKDTree

from firstlight.errors import SpecError
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.model.target import without_panel
from firstlight.ops.stack.seams import even_out
from firstlight.pipeline import blend as blending
from firstlight.pipeline import panorama
from firstlight.pipeline.aperture import star_light
from firstlight.pipeline.panels import part_by_panel
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Output, Register, Settings
from firstlight.simulate.night import Camera, Night, Sky, Telescope, load_truth, simulate

NIGHT = Night(
    target="M31 Panel 1", n_lights=20, n_darks=8, n_bias=8, n_flats=12, exposures=(120.0,), dither=6.0, rotation=0.3,
    trails=0.1, camera=Camera(width=520, height=400), telescope=Telescope(dust=2, focal_length=400.0),
    sky=Sky(stars_per_mpx=2500.0, gradient=0.4, star_flux=(8.0, 4000.0)),
    panels=((0.0, 0.0), (420.0, 12.0), (-9.0, 318.0), (415.0, 322.0)),
)  # fmt: skip
MOSAIC = Settings(registration=Register(framing="mosaic"), output=Output(pictures=False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mosaic") / "night"
    simulate(folder, NIGHT)
    return folder


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    """The mosaic, and what it was blended from."""
    kept = []

    def record(*arguments):
        kept.append(arguments)
        return blending.blend_panels(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panorama, "blend_panels", record)
        (stack,) = process(folder, MOSAIC, output=tmp_path_factory.mktemp("out") / "run").stacks
    return stack, kept[0]


@pytest.fixture(scope="module")
def result(made):
    return made[0]


@pytest.fixture(scope="module")
def truth(folder):
    return load_truth(folder)


def star_places(result, truth):
    reference = truth[result.prepared.reference.frame.path]
    ideal = np.column_stack([truth.stars["ideal_x"], truth.stars["ideal_y"]])
    return result.engine.grid.from_reference(reference.transform.inverse(ideal)), truth.stars["flux_L"].ravel()


def test_panels_are_told_apart_and_named(result):
    assert result.name == "M31_L_120s"
    assert [len(panel.placed) for panel in result.prepared.panels] == [5, 5, 5, 5]
    height, width = result.image.shape[1:]
    assert 900 < width < 980
    assert 700 < height < 760


def test_every_frame_lies_where_it_should(result, truth):
    reference = result.prepared.reference.frame.path
    corners = np.array([[0, 0], [519, 0], [0, 399], [519, 399]], float)
    for placed in result.prepared.placed:
        error = placed.registration.transform(corners) - truth.between(placed.light.frame.path, reference)(corners)
        assert np.hypot(*error.T).max() < 0.35


def test_stars_are_as_bright_in_every_panel(result, truth):
    places, flux = star_places(result, truth)
    plane, good = result.image.data[0], result.image.good[0] & ~has(result.image.flags[0], Flag.SATURATED)
    near = cKDTree(places)
    lone = [
        i for i in np.flatnonzero(flux > 60)
        if flux[[j for j in near.query_ball_point(places[i], 14) if j != i]].sum() < 0.02 * flux[i]
    ]  # fmt: skip
    light = star_light(plane, good, places[lone], 7.0) / flux[lone]
    place = places[lone]
    known = np.isfinite(light)
    light, place = light[known] / np.median(light[known]), place[known]
    middle = [result.image.shape[2] / 2, result.image.shape[1] / 2]
    for right in (False, True):
        for low in (False, True):
            here = ((place[:, 0] > middle[0]) == right) & ((place[:, 1] > middle[1]) == low)
            assert here.sum() > 5
            error = 1.25 * light[here].std() / here.sum() ** 0.5
            assert abs(np.median(light[here]) - 1) < 0.002 + 2 * error


def test_factors_bring_the_transparency_together(result, truth):
    scales = []
    for panel in result.prepared.panels:
        paths = {placed.light.frame.path for placed in panel.placed}
        mine = [c for c in result.engine.contributions if c.frame.path in paths]
        weights = [c.weight for c in mine]
        scales.append(np.average([float(c.gain[0]) * truth[c.frame.path].transparency for c in mine], weights=weights))
    np.testing.assert_allclose(scales, np.mean(scales), rtol=4e-3)
    own = [np.mean([truth[p.light.frame.path].transparency for p in panel.placed]) for panel in result.prepared.panels]
    assert np.ptp(own) > 0.03, "the panels must differ, or this says nothing"


def test_there_is_no_seam(result, truth):
    """Means of boxes without stars follow one smooth surface, across the seams as elsewhere."""
    places, flux = star_places(result, truth)
    image = result.image
    plane = np.where(image.good[0], image.data[0], np.nan)
    for (x, y), f in zip(places, flux):
        radius = 4 if f < 20 else 7 if f < 150 else 14 if f < 1500 else 24
        top, left = max(int(y) - radius, 0), max(int(x) - radius, 0)
        plane[top : max(int(y) + radius + 1, 0), left : max(int(x) + radius + 1, 0)] = np.nan
    box = 40
    height, width = (n // box * box for n in plane.shape)
    parts = plane[:height, :width].reshape(height // box, box, width // box, box).transpose(0, 2, 1, 3)
    parts = parts.reshape(-1, box * box)
    count = np.isfinite(parts).sum(axis=1)
    y, x = (axis.ravel() for axis in np.indices((height // box, width // box)))
    known = count > 500
    means = np.array([np.nanmean(part) for part in parts[known]])
    u, v = x[known] / x.max() * 2 - 1, y[known] / y.max() * 2 - 1
    basis = np.stack([u**i * v**j for i in range(5) for j in range(5 - i)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, means, rcond=None)
    left = means - basis @ fit
    sigma = float(np.sqrt(np.median(image.variance[0][image.good[0]])))
    assert left.std() < 0.11 * sigma
    # The levels of the panels differ by many times that.
    levels = [float(panel.hub.level.mean()) for panel in result.prepared.panels]
    assert np.ptp(levels) > 10 * sigma


def test_variance_tells_the_noise(result):
    image = result.image
    d = image.data[0].astype(float)
    steps = (d[1:, 1:] - d[1:, :-1] - d[:-1, 1:] + d[:-1, :-1]) / 2
    seen = image.good[0][1:, 1:] & image.good[0][:-1, :-1]
    scaled = steps / np.sqrt(np.where(image.good[0], image.variance[0], 1.0)[1:, 1:])
    pull = scaled[seen]
    # Resampled noise is smoother than white; as much in a mosaic as in one panel.
    inside = np.s_[60:300, 60:380]
    alone = scaled[inside]
    spread = [1.4826 * np.median(np.abs(each - np.median(each))) for each in (pull, alone)]
    assert spread[0] == pytest.approx(spread[1], rel=0.08)
    assert 0.7 < spread[0] < 1.1


def test_blending_in_bands_equals_blending_at_once(made, tmp_path, monkeypatch):
    result, (done, evenings, size, *_) = made
    monkeypatch.setattr(blending, "BAND", 17)
    with ThreadPoolExecutor(3) as pool:
        # Of a budget of nothing, the result lies in a file.
        other = blending.blend_panels(done, evenings, size, pool, 0, tmp_path)
    assert isinstance(other.mean, np.memmap)
    for name in ("mean", "variance", "flags", "coverage", "rejected_low"):
        np.testing.assert_array_equal(getattr(result.stacked, name), getattr(other, name), err_msg=name)


def test_streaming_equals_plain_arithmetic():
    """Two panels with one frame each: the blend of whole planes, written out, is what the bands give."""
    from types import SimpleNamespace

    from firstlight.ops.stack.seams import FAINT, PanelCells, blend, feather, feather_width, weights_at
    from firstlight.pipeline.integrate import Stacked

    rng = np.random.default_rng(4)
    done = []
    for left, level in ((0, 100.0), (96, 140.0)):
        mean = rng.normal(level, 5, (1, 128, 160)).astype(np.float32)
        flags = np.zeros(mean.shape, np.uint16)
        flags[0, :20, :9] = Flag.NO_DATA
        coverage = np.where(flags, 0, 1).astype(np.uint16)
        zero = np.zeros_like(coverage)
        stacked = Stacked(mean, np.full_like(mean, 25), flags, coverage, zero, zero, np.zeros(1))
        cells = PanelCells.of(mean, coverage > 0, 0, left, np.array([5.0]))
        done.append(SimpleNamespace(stacked=stacked, cells=cells, top=0, left=left, size=(128, 160), depth=1.0,
                                    panel=SimpleNamespace(placed=[None])))  # fmt: skip
    evenings = even_out([each.cells for each in done], [], 0)
    with ThreadPoolExecutor(2) as pool:
        fast = blending.blend_panels(done, evenings, (128, 256), pool, 10**9, None)
    width = feather_width([each.cells for each in done])
    values, variances, weights = (np.zeros((2, 128, 256), np.float32) for _ in range(3))
    ys = np.arange(128)
    for k, (each, evening) in enumerate(zip(done, evenings)):
        xs = np.arange(each.left, each.left + 160)
        values[k][:, xs] = evening.factor * each.stacked.mean[0] + evening.summand(0, ys, xs)
        variances[k][:, xs] = evening.factor**2 * each.stacked.variance[0]
        weight = (
            np.maximum(weights_at(feather(each.cells, width), each.cells, ys, xs), FAINT) / (evening.factor * 5) ** 2
        )
        weights[k][:, xs] = np.where(each.stacked.coverage[0] > 0, weight, 0)
    mean, variance = blend(list(values), list(variances), list(weights))
    seen = weights.sum(axis=0) > 0
    np.testing.assert_allclose(fast.mean[0][seen], mean[seen], rtol=1e-6)
    np.testing.assert_allclose(fast.variance[0][seen], variance[seen], rtol=1e-5)
    np.testing.assert_array_equal(has(fast.flags[0], Flag.NO_DATA), ~seen)


def test_file_holds_the_mosaic(result):
    image = read(result.files[0])
    assert image.shape == result.image.shape
    assert any("mosaic of 4 panels" in step for step in image.history)
    assert image.meta.n_combined == 20
    assert any("panels meet within" in note for note in result.notes)


def test_names_of_panels():
    assert without_panel("Heart nebula, Pane 12") == "Heart nebula"
    assert without_panel("Panel 1") == "Panel 1"
    assert without_panel("IC 1805 3x2") == "IC 1805"
    assert without_panel("Abell 85") == "Abell 85"
    assert without_panel("WASP-12") == "WASP-12"
    assert without_panel("HAT-P-32") == "HAT-P-32"


def test_what_a_mosaic_cannot_be_is_told():
    from firstlight.cli.settings import settings_from

    options = {"set__registration__framing": "mosaic", "set__registration__method": "phase"}
    with pytest.raises(SpecError, match="joined by their stars"):
        settings_from(options)
    assert part_by_panel([], MOSAIC.match, lambda n: None) == []


@pytest.fixture(scope="module")
def panel_files(made, tmp_path_factory):
    """A stack of each panel, as another program might leave it: of its own size, with its own sky."""
    result, (done, *_) = made
    folder = tmp_path_factory.mktemp("panels")
    files = []
    for k, each in enumerate(done):
        cut = np.s_[:, : 384 - 32 * (k % 2), : 512 - 32 * (k // 2)]
        meta = result.image.meta.replace(target=f"M31_P{k + 1}", n_combined=5, exposure=600.0)
        planes = [np.array(getattr(each.stacked, name)[cut]) for name in ("mean", "flags", "variance", "coverage")]
        image = Image(*planes[:3], meta=meta)
        files.append(write(folder / f"panel{k}.fits", image, coverage=planes[3]))
    return files


def test_stacks_of_panels_become_a_mosaic(panel_files, result, tmp_path):
    """Of other sizes, resampled once more: the same sky as the mosaic from raw frames."""
    from firstlight.pipeline.stack import StackSettings, stack_files

    mosaic = stack_files(panel_files, tmp_path / "m.fits", StackSettings(registration=Register(framing="mosaic")))
    assert not mosaic.set_aside
    image = read(tmp_path / "m.fits")
    assert image.meta.n_combined == 20
    assert abs(image.shape[2] - result.image.shape[2]) < 80
    # Where the brightest stars lie tells how the one lies on the other.
    shift = _shift_between(image, result.image)
    y, x = np.indices((500, 600))
    other = result.image.data[0, 100:600, 100:700].astype(float)
    from scipy.ndimage import map_coordinates

    mine = map_coordinates(image.data[0].astype(float), [y + 100 + shift[1], x + 100 + shift[0]], order=3)
    scale = np.median((mine[other > 3000] - np.median(mine)) / (other[other > 3000] - np.median(other)))
    step = (mine - np.median(mine)) / scale - (other - np.median(other))
    boxes = np.median(step.reshape(10, 50, 12, 50).transpose(0, 2, 1, 3).reshape(120, -1), axis=1)
    sigma = float(np.sqrt(np.median(result.image.variance[0][result.image.good[0]])))
    yy, xx = np.indices((10, 12))
    basis = np.stack([np.ones(120), xx.ravel(), yy.ravel(), xx.ravel() ** 2, yy.ravel() ** 2, (xx * yy).ravel()], 1)
    fit, *_ = np.linalg.lstsq(basis.astype(float), boxes, rcond=None)
    assert (boxes - basis @ fit).std() < 0.15 * sigma


def _shift_between(one, other):
    from firstlight.ops.align.match import match_stars
    from firstlight.ops.inspect.stars import find_stars

    stars = [find_stars(np.ascontiguousarray(image.data[0]), excluded=~image.good[0])[0] for image in (other, one)]
    found = match_stars(*stars)
    assert abs(found.transform.rotation) < 0.6
    assert found.rms < 0.3
    return found.transform(np.array([[400.0, 350.0]]))[0] - [400.0, 350.0]


def test_panels_that_do_not_meet_are_placed_by_their_plates(tmp_path):
    """Two files without a star in common: their plates say where they lie."""
    from firstlight.errors import InputError
    from firstlight.model.meta import Kind, Meta
    from firstlight.model.plate import Plate
    from firstlight.pipeline.stack import StackSettings, stack_files
    from firstlight.simulate.scene import render_stars

    rng = np.random.default_rng(8)
    files, plain = [], []
    for k, column in enumerate((0, 500)):
        cards = {
            "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 30.0, "CRVAL2": 40.0, "CRPIX1": 201.0 - column,
            "CRPIX2": 151.0, "CD1_1": -5e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 5e-4,
        }  # fmt: skip
        x, y, flux = rng.uniform(5, 395, 60), rng.uniform(5, 295, 60), rng.pareto(1.0, 60) * 2000 + 2000
        pixels = render_stars((300, 400), x, y, flux, 3.0) + 500 + 100 * k + rng.normal(0, 5, (300, 400))
        image = Image(pixels, meta=Meta(kind=Kind.LIGHT, target=f"Gap panel {k + 1}"))
        files.append(write(tmp_path / f"{k}.fits", image.replace(plate=Plate(cards))))
        plain.append(write(tmp_path / f"plain{k}.fits", image))
    settings = StackSettings(registration=Register(framing="mosaic"))
    mosaic = stack_files(files, tmp_path / "m.fits", settings)
    assert abs(mosaic.image.shape[2] - 900) <= 2
    assert any("placed by their plates" in note for note in mosaic.notes)
    gap = mosaic.image.flags[0, 150, 410:490]
    assert has(gap, Flag.NO_DATA).all()
    assert mosaic.image.plate.cards["CRPIX1"] in (201.0, -299.0)
    with pytest.raises(InputError, match="no two of them share enough stars"):
        stack_files(plain, tmp_path / "n.fits", settings)


def test_files_are_registered_by_their_plates_alone(tmp_path):
    from firstlight.model.meta import Kind, Meta
    from firstlight.model.plate import Plate
    from firstlight.pipeline.stack import StackSettings, stack_files

    files = []
    for k, (x, y) in enumerate(((0, 0), (7, -4), (3, 9))):
        plane = np.random.default_rng(k).normal(500, 5, (120, 160))
        plane[60 + y, 80 + x] += 5000
        cards = {
            "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 30.0, "CRVAL2": 40.0, "CRPIX1": 81.0 + x,
            "CRPIX2": 61.0 + y, "CD1_1": -5e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 5e-4,
        }  # fmt: skip
        image = Image(plane, plate=Plate(cards), meta=Meta(kind=Kind.LIGHT, exposure=30.0))
        files.append(write(tmp_path / f"{k}.fits", image))
    settings = StackSettings(registration=Register(method="plate", framing="union", reference="0.fits"))
    stack = stack_files(files, tmp_path / "s.fits", settings)
    peak = np.unravel_index(int(np.argmax(stack.image.data[0])), stack.image.shape[1:])
    assert stack.image.data[0].max() > 4000
    cards = stack.image.plate.cards
    assert (cards["CRPIX1"] - 1, cards["CRPIX2"] - 1) == (peak[1], peak[0])


def test_a_stack_has_the_filter_of_its_group_not_of_its_reference(result):
    from dataclasses import replace

    from firstlight.pipeline.group import stack_meta

    prepared = replace(result.prepared, group=replace(result.prepared.group, filter="R"))
    assert stack_meta(prepared, result.engine).filter == "R"
