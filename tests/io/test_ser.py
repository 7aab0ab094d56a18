"""SER files made here by the format's description."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.io.read import open_frames


def write_ser(path, frames, color=0, depth=16, times=(), count=None):
    """frames: (n, height, width[, 3])."""
    n, height, width = frames.shape[:3]
    head = struct.pack(
        "<14s7i40s40s40s2q", b"LUCAM-RECORDER", 0, color, 0, width, height, depth, n if count is None else count,
        b"Ann", b"ZWO ASI290", b"C11", 0, 0,
    )  # fmt: skip
    path.write_bytes(head + frames.tobytes() + struct.pack(f"<{len(times)}q", *times))
    return path


DEEP = np.random.default_rng(1).integers(0, 4096, (4, 5, 6)).astype("<u2")


def test_deep_frames_with_times(tmp_path):
    ticks = [637_134_336_000_000_000 + n * 10_000_000 for n in range(4)]
    frames = open_frames(write_ser(tmp_path / "a.ser", DEEP, color=11, depth=12, times=ticks))
    for frame, expected in zip(frames, DEEP, strict=True):
        np.testing.assert_array_equal(frame.read().data[0], expected)
        np.testing.assert_array_equal(frame.rows(1, 3)[0], expected[1:3])
        assert (frame.meta.cfa, frame.meta.saturation, frame.meta.camera) == ("BGGR", 4095.0, "ZWO ASI290")
    assert frames[2].meta.start == datetime(2020, 1, 1, 0, 0, 2, tzinfo=UTC)


@pytest.mark.parametrize(("color", "step"), [(100, 1), (101, -1)])
def test_colour(tmp_path, color, step):
    pixels = np.random.default_rng(2).integers(0, 256, (2, 5, 6, 3)).astype(np.uint8)
    frames = open_frames(write_ser(tmp_path / "a.ser", pixels, color=color, depth=8))
    np.testing.assert_array_equal(frames[1].read().data, pixels[1].transpose(2, 0, 1)[::step])


def test_a_capture_that_was_cut_off(tmp_path):
    path = write_ser(tmp_path / "a.ser", DEEP)
    path.write_bytes(path.read_bytes()[:-61])
    frames = open_frames(path)
    assert len(frames) == 2
    assert "2 of 4" in frames[0].meta.notes[0]
    path.write_bytes(path.read_bytes()[:180])
    with pytest.raises(FrameError, match="not one"):
        open_frames(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FrameError, match="header"):
        open_frames(path)


def test_nonsense_headers(tmp_path):
    with pytest.raises(FrameError, match="ColorID is 7"):
        open_frames(write_ser(tmp_path / "a.ser", DEEP, color=7))
    with pytest.raises(FrameError, match="33 bits"):
        open_frames(write_ser(tmp_path / "b.ser", DEEP, depth=33))
