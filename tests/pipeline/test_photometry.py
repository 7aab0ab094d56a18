"""``firstlight photometry``: a field with a catalogue, forced places, odd images."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from firstlight.errors import InputError
from firstlight.io.catalogs import open_catalog
from firstlight.io.write import write
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.meta import Kind, Meta
from firstlight.model.plate import Plate
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.catalog.channels import measure_channels
from firstlight.pipeline.photometry import PhotometrySettings, photometry
from star_field import expose, light_of, scattered

SHAPE, GAIN, ZERO, TERM, EXPOSURE = (420, 420), 1.5, 20.7, 0.06, 60.0
PLATE = Plate({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 210.0, "CRPIX2": 210.0, "CRVAL1": 150.0,
               "CRVAL2": 20.0, "CD1_1": -5e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 5e-4})  # fmt: skip
META = Meta(
    kind=Kind.LIGHT, filter="V", exposure=EXPOSURE, gain=GAIN, read_noise=4.0, saturation=60000.0, ra=150.0, dec=20.0,
    start=datetime(2026, 1, 17, 22, tzinfo=UTC), latitude=48.0, longitude=11.6,
)  # fmt: skip
PLAIN = PhotometrySettings(completeness=0, solve=False)


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """An image, its catalogue, and the truth."""
    folder = tmp_path_factory.mktemp("field")
    rng = np.random.default_rng(5)
    x, y = scattered(rng, 110, SHAPE, 34.0, 20.0)
    v, colour = rng.uniform(10.5, 14.5, 110), rng.uniform(0.1, 1.5, 110)
    electrons = GAIN * EXPOSURE * 10 ** (-0.4 * (v - ZERO - TERM * colour))
    plane = expose(light_of(SHAPE, x, y, electrons, 2.8, beta=4.0), rng, gain=GAIN, bias=0.0)
    image = Image(plane, plate=PLATE, meta=META)
    path = write(folder / "image.fits", image)
    ra, dec = SkyMap.of(PLATE).sky(np.column_stack([x, y])).T
    Table({"ra": ra, "dec": dec, "V": v, "B": v + colour}).write(folder / "catalogue.csv", format="csv")
    return path, folder / "catalogue.csv", x, y, v, colour


def measured(field, settings=PLAIN, **changes):
    path, catalog, *_ = field
    result = photometry(
        [path], settings.model_copy(update={"catalog": str(catalog), **changes}), output=path.parent / "out"
    )
    return result.images[0]


def test_zero_point_and_colour_term(field):
    """Figure A8: the colour zero point within 5 mmag."""
    image = measured(field)
    zero = image.zero_point
    assert zero.zero_at_colour_zero == pytest.approx(ZERO, abs=0.005)
    assert zero.terms["colour"][0] == pytest.approx(TERM, abs=3 * zero.terms["colour"][1])
    assert zero.zero_error < 0.003
    assert (image.band, image.colour_name, image.code) == ("V", "B-V", "V")


def test_magnitudes_are_right_within_their_errors(field):
    image = measured(field)
    *_, x, y, v, _ = field
    index, distance = (
        np.array([np.hypot(image.photometry.x - a, image.photometry.y - b).argmin() for a, b in zip(x, y)]),
        None,
    )
    distance = np.hypot(image.photometry.x[index] - x, image.photometry.y[index] - y)
    seen = (distance < 1) & ~image.saturated[index]
    assert seen.sum() > 90
    pulls = (image.calibrated[index] - v)[seen] / np.hypot(image.error[index][seen], 0.003)
    assert abs(np.median(pulls)) < 0.4
    assert 0.7 < 1.4826 * np.median(np.abs(pulls)) < 1.3


def test_limits_agree_with_what_is_found(tmp_path):
    rng = np.random.default_rng(3)
    x, y = scattered(rng, 30, (300, 300), 43.0, 20.0)
    plane = expose(light_of((300, 300), x, y, rng.uniform(5e3, 3e4, 30), 2.8), rng, gain=GAIN, bias=0.0)
    path = write(tmp_path / "a.fits", Image(plane, meta=META))
    (image,) = photometry([path], PhotometrySettings(completeness=300, catalog="none", solve=False)).images
    # Pixels scatter by 9.9 adu; about 25 of them hold a star: 5 sigma are 250 adu in 60 s.
    assert image.limit == pytest.approx(-2.5 * np.log10(250 / 60), abs=0.35)
    assert image.completeness.half == pytest.approx(image.limit, abs=0.3)
    assert image.completeness.share[0] > 0.85


def test_the_table_and_the_header(field, tmp_path):
    path, catalog, *_ = field
    copy = tmp_path / "copy.fits"
    copy.write_bytes(path.read_bytes())
    settings = PLAIN.model_copy(update={"catalog": str(catalog), "update": True})
    image = photometry([copy], settings).images[0]
    header = fits.getheader(copy)
    assert header["MAGZPT"] == pytest.approx(image.zero_point.zero, abs=1e-4)
    assert header["COLTERM"] == pytest.approx(image.zero_point.terms["colour"][0], abs=1e-4)
    assert {"MAGZERR", "MAGLIM", "MAGBAND", "COLTERR", "COLZERO", "MAGZNUM"} <= set(header)
    np.testing.assert_array_equal(fits.getdata(copy), fits.getdata(path))
    for suffix in (".csv", ".ecsv", ".fits"):
        images = photometry(
            [path], settings.model_copy(update={"table": suffix, "update": False}), output=tmp_path
        ).images
        table = Table.read(images[0].files[0])
        assert len(table) == len(image.magnitude)
        np.testing.assert_allclose(np.asarray(table["magnitude"]), image.calibrated, atol=1e-4, equal_nan=True)


def test_forced_places_in_px_and_on_the_sky(field, tmp_path):
    _path, _catalog, x, y, *_ = field
    Table({"x": x[:3], "y": y[:3]}).write(tmp_path / "px.csv")
    ra, dec = SkyMap.of(PLATE).sky(np.column_stack([x[:3], y[:3]])).T
    Table({"ra": [*ra, 150.0], "dec": [*dec, 20.2]}).write(tmp_path / "sky.ecsv")
    in_px = measured(field, positions=str(tmp_path / "px.csv"), catalog="none")
    on_sky = measured(field, positions=str(tmp_path / "sky.ecsv"), catalog="none")
    np.testing.assert_allclose(on_sky.photometry.flux[:3], in_px.photometry.flux, rtol=1e-4)
    assert np.isnan(on_sky.photometry.flux[3, 0])
    with pytest.raises(InputError, match="no such file"):
        measured(field, positions="none.csv")


def test_apertures_are_those_that_are_asked_for(field):
    from firstlight.ops.catalog.apertures import Apertures

    wide = measured(field, apertures=Apertures(choice="fixed", radius=9.0))
    narrow = measured(field, apertures=Apertures(choice="fwhm", factor=0.8))
    best = measured(field)
    assert wide.radius == 9.0
    assert narrow.radius == pytest.approx(0.8 * narrow.fwhm)
    assert 0.5 < best.radius / best.fwhm < 1.3
    bright = best.error < 0.003
    # Corrected for the light outside, all three tell the same magnitudes.
    for other in (wide, narrow):
        assert np.median((other.magnitude - best.magnitude)[bright]) == pytest.approx(0.0, abs=0.006)
    assert wide.correction > narrow.correction


def test_what_cannot_be_measured_is_said(field, tmp_path):
    path, _catalog, *_ = field
    flat = write(tmp_path / "flat.fits", Image(np.random.default_rng(1).normal(100, 3, (60, 60)), meta=META))
    seen = write(
        tmp_path / "seen.fits", Image(np.full((60, 60), 0.5), unit=PixelUnit.NORMALISED, state=State.STRETCHED)
    )
    result = photometry([path, flat, seen], PLAIN.model_copy(update={"catalog": "none"}), output=tmp_path)
    assert len(result.images) == 1
    assert [words.split(": ", 1)[1][:12] for words in result.failed.values()] == ["no stars are", "is stretched"]
    with pytest.raises(InputError, match="no stars"):
        photometry([flat], PLAIN)
    with pytest.raises(InputError, match="band 'J'"):
        measured(field, band="J")


def test_without_a_plate_there_are_instrumental_magnitudes(tmp_path, field):
    from firstlight.io.read import read

    path = write(tmp_path / "bare.fits", read(field[0]).replace(plate=None))
    (image,) = photometry([path], PLAIN).images
    assert image.zero_point is None
    assert np.isfinite(image.magnitude).sum() > 90
    assert any("firstlight solve" in note for note in image.notes)


def test_channels_of_a_colour_image_with_the_catalogue(field):
    _, catalog, x, y, v, colour = field
    rng = np.random.default_rng(9)
    light = [light_of(SHAPE, x, y, 1e7 * 10 ** (-0.4 * (v - 8 + k * colour)), 2.8) for k in (-0.5, 0.0, 1.0)]
    data = np.stack([expose(each, rng, gain=GAIN, bias=0.0) for each in light])
    found = measure_channels(Image(data, plate=PLATE, meta=META), open_catalog(catalog))
    assert len(found.index) > 80
    blue = -2.5 * np.log10(found.flux[:, 2] / found.flux[:, 0])
    error = 1.0857 * np.hypot(found.error[:, 2] / found.flux[:, 2], found.error[:, 0] / found.flux[:, 0])
    pulls = (blue - 1.5 * colour[found.index]) / np.hypot(error, 0.002)
    assert abs(np.median(pulls)) < 0.5
    assert 0.6 < 1.4826 * np.median(np.abs(pulls)) < 1.4
    with pytest.raises(InputError, match="no plate"):
        measure_channels(Image(data, meta=META), open_catalog(catalog))
