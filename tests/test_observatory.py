"""The commands at the telescope against INDI's own simulators, and a session of what they took.

Debian has them as indi-bin. The simulated camera asks a program ``gsc`` for its stars; ours answers from catalogues.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.io.catalogs import cone
from firstlight.io.read import open_frame

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("indiserver") is None, reason="no indiserver (Debian: indi-bin)"),
    pytest.mark.skipif(shutil.which("indi_simulator_wheel") is None, reason="no simulators of INDI (Debian: indi-bin)"),
]
pytest.importorskip("indipyclient")

DRIVERS = [f"indi_simulator_{name}" for name in ("ccd", "telescope", "focus", "wheel")]
TARGET = "M 29"
OPTICS = {"FOCAL_LENGTH": 400.0, "APERTURE": 80.0}
GSC = """#!/bin/sh
exec awk -v ra="$2" -v dec="$3" -v r="$5" '{ d = $2 - dec; a = ($1 - ra) * cos(dec * 0.0174533)
  if (a * a + d * d < r * r / 3600) printf "%010d %s %s 0.2 %s 0.1 1 0 0000 A 1.0 1\\n", NR, $1, $2, $3 }' STARS
"""


@pytest.fixture(scope="module")
def observatory(tmp_path_factory):
    """Address of a server with simulated devices under a true sky, and a profile of them."""
    folder = tmp_path_factory.mktemp("observatory")
    stars = cone("auto", 305.99, 38.51, 2.0)
    bright = np.flatnonzero(stars.mag < 12)
    lines = "".join(f"{stars.ra[i]:.6f} {stars.dec[i]:.6f} {stars.mag[i]:.2f}\n" for i in bright)
    (folder / "stars.txt").write_text(lines, encoding="utf-8")
    (folder / "gsc").write_text(GSC.replace("STARS", str(folder / "stars.txt")), encoding="utf-8")
    (folder / "gsc").chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"HOME": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}
    # Two servers need two names of their local sockets, which must be short.
    local = f"{tempfile.mkdtemp(prefix='indi')}/s"
    program = ["indiserver", "-p", str(port), "-u", local, *DRIVERS]
    with (folder / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(program, env=environment, stdout=log, stderr=log, start_new_session=True)
    address = f"localhost:{port}"
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
            patch.delenv("FIRSTLIGHT_PROFILE", raising=False)
            wait_for(port)
            set_up(address)
            assert run(["observe", "profile", "new", "simulators", "--server", address]) == 0
            yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(10)
        shutil.rmtree(Path(local).parent, ignore_errors=True)


def wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    pytest.fail("indiserver does not answer")


def set_up(address: str) -> None:
    """400 mm, so that a field has stars enough; seeing of 8 arcsec, so that they are wider than pixels."""
    from firstlight.observe.indi import IndiServer

    with IndiServer(address, 30) as indi:
        indi.devices()
        optics = {"TELESCOPE_FOCAL_LENGTH": 400.0, "TELESCOPE_APERTURE": 80.0}
        indi.set(
            "Telescope Simulator", "TELESCOPE_INFO", optics | {"GUIDER_FOCAL_LENGTH": 400.0, "GUIDER_APERTURE": 80.0}
        )
        for device in ("Telescope Simulator", "Focuser Simulator", "CCD Simulator"):
            indi.connect(device)
        indi.get("CCD Simulator", "CCD_EXPOSURE")
        seeing = indi.get("CCD Simulator", "SIM_FOCUSING").values | {"SIM_SEEING": 8.0}
        indi.set("CCD Simulator", "SIM_FOCUSING", seeing)


def answer(capsys, *words: str) -> dict:
    code = run([*words, "--json"])
    done = capsys.readouterr()
    assert code == 0, done.err + done.out
    return json.loads(done.out.splitlines()[-1])["result"]


def test_a_night_with_simulators_is_a_session(observatory, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    answer(capsys, "observe", "goto", TARGET, "--no-solve", "--unpark")
    found = answer(capsys, "observe", "focus", "--step", "4000", "--seconds", "0.2", "--least", "15000")
    # The simulated camera is in focus at 36700; FWHM is flat to 1 % over 1500 steps about it.
    assert found["position"] == pytest.approx(36700, abs=1500)
    assert Path(found["plot"]).is_file()
    centred = answer(capsys, "observe", "goto", TARGET, "--seconds", "2", "--tolerance", "10")
    assert centred["within"] is True
    night = tmp_path / "night"
    takes = ["Red:1x2", "Luminance:1x2"]
    taken = answer(capsys, "observe", "sequence", str(night), *takes, "--object", TARGET, "--no-bell")
    assert (taken["taken"], taken["missing"]) == (4, 0)
    flats = ["observe", "flats", str(night), "Red", "Luminance", "-n", "2", "--no-bell"]
    assert answer(capsys, *flats)["taken"] == 4
    darks = ["observe", "darks", str(night), "--for", "lights", "--for", "flats", "-n", "2", "--bias", "2", "--no-bell"]
    assert answer(capsys, *darks)["missing"] == 0
    meta = open_frame(Path(taken["files"][0])).meta
    assert (meta.target, meta.filter, meta.focal_length) == (TARGET, "Red", 400.0)
    assert run(["process", str(night), "-q"]) == 0
    stacks = sorted(path.name for path in (night / "firstlight" / "stacks").glob("*.fits"))
    assert stacks == ["M_29_Luminance_1s.fits", "M_29_Red_1s.fits"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_whatever_ends_it_ends_the_exposure(observatory, tmp_path, number):
    words = ["observe", "sequence", str(tmp_path / "night"), "Red:60x2", "--object", "X"]
    program = [sys.executable, "-m", "firstlight", *words]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(6)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert "interrupted" in said
    from firstlight.observe.indi import IndiServer

    with IndiServer(observatory, 10) as indi:
        indi.get("CCD Simulator", "CCD_EXPOSURE")
        indi.wait("CCD Simulator", "CCD_EXPOSURE", lambda found: found.state != "Busy", 5, "ending the exposure")
    assert not list((tmp_path / "night" / "lights").iterdir())
