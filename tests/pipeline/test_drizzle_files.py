"""Calibrated files drizzled by `stack_files`."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from firstlight.errors import InputError
from firstlight.io.fits_writer import Unit, write_units
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta
from firstlight.ops.stack.drizzle import Drizzle
from firstlight.pipeline.settings import Register
from firstlight.pipeline.stack import StackSettings, stack_files

SHAPE, SKY, NOISE, GAIN = (170, 210), 300.0, 6.0, 1.5
STARS = np.random.default_rng(3).uniform((20, 20), (190, 150), (40, 2))
FLUXES = 10 ** np.random.default_rng(4).uniform(3.8, 5.0, 40)
SKY_OF = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 300.0, "CRVAL2": 22.0, "CRPIX1": 100.0, "CRPIX2": 80.0,
    "CD1_1": -4e-4, "CD1_2": 1e-5, "CD2_1": 1e-5, "CD2_2": 4e-4,
}  # fmt: skip


def field(shift, seed, fwhm=2.4):
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    sigma = fwhm / 2.3548
    light = np.zeros(SHAPE)
    for (x, y), flux in zip(STARS, FLUXES):
        distance = (xx - x - shift[0]) ** 2 + (yy - y - shift[1]) ** 2
        light += flux / (2 * np.pi * sigma**2) * np.exp(-distance / 2 / sigma**2)
    rng = np.random.default_rng(seed)
    return (SKY + light + rng.standard_normal(SHAPE) * np.sqrt(NOISE**2 + light / GAIN)).astype(np.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Twelve frames of another program, dithered; a ray in one of them."""
    folder = tmp_path_factory.mktemp("calibrated")
    rng = np.random.default_rng(9)
    paths = []
    for i in range(12):
        shift = (0.0, 0.0) if i == 0 else rng.uniform(-5, 5, 2)
        data = field(shift, i)
        if i == 4:
            data[90:92, 60:64] += 3000
        where = SKY_OF | {"CRPIX1": 100.0 + shift[0], "CRPIX2": 80.0 + shift[1]}
        cards = {"IMAGETYP": "LIGHT", "EXPTIME": 60.0, "EGAIN": GAIN, "XPIXSZ": 3.8, "OBJECT": "M 27", **where}
        paths.append(folder / f"cal_{i:02d}.fits")
        write_units(paths[-1], [Unit([(key, value, "") for key, value in cards.items()], data)], False)
    return paths


REGISTERED = Register(method="stars", reference="cal_00.fits")


@pytest.fixture(scope="module")
def result(files, tmp_path_factory):
    settings = StackSettings(registration=REGISTERED, drizzle=Drizzle(scale=2, context=True), rejection_maps=True)
    return stack_files(files, tmp_path_factory.mktemp("out") / "drizzled.fits", settings)


def test_stars_keep_flux_and_place(result):
    image = read(result.path)
    assert image.shape == (1, 340, 420)
    plane = image.data[0] - np.median(image.data)
    for (x, y), flux in zip(STARS, FLUXES):
        near = np.hypot(*(STARS - (x, y)).T)
        if np.sort(near)[1] < 14:
            continue
        cx, cy = 2 * x + 0.5, 2 * y + 0.5
        yy, xx = np.mgrid[int(cy) - 12 : int(cy) + 13, int(cx) - 12 : int(cx) + 13]
        light = plane[yy, xx] * (np.hypot(yy - cy, xx - cx) < 11)
        error = np.sqrt((NOISE**2 * 95 + flux / GAIN) / 12)
        assert light.sum() / 4 == pytest.approx(flux, abs=5 * error + 2e-3 * flux)
        assert (light * xx).sum() / light.sum() == pytest.approx(cx, abs=0.1 + 40 * error / flux)
        assert (light * yy).sum() / light.sum() == pytest.approx(cy, abs=0.1 + 40 * error / flux)


def test_outlier_is_left_out(result):
    image = read(result.path)
    # The frame is off the reference by its dither: look for anything like it nearby.
    blank = image.data[0, 160:200, 100:150]
    assert blank.max() < 1500
    with fits.open(result.path) as units:
        assert units["REJECTED_HIGH"].data.reshape(340, 420)[160:200, 100:150].max() >= 1
        context = units["CONTEXT"].data.reshape(1, 340, 420)
        coverage = units["COVERAGE"].data.reshape(340, 420)
        np.testing.assert_array_equal(np.bitwise_count(context).sum(axis=0), coverage)


def test_header_and_plate_are_those_of_the_finer_grid(result):
    with fits.open(result.path) as units:
        header = units[0].header
    assert (header["NAXIS1"], header["NAXIS2"], header["XPIXSZ"]) == (420, 340, 1.9)
    assert header["GAIN"] == pytest.approx(12 * GAIN / 4, rel=0.02)
    assert header["EXPTIME"] == 720
    assert (header["DRIZSCAL"], header["NCOMBINE"]) == (2, 12)
    frame, finer = WCS(SKY_OF | {"NAXIS": 2}), WCS(header, naxis=2)
    for x, y in STARS[:5]:
        sky = frame.pixel_to_world(x, y)
        assert finer.pixel_to_world(2 * x + 0.5, 2 * y + 0.5).separation(sky).arcsec < 1e-6
    assert any("drizzled: scale=2" in line.replace("\n", "") for line in result.image.history)


def test_variance_holds_for_the_sky(result):
    image = read(result.path)
    from firstlight.pipeline.compare import diagonal_noise

    flat = image.data[0, 20:-20, 20:-20]
    # Neighbours on a diagonal share drops: compare single pixels instead, by their scatter about the median.
    dark = np.abs(flat - np.median(flat)) < 12
    scatter = 1.4826 * np.median(np.abs(flat[dark] - np.median(flat[dark])))
    claim = np.sqrt(np.median(image.variance[0, 20:-20, 20:-20]))
    assert scatter == pytest.approx(claim, rel=0.1)
    assert diagonal_noise(flat) < scatter


def test_union_frames_all_and_moves_the_plate(files, tmp_path):
    settings = StackSettings(
        registration=REGISTERED.model_copy(update={"framing": "union"}), drizzle=Drizzle(scale=1.5)
    )
    result = stack_files(files[:3], tmp_path / "union.fits", settings)
    image = read(result.path)
    assert image.shape[2] > 1.5 * SHAPE[1]
    assert has(image.flags, Flag.NO_DATA).any()
    finer, frame = WCS(fits.getheader(result.path), naxis=2), WCS(SKY_OF | {"NAXIS": 2})
    x, y = STARS[int(np.argmax(FLUXES))]
    at = np.array(finer.world_to_pixel(frame.pixel_to_world(x, y)))
    i, j = np.round(at).astype(int)
    peak = np.array(np.unravel_index(image.data[0, j - 5 : j + 6, i - 5 : i + 6].argmax(), (11, 11)))[::-1]
    assert np.abs(peak + np.array([i - 5, j - 5]) - at).max() < 1.5


def test_bytes_do_not_depend_on_threads(files, tmp_path):
    contents = []
    for threads, memory in ((1, 0), (3, 0), (2, 20)):
        settings = StackSettings(
            registration=REGISTERED, drizzle=Drizzle(scale=2, pixfrac=0.6), threads=threads, memory=memory
        )
        contents.append(stack_files(files[:6], tmp_path / "same.fits", settings).path.read_bytes())
    assert contents[0] == contents[1] == contents[2]


def test_what_cannot_be_drizzled_is_refused(files, tmp_path):
    drizzle = Drizzle(scale=2)
    with pytest.raises(InputError, match="--registration-method stars"):
        stack_files(files, tmp_path / "a.fits", StackSettings(drizzle=drizzle))
    settings = StackSettings(drizzle=drizzle, registration=Register(method="stars"))
    for kind, words in ((Kind.STACK, "single lights"), (Kind.DARK, "single lights"), (None, "firstlight process")):
        meta = Meta(kind=kind or Kind.LIGHT, cfa=None if kind else "RGGB", exposure=1.0)
        paths = [write(tmp_path / f"{kind}_{i}.fits", Image(field((0, 0), i), meta=meta)) for i in range(2)]
        with pytest.raises(InputError, match=words):
            stack_files(paths, tmp_path / "a.fits", settings)
    large = settings.model_copy(update={"drizzle": Drizzle(scale=4), "memory": 10})
    with pytest.raises(InputError, match=r"--memory 10; .* or raise --memory"):
        stack_files(files, tmp_path / "a.fits", large)
    assert not (tmp_path / "a.fits").exists()
