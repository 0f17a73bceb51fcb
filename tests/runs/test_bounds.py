"""What a hostile peer can take: memory, disk and time are bounded with the bounds of everyday."""

from __future__ import annotations

import gzip
import itertools
import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from tests.clover.test_transport import CHUNKED, ENDLESS, export, flood
from tests.support.harness import assert_whole, clover, sync
from tests.support.memory import LAUNCHER
from tests.support.raw_server import Peer, reply

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1 << 20
VICTIM = textwrap.dedent(
    """
    import os, resource, sys, tempfile, time
    from pathlib import Path
    from tap_clover_export import times
    from tap_clover_export.clover.auth import Auth
    from tap_clover_export.clover.client import Client
    from tap_clover_export.settings.merchants import Merchant
    from tap_clover_export.settings.secret import Secret
    from tap_clover_export.tokens.store import open_store
    from tap_clover_export.errors import CloverError

    url, what = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    client = Client(Auth("CLIENT", open_store(Path("tokens.json")), time.time))
    token = {"refresh_token" if what == "refresh" else "access_token": Secret("t0k3n")}
    shop = Merchant("AAAA1111AAAA1", "sandbox", url, times.from_seconds(0), **token)
    file = tempfile.TemporaryFile(buffering=0)
    try:
        if what == "download":
            client.download(shop, url + "/1.json?Signature=s3cr3t", file)
        else:
            client.poll(shop, "EXPORT1")
    except CloverError as error:
        print(error)
    print(os.fstat(file.fileno()).st_size)
    """
)
BOMB = gzip.compress(bytes(64 << 20), 9) * 160
"""Ten gigabytes of nothing, in as many members as it takes."""

MANY = b'{"url":"https://a/"},' * 9999
HOSTILE: dict[str, tuple[str, Any, str]] = {
    "a file of 10 GB": ("download", flood(ENDLESS, bytes(1 << 20)), "a body of more than 256 MiB;"),
    "a file without end": (
        "download",
        flood(CHUNKED, b"100000\r\n" + bytes(1 << 20) + b"\r\n"),
        "a body of more than 256 MiB;",
    ),
    "a file that is a bomb": (
        "download",
        reply(BOMB, "Content-Encoding: gzip"),
        "a body of more than 256 MiB;",
    ),
    "an answer that is a bomb": (
        "poll",
        reply(BOMB, "Content-Encoding: gzip"),
        "a body of more than 16 MiB",
    ),
    "a refresh that is a bomb": (
        "refresh",
        reply(BOMB, "Content-Encoding: gzip"),
        "a body of more than 16 MiB",
    ),
    "an answer without end": ("poll", flood(ENDLESS, bytes(1 << 20)), "a body of more than 16 MiB"),
    "a million links": (
        "poll",
        flood(ENDLESS, b'{"id":"A","status":"DONE","exportUrls":[', MANY),
        "a body of more than 16 MiB",
    ),
    "as many links as fit": (
        "poll",
        export(exportUrls={"elements": [{"url": str(n)} for n in range(780_000)]}),
        "an export of more than 10000 files",
    ),
    "as many levels as fit": ("poll", reply(b"[" * (15 << 20)), "an answer that is"),
    "as many objects as fit": (
        "poll",
        reply(b'{"id":"A","x":[' + b"{}," * (5 << 20) + b"{}]}"),
        "an answer that is no export",
    ),
    "a long status": ("poll", export(status="x" * (15 << 20)), ""),
    "a number of megabytes": (
        "poll",
        reply(b'{"id":"A","status":"DONE","createdTime":' + b"9" * (15 << 20) + b"}"),
        "",
    ),
    "headers as long as they may be": (
        "poll",
        itertools.chain([b"HTTP/1.1 200 OK\r\n"], [b"A: " + b"b" * 65_000 + b"\r\n"] * 200),
        "the connection failed",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_hostile_peer_takes(tmp_path: Path, name: str) -> None:
    """The whole process stays under 220 MB, and the disk under the limit of a file."""
    what, answer, words = HOSTILE[name]
    with Peer(answer) as peer:
        done = subprocess.run(
            [sys.executable, "-c", LAUNCHER, "-c", VICTIM, peer.url, what],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
    assert done.returncode == 0, done.stderr
    *said, disk = done.stdout.splitlines()
    assert "".join(said).startswith(words)
    assert int(disk) <= 256 * MEGABYTE
    peak = int(done.stderr.splitlines()[-1]) * (1 if sys.platform == "darwin" else 1024)
    assert 20 * MEGABYTE < peak < 220 * MEGABYTE
    assert not list(tmp_path.glob("tokens.json/*.json"))


@pytest.mark.parametrize("mib", ["1", "8"])
def test_the_limit_of_a_file_can_be_raised(monkeypatch: pytest.MonkeyPatch, mib: str) -> None:
    """A run whose files are too large names the variable that allows more, and then is whole."""
    monkeypatch.setenv("TAP_CLOVER_EXPORT_MAX_FILE_MIB", mib)
    with clover(days=2, orders_per_day=600) as simulator:
        outcome = sync(simulator)
        if mib == "8":
            assert outcome.code == 0, outcome.log
            assert_whole(outcome, simulator)
            return
    assert outcome.code == 1
    assert (
        "could not be had 6 times (a body of more than 1 MiB; "
        "TAP_CLOVER_EXPORT_MAX_FILE_MIB in the environment allows more)"
    ) in outcome.sentence


def test_an_export_is_read_whole_at_the_bound(tmp_path: Path) -> None:
    """What lies just inside the bounds is taken, in the same memory."""
    elements = [{"url": f"https://files.example/{n}?{'s' * 900}"} for n in range(10_000)]
    body = reply(json.dumps({"id": "A", "status": "DONE", "exportUrls": elements}).encode())
    with Peer(body) as peer:
        done = subprocess.run(
            [sys.executable, "-c", LAUNCHER, "-c", VICTIM, peer.url, "poll"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "0\n"
