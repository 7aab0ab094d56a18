"""Each exposure counts once in a live session: copies, and pictures beside frames."""

import shutil
import time

import numpy as np
from PIL import Image

from firstlight.io.read import read
from firstlight.pipeline.live import live
from pipeline.live_frames import QUICK, frame, put, running, stack_of, wait_for


def test_the_picture_that_a_camera_writes_beside_a_frame_is_no_frame(tmp_path):
    for i in range(3):
        shown = put(tmp_path, i).with_suffix(".JPG")
        Image.fromarray(np.clip(frame(i) / 200, 0, 255).astype(np.uint8)).save(shown)
    result = live(tmp_path, QUICK, once=True)
    assert result.counts == {"stacked": 3, "set aside": 3}
    assert result.set_aside["light_001.JPG"] == "a picture of light_001.fits; no frame of its own"


def test_a_picture_that_comes_before_its_frame_is_no_frame(tmp_path):
    end = running(tmp_path, QUICK.model_copy(update={"patience": 20.0}))
    picture = np.clip(frame(0) / 200, 0, 255).astype(np.uint8)
    for i in range(3):
        Image.fromarray(picture).save(tmp_path / f"light_{i:03d}.JPG")
        time.sleep(0.4)
        put(tmp_path, i)
    wait_for(tmp_path, 6)
    result = end()
    assert result.counts == {"stacked": 3, "set aside": 3}
    assert result.set_aside["light_000.JPG"] == "a picture of light_000.fits; no frame of its own"


def test_pictures_alone_are_frames_and_wait_once(tmp_path):
    end = running(tmp_path, QUICK.model_copy(update={"patience": 1.0}))
    began = time.monotonic()
    for i in range(4):
        Image.fromarray(np.clip(frame(i, rays=False) / 20, 0, 255).astype(np.uint8)).save(tmp_path / f"{i}.png")
        wait_for(tmp_path, i + 1)
    assert time.monotonic() - began < 4.0
    assert end().counts["stacked"] == 4


def test_a_copy_counts_once_also_after_a_restart(tmp_path):
    for i in range(4):
        put(tmp_path, i)
    shutil.copy(tmp_path / "light_001.fits", tmp_path / "copy of 001.fits")
    first = live(tmp_path, QUICK, once=True)
    assert first.counts == {"stacked": 4, "set aside": 1}
    (name,) = first.set_aside
    assert "byte for byte; an exposure counts once" in first.set_aside[name]
    shutil.copy(tmp_path / "light_002.fits", tmp_path / "zz.fits")
    again = live(tmp_path, QUICK, once=True)
    assert again.counts == {"stacked": 4, "set aside": 2}
    assert again.set_aside["zz.fits"] == "the same file as light_002.fits, byte for byte; an exposure counts once"
    assert read(stack_of(again)).meta.n_combined == 4
