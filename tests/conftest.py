"""What holds for every test: no network, a home of its own, and where the real frames are."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run: a failure is one of the change, not of the day.
settings.register_profile("repeatable", derandomize=True, database=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parent.parent

HOMES = {
    "HOME": "",
    "XDG_CACHE_HOME": "cache",
    "XDG_CONFIG_HOME": "config",
    "XDG_DATA_HOME": "data",
    "XDG_STATE_HOME": "state",
}
# Port 9 of this machine answers to nobody: programs started by a test fail at once instead of going out.
PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "ftp_proxy", "all_proxy"), "http://127.0.0.1:9")

_real_connect = socket.socket.connect
_real_connect_ex = socket.socket.connect_ex
_real_getaddrinfo = socket.getaddrinfo
_home = pytest.StashKey[str]()


def _refuse_unless_local(host: object) -> None:
    text = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    if text == "localhost":
        return
    try:
        if ipaddress.ip_address(text.partition("%")[0]).is_loopback:
            return
    except ValueError:
        pass
    pytest.fail(
        f"a test tried to reach {text}: tests use no network; give the code a local file or a fake server instead"
    )


def _connect(sock: socket.socket, address: object) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        _refuse_unless_local(address[0])  # type: ignore[index]
    _real_connect(sock, address)  # type: ignore[arg-type]


def _connect_ex(sock: socket.socket, address: object) -> int:
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        _refuse_unless_local(address[0])  # type: ignore[index]
    return _real_connect_ex(sock, address)  # type: ignore[arg-type]


def _getaddrinfo(host: object, *args: object, **kwargs: object) -> object:
    _refuse_unless_local(host)
    return _real_getaddrinfo(host, *args, **kwargs)  # type: ignore[arg-type]


def pytest_configure(config: pytest.Config) -> None:
    """Shut the network and move home, for doctests in ``src`` too and for programs that tests start."""
    socket.socket.connect = _connect  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = _connect_ex  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = _getaddrinfo  # type: ignore[assignment]
    config.stash[_home] = home = tempfile.mkdtemp(prefix="firstlight-test-")
    for name, folder in HOMES.items():
        path = Path(home, folder)
        path.mkdir(exist_ok=True)
        os.environ[name] = str(path)
    for name, value in PROXIES.items():
        os.environ[name] = os.environ[name.upper()] = value
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "localhost,127.0.0.1"


def pytest_unconfigure(config: pytest.Config) -> None:
    if _home in config.stash:
        shutil.rmtree(config.stash[_home], ignore_errors=True)


def data_folder() -> Path:
    """Where the real frames should be: ``FIRSTLIGHT_DATA``, else ``../shared/data`` beside the checkout."""
    given = os.environ.get("FIRSTLIGHT_DATA")
    return Path(given) if given else ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """``real_data("pelican_mono_crop800")``: a folder or file of real frames; skips the test where it is not there.

    The frames are read-only: write results to ``tmp_path``.
    """

    def find(name: str = "") -> Path:
        path = data_folder() / name
        if not path.exists():
            pytest.skip(f"real frames not found: {path} (set FIRSTLIGHT_DATA to the folder that holds them)")
        return path

    return find
