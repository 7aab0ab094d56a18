"""TIFF by other writers: every compression, predictor and layout that is read."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from firstlight.errors import FrameError
from firstlight.io.read import open_frame, open_frames, read

GENERATOR = np.random.default_rng(4)
GREY = GENERATOR.integers(0, 65536, (83, 71)).astype(np.uint16)
COLOR = GENERATOR.integers(0, 65536, (83, 71, 3)).astype(np.uint16)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_types(tmp_path, compression, dtype, order):
    pixels = (GREY % 200).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression=compression, byteorder=order)
    frame = open_frame(tmp_path / "a.tif")
    assert frame.seekable == (compression is None)
    np.testing.assert_allclose(frame.read().data[0], pixels * (np.float32(1 / 255) if dtype == "u1" else 1), rtol=2e-7)
    np.testing.assert_array_equal(frame.rows(10, 13)[0], pixels[10:13])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"planarconfig": "separate"},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": 2},
        {"tile": (32, 32)},
        {"compression": "zlib", "tile": (16, 48)},
        {"compression": "zlib", "rowsperstrip": 7},
        {"rowsperstrip": 7},
    ],
)
def test_colour_layouts(tmp_path, options):
    pixels = COLOR.transpose(2, 0, 1) if "planarconfig" in options else COLOR
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", **options)
    np.testing.assert_array_equal(read(tmp_path / "a.tif").data, COLOR.transpose(2, 0, 1))


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("smooth", [False, True])
def test_compression_of_another_writer(tmp_path, smooth, compression):
    # Large enough for LZW tables that fill up and are cleared.
    y, x = np.mgrid[:400, :500]
    pixels = ((x * y // 7) % 4096).astype(np.uint16)
    if not smooth:
        pixels = GENERATOR.integers(0, 65536, (400, 500)).astype(np.uint16)
    Pillow.fromarray(pixels).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(read(tmp_path / "a.tif").data[0], pixels)
    colors = (np.dstack([pixels, pixels // 2, pixels // 3]) % 251).astype(np.uint8)
    Pillow.fromarray(colors).save(tmp_path / "b.tif", compression=compression)
    np.testing.assert_array_equal(open_frame(tmp_path / "b.tif").rows(0, 400), colors.transpose(2, 0, 1))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_float_predictor(tmp_path, compression):
    pixels = GENERATOR.normal(size=(200, 301)).astype(np.float32)
    path = tmp_path / "a.tif"
    Pillow.fromarray(pixels).save(path, compression=compression, tiffinfo={317: 3})
    with tifffile.TiffFile(path) as file:
        assert file.pages[0].predictor == 3
    np.testing.assert_array_equal(read(path).data[0], pixels)


def test_pages_are_frames(tmp_path):
    stack = np.stack([GREY, GREY // 2, GREY // 3])
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    frames = open_frames(tmp_path / "a.tif")
    assert [frame.name for frame in frames] == ["a.tif#0001", "a.tif#0002", "a.tif#0003"]
    for frame, expected in zip(frames, stack, strict=True):
        np.testing.assert_array_equal(frame.read().data[0], expected)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_cut_short(tmp_path, compression):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, compression=compression)
    whole = path.read_bytes()
    for size in (0, 3, 8, 60, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(FrameError, match=r"^a\.tif"):
            read(path)


def test_what_is_not_read(tmp_path):
    Pillow.fromarray((GREY // 256).astype(np.uint8)).convert("P").save(tmp_path / "p.tif")
    with pytest.raises(FrameError, match="palette"):
        open_frame(tmp_path / "p.tif")
    Pillow.fromarray((COLOR // 256).astype(np.uint8)).save(tmp_path / "j.tif", compression="jpeg")
    with pytest.raises(FrameError, match="JPEG"):
        open_frame(tmp_path / "j.tif")
