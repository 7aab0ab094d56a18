"""Profiles in pictures: read by Little CMS, and right in its transforms."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from firstlight.io.icc import into_space, profile
from firstlight.io.pictures import write_float_tiff, write_picture
from firstlight.io.write import write
from firstlight.model.image import Image, PixelUnit, State

DATA = np.random.default_rng(1).random((3, 24, 40)).astype(np.float32)


def opened(data):
    return ImageCms.ImageCmsProfile(io.BytesIO(data))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("linear", [False, True])
def test_bytes_are_whole_and_always_the_same(channels, linear):
    data = profile(channels, linear)
    assert int.from_bytes(data[:4], "big") == len(data)
    profile.cache_clear()
    assert profile(channels, linear) == data
    assert "firstlight" in ImageCms.getProfileDescription(opened(data))


def test_srgb_is_that_of_little_cms():
    """Numbers go through our profile into the library's own sRGB and stay as they are."""
    picture = Pillow.fromarray(np.ascontiguousarray((255 * DATA).astype(np.uint8).transpose(1, 2, 0)))
    theirs = ImageCms.createProfile("sRGB")
    through = ImageCms.profileToProfile(picture, opened(profile(3, linear=False)), theirs)
    assert np.abs(np.asarray(through, int) - np.asarray(picture, int)).max() <= 1
    linear = ImageCms.profileToProfile(picture, opened(profile(3, linear=True)), theirs)
    x = np.asarray(picture) / 255
    wanted = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-9) ** (1 / 2.4) - 0.055)
    assert np.abs(np.asarray(linear, float) - 255 * wanted).max() <= 1.5


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_pictures_carry_the_profile(tmp_path, suffix, channels):
    path = tmp_path / f"a{suffix}"
    write(path, Image(DATA[:channels], unit=PixelUnit.NORMALISED, state=State.STRETCHED))
    if suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            found = file.pages[0].iccprofile
    else:
        with Pillow.open(path) as picture:
            found = picture.info["icc_profile"]
    assert found == profile(channels, linear=False)


def test_a_linear_tiff_says_that_it_is_linear(tmp_path):
    path = write(tmp_path / "a.tif", Image(DATA))
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].iccprofile == profile(3, linear=True)


WIDE = ("display-p3", "adobe-rgb", "prophoto")


@pytest.mark.parametrize("space", WIDE)
def test_a_wider_space_shows_the_same_colours(tmp_path, space):
    """Little CMS brings the file's numbers back to those of sRGB that were given."""
    write_picture(tmp_path / "a.png", DATA, space=space)
    write_picture(tmp_path / "b.png", DATA)
    with Pillow.open(tmp_path / "a.png") as wide, Pillow.open(tmp_path / "b.png") as plain:
        assert wide.info["icc_profile"] == profile(3, linear=False, space=space)
        theirs = ImageCms.profileToProfile(wide, opened(wide.info["icc_profile"]), ImageCms.createProfile("sRGB"))
        off = np.abs(np.asarray(theirs, int) - np.asarray(plain, int))
    # Eight bits of a wide space are coarse steps of a narrow one.
    assert np.percentile(off, 95) <= (2 if space != "prophoto" else 5)
    assert off.mean() < 1.2


@pytest.mark.parametrize("space", WIDE)
def test_white_is_white_and_colours_beyond_srgb_are_kept(space):
    assert into_space(np.ones((3, 1, 1)), space).ravel() == pytest.approx(1, abs=2e-4)
    assert into_space(np.zeros((3, 1, 1)), space).ravel() == pytest.approx(0, abs=1e-6)
    # A green that sRGB cannot hold: its red and blue are below 0.
    strong = np.array([-0.2, 1.0, -0.1])[:, None, None]
    cut = np.clip(strong, 0, 1)
    assert into_space(strong, space)[0, 0, 0] < into_space(cut, space)[0, 0, 0] - 0.01


def test_display_p3_is_wider_than_srgb():
    """Red of sRGB in Display P3, as every table of the two has it."""
    red = into_space(np.array([1.0, 0, 0])[:, None, None], "display-p3").ravel()
    assert red == pytest.approx([0.9175, 0.2003, 0.1386], abs=2e-3)
    red = into_space(np.array([1.0, 0, 0])[:, None, None], "adobe-rgb").ravel()
    assert red == pytest.approx([0.8586, 0.0, 0.0], abs=6e-3)


def test_a_stretched_float_tiff_is_not_called_linear(tmp_path):
    write_float_tiff(tmp_path / "a.tif", Image(DATA, unit=PixelUnit.NORMALISED, state=State.STRETCHED))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].iccprofile == profile(3, linear=False)
