"""XISF made here by the specification: plain, zlib, shuffled, inline, in every order and type."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.io.read import open_frame, read
from firstlight.model.meta import Kind


def write_xisf(path, pixels, *, compression="", storage="", extra="", attributes="", inline=False):
    """pixels: (channels, height, width), little-endian as given."""
    names = {"u1": "UInt8", "u2": "UInt16", "u4": "UInt32", "f4": "Float32", "f8": "Float64"}
    channels, height, width = pixels.shape
    content = (pixels.transpose(1, 2, 0) if storage == "Normal" else pixels).tobytes()
    raw_size, item = len(content), pixels.dtype.itemsize
    if "+sh" in compression:
        content = np.frombuffer(content, np.uint8).reshape(-1, item).T.tobytes()
    if compression.startswith("zlib"):
        content = zlib.compress(content)
        attributes += f' compression="{compression}:{raw_size}' + (f':{item}"' if "+sh" in compression else '"')
    if storage:
        attributes += f' pixelStorage="{storage}"'
    offset = 4096
    where = "inline:base64" if inline else f"attachment:{offset}:{len(content)}"
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><xisf version="1.0" xmlns="http://www.pixinsight.com/xisf">'
        f'<Image geometry="{width}:{height}:{channels}" sampleFormat="{names[pixels.dtype.str[1:]]}" '
        f'location="{where}"{attributes}>{base64.b64encode(content).decode() if inline else ""}{extra}</Image></xisf>'
    ).encode()
    path.write_bytes((b"XISF0100" + struct.pack("<II", len(xml), 0) + xml).ljust(offset, b"\0") + content)
    return path


PIXELS = np.random.default_rng(3).integers(0, 200, (3, 7, 9))


@pytest.mark.parametrize("dtype", ["<u1", "<u2", "<u4", "<f4", "<f8"])
@pytest.mark.parametrize("compression", ["", "zlib", "zlib+sh"])
@pytest.mark.parametrize("storage", ["", "Normal"])
def test_every_layout(tmp_path, dtype, compression, storage):
    path = write_xisf(tmp_path / "a.xisf", PIXELS.astype(dtype), compression=compression, storage=storage)
    frame = open_frame(path)
    assert frame.seekable == (not compression)
    np.testing.assert_array_equal(frame.read().data, PIXELS)
    np.testing.assert_array_equal(frame.rows(2, 5), PIXELS[:, 2:5])


def test_big_endian_and_inline(tmp_path):
    pixels = PIXELS[:1].astype(">u2")
    path = write_xisf(tmp_path / "a.xisf", pixels, attributes=' byteOrder="big"', inline=True)
    np.testing.assert_array_equal(read(path).data, PIXELS[:1])


def test_keywords(tmp_path):
    extra = (
        '<FITSKeyword name="IMAGETYP" value="\'Dark Frame\'" comment="kind"/>'
        '<FITSKeyword name="EXPTIME" value="30.5" comment=""/>'
        '<FITSKeyword name="OBJECT" value="\'Barnard\'\'s star\'" comment=""/>'
        '<ColorFilterArray pattern="GRBG" width="2" height="2"/>'
        '<FITSKeyword name="HISTORY" value="" comment="Dark subtracted"/>'
    )
    meta = open_frame(write_xisf(tmp_path / "a.xisf", PIXELS[:1].astype("<u2"), extra=extra)).meta
    assert (meta.kind, meta.exposure, meta.target, meta.cfa) == (Kind.DARK, 30.5, "Barnard's star", "GRBG")
    assert meta.calibrated == {"dark"}
    assert meta.saturation == 65535


def test_broken(tmp_path):
    path = write_xisf(tmp_path / "a.xisf", PIXELS.astype("<u2"))
    whole = path.read_bytes()
    for size, words in (
        (4, "broken"),
        (12, "not|broken|cut"),
        (300, "cut short"),
        (len(whole) - 1, "cut short: 1 bytes"),
    ):
        path.write_bytes(whole[:size])
        with pytest.raises(FrameError, match=words):
            open_frame(path)
    for old, new, words in (
        (b"UInt16", b"Compex", "Compex"),
        (b'"9:7:3"', b'"9:7:9"', "9 x 7 x 9|colours"),
        (b"</xisf>", b"</xisg>", "XML"),
        (b"attachment", b"url(there)", "another file"),
    ):
        path.write_bytes(whole.replace(old, new))
        with pytest.raises(FrameError, match=words):
            open_frame(path)
    write_xisf(path, PIXELS.astype("<u2"), attributes=' compression="zstd:378"')
    with pytest.raises(FrameError, match="zstd"):
        open_frame(path)
    write_xisf(path, PIXELS.astype("<u2"), attributes=' compression="lz4:378"')
    with pytest.raises(FrameError, match=r"lz4|cannot be unpacked"):
        read(path)
    write_xisf(path, PIXELS.astype("<u2"), compression="zlib")
    content = bytearray(path.read_bytes())
    content[4100:4110] = b"0123456789"
    path.write_bytes(content)
    with pytest.raises(FrameError, match="unpacked"):
        read(path)
