"""Masters of a live session: those of the library are read when they are needed, damaged ones are left out."""

import numpy as np
import pytest

from calibration_frames import write_frames
from firstlight.io.read import open_frame
from firstlight.library.store import Library
from firstlight.pipeline.executors import thread_pool
from firstlight.pipeline.library_build import BuildSettings, build_library
from firstlight.pipeline.live_masters import LiveMasters
from firstlight.pipeline.progress import Progress
from firstlight.pipeline.settings import Calibrate, Settings


class Told(Progress):
    def __init__(self):
        self.words = []

    def say(self, text):
        self.words.append(text)


@pytest.fixture
def session(tmp_path):
    library = Library(tmp_path / "library")
    for exposure in (10.0, 30.0):
        write_frames(tmp_path / "raw" / f"{exposure:g}", "dark", 5, level=500 + exposure, EXPTIME=exposure)
    write_frames(tmp_path / "raw" / "bias", "bias", 5)
    build_library(library, [tmp_path / "raw"], BuildSettings(threads=1, memory=100))
    with thread_pool(1) as executor:

        def begin(**rules):
            settings = Settings(library=str(library.path), calibrate=Calibrate(**rules))
            made = LiveMasters(settings, executor, 1, 2**28, tmp_path / "scratch", Told())
            made.prepare(tmp_path / "night", tmp_path / "out", ())
            return made

        yield library, begin, tmp_path


def light(folder, exposure):
    return open_frame(write_frames(folder / f"l{exposure:g}", "light", 1, level=700, EXPTIME=exposure)[0])


def test_the_library_is_read_when_a_light_needs_it(session):
    _, begin, folder = session
    masters = begin()
    assert masters.shelf.made == []
    assignment, calibration = masters.calibration_of(light(folder, 10.0))
    assert assignment.dark.like.meta.exposure == 10.0
    assert len(masters.shelf.made) == 1
    assert calibration.pedestal == pytest.approx(510, abs=4)
    assert masters.calibration_of(light(folder, 10.0))[1] is calibration


def test_a_dark_in_between_on_request(session):
    _, begin, folder = session
    assert begin().calibration_of(light(folder, 20.0))[0].dark is None
    _, calibration = begin(interpolate_exposure=True).calibration_of(light(folder, 20.0))
    assert calibration.pedestal == pytest.approx(520, abs=4)


def test_a_damaged_master_is_left_out_and_told(session):
    library, begin, folder = session
    masters = begin()
    path = next(e.frame.path for e in library.entries() if e.frame.meta.exposure == 10.0)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assignment, calibration = masters.calibration_of(light(folder, 10.0))
    assert assignment.dark is None
    assert assignment.bias is not None
    assert calibration.pedestal == pytest.approx(500, abs=4)
    assert any("damaged" in words for words in masters.progress.words)
    assert np.isfinite(calibration.pedestal)
