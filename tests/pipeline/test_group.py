"""A group of lights to a drizzled stack, from raw frames to the header."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from firstlight.cli.main import run
from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.model.flags import Flag, has
from firstlight.model.plate import Plate
from firstlight.model.registration import Transform
from firstlight.ops.align.grid import Grid
from firstlight.ops.stack.combine import Combine
from firstlight.ops.stack.drizzle import Drizzle
from firstlight.pipeline.describe import describe_plan
from firstlight.pipeline.plan import plan
from firstlight.pipeline.process import process
from firstlight.pipeline.settings import Output, Settings
from firstlight.simulate.night import load_truth, preset, simulate


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "tiny"
    tiny = preset("tiny")
    simulate(folder, tiny.model_copy(update={"camera": tiny.camera.model_copy(update={"cfa": "RGGB"})}))
    return folder


@pytest.fixture(scope="module")
def result(night, tmp_path_factory):
    settings = Settings(drizzle=Drizzle(scale=2, context=True), output=Output(rejection_maps=True))
    return process(night, settings, output=tmp_path_factory.mktemp("out") / "run")


@pytest.fixture(scope="module")
def plain(night, tmp_path_factory):
    return process(night, Settings(output=Output(pictures=False)), output=tmp_path_factory.mktemp("plain") / "run")


@pytest.mark.parametrize("framing", ["reference", "mosaic"])
def test_a_session_of_which_nothing_is_chosen(night, tmp_path, capsys, framing):
    argv = ["process", str(night), "-o", str(tmp_path / "run"), "-q", "--select-where", "fwhm < 0"]
    assert run([*argv, "--registration-framing", framing]) == 1
    said = "".join(capsys.readouterr())
    assert "0 of 8 lights are in the stacks" in said
    assert "light_L_60s_0001.fits: not fwhm < 0" in said


def test_header_of_a_drizzled_mosaic(result, plain):
    (stack,), (ordinary,) = result.stacks, plain.stacks
    header, before = fits.getheader(stack.files[0]), fits.getheader(ordinary.files[0])
    assert (header["NAXIS1"], header["NAXIS2"], header["NAXIS3"]) == (600, 400, 3)
    assert "BAYERPAT" not in header
    assert header["XPIXSZ"] == pytest.approx(before["XPIXSZ"] / 2)
    assert header["GAIN"] == pytest.approx(before["GAIN"] / 4)
    assert header["RDNOISE"] == pytest.approx(before["RDNOISE"] / 2)
    for same in ("EXPTIME", "NCOMBINE", "DATE-AVG", "SATURATE", "OBJECT", "XBINNING"):
        assert header[same] == before[same]
    assert (header["DRIZSCAL"], header["DRIZPIXF"], header["DRIZKERN"], header["NOISERAT"]) == (2, 1, "square", 2.4)
    history = "".join(stack.image.history)
    assert "drizzled: scale=2,pixfrac=1,kernel=square,reject=4" in history
    assert "resampled" not in stack.image.history[0]


def test_planes_of_a_drizzled_mosaic(result):
    (stack,) = result.stacks
    image = read(stack.files[0])
    with fits.open(stack.files[0]) as units:
        context = units["CONTEXT"].data.reshape(3, 1, 400, 600)
        np.testing.assert_array_equal(
            np.bitwise_count(context).sum(axis=1), units["COVERAGE"].data.reshape(3, 400, 600)
        )
        assert units["REJECTED_HIGH"].data.sum() > 0
    assert not has(image.flags[:, 60:-60, 60:-60], Flag.NO_DATA).any()
    width = fits.getheader(stack.files[0])["NAXIS1"]
    from PIL import Image as Pictures

    with Pictures.open(result.output / "pictures" / f"{stack.name}.png") as picture:
        assert picture.size == (width, 400)


def test_stars_lie_where_the_truth_has_them(night, result):
    truth = load_truth(night)
    (stack,) = result.stacks
    at = truth.star_positions(truth[stack.prepared.reference.frame.path])
    flux = truth.stars["flux_R"] if "flux_R" in truth.stars else np.array(truth.stars["flux"])
    image = read(stack.files[0])
    plane = image.data.mean(axis=0)
    found = []
    for i in np.argsort(flux.reshape(len(at), -1)[:, 0])[::-1][:60]:
        x, y = 2 * at[i] + 0.5
        if not (30 < x < 570 and 30 < y < 370) or np.sort(np.hypot(*(at - at[i]).T))[1] < 7:
            continue
        yy, xx = np.mgrid[int(y) - 8 : int(y) + 9, int(x) - 8 : int(x) + 9]
        light = (plane[yy, xx] - np.median(plane)) * (np.hypot(yy - y, xx - x) < 6)
        if light.sum() > 500:
            found.append(((light * xx).sum() / light.sum() - x, (light * yy).sum() / light.sum() - y))
    assert len(found) >= 5
    assert np.abs(np.median(found, axis=0)).max() < 0.2


def test_run_says_how_it_was_drizzled(result, plain):
    summary = result.record["stacks"][0]["drizzle"]
    assert (summary["scale"], summary["kernel"], summary["noise_ratio"]) == (2, "square", 2.4)
    assert len(summary["holes"]) == 3
    (stack,), (ordinary,) = result.stacks, plain.stacks
    assert stack.noise == pytest.approx(ordinary.noise, rel=0.15)
    assert stack.quality.n_stars == ordinary.quality.n_stars
    assert stack.quality.fwhm / stack.scale == pytest.approx(ordinary.quality.fwhm, rel=0.25)


def test_plan_tells_memory_and_disk(night):
    small, large = (plan(night, Settings(drizzle=Drizzle(scale=s))) for s in (0, 3))
    assert (small.memory_bytes, "Memory" in describe_plan(small)) == (0, False)
    assert large.disk_bytes > 5 * small.disk_bytes
    assert large.memory_bytes > 3 * 9 * 300 * 200 * 16
    assert "Memory: about" in describe_plan(large)
    context = plan(night, Settings(drizzle=Drizzle(scale=3, context=True)))
    assert context.memory_bytes > large.memory_bytes
    assert context.disk_bytes > large.disk_bytes


def test_a_stack_too_large_for_the_memory_is_refused(night, tmp_path):
    with pytest.raises(InputError, match=r"--memory 20; the planes of the stack take about .* raise --memory"):
        process(night, Settings(drizzle=Drizzle(scale=4), memory=20), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["sum", "chi2"])
def test_sums_judge_no_frame(night, tmp_path, method):
    with pytest.raises(InputError, match=f"method {method} makes no mean"):
        process(night, Settings(drizzle=Drizzle(scale=2), stack=Combine(method=method)), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_settings_are_explained(night, tmp_path, capsys):
    assert run(["process", str(night), "-o", str(tmp_path), "--drizzle-kernel", "gaussian"]) == 2
    assert "square" in capsys.readouterr().err
    assert run(["live", str(night), "--drizzle-scale", "2"]) == 2
    assert "no such option" in capsys.readouterr().err


@pytest.mark.parametrize("scale", [1.0, 2.0, 1.5, 0.5])
def test_plate_follows_the_grid(scale):
    cards = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "CRVAL1": 10.0, "CRVAL2": 70.0, "CRPIX1": 50.0,
             "CRPIX2": 40.0, "CDELT1": -5e-4, "CDELT2": 5e-4, "A_ORDER": 2, "B_ORDER": 2, "A_2_0": 3e-6, "B_0_2": 2e-6,
             "A_1_1": -1e-6, "NAXIS1": 100, "NAXIS2": 80}  # fmt: skip
    grid = Grid(100, 130, Transform.of_shift(12.0, 7.0))
    moved = grid.plate(Plate(cards), scale)
    assert "NAXIS1" not in moved.cards
    one, other = (WCS(fits.Header(c), naxis=2) for c in (cards, moved.cards))
    for x, y in ((0.0, 0.0), (90.0, 10.0), (33.3, 70.5)):
        place = scale * np.array([x + 12, y + 7]) + 0.5 * (scale - 1)
        assert other.pixel_to_world(*place).separation(one.pixel_to_world(x, y)).arcsec < 1e-6
    assert grid.plate(None) is None
