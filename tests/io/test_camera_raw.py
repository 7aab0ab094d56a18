"""Camera raw: values, colours, black level, and files on which the decoder fails, crashes or hangs."""

from __future__ import annotations

import os
import signal
import struct
import threading
import time

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.io import camera_raw
from firstlight.io.read import open_frame, read
from firstlight.io.scratch import Scratch, decoded

PIXELS = np.random.default_rng(8).integers(600, 4000, (64, 96)).astype(np.uint16)


def write_dng(path, pixels, *, pattern=(0, 1, 1, 2), black=512, white=4095):
    """A plain CFA DNG with EXIF, as small as LibRaw takes one (TIFF 6.0 and DNG 1.4)."""
    height, width = pixels.shape
    entries = [
        (254, 4, 1, 0), (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 32803),
        (271, 2, b"Canon\0"), (272, 2, b"Canon EOS 100D\0"),
        (273, 4, 1, 0), (274, 3, 1, 1), (277, 3, 1, 1),
        (278, 4, 1, height), (279, 4, 1, pixels.nbytes),
        (33421, 3, 2, 2 | 2 << 16), (33422, 1, bytes(pattern)), (34665, 4, 1, 0),
        (50706, 1, bytes([1, 4, 0, 0])), (50708, 2, b"Canon EOS 100D\0"), (50714, 4, 1, black), (50717, 4, 1, white),
        (50721, 10, struct.pack("<18i", *[1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1])),
    ]  # fmt: skip
    exif = [(33434, 5, struct.pack("<2I", 30, 1)), (34855, 3, 1, 800), (36867, 2, b"2020:01:02 03:04:05\0"),
            (36881, 2, b"+01:00\0"), (37386, 5, struct.pack("<2I", 200, 1))]  # fmt: skip
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 10: 8}
    start = 8
    exif_start = start + 2 + 12 * len(entries) + 4
    data_start = exif_start + 2 + 12 * len(exif) + 4
    extra = bytearray()

    def directory(items):
        out = struct.pack("<H", len(items))
        for item in items:
            tag, kind, value = item[0], item[1], item[-1]
            if isinstance(value, bytes):
                count = len(value) // sizes[kind]
                if len(value) <= 4:
                    out += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
                else:
                    out += struct.pack("<HHII", tag, kind, count, data_start + len(extra))
                    extra.extend(value + b"\0" * (len(value) % 2))
            else:
                value = {273: data_start + 1024, 34665: exif_start}.get(tag, value)
                out += struct.pack("<HHII", tag, kind, item[2], value)
        return out + struct.pack("<I", 0)

    head = b"II*\0" + struct.pack("<I", start) + directory(entries) + directory(exif)
    content = (head + bytes(extra)).ljust(data_start + 1024, b"\0") + pixels.tobytes()
    path.write_bytes(content)
    return path


def test_values_and_colours(tmp_path):
    frame = open_frame(write_dng(tmp_path / "a.dng", PIXELS))
    assert (frame.shape, frame.zero, frame.meta.saturation) == ((1, 64, 96), -512.0, 4095.0 - 512)
    assert frame.meta.cfa == "RGGB"
    np.testing.assert_array_equal(frame.rows(3, 9)[0], PIXELS[3:9])
    np.testing.assert_array_equal(frame.read().data[0], PIXELS.astype(np.float32) - 512)


def test_what_the_camera_says(tmp_path):
    meta = open_frame(write_dng(tmp_path / "a.dng", PIXELS)).meta
    assert (meta.exposure, meta.gain_setting, meta.camera, meta.focal_length) == (30.0, 800.0, "Canon EOS 100D", 200.0)
    assert meta.start.isoformat() == "2020-01-02T02:04:05+00:00"
    assert meta.sources["saturation"] == "LibRaw"


@pytest.mark.parametrize(("pattern", "cfa"), [((1, 0, 2, 1), "GRBG"), ((2, 1, 1, 0), "BGGR"), ((1, 2, 0, 1), "GBRG")])
def test_patterns(tmp_path, pattern, cfa):
    assert open_frame(write_dng(tmp_path / "a.dng", PIXELS, pattern=pattern)).meta.cfa == cfa


def test_decoded_once_into_scratch(tmp_path):
    frame = open_frame(write_dng(tmp_path / "a.dng", PIXELS))
    assert not frame.seekable
    with Scratch(tmp_path) as folder:
        cheap = decoded(frame, folder)
        assert cheap.seekable
        (tmp_path / "a.dng").unlink()
        np.testing.assert_array_equal(cheap.rows(5, 9)[0], PIXELS[5:9])
        assert (cheap.zero, cheap.meta) == (frame.zero, frame.meta)
        assert decoded(cheap, folder) is cheap
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("keep", [0, 7, 300, 0.5])
def test_cut_files_are_refused(tmp_path, keep):
    path = write_dng(tmp_path / "a.dng", PIXELS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(FrameError, match=r"^a\.dng: "):
        read(path)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a hanging decoder is played by a stopped process")
def test_a_decoder_that_hangs_is_ended(tmp_path, monkeypatch):
    path = write_dng(tmp_path / "a.dng", PIXELS)
    open_frame(path)
    worker = camera_raw._idle[-1]
    os.kill(worker.process.pid, signal.SIGSTOP)
    monkeypatch.setattr(camera_raw, "TIME_LIMIT", 0.3)
    before = time.monotonic()
    with pytest.raises(FrameError, match="longer than"):
        open_frame(path)
    assert time.monotonic() - before < 30
    assert worker.process.poll() is not None
    monkeypatch.setattr(camera_raw, "TIME_LIMIT", 60.0)
    assert open_frame(path).shape == (1, 64, 96)


def test_a_decoder_that_crashes_is_replaced(tmp_path):
    path = write_dng(tmp_path / "a.dng", PIXELS)
    open_frame(path)
    worker = camera_raw._idle[-1]
    worker.process.kill()
    worker.process.wait()
    with pytest.raises(FrameError, match="crash"):
        open_frame(path)
    assert open_frame(path).shape == (1, 64, 96)


def test_threads_have_decoders_of_their_own(tmp_path):
    paths = [write_dng(tmp_path / f"{n}.dng", PIXELS + n) for n in range(4)]
    found = {}
    threads = [threading.Thread(target=lambda n=n: found.__setitem__(n, read(paths[n]).data)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(4):
        np.testing.assert_array_equal(found[n][0], PIXELS.astype(np.float32) + n - 512)


def test_what_the_file_says_of_its_colours(tmp_path):
    from camera_dng import camera_dng

    frame = open_frame(camera_dng(tmp_path / "a.dng", PIXELS, black=(512, 511, 513, 510)))
    cards = {keyword: value for keyword, value, _ in frame.meta.cards}
    assert [cards[f"BLACK_{name}"] for name in ("R", "G1", "B", "G2")] == [512, 511, 510, 513]
    assert (frame.zero, frame.meta.saturation) == (-510.0, 4095.0 - 510)
    assert [cards[f"WBCAM_{name}"] for name in "RGB"] == [2.0, 1.0, 1.25]
    # LibRaw's own: an identity matrix makes daylight (D65) out of sRGB.
    assert [cards[f"WBDAY_{name}"] for name in "RGB"] == pytest.approx([1.0521, 1.0, 0.9184], abs=1e-4)
    matrix = [[cards[f"CAMXYZ{j}{i}"] for i in (1, 2, 3)] for j in (1, 2, 3)]
    # Adobe's matrix of this camera, as LibRaw's table has it, in ten thousandths.
    wanted = [[6602, -841, -939], [-4472, 12458, 2247], [-975, 2039, 6148]]
    np.testing.assert_allclose(matrix, np.array(wanted) / 10000, atol=1e-6)


def test_the_white_balance_of_the_camera_is_not_invented(tmp_path):
    cards = {card[0] for card in open_frame(write_dng(tmp_path / "a.dng", PIXELS)).meta.cards}
    assert "WBDAY_R" in cards
    assert not any(keyword.startswith("WBCAM") for keyword in cards)


def test_colours_of_a_real_frame_as_dng(real_data):
    frame = open_frame(real_data("zoo_reencoded/u16_rggb.dng"))
    cards = {keyword: value for keyword, value, _ in frame.meta.cards}
    assert (frame.meta.cfa, cards["BLACK_R"], cards["BLACK_G2"]) == ("RGGB", 0.0, 0.0)
    assert [cards[f"WBCAM_{name}"] for name in "RGB"] == [1.0, 1.0, 1.0]
    # No camera of LibRaw's table: no matrix.
    assert "CAMXYZ11" not in cards
