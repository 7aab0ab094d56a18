"""Cameras of INDI against a server of our own."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from firstlight.errors import EquipmentError
from firstlight.io.fits_writer import write_raw_fits
from firstlight.observe.equipment import Region
from firstlight.observe.indi import IndiServer
from firstlight.observe.indi_camera import IndiCamera
from mock_indi import MockIndi

pytest.importorskip("indipyclient")

PIXELS = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000


def frame() -> bytes:
    path = Path(tempfile.mkdtemp(), "a.fits")
    write_raw_fits(path, PIXELS, [("GAIN", 100, ""), ("DATE-OBS", "2020-01-01T00:00:00", "")])
    return path.read_bytes()


@pytest.fixture
def server():
    with MockIndi() as mock:
        mock.device("Cam")
        mock.add("Cam", "CCD_INFO", "number", {"CCD_MAX_X": 8, "CCD_MAX_Y": 6, "CCD_PIXEL_SIZE": 3.76})
        mock.add("Cam", "CCD_EXPOSURE", "number", {"CCD_EXPOSURE_VALUE": 1}, limits=(0.001, 3600))
        mock.add("Cam", "CCD_ABORT_EXPOSURE", "switch", {"ABORT": False})
        mock.add("Cam", "CCD_FRAME", "number", {"X": 0, "Y": 0, "WIDTH": 8, "HEIGHT": 6})
        kinds = {"FRAME_LIGHT": True, "FRAME_BIAS": False, "FRAME_DARK": False, "FRAME_FLAT": False}
        mock.add("Cam", "CCD_FRAME_TYPE", "switch", kinds)
        mock.add("Cam", "CCD_GAIN", "number", {"GAIN": 0}, limits=(0, 300))
        mock.add("Cam", "CCD_TEMPERATURE", "number", {"CCD_TEMPERATURE_VALUE": 12.5}, limits=(-50, 50))
        mock.add("Cam", "CCD1", "blob", {"CCD1": b""}, perm="ro")
        yield mock


def exposing(mock, values):
    mock.tell("Cam", "CCD_EXPOSURE", values, "Busy")
    mock.tell("Cam", "CCD1", {"CCD1": frame()})
    mock.tell("Cam", "CCD_EXPOSURE", {"CCD_EXPOSURE_VALUE": 0}, "Ok")


def test_a_frame_comes_with_its_header(server):
    server.on("Cam", "CCD_EXPOSURE", exposing)
    with IndiServer(server.address, 5) as indi:
        camera = IndiCamera(indi, "Cam")
        assert (camera.size, camera.pixel_size, camera.temperature) == ((6, 8), 3.76, 12.5)
        for _ in range(2):
            taken = camera.expose(0.1, "dark flat", gain=120, region=Region(1, 2, 5, 6))
            np.testing.assert_array_equal(taken.data, PIXELS)
    assert taken.data.dtype == np.uint16
    assert taken.header["GAIN"] == 100
    # The driver's clock is years behind: ours counts.
    assert taken.start.year > 2020
    sent = dict(server.received)
    assert sent["CCD_GAIN"] == {"GAIN": 120.0}
    assert sent["CCD_FRAME"] == {"X": 1.0, "Y": 2.0, "WIDTH": 4.0, "HEIGHT": 4.0}
    assert sent["CCD_FRAME_TYPE"]["FRAME_DARK"] is True


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (lambda mock, values: mock.tell("Cam", "CCD_EXPOSURE", {}, "Alert", "usb error"), "failed: usb error"),
        (lambda mock, values: mock.tell("Cam", "CCD_EXPOSURE", values, "Busy"), r"no frame within 0\.3 s"),
        (lambda mock, values: mock.remove("Cam"), "went away while exposing"),
        (lambda mock, values: mock.tell("Cam", "CCD1", {"CCD1": b"no FITS"}), "cannot be used"),
    ],
)
def test_failures_are_told_and_end_the_exposure(server, handler, words):
    server.on("Cam", "CCD_EXPOSURE", handler)
    with IndiServer(server.address, 5) as indi:
        camera = IndiCamera(indi, "Cam", download=0.3)
        with pytest.raises(EquipmentError, match=words):
            camera.expose(0.1)
        time.sleep(0.1)
    if "went away" not in words:
        assert ("CCD_ABORT_EXPOSURE", {"ABORT": True}) in server.received


def test_what_the_camera_cannot_do(server):
    with IndiServer(server.address, 5) as indi:
        camera = IndiCamera(indi, "Cam")
        for request, words in [
            (lambda: camera.expose(1e5), r"exposure 100000 s; 0\.001 to 3600 s"),
            (lambda: camera.expose(1, gain=1e6), "0 to 300 is allowed"),
            (lambda: camera.expose(1, offset=5), "its offset cannot be set"),
            (lambda: camera.expose(1, binning=2), "cannot bin"),
            (lambda: camera.expose(1, region=Region(0, 0, 9, 6)), "region 0,0,9,6"),
            (lambda: IndiCamera(indi, "Cam", save_in="/frames"), "cannot save frames"),
        ]:
            with pytest.raises(EquipmentError, match=words):
                request()


def test_frames_saved_on_its_own_computer(server, tmp_path):
    server.add("Cam", "UPLOAD_MODE", "switch", {"UPLOAD_CLIENT": True, "UPLOAD_LOCAL": False})
    server.add("Cam", "UPLOAD_SETTINGS", "text", {"UPLOAD_DIR": "x", "UPLOAD_PREFIX": "y"})
    server.add("Cam", "CCD_FILE_PATH", "text", {"FILE_PATH": "none"}, perm="ro")

    def saving(mock, values):
        def late():
            mock.tell("Cam", "CCD_FILE_PATH", {"FILE_PATH": str(tmp_path / "a.fits")})
            time.sleep(0.3)
            (tmp_path / "b.fits").write_bytes(frame())
            (tmp_path / "b.fits").rename(tmp_path / "a.fits")

        threading.Thread(target=late).start()

    server.on("Cam", "CCD_EXPOSURE", saving)
    with IndiServer(server.address, 5) as indi:
        camera = IndiCamera(indi, "Cam", save_in=str(tmp_path))
        camera.name_files("M27")
        taken = camera.expose(0.1)
    assert taken.path == tmp_path / "a.fits"
    np.testing.assert_array_equal(taken.data, PIXELS)
    assert dict(server.received)["UPLOAD_SETTINGS"] == {"UPLOAD_DIR": str(tmp_path), "UPLOAD_PREFIX": "M27_XXX"}


def test_a_driver_that_was_started_again_is_connected_again(server):
    server.on("Cam", "CCD_EXPOSURE", lambda mock, values: mock.remove("Cam"))
    with IndiServer(server.address, 5) as indi:
        camera = IndiCamera(indi, "Cam", download=2)
        with pytest.raises(EquipmentError, match="went away"):
            camera.expose(0.1)
        server.on("Cam", "CCD_EXPOSURE", exposing)
        server.define_again("Cam")
        np.testing.assert_array_equal(camera.expose(0.1).data, PIXELS)
    assert [name for name, _ in server.received].count("CONNECTION") == 2
