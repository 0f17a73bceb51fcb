"""Hosts: this machine, a private network, or the public one, by how they are written."""

from __future__ import annotations

import pytest

from tap_clover_export.settings.hosts import network_zone


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LocalHost", "127.0.0.1", "127.255.255.254"),
        *("::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1"),
    ],
)
def test_loopback(host: str) -> None:
    """Loopback is 127.0.0.0/8, ::1 and localhost: a token may go there over plain http."""
    assert network_zone(host) == "loopback"


@pytest.mark.parametrize(
    "host",
    [
        *("localhost.", "clover.localhost", "a.LOCALHOST.", "127.1", "127.0.0.1.", "2130706433"),
        *("0x7f000001", "0177.0.0.1", "2002:7f00:1::", "0.0.0.0", "::", "10.0.0.1", "10.1"),
        *("192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "fe80::1"),
        *("fd00::1", "::ffff:10.0.0.1"),
    ],
)
def test_private(host: str) -> None:
    """What only may lead to this machine, as a name server will, is not loopback, nor public."""
    assert network_zone(host) == "private"


@pytest.mark.parametrize(
    "host",
    [
        *(None, "", "example.com", "128.0.0.1", "93.184.216.34", "2606:4700::1111"),
        *("localhost.example.com", "127.0.0.1.example.com", "notlocalhost", "local host"),
    ],
)
def test_public(host: str | None) -> None:
    """Any other name and address."""
    assert network_zone(host) == "public"
