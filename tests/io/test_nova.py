"""The service of astrometry.net, played by a server of this machine."""

from __future__ import annotations

import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from firstlight.errors import FrameError, InputError
from firstlight.io.fits_writer import format_card
from firstlight.io.nova import with_nova

FREE = {"smallest_scale": 1.0, "largest_scale": 100.0, "ra": 10.0, "dec": 20.0, "radius": 3.0, "flipped": False}
CARDS = {
    "SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0,
    "CRPIX1": 50.0, "CRPIX2": 50.0, "CD1_1": -0.01, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.01,
}  # fmt: skip
HEADER = ("".join(format_card(key, value) for key, value in CARDS.items()) + "END".ljust(80)).ljust(2880)


class Nova(BaseHTTPRequestHandler):
    """``server.story``: list of jobs' ends, one an upload; ``server.seen``: what was sent."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        if "multipart" in self.headers["Content-Type"]:
            request = {"image": b"SIMPLE" in body}
        else:
            request = json.loads(urllib.parse.parse_qs(body.decode())["request-json"][0])
        server.seen.append((self.path, request))
        if self.path.endswith("login"):
            good = request["apikey"] == "right"
            self.answer({"status": "success", "session": "s"} if good else {"status": "error"})
        else:
            server.uploads += 1
            self.answer({"status": "success", "subid": server.uploads})

    def do_GET(self):
        server = self.server
        if server.story == ["hang"]:
            server.stop.wait(20)
        elif server.story == ["cut"]:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{")
        elif "submissions" in self.path:
            server.asked += 1
            self.answer({"jobs": [server.uploads] if server.asked % 2 == 0 else []})
        elif "jobs" in self.path:
            self.answer({"status": server.story[server.uploads - 1]})
        else:
            self.reply(HEADER.encode())

    def answer(self, content):
        self.reply(json.dumps(content).encode())

    def reply(self, content):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words):
        pass


@pytest.fixture
def nova(monkeypatch):
    server = HTTPServer(("127.0.0.1", 0), Nova)
    server.story, server.seen, server.uploads, server.asked = ["success"], [], 0, 0
    server.stop = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("ASTROMETRY_API_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ASTROMETRY_API_KEY", "right")
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


def ask(seconds=20.0, **how):
    return with_nova(np.arange(20.0).reshape(10, 2), (100, 100), FREE, seconds, pause=0.01, **how)


def test_the_star_list_is_sent_with_the_hints(nova):
    plate = ask()
    assert plate.cards["CRVAL1"] == 10.0
    path, sent = nova.seen[1]
    assert path == "/api/upload"
    assert sent["x"][:2] == [1.0, 3.0]
    assert (sent["image_width"], sent["center_dec"], sent["parity"]) == (100, 20.0, 0)


def test_the_image_follows_where_the_list_was_not_enough(nova, tmp_path):
    nova.story = ["failure", "success"]
    (tmp_path / "a.fits").write_bytes(b"SIMPLE  = T")
    assert ask(image=tmp_path / "a.fits").cards["CRVAL2"] == 20.0
    assert nova.seen[2][1] == {"image": True}
    nova.story, nova.uploads = ["failure"], 0
    with pytest.raises(FrameError, match="did not solve"):
        ask(image=tmp_path / "a.fits", send="stars")


def test_it_ends_in_time(nova):
    nova.story = ["solving"]
    with pytest.raises(FrameError, match="not solved it after"):
        ask(seconds=0.3)


ENDS = [("hang", "cannot be reached|not solved it after"), ("cut", "cut off|cannot be")]


@pytest.mark.parametrize(("story", "told"), ENDS)
def test_a_server_that_hangs_or_cuts_its_answer(nova, story, told):
    nova.story = [story]
    begun = time.monotonic()
    with pytest.raises(FrameError, match=told):
        ask(seconds=1.5)
    assert time.monotonic() - begun < 15


def test_keys_and_servers_that_are_not_there(nova, monkeypatch):
    monkeypatch.setenv("ASTROMETRY_API_KEY", "wrong")
    with pytest.raises(InputError, match="does not know the key"):
        ask()
    monkeypatch.setenv("ASTROMETRY_API_KEY", "right")
    monkeypatch.setenv("ASTROMETRY_API_URL", "http://127.0.0.1:9")
    with pytest.raises(FrameError, match="cannot be reached"):
        ask(seconds=3.0)
    monkeypatch.delenv("ASTROMETRY_API_KEY")
    with pytest.raises(InputError, match="ASTROMETRY_API_KEY"):
        ask()
