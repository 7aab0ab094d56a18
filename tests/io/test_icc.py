"""Profiles in pictures: read by Little CMS, and right in its transforms."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageCms

from firstlight.io.icc import profile
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
