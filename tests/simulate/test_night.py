"""Whole nights: files, headers, truth, and frames that show what the truth says."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import sep
from astropy.io import fits

from firstlight.errors import InputError, SpecError
from firstlight.ops.field_texts import field_texts
from firstlight.simulate.field import Field, field_from_catalog, zero_magnitude_flux
from firstlight.simulate.geometry import sky_of
from firstlight.simulate.night import PRESETS, Camera, Comet, Night, Scene, Sky, Telescope, load_truth, preset, simulate
from firstlight.simulate.truth import Truth

SMALL = Night(
    n_lights=4,
    n_darks=2,
    n_bias=2,
    n_flats=2,
    n_dark_flats=1,
    filters=("R", "Ha"),
    exposures=(30.0, 60.0),
    trails=0.25,
    bumps=0.125,
    rotation=2.0,
    meridian_flip=True,
    camera=Camera(width=160, height=120),
    sky=Sky(clouds=0.3, stars_per_mpx=2000.0, nebula=1.0),
)


def digests(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night") / "small"
    return simulate(folder, SMALL, workers=2)


def test_every_frame_is_there_and_whole(small):
    counts = {kind: len(small.of_kind(kind)) for kind in ("light", "dark", "bias", "flat", "dark flat")}
    assert counts == {"light": 16, "dark": 4, "bias": 2, "flat": 4, "dark flat": 1}
    on_disk = sorted(str(p.relative_to(small.folder)) for p in small.folder.glob("*/*.fits"))
    assert on_disk == sorted(f.file for f in small.frames)
    for frame in small.frames:
        with fits.open(small.folder / frame.file) as hdus:
            hdus.verify("exception")
            assert hdus[0].data.dtype == np.uint16
            assert hdus[0].data.shape == (120, 160)
            assert hdus[0].header["BITPIX"] == 16
            assert hdus[0].header["BZERO"] == 32768


def test_headers_are_complete(small):
    common = "IMAGETYP EXPTIME DATE-OBS INSTRUME GAIN EGAIN OFFSET RDNOISE SATURATE CCD-TEMP SET-TEMP XBINNING YBINNING"
    common += " XPIXSZ YPIXSZ FOCALLEN TELESCOP ROWORDER"
    sky = "OBJECT FILTER RA DEC OBJCTRA OBJCTDEC PIERSIDE AIRMASS"
    starts = []
    for frame in small.frames:
        header = fits.getheader(small.folder / frame.file)
        for key in common.split() + (sky.split() if frame.kind == "light" else []):
            assert key in header, (frame.file, key)
        assert header["EXPTIME"] == frame.exposure
        assert header["IMAGETYP"] == frame.kind.upper().replace(" ", "")
        assert ("FILTER" in header) == (frame.kind in ("light", "flat"))
        assert header["EGAIN"] == SMALL.camera.gain
        assert "BAYERPAT" not in header
        starts.append(header["DATE-OBS"])
    assert starts == sorted(starts)
    assert len(set(starts)) == len(starts)
    sides = [fits.getval(small.folder / f.file, "PIERSIDE") for f in small.lights]
    assert sides == ["WEST"] * 8 + ["EAST"] * 8


def test_the_header_points_where_the_frame_looks(small):
    flipped = small.lights[-1]
    header = fits.getheader(small.folder / flipped.file)
    ra, dec = sky_of(SMALL, flipped.transform([[79.5, 59.5]]))
    assert header["RA"] == pytest.approx(ra[0], abs=1e-4)
    assert header["DEC"] == pytest.approx(dec[0], abs=1e-4)


def test_a_second_run_gives_the_same_bytes(small, tmp_path):
    simulate(tmp_path / "again", SMALL, workers=1)
    assert digests(tmp_path / "again") == digests(small.folder)


def test_another_seed_gives_other_pixels():
    frames = [Scene(SMALL.model_copy(update={"seed": seed})) for seed in (1, 2)]
    first, second = (scene.expose(scene.frames[0]) for scene in frames)
    assert (first != second).mean() > 0.9


def test_a_frame_can_be_made_alone(small):
    frame = small.lights[5]
    alone = Scene(SMALL)
    np.testing.assert_array_equal(alone.expose(frame), fits.getdata(small.folder / frame.file))


def test_truth_comes_back_as_it_was_written(small):
    loaded = load_truth(small.folder)
    assert loaded.night == SMALL
    assert loaded.frames == small.frames
    scene = Scene(SMALL)
    np.testing.assert_array_equal(loaded.bias, scene.detector.bias)
    np.testing.assert_array_equal(loaded.dark, scene.detector.dark)
    np.testing.assert_array_equal(loaded.flat, scene.detector.flat)
    np.testing.assert_array_equal(loaded.hot, scene.detector.hot)
    assert loaded.sky("Ha").shape == (1, 120, 160)
    assert loaded.stars["flux_R"].shape == (len(loaded.stars["x"]), 1)
    for frame in loaded.frames[::5]:
        pixels, charge = loaded.cosmic_rays(frame)
        expected = scene.rays(frame)
        np.testing.assert_array_equal(pixels, expected[0])
        np.testing.assert_array_equal(charge, expected[1])
    assert loaded[small.lights[2].file] == small.lights[2]
    with pytest.raises(InputError, match="did you mean light_R_30s_0001"):
        loaded["light_R_30s_001.fits"]


def test_promised_shares_of_frames_are_exact(small):
    assert sum(bool(f.trails) for f in small.lights) == 4
    assert sum(f.ellipticity > 0.05 for f in small.lights) == 2
    assert small.lights[0].transform.is_identity
    assert small.trail_mask(next(f for f in small.lights if f.trails)).any()
    assert not small.trail_mask(small.lights[0]).any()


def test_only_empty_folders_and_own_nights_are_written_to(tmp_path):
    night = SMALL.model_copy(update={"n_lights": 1, "filters": ("L",), "exposures": (10.0,)})
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="did not write"):
        simulate(tmp_path, night)
    with pytest.raises(InputError, match="is a file"):
        simulate(tmp_path / "mine.txt", night)
    with pytest.raises(InputError, match="only folders written by the simulator"):
        load_truth(tmp_path)
    simulate(tmp_path / "new", night)
    simulate(tmp_path / "new", night.model_copy(update={"n_bias": 0}))
    assert not list(tmp_path.glob("new/Bias/*.fits"))


@pytest.fixture(scope="module")
def wide():
    """A field of bright, lone stars, turned, flipped, shifted and distorted."""
    night = Night(
        n_lights=6,
        exposures=(100.0,),
        rotation=20.0,
        meridian_flip=True,
        trails=0.0,
        camera=Camera(width=500, height=400, hot_fraction=0.0),
        telescope=Telescope(distortion=0.01, guiding=0.8),
    )
    grid = np.arange(-5, 12) * 50.0
    x, y = (v.ravel() + np.random.default_rng(1).uniform(-8, 8, v.size) for v in np.meshgrid(grid, grid))
    return Scene(night, Field(x, y, np.full(x.size, 300.0), np.full(x.size, 6000.0)))


def test_stars_land_where_the_transform_says(wide, tmp_path):
    truth = simulate(tmp_path / "wide", wide.night, field=wide.given)
    reference = truth.star_positions(truth.lights[0])
    np.testing.assert_allclose(np.column_stack([truth.stars["x"], truth.stars["y"]]), reference)
    for frame in truth.lights:
        expected = truth.star_positions(frame)
        np.testing.assert_allclose(truth.to_reference(frame, expected), reference, atol=1e-6)
        inside = ((expected > 15) & (expected < [485, 385])).all(axis=1)
        assert inside.sum() > 50
        x, y = expected[inside].T
        clean = wide.light(frame).astype(np.float64)
        seen_x, seen_y, _ = sep.winpos(clean, x + 0.3, y - 0.3, frame.fwhm / 2.355)
        assert np.abs(seen_x - x).max() < 0.01
        assert np.abs(seen_y - y).max() < 0.01
        # And in the file, with sky, noise and vignetting: SNR is about 150.
        raw = fits.getdata(truth.folder / frame.file).astype(np.float64)
        raw -= sep.Background(raw, bw=32, bh=32).back()
        seen_x, seen_y, _ = sep.winpos(raw, x, y, frame.fwhm / 2.355)
        distance = np.hypot(seen_x - x, seen_y - y)
        assert np.median(distance) < 0.03


def test_between_two_frames(wide, tmp_path):
    first, last = (f.transform for f in (wide.frames[1], wide.frames[5]))
    point = np.array([[100.0, 50.0]])
    truth = Truth(tmp_path, wide.night, wide.frames)
    between = truth.between(wide.frames[1].file, wide.frames[5].file)
    np.testing.assert_allclose(last(between(point)), first(point))


def test_flux_and_width_of_stars_in_a_file(wide, tmp_path):
    night = wide.night.model_copy(update={"telescope": Telescope(vignetting=0.3, dust=4, guiding=0.0)})
    truth = simulate(tmp_path / "flux", night, field=wide.given)
    frame = truth.lights[3]
    raw = fits.getdata(truth.folder / frame.file).astype(np.float64)
    electrons = ((raw - truth.bias) * night.camera.gain - truth.dark * frame.exposure) / truth.flat
    electrons -= sep.Background(electrons, bw=32, bh=32).back()
    positions = truth.star_positions(frame)
    inside = ((positions > 20) & (positions < [480, 380])).all(axis=1)
    x, y = positions[inside].T
    flux, _, _ = sep.sum_circle(electrons, x, y, 9.0)
    # A Moffat star of beta 4 keeps this part of its light within a radius.
    a = frame.fwhm / (2 * np.sqrt(2**0.25 - 1))
    kept = 1 - (1 + (9.0 / a) ** 2) ** -3
    expected = 300.0 * 100.0 * frame.transparency * kept
    assert np.median(flux) == pytest.approx(expected, rel=0.005)
    half, _ = sep.flux_radius(electrons, x, y, np.full(x.size, 12.0), 0.5, normflux=flux / kept, subpix=5)
    # The pixels of the sensor, and again those that are summed, each add 1/12 px^2 to the variance along an axis.
    radius = np.sqrt(a**2 * (2 ** (1 / 3) - 1) + 2 * np.log(2) * 2 / 12)
    assert np.median(half) == pytest.approx(radius, rel=0.02)


def test_the_sky_of_a_light_has_the_level_and_the_noise_of_the_truth():
    night = Night(
        n_lights=1, trails=0.0, cosmic_rays=0.0, camera=Camera(width=400, height=300), sky=Sky(stars_per_mpx=0.0)
    )
    scene = Scene(night)
    frame = scene.frames[0]
    raw = scene.expose(frame).astype(float)
    detector = scene.detector
    electrons = ((raw - detector.bias) * night.camera.gain - detector.dark * frame.exposure) / detector.flat
    good = np.ones(electrons.size, bool)
    good[detector.hot] = False
    good &= detector.flat.ravel() > 0.7
    electrons = electrons.ravel()[good]
    assert electrons.mean() == pytest.approx(frame.sky_level * frame.exposure, rel=2e-3)
    u, v = np.meshgrid(np.linspace(-1, 1, 400), np.linspace(-1, 1, 300))
    c = frame.sky
    sky = (c[0] + c[1] * u + c[2] * v + c[3] * u**2 + c[4] * u * v + c[5] * v**2).ravel()[good] * frame.exposure
    flat, dark = detector.flat.ravel()[good], detector.dark.ravel()[good] * frame.exposure
    gain = night.camera.gain
    variance = sky * flat + dark + night.camera.read_noise**2 + gain**2 * (1 / 12 + night.camera.banding**2)
    pull = (electrons - sky) * flat / np.sqrt(variance)
    assert pull.std() == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("cfa", ["RGGB", "GBRG"])
def test_a_cfa_frame_has_coloured_pixels(cfa, tmp_path):
    night = preset("demo-cfa").model_copy(
        update={
            "n_lights": 1,
            "n_flats": 1,
            "n_bias": 1,
            "n_darks": 0,
            "trails": 0.0,
            "camera": Camera(width=300, height=200, cfa=cfa),
        }
    )
    truth = simulate(tmp_path / cfa, night)
    light = truth.lights[0]
    assert fits.getval(truth.folder / light.file, "BAYERPAT") == cfa
    assert truth.sky("OSC").shape == (3, 200, 300)
    flat = fits.getdata(truth.folder / truth.of_kind("flat")[0].file).astype(float) - truth.bias
    means = {c: flat[i // 2 :: 2, i % 2 :: 2].mean() for i, c in enumerate(cfa)}
    assert means["R"] / means["G"] == pytest.approx(0.75, rel=0.02)
    assert means["B"] / means["G"] == pytest.approx(0.60, rel=0.02)
    scene = Scene(night)
    mosaic = scene.light(light)
    planes = truth.sky("OSC") * light.transparency
    for i, colour in enumerate(cfa):
        rows, columns = slice(i // 2, None, 2), slice(i % 2, None, 2)
        plane = planes["RGB".index(colour)]
        np.testing.assert_allclose(mosaic[rows, columns], plane[rows, columns], rtol=0.05, atol=0.01)


def test_hot_stars_are_blue():
    from firstlight.simulate.field import passbands

    night = preset("demo-cfa")
    field = Field(np.zeros(2), np.zeros(2), np.full(2, 100.0), np.array([3500.0, 12000.0]))
    red, _, blue = field.flux_in(passbands(night, "OSC")).T
    assert blue[0] / red[0] < 0.6
    assert blue[1] / red[1] > 1.3


def test_a_catalogue_gives_its_stars(tmp_path):
    night = SMALL.model_copy(update={"ra": 83.8, "dec": -5.4})
    ra, dec = sky_of(night, np.array([[40.0, 30.0], [100.0, 90.0]]))
    field = field_from_catalog(night, np.append(ra, 263.8), np.append(dec, 5.4), np.array([10.0, 12.0, 1.0]))
    np.testing.assert_allclose(np.column_stack([field.x, field.y]), [[40.0, 30.0], [100.0, 90.0]], atol=1e-6)
    np.testing.assert_allclose(field.flux, zero_magnitude_flux(night) * np.array([1e-4, 10**-4.8]))
    image = Scene(night, field).light(Scene(night, field).frames[0])
    assert np.unravel_index(image.argmax(), image.shape) == (30, 40)


def test_settings_refuse_what_cannot_be():
    with pytest.raises(ValueError, match="extra"):
        Night(lights=3)
    with pytest.raises(ValueError, match="greater"):
        Camera(gain=0.0)
    with pytest.raises(SpecError, match="did you mean demo"):
        preset("dmeo")


def test_every_setting_is_described():
    for model in (Camera, Telescope, Sky, Comet, Night):
        undescribed = model.model_fields.keys() - field_texts(model).keys()
        assert undescribed <= {"camera", "telescope", "sky", "comet"}, model.__name__


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_promise_what_they_hold(name):
    night = preset(name)
    scene = Scene(night)
    lights = [f for f in scene.frames if f.kind == "light"]
    assert len(lights) == night.n_lights * len(night.filters)
    assert sum(bool(f.trails) for f in lights) == round(night.trails * len(lights))
    assert all(f.airmass < 1.6 for f in lights)
    assert all(1.8 < f.fwhm < 4.6 for f in lights), [f.fwhm for f in lights]
    assert Night.model_validate(night.model_dump(mode="json")) == night
    if name.startswith("bench"):
        assert 0.2 < lights[-1].transform.rotation < 0.31


def test_a_night_without_lights_has_only_calibration_frames(tmp_path):
    night = SMALL.model_copy(update={"n_lights": 0})
    truth = simulate(tmp_path / "none", night)
    assert not truth.lights
    assert len(truth.frames) == 11


def test_frame_truth_can_be_changed_for_what_if(wide):
    frame = replace(wide.frames[2], transparency=0.5 * wide.frames[2].transparency)
    assert wide.light(frame).sum() == pytest.approx(0.5 * wide.light(wide.frames[2]).sum(), rel=1e-3)
