"""The guards of the test suite themselves."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80)])
def test_network_is_refused(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(pytest.fail.Exception, match="no network"):
        sock.connect(address)


def test_names_are_not_looked_up():
    with pytest.raises(pytest.fail.Exception, match=r"example\.org.*no network"):
        socket.getaddrinfo("example.org", 80)


def test_urls_lead_nowhere():
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen("https://example.org", timeout=5)


def test_this_machine_can_be_reached():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_home_is_a_folder_of_the_tests():
    assert Path.home().name.startswith("firstlight-test-")


def test_missing_data_skips_with_the_reason(real_data):
    with pytest.raises(pytest.skip.Exception, match="FIRSTLIGHT_DATA"):
        real_data("no such folder")
