"""AVI files made here by the format's description."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image as Pillow

from firstlight.errors import FrameError
from firstlight.io.avi import open_avi
from firstlight.io.index import decode_frames, encode_frames
from firstlight.io.read import open_frame, open_frames
from firstlight.model.image import PixelUnit, State


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def listed(kind, *chunks, name=b"LIST"):
    return chunk(name, kind + b"".join(chunks))


def write_avi(path, frames, width, height, bits, codec=b"\0\0\0\0", sound=False, beyond=()):
    """``frames``: bytes of each; ``beyond``: those of a second RIFF, as OpenDML has it."""
    bitmap = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, bits, codec, 0, 0, 0, 0, 0)
    streams = [listed(b"strl", chunk(b"strh", b"vids" + codec + bytes(48)), chunk(b"strf", bitmap))]
    number = b"00"
    if sound:
        streams.insert(0, listed(b"strl", chunk(b"strh", b"auds" + bytes(52)), chunk(b"strf", bytes(16))))
        number = b"01"
    movie = [chunk(number + b"db", frame) for frame in frames]
    if sound:
        movie.insert(1, chunk(b"00wb", b"noise"))
        # Some programs put the chunks of one moment into a list of their own.
        movie = [listed(b"rec ", *movie)]
    head = listed(b"hdrl", chunk(b"avih", bytes(56)), *streams)
    content = chunk(b"RIFF", b"AVI " + head + chunk(b"JUNK", bytes(7)) + listed(b"movi", *movie))
    if beyond:
        content += chunk(b"RIFF", b"AVIX" + listed(b"movi", *(chunk(number + b"db", frame) for frame in beyond)))
    path.write_bytes(content)
    return path


RNG = np.random.default_rng(4)
GREY = RNG.integers(0, 256, (4, 5, 6), dtype=np.uint8)


def padded(rows):
    """Rows of bytes filled up to a multiple of four, as bitmaps have them."""
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))).tobytes()


@pytest.mark.parametrize("codec", [b"\0\0\0\0", b"DIB ", b"Y800"])
def test_grey_frames(tmp_path, codec):
    pixels = [frame.tobytes() if codec == b"Y800" else padded(frame) for frame in GREY]
    frames = open_frames(write_avi(tmp_path / "a.avi", pixels, 6, 5, 8, codec))
    for number, (frame, expected) in enumerate(zip(frames, GREY, strict=True), 1):
        np.testing.assert_array_equal(frame.read().data[0], expected)
        np.testing.assert_array_equal(frame.rows(1, 3)[0], expected[1:3])
        assert (frame.name, frame.meta.saturation, frame.state) == (f"a.avi#{number:04d}", 255.0, State.LINEAR)
        assert bool(frame.meta.bottom_up) == (codec != b"Y800")
    np.testing.assert_array_equal(open_frame(tmp_path / "a.avi#0003").read().data[0], GREY[2])


def test_deep_grey_and_frames_beyond_the_first_two_gigabytes(tmp_path):
    deep = RNG.integers(0, 65536, (5, 4, 3)).astype("<u2")
    raw = [frame.tobytes() for frame in deep]
    frames = open_avi(write_avi(tmp_path / "a.avi", raw[:3], 3, 4, 16, b"Y16 ", sound=True, beyond=raw[3:]))
    np.testing.assert_array_equal([frame.read().data[0] for frame in frames], deep)
    assert frames[0].meta.saturation == 65535.0


@pytest.mark.parametrize(("bits", "height"), [(24, 5), (32, 5), (24, -5)])
def test_colour(tmp_path, bits, height):
    pixels = RNG.integers(0, 256, (2, 5, 7, bits // 8), dtype=np.uint8)
    raw = [padded(frame.reshape(5, -1)) for frame in pixels]
    frames = open_avi(write_avi(tmp_path / "a.avi", raw, 7, height, bits))
    np.testing.assert_array_equal(frames[1].read().data, pixels[1, ..., 2::-1].transpose(2, 0, 1))
    assert bool(frames[0].meta.bottom_up) == (height > 0)


def test_motion_jpeg_is_stretched(tmp_path):
    smooth = np.add.outer(np.arange(16), np.arange(24)).astype(np.uint8) * 6
    stored = io.BytesIO()
    Pillow.fromarray(smooth).save(stored, "JPEG", quality=95)
    frames = open_avi(write_avi(tmp_path / "a.avi", [stored.getvalue()] * 2, 24, 16, 24, b"MJPG"))
    assert len(frames) == 2
    image = frames[1].read()
    assert image.state is State.STRETCHED
    np.testing.assert_allclose(image.data * 255, np.stack([smooth] * 3), atol=4)
    assert (image.unit, image.meta.saturation) == (PixelUnit.NORMALISED, 1.0)
    with pytest.raises(FrameError, match="24 x 16 px, the header says 24 x 18"):
        open_avi(write_avi(tmp_path / "b.avi", [stored.getvalue()], 24, 18, 24, b"MJPG"))[0].read()


def test_the_index_gives_the_same_frames_back(tmp_path):
    frames = open_avi(write_avi(tmp_path / "a.avi", [padded(frame) for frame in GREY], 6, 5, 8))
    again = decode_frames(tmp_path / "a.avi", encode_frames(frames))
    np.testing.assert_array_equal(again[3].read().data, frames[3].read().data)
    assert again[3].source == frames[3].source


def test_what_was_cut_off_or_dropped_is_left_out(tmp_path):
    path = write_avi(tmp_path / "a.avi", [padded(frame) for frame in GREY], 6, 5, 8)
    path.write_bytes(path.read_bytes()[:-11])
    frames = open_avi(path)
    assert len(frames) == 3
    assert "3 of 4 frames are whole" in frames[0].meta.notes
    with pytest.raises(FrameError, match="not one frame"):
        open_avi(write_avi(tmp_path / "b.avi", [b"\1\2"], 6, 5, 8))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(FrameError, match="no video"):
        open_avi(path)


def test_a_recording_that_was_never_closed(tmp_path):
    path = write_avi(tmp_path / "a.avi", [padded(frame) for frame in GREY], 6, 5, 8)
    content = bytearray(path.read_bytes())
    content[4:8] = bytes(4)
    at = content.index(b"movi") - 4
    content[at : at + 4] = bytes(4)
    path.write_bytes(content)
    assert len(open_avi(path)) == 4


def test_a_codec_that_is_not_read_is_named_with_the_way_out(tmp_path):
    with pytest.raises(FrameError, match=r"H264.*ffmpeg"):
        open_avi(write_avi(tmp_path / "a.avi", [b"x" * 64], 6, 5, 24, b"H264"))
