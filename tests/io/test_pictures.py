"""Pictures: values, depth, orientation, and what comes back."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from firstlight.errors import FrameError, InputError
from firstlight.io.pictures import write_picture
from firstlight.io.png import write_png
from firstlight.io.read import open_frame, read
from firstlight.io.write import write
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.meta import Meta

DATA = np.random.default_rng(6).random((3, 21, 34)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bottom_up", [False, True])
@pytest.mark.parametrize(("suffix", "bits"), [(".png", 8), (".png", 16), (".tif", 8), (".tif", 16)])
def test_lossless(tmp_path, channels, bottom_up, suffix, bits):
    path = tmp_path / f"a{suffix}"
    write_picture(path, DATA[:channels], bottom_up=bottom_up, bits=bits)
    top = 2**bits - 1
    expected = np.floor(DATA[:channels] * np.float32(top) + np.float32(0.5))
    expected = expected[:, ::-1] if bottom_up else expected
    frame = open_frame(path)
    assert frame.dtype.itemsize == bits // 8
    np.testing.assert_array_equal(frame.rows(0, frame.shape[1]), expected)
    # What is coded for the eye goes from 0 to 1.
    white = 255 if bits == 8 else 1
    np.testing.assert_allclose(frame.read().data, expected / white, rtol=1e-7)


def test_pillow_and_tifffile_see_the_same(tmp_path):
    write_picture(tmp_path / "a.png", DATA[0], bits=16)
    with Pillow.open(tmp_path / "a.png") as picture:
        picture.load()
        np.testing.assert_array_equal(np.asarray(picture), np.floor(DATA[0] * np.float32(65535) + np.float32(0.5)))
    write_picture(tmp_path / "c.png", DATA, bits=16)
    with Pillow.open(tmp_path / "c.png") as picture:
        picture.load()
        assert (picture.mode, picture.size) == ("RGB", (34, 21))
    write_picture(tmp_path / "a.tif", DATA, bits=16)
    assert tifffile.imread(tmp_path / "a.tif").shape == (21, 34, 3)


def test_jpeg_is_close(tmp_path):
    y, x = np.mgrid[:64, :64] / 64
    smooth = np.stack([x, y, (x + y) / 2])
    write_picture(tmp_path / "a.jpg", smooth)
    assert np.abs(read(tmp_path / "a.jpg").data - smooth).max() < 6 / 255


def test_outside_values_and_holes(tmp_path):
    write_picture(tmp_path / "a.png", np.array([[-1.0, 2.0], [np.nan, np.inf]]), bits=16)
    np.testing.assert_array_equal(read(tmp_path / "a.png").data[0], [[0, 65535], [0, 65535]])


def test_an_image_keeps_its_header(tmp_path):
    meta = Meta(target="M 31", exposure=60.0, bottom_up=True)
    stretched = Image(DATA, state=State.STRETCHED, unit=PixelUnit.NORMALISED, meta=meta, history=("stretch:linear@1",))
    for name, depth in (("a.tif", 65535), ("a.png", 255), ("a.jpg", 4)):
        after = read(write(tmp_path / name, stretched))
        assert (after.meta.target, after.meta.exposure, after.history) == ("M 31", 60.0, ("stretch:linear@1",))
        assert (after.state, after.unit, after.meta.bottom_up) == (State.STRETCHED, PixelUnit.NORMALISED, False)
        np.testing.assert_allclose(after.data[:, ::-1], DATA, atol=0.51 / depth)


def test_linear_float_tiff(tmp_path):
    linear = Image(DATA * 5000 - 100, meta=Meta(target="M 31"))
    after = read(write(tmp_path / "a.tif", linear))
    np.testing.assert_array_equal(after.data, linear.data)
    assert (after.state, after.meta.target) == (State.LINEAR, "M 31")


def test_refusals(tmp_path):
    with pytest.raises(InputError, match="JPEG holds 8"):
        write_picture(tmp_path / "a.jpg", DATA, bits=16)
    with pytest.raises(InputError, match="1 or 3 channels"):
        write_picture(tmp_path / "a.png", DATA[:2])
    with pytest.raises(InputError, match="12 bits"):
        write_picture(tmp_path / "a.png", DATA, bits=12)
    with pytest.raises(InputError, match="bmp"):
        write_picture(tmp_path / "a.bmp", DATA)


def png_filtered(pixels: np.ndarray, how: int) -> bytes:
    """Lines of a 16-bit PNG under one filter, byte by byte as the specification says it."""
    height, _, samples = pixels.shape
    raw = pixels.astype(">u2").view(np.uint8).reshape(height, -1).astype(int)
    step = 2 * samples
    out = bytearray()
    for y in range(height):
        out.append(how)
        for x in range(raw.shape[1]):
            left = raw[y, x - step] if x >= step else 0
            above = raw[y - 1, x] if y else 0
            corner = raw[y - 1, x - step] if y and x >= step else 0
            nearest = min(
                (abs(above - corner), 0, left),
                (abs(left - corner), 1, above),
                (abs(left + above - 2 * corner), 2, corner),
            )
            out.append((raw[y, x] - [0, left, above, (left + above) // 2, nearest[2]][how]) % 256)
    return bytes(out)


@pytest.mark.parametrize("how", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_every_filter_and_colour_type(tmp_path, how, samples):
    import struct
    import zlib

    pixels = np.random.default_rng(how).integers(0, 65536, (9, 7, samples)).astype(np.uint16)
    color = {1: 0, 2: 4, 3: 2, 4: 6}[samples]
    content = b"\x89PNG\r\n\x1a\n"
    packed = zlib.compress(png_filtered(pixels, how))
    head = struct.pack(">IIBBBBB", 7, 9, 16, color, 0, 0, 0)
    for kind, body in ((b"IHDR", head), (b"IDAT", packed[:20]), (b"IDAT", packed[20:]), (b"IEND", b"")):
        content += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    (tmp_path / "a.png").write_bytes(content)
    kept = 1 if samples < 3 else 3
    np.testing.assert_array_equal(read(tmp_path / "a.png").data, pixels.transpose(2, 0, 1)[:kept])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("samples", [1, 3])
def test_another_program_reads_our_png(tmp_path, dtype, samples):
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, (70, 45, samples)).astype(dtype)
    pixels[20:60, 5:40] = 7
    write_png(tmp_path / "a.png", pixels, "words")
    if dtype == np.uint16:
        np.testing.assert_array_equal(read(tmp_path / "a.png").data, pixels.transpose(2, 0, 1))
    if dtype == np.uint8 or samples == 1:
        with Pillow.open(tmp_path / "a.png") as picture:
            picture.load()
            np.testing.assert_array_equal(np.asarray(picture).reshape(pixels.shape), pixels)
            assert picture.text["Description"] == "words"


def test_broken_png(tmp_path):
    path = tmp_path / "a.png"
    write_png(path, np.arange(60, dtype=np.uint16).reshape(5, 4, 3) * 999)
    whole = path.read_bytes()
    for size in (4, 20, 40, len(whole) // 2, len(whole) - 13):
        path.write_bytes(whole[:size])
        with pytest.raises(FrameError, match=r"^a\.png"):
            read(path)
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    with pytest.raises(FrameError, match="damaged"):
        read(path)


def test_palette_and_transparency(tmp_path):
    colors = (DATA.transpose(1, 2, 0) * 255).astype(np.uint8)
    Pillow.fromarray(colors).quantize(16).save(tmp_path / "p.png")
    assert open_frame(tmp_path / "p.png").shape == (3, 21, 34)
    alpha = np.dstack([colors, colors[:, :, :1]])
    Pillow.fromarray(alpha).save(tmp_path / "t.png")
    np.testing.assert_allclose(read(tmp_path / "t.png").data * 255, colors.transpose(2, 0, 1), atol=1e-4)
