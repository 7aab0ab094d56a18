"""Pictures: cuts, colours, marks, formats."""

import numpy as np
import pytest

from firstlight import read, write
from firstlight.errors import InputError
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.meta import Meta
from firstlight.model.plate import Plate
from firstlight.ops.align.plates import SkyMap
from firstlight.ops.chain import apply
from firstlight.pipeline import picture as pictures
from firstlight.pipeline.picture import make_picture, picture_file, side_by_side, write_series
from firstlight.pipeline.picture_marks import compass, nice_length
from firstlight.pipeline.picture_settings import PictureSettings

RNG = np.random.default_rng(3)
PLATE = Plate({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 100.5, "CRPIX2": 75.5, "CRVAL1": 30.0,
               "CRVAL2": 60.0, "CD1_1": -5e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": -5e-4})  # fmt: skip


def sky(channels=1, **changes):
    data = RNG.normal(500, 10, (channels, 150, 200))
    data[:, 70:80, 90:110] = 4000
    return Image(data, plate=PLATE, **changes)


def test_a_linear_image_is_stretched_and_a_stretched_one_left():
    image = sky()
    shown = make_picture(image)
    np.testing.assert_allclose(shown.data, apply(image, "stretch:midtones").data, atol=1e-6)
    again = make_picture(apply(image, "stretch:midtones"))
    np.testing.assert_allclose(again.data, shown.data, atol=1e-6)


def test_cuts():
    image = sky()
    low, high = np.percentile(image.data, [10, 90])
    shown = make_picture(image, PictureSettings(cuts="percentile", low=10, high=90)).data
    np.testing.assert_allclose(shown, np.clip((image.data - low) / (high - low), 0, 1), atol=1e-4)
    whole = make_picture(image, PictureSettings(cuts="minmax")).data
    assert (whole.min(), whole.max()) == (0, 1)
    z = make_picture(image, PictureSettings(cuts="zscale")).data
    assert 0.2 < np.median(z) < 0.8
    assert np.median(make_picture(image, PictureSettings(cuts="asinh", low=1)).data) > np.median(
        make_picture(image, PictureSettings(cuts="percentile", low=1, high=99.5)).data
    )


def test_gamma_saturation_negative_bin_width():
    image = sky(3).replace(state=State.STRETCHED, unit=PixelUnit.NORMALISED)
    image = image.replace(data=np.clip(image.data / 4000 * np.array([1, 0.8, 0.6])[:, None, None], 0, 1))
    shown = make_picture(image, PictureSettings(gamma=2.2)).data
    np.testing.assert_allclose(shown, image.data ** (1 / 2.2), atol=1e-5)
    strong = make_picture(image, PictureSettings(saturation=1.2)).data
    assert np.ptp(strong, axis=0).mean() > 1.15 * np.ptp(image.data, axis=0).mean()
    np.testing.assert_allclose(make_picture(image, PictureSettings(negative=True)).data, 1 - image.data, atol=1e-6)
    assert make_picture(image, PictureSettings(bin=3)).shape == (3, 50, 66)
    assert make_picture(image, PictureSettings(width=100)).shape == (3, 75, 100)


def test_pixels_without_a_number_are_black():
    image = sky()
    data = image.data.copy()
    data[0, :20] = np.nan
    shown = make_picture(image.replace(data=data, flags=None))
    assert (shown.data[0, :20] == 0).all()


def test_colour_maps_and_their_bar_tell_values():
    image = sky()
    shown = make_picture(image, PictureSettings(map="viridis", cuts="percentile", low=0, high=100))
    assert shown.shape[0] == 3
    from matplotlib import colormaps

    np.testing.assert_allclose(shown.data[:, 75, 100], colormaps["viridis"](255)[:3], atol=1e-6)
    framed = make_picture(image, PictureSettings(map="viridis", bar=True))
    assert framed.shape[2] > 250
    with pytest.raises(InputError, match="did you mean viridis"):
        make_picture(image, PictureSettings(map="virids"))
    with pytest.raises(InputError, match="colours of its own"):
        make_picture(sky(3), PictureSettings(map="viridis"))


@pytest.mark.parametrize("cuts", ["midtones", "percentile", "minmax", "asinh"])
def test_the_bar_reads_back_what_was_shown(cuts):
    from firstlight.pipeline.picture_marks import _value_at

    image = sky()
    data = image.data.copy()
    data[0, :10] = np.linspace(450, 4000, 2000).reshape(10, 200)
    image = image.replace(data=data)
    p = PictureSettings(cuts=cuts, high=99.9)
    shown = make_picture(image, p).data[0]
    for share in (0.25, 0.5, 0.75):
        value = _value_at(share, image, p)
        order = np.argsort(image.data[0].ravel())
        at = np.interp(value, image.data[0].ravel()[order], shown.ravel()[order])
        assert at == pytest.approx(share, abs=0.06)


def test_north_and_east_and_the_scale():
    found = compass(sky())
    assert found.scale == pytest.approx(1.8, rel=1e-3)
    # Row 0 is the top: declination falls with y, so north is up; right ascension falls with x, so east is left.
    np.testing.assert_allclose(found.north, [0, -1], atol=1e-3)
    np.testing.assert_allclose(found.east, [-1, 0], atol=1e-3)
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS

    wcs = WCS(dict(PLATE.cards))
    middle = SkyCoord(*wcs.pixel_to_world_values(99.5, 74.5), unit="deg")
    up = SkyCoord(*wcs.pixel_to_world_values(*(np.array([99.5, 74.5]) + 10 * found.north)), unit="deg")
    assert abs(middle.position_angle(up).wrap_at("180d").deg) < 0.1
    flipped = compass(sky().replace(meta=sky().meta.replace(bottom_up=True)))
    np.testing.assert_allclose(flipped.north, [0, 1], atol=1e-3)
    with pytest.raises(InputError, match="need a plate"):
        make_picture(sky().replace(plate=None), PictureSettings(north=True))
    assert nice_length(3.0, 4000) == (1800 / 3.0 * 1.0, "30'")


def test_marks_are_drawn_where_they_belong():
    image = sky()
    plain = make_picture(image)
    marked = make_picture(image, PictureSettings(scale=True, north=True))
    changed = np.abs(marked.data - plain.data)[0] > 0.2
    assert changed[100:, :80].any()
    assert changed[100:, 150:].any()
    assert not changed[:90].any()
    titled = make_picture(sky(), PictureSettings(title="M 27", caption="two\nlines"))
    assert titled.shape[1] > 200
    assert titled.data[:, :20].max() > 0.9


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "b16.png", "b16.tif", "c32.tif"])
def test_formats_and_depths(tmp_path, name):
    source = write(tmp_path / "in.fits", sky(3))
    bits = int(name[1:3]) if name[1:3].isdigit() else 8
    picture_file(source, tmp_path / name, PictureSettings(bits=bits))
    back = read(tmp_path / name)
    shown = make_picture(sky(3))
    assert back.shape == shown.shape
    assert float(back.data.max()) == pytest.approx(1.0, rel=0.02)
    with pytest.raises(InputError, match="only TIFF"):
        pictures.write(tmp_path / "x.png", shown, PictureSettings(bits=32))


def test_a_better_jpeg_is_larger(tmp_path):
    source = write(tmp_path / "in.fits", sky(3))
    for quality in (30, 98):
        picture_file(source, tmp_path / f"{quality}.jpg", PictureSettings(quality=quality))
    assert (tmp_path / "98.jpg").stat().st_size > 2 * (tmp_path / "30.jpg").stat().st_size


def test_colours_as_three_extensions(tmp_path):
    from astropy.io import fits

    image = sky(3)
    source = write(tmp_path / "in.fits", image)
    picture_file(source, tmp_path / "rgb.fits")
    with fits.open(tmp_path / "rgb.fits", checksum=True) as units:
        units.verify("exception")
        assert [u.header.get("FILTER") for u in units[1:]] == ["Red", "Green", "Blue"]
        np.testing.assert_array_equal(units[2].data, image.data[1])
        assert units[3].header["CRVAL1"] == 30.0
    with pytest.raises(InputError, match="three extensions"):
        picture_file(write(tmp_path / "mono.fits", sky()), tmp_path / "no.fits")


def test_two_beside_each_other_and_a_series(tmp_path):
    both = side_by_side(sky(), sky(3))
    assert both.shape[0] == 3
    assert both.shape[2] > 400
    lower = side_by_side(sky(), make_picture(sky(), PictureSettings(title="higher")))
    assert lower.shape[1] > 150
    assert lower.data[:, 0, 50].max() == 0
    paths = write_series(apply(sky(3), "stretch:midtones"), tmp_path / "out.png")
    assert len(paths) == 9
    means = [read(p).data.mean() for p in paths]
    assert means[8] > means[0]


def off_its_place(path, sky_place):
    """Pixels from where the plate says the bright block is to where it is."""
    image = read(path)
    ((x, y),) = SkyMap.of(image.plate).positions(np.array([sky_place]))
    top, left = round(y) - 15, round(x) - 15
    window = image.data.mean(axis=0)[top : top + 31, left : left + 31]
    found = np.argwhere(window > 0.95 * window.max()).mean(axis=0)
    return np.hypot(found[0] + top - y, found[1] + left - x)


@pytest.mark.parametrize("bottom_up", [False, True])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "float.tif"])
def test_pictures_keep_their_place_on_the_sky(tmp_path, name, bottom_up):
    data = RNG.normal(500, 10, (1, 150, 200))
    data[:, 40:50, 60:80] = 4000
    image = Image(data, plate=PLATE, meta=Meta(bottom_up=bottom_up))
    source = write(tmp_path / "s.fits", image)
    ((ra, dec),) = SkyMap.of(PLATE).sky(np.array([[69.5, 44.5]]))
    bits = {"a.png": 8, "a.jpg": 8, "a.tif": 16, "float.tif": 32}[name]
    for settings in (PictureSettings(bits=bits), PictureSettings(bits=bits, bin=2, title="M 1", bar=True)):
        picture_file(source, tmp_path / name, settings)
        assert off_its_place(tmp_path / name, (ra, dec)) < 0.05
        assert not read(tmp_path / name).meta.bottom_up
    write(tmp_path / name, image if bits == 32 else apply(image, "stretch:midtones"))
    assert off_its_place(tmp_path / name, (ra, dec)) < 0.05


def test_tiff_of_linear_values_stands_the_right_way_up(tmp_path):
    """A mosaic too: its colours are named from the top."""
    data = RNG.normal(500, 10, (1, 150, 200)).astype(np.float32)
    image = Image(data, meta=Meta(bottom_up=True, cfa="RGGB"))
    back = read(write(tmp_path / "a.tif", image))
    np.testing.assert_array_equal(back.data, image.data[:, ::-1])
    assert back.meta.cfa == "GBRG"
