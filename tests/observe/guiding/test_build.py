"""A guider out of a profile."""

from __future__ import annotations

import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.observe.connect import equipment_of
from firstlight.observe.equipment import Equipment
from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.build import guider_of, settings_of
from firstlight.observe.guiding.frames import dark_path, write_dark
from firstlight.observe.guiding.settings import Calibrate, GuideSettings, Settle
from firstlight.observe.guiding.simulated import SimulatedGuideCamera, SimulatedGuideMount
from firstlight.observe.profile import GuideTrain, MountPart, Profile

PROFILE = Profile(guiding=GuideTrain(focal_length=240.0, gain=30.0))


@pytest.fixture
def found() -> Equipment:
    mount = SimulatedGuideMount()
    return Equipment(guide_camera=SimulatedGuideCamera(mount), guide_port=mount, mount=mount, clock=mount.clock)


def test_what_is_said_goes_before_the_profile():
    assert settings_of(PROFILE, GuideSettings(gain=5.0)).gain == 5.0
    assert settings_of(PROFILE).gain == 30.0


def test_a_calibration_is_kept_and_used_again(found, tmp_path):
    guider = guider_of(PROFILE, found, folder=tmp_path)
    assert guider.calibration is None
    assert guider.scale == pytest.approx(206.265 * 3.75 / 240.0, rel=1e-5)
    guider._keep(Calibration((4.0, 0.0), (0.0, 4.0)))
    assert guider_of(PROFILE, found, folder=tmp_path).calibration == Calibration((4.0, 0.0), (0.0, 4.0))
    assert guider_of(PROFILE, found, folder=tmp_path, calibrate=True).calibration is None
    longer = Profile(guiding=GuideTrain(focal_length=400.0))
    assert guider_of(longer, found, folder=tmp_path).calibration is None
    found.mount.guide_rate = 15.0
    assert guider_of(PROFILE, found, folder=tmp_path).calibration is None


def test_a_dark_of_the_same_settings_is_used(found, tmp_path):
    settings = settings_of(PROFILE)
    write_dark(
        dark_path(tmp_path, found.guide_camera.name, settings), np.full((240, 320), 7.0, np.float32), settings, 3
    )
    assert guider_of(PROFILE, found, folder=tmp_path)._dark[0, 0] == 7.0
    assert guider_of(PROFILE, found, GuideSettings(exposure=5.0), folder=tmp_path)._dark is None


def test_without_a_guide_camera_there_is_none():
    with pytest.raises(InputError, match=r"guiding\.camera"):
        guider_of(Profile(), Equipment())


# What INDI's simulated cameras ask for stars: an invented sky that is the same each time.
GSC = """#!{python}
import math, random, sys
a = sys.argv[1:]
ra, dec, radius = float(a[a.index("-c") + 1]), float(a[a.index("-c") + 2]), float(a[a.index("-r") + 1]) / 60
step = 0.05
for j in range(math.floor((dec - radius) / step), math.ceil((dec + radius) / step) + 1):
    n = max(1, round(360 * math.cos(math.radians(j * step)) / step))
    reach = math.ceil(radius / step / math.cos(math.radians(dec))) + 1
    for k in range(math.floor(ra / 360 * n) - reach, math.floor(ra / 360 * n) + reach + 1):
        r = random.Random(f"{{j}} {{k % n}}")
        x, y, m = ((k % n) + r.random()) * 360 / n, (j + r.random()) * step, 7 + 7 * r.random() ** 0.5
        d = math.hypot((x - ra) * math.cos(math.radians(dec)), y - dec)
        if d < radius:
            print(f"{{j:05d}}{{k % n:05d}} {{x:10.6f}} {{y:+10.6f}} 0.3 {{m:5.2f}} 0.40 0 0 0000 F {{d * 60:6.2f}} 100")
"""


@pytest.fixture
def indi(tmp_path) -> Iterator[str]:
    """INDI's own simulators of a mount and a guide camera, with stars."""
    if shutil.which("indiserver") is None or shutil.which("indi_simulator_guide") is None:
        pytest.skip("indiserver and its simulators are not installed (Debian: indi-bin)")
    pytest.importorskip("indipyclient")
    stars = tmp_path / "bin" / "gsc"
    stars.parent.mkdir()
    stars.write_text(GSC.format(python=sys.executable), encoding="utf-8")
    stars.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"PATH": f"{stars.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    # The path of a local socket may be no longer than 107 characters.
    with tempfile.TemporaryDirectory(prefix="indi") as short:
        command = [
            "indiserver",
            "-p",
            str(port),
            "-u",
            f"{short}/s",
            "indi_simulator_guide",
            "indi_simulator_telescope",
        ]
        server = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            time.sleep(2.0)
            if server.poll() is not None:
                pytest.skip("indiserver does not run here")
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(10)


@pytest.mark.slow
def test_it_guides_the_simulators_of_indi(indi, tmp_path):
    profile = Profile(
        name="simulators",
        server=indi,
        guiding=GuideTrain(camera="Guide Simulator", focal_length=900.0),
        mount=MountPart(device="Telescope Simulator"),
    )
    settings = GuideSettings(
        exposure=0.3, calibrate=Calibrate(steps=5, pulse=0.6), settle=Settle(pixels=5.0, seconds=3.0, timeout=60.0)
    )
    with equipment_of(profile, ("guide_camera", "guide_port"), ("mount",)) as found:
        found.mount.unpark()
        found.mount.goto(40.0, 30.0)
        found.mount.track(True)
        guider = guider_of(profile, found, settings, folder=tmp_path)
        assert guider.scale == pytest.approx(0.55, abs=0.01)
        guider.begin()
        # Half of the sidereal rate. The simulated mount answers in steps of 0.25 s.
        assert [rate * 0.55 for rate in guider.here.rates] == pytest.approx(
            [7.52 * math.cos(math.radians(30.0)), 7.52], rel=0.1
        )
        assert abs(guider.here.orthogonality) < 3.0
        steps = [guider.step() for _ in range(25)]
        assert sum(not step.lost for step in steps) > 20
        assert math.hypot(steps[-1].dx, steps[-1].dy) < 10.0
        guider.dither(10.0)
        for _ in range(60):
            guider.step()
            if guider.settled():
                break
        assert guider.settled()
        guider.stop()
    assert (tmp_path / "calibrations.json").is_file()
