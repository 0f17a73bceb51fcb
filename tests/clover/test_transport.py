"""The wire is not trusted: whatever comes back ends with a sentence, soon, in little memory."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import json
import logging
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from hypothesis import example, given
from hypothesis import strategies as st

from tap_clover_export import times
from tap_clover_export.clover import origins, responses, transport
from tap_clover_export.clover.auth import Auth
from tap_clover_export.clover.client import Client
from tap_clover_export.clover.responses import ExportAnswer
from tap_clover_export.errors import (
    BadRequestError,
    CloverError,
    NotFoundError,
    RateLimitedError,
    ServiceUnavailableError,
    TransientError,
    UnauthorizedError,
)
from tap_clover_export.planning.windows import Window
from tap_clover_export.settings.hosts import network_zone
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret
from tap_clover_export.tokens.store import open_store
from tests.support import short_timeouts
from tests.support.harness import ONE, TUESDAY_NOON, clover, sync
from tests.support.raw_server import Peer, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKEN = "t0k3n-that-nobody-may-see"
EXPORT = {"id": "EXPORT1", "status": "DONE", "createdTime": 1_772_539_200_000}
MEMORY = 8 << 20


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client of a merchant with a fixed token, that takes files of a megabyte."""
    auth = Auth(None, open_store(tmp_path / "tokens.json"), time.time)
    client = Client(auth, file_bytes=1 << 20)
    yield client
    client.close()
    auth.close()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test can reach."""
    short_timeouts.bound(monkeypatch)
    monkeypatch.setattr(transport, "ANSWER_BYTES", 1 << 20)
    monkeypatch.setattr(responses, "LINKS", 1000)


def merchant(url: str) -> Merchant:
    """A merchant whose API is a peer."""
    start = times.from_seconds(TUESDAY_NOON)
    return Merchant(ONE, "sandbox", url, start, access_token=Secret(TOKEN))


class Sink:
    """Counts what it is given."""

    length = 0

    def write(self, data: bytes) -> int:
        """Take it in."""
        self.length += len(data)
        return len(data)


def drip(*parts: bytes) -> Callable[[bytes], Iterator[bytes]]:
    """The parts at once, then the last one again and again, slowly."""

    def dripping(_: bytes) -> Iterator[bytes]:
        yield from parts
        while True:
            time.sleep(0.02)
            yield parts[-1]

    return dripping


def silence(_: bytes) -> bytes:
    """Nothing, for longer than anybody waits."""
    time.sleep(2 * short_timeouts.SHORT)
    return b""


def flood(*parts: bytes) -> Callable[[bytes], Iterator[bytes]]:
    """The parts, and the last one without end."""
    return lambda _: itertools.chain(parts[:-1], itertools.repeat(parts[-1]))


def export(**fields: Any) -> bytes:
    """The description of an export, as an answer."""
    return reply(json.dumps(EXPORT | fields).encode())


def redirect(url: str, status: str = "302 Found") -> bytes:
    """An answer that leads elsewhere."""
    return reply(b"", f"Location: {url}", status=status)


BOMB = gzip.compress(bytes(64 << 20))
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NOT_FOLLOWED = "302 Found, a redirect that is not followed"

HOSTILE: dict[str, tuple[Any, type[CloverError], str]] = {
    "redirect to a stranger": (redirect("https://evil.example/"), TransientError, NOT_FOLLOWED),
    "redirect to another port": (redirect("http://127.0.0.1:1/"), TransientError, NOT_FOLLOWED),
    "redirect to a file": (redirect("file:///etc/passwd"), TransientError, NOT_FOLLOWED),
    "redirect to a private address": (redirect("https://10.0.0.1/"), TransientError, NOT_FOLLOWED),
    "redirect to no address": (redirect("http://[::1"), TransientError, "the request failed"),
    "redirect behind a name": (redirect("//127.0.0.1@evil.example/"), TransientError, NOT_FOLLOWED),
    "redirect without end": (
        redirect("?again"),
        TransientError,
        "an answer that redirects without end",
    ),
    "redirect without a place": (reply(b"", status="302 Found"), TransientError, NOT_FOLLOWED),
    "many headers": (
        flood(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
        TransientError,
        "connection failed",
    ),
    "an endless header": (
        flood(b"HTTP/1.1 200 OK\r\nA: ", b"b" * 999),
        TransientError,
        "connection",
    ),
    "a head that drips": (
        drip(b"HTTP/1.1 200 OK\r\nA: ", b"b"),
        TransientError,
        "no answer in time",
    ),
    "100 without end": (
        drip(b"HTTP/1.1 100 Continue\r\n\r\n"),
        TransientError,
        "no answer in time",
    ),
    "silence": (silence, TransientError, "no answer in time"),
    "no HTTP": (flood(b"SSH-2.0-OpenSSH_9.7\r\n"), TransientError, "the connection failed"),
    "nothing": ([], TransientError, "the connection failed"),
    "an endless body": (flood(ENDLESS, b" " * 65536), TransientError, "a body of more than 1 MiB"),
    "endless chunks": (
        flood(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
        TransientError,
        "a body of more than 1 MiB",
    ),
    "a chunk of another size": (
        [CHUNKED, b"FFFFFFFFFFFFFFFF\r\n", b" " * 9],
        TransientError,
        "the connection failed",
    ),
    "a chunk of no size": ([CHUNKED, b"-5\r\n", b" " * 9], TransientError, "the connection failed"),
    "a bomb": (reply(BOMB, "Content-Encoding: gzip"), TransientError, "a body of more than 1 MiB"),
    "a bomb in a bomb": (
        reply(gzip.compress(BOMB), "Content-Encoding: gzip, gzip"),
        TransientError,
        "a body of more than 1 MiB",
    ),
    "wrapped a hundred times": (
        reply(b"{}", "Content-Encoding: " + ", ".join(["gzip"] * 100)),
        TransientError,
        "can't be decompressed",
    ),
    "no gzip": (reply(b"{}", "Content-Encoding: gzip"), TransientError, "can't be decompressed"),
    "a second member that breaks": (  # before Python 3.14 the body ends there
        reply(
            gzip.compress(b"{}") + gzip.compress(bytes(1 << 18))[:-8] + b"broken__",
            "Content-Encoding: gzip",
        ),
        TransientError,
        "can't be decompressed|an answer that is no",
    ),
    "trailers without end": (  # the newest releases of Python count them
        flood(CHUNKED, b"2\r\n{}\r\n0\r\n", b"A: b\r\n" * 999),
        TransientError,
        "no answer in time|the connection failed",
    ),
    "trailers that drip": (
        drip(CHUNKED, b"2\r\n{}\r\n0\r\n", b"A: b\r\n"),
        TransientError,
        "no answer in time",
    ),
    "an endless chunk extension": (
        flood(CHUNKED, b"2;", b"a" * 65536),
        TransientError,
        "connection",
    ),
    "a chunk extension that drips": (
        drip(CHUNKED, b"2;", b"a"),
        TransientError,
        "no answer in time",
    ),
    "chunks of one byte": (
        flood(CHUNKED, b"1\r\n \r\n" * 999),
        TransientError,
        "a body (that took|of more)",
    ),
    "two lengths": (
        reply(b"{}", "Content-Length: 40"),
        TransientError,
        r"^the request failed \(InvalidHeader\)$",
    ),
    "a length and chunks": ([CHUNKED[:-2], reply()[17:]], TransientError, "the connection failed"),
    "a length below zero": (
        reply().replace(b": 2", b": -2"),
        TransientError,
        "no answer in time|the connection failed",
    ),
    "an endless status": (
        flood(b"HTTP/1.1 200 ", b"O" * 65536),
        TransientError,
        "connection failed",
    ),
    "another protocol": (
        reply(b"", status="101 Switching Protocols"),
        TransientError,
        "^101 Switch",
    ),
    "no HTTP/1": (reply().replace(b"1.1", b"9.9"), TransientError, "the connection failed"),
    "NUL in a header": (reply(b"{}", "A\0B: c"), TransientError, "no export"),
    "redirect of two lines": (
        redirect("/x\r\n Host: evil.example"),
        TransientError,
        "redirects without",
    ),
    "redirect with NUL": (redirect("/x\0y"), TransientError, "redirects without end"),
    "redirect to no name": (
        redirect("https://☃.example/"),
        TransientError,
        r"failed \(InvalidURL\)$",
    ),
    "redirect to a zone": (redirect("http://[fe80::1%25eth0]/"), TransientError, NOT_FOLLOWED),
    "a long redirect": (redirect("/" + "x" * 60_000), TransientError, "redirects without end"),
    "a body that drips": (drip(ENDLESS, b" "), TransientError, "a body that took more than 0.4"),
    "chunks that drip": (
        drip(CHUNKED, b"1\r\n \r\n"),
        TransientError,
        "a body that took more than",
    ),
    "a chunk that drips": (
        drip(CHUNKED, b"FFFFF\r\n", b" "),
        TransientError,
        "a body that took more",
    ),
    "a short body": ([ENDLESS, b"{}"], TransientError, "the connection failed"),
    "HTML": (
        reply(b"<html>Log in to the Wi-Fi</html>"),
        TransientError,
        "an answer that is not JSON",
    ),
    "depth": (reply(b"[" * 100_000), TransientError, "an answer that is"),
    "depth inside": (
        reply(b'{"id":"A","status":"DONE","x":' + b'{"a":' * 100_000),
        TransientError,
        "not JSON",
    ),
    "a list": (reply(b"[]"), TransientError, "an answer that is no export"),
    "another object": (reply(b"{}"), TransientError, "an answer that is no export"),
    "many small values": (
        reply(b'{"id":"A","x":[' + b"[]," * 300_000 + b"[]]}"),
        TransientError,
        "no export",
    ),
    "too many links": (
        export(exportUrls=[{"url": f"https://a/{n}"} for n in range(1001)]),
        TransientError,
        "an export of more than 1000 files",
    ),
    "a million links": (
        flood(ENDLESS, b'{"id":"A","status":"DONE","exportUrls":[', b'{"url":"https://a/"},' * 99),
        TransientError,
        "a body of more than 1 MiB",
    ),
    "links that are none": (export(exportUrls={"elements": [5]}), TransientError, "no export"),
    "an id that walks": (export(id="../../x"), TransientError, "no export"),
    "an id of dots": (export(id=".."), TransientError, "no export"),
    "an id with a query": (export(id="A?b#c"), TransientError, "no export"),
    "a long id": (export(id="A" * 129), TransientError, "no export"),
    "an empty id": (export(id=""), TransientError, "no export"),
    "a foreign id": (export(id="Ａ１٣"), TransientError, "no export"),
    "a number for an id": (export(id=5), TransientError, "no export"),
    "text that is no UTF-8": (reply(b'{"id":"\xff"}'), TransientError, "an answer that is"),
    "an unknown status": (reply(status="999 Hello"), TransientError, "^999$"),
    "no content": (reply(b"", status="204 No Content"), TransientError, "204 No Content"),
    "refused": (reply(b'{"message":"no"}', status="403 X"), UnauthorizedError, "^403 Forbidden: "),
    "the token said back": (
        reply(f"bad {TOKEN}".encode(), status="400 X"),
        BadRequestError,
        "^400 Bad R",
    ),
    "the token as a reason": (
        reply(status=f"400 {TOKEN}"),
        BadRequestError,
        "^400 Bad Request: {}$",
    ),
    "a signed link said back": (
        reply(b"see https://files/1.json?Signature=0123456789abcdef", status="400 X"),
        BadRequestError,
        "^400 Bad Request: see https:…$|: see …$",
    ),
    "colours and bells": (
        reply(b"\x1b[31m\x07 no", status="400 X"),
        BadRequestError,
        r"st: \[31m no$",
    ),
    "a novel": (
        reply(b"no " * 99_999, status="400 X"),
        BadRequestError,
        "^400 Bad Request.{,310}$",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer(client: Client, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each ends soon and in little memory with a sentence that holds no secret."""
    answer, kind, words = HOSTILE[name]
    short_timeouts.bound(monkeypatch, words)
    with Peer(answer) as peer:
        begin = time.monotonic()
        tracemalloc.start()
        try:
            with pytest.raises(kind, match=words) as caught:
                client.poll(merchant(peer.url), "EXPORT1")
            assert tracemalloc.get_traced_memory()[1] < len(BOMB) + MEMORY
        finally:
            tracemalloc.stop()
        assert time.monotonic() - begin < short_timeouts.PATIENCE
        assert TOKEN not in str(caught.value)
        assert str(caught.value).isprintable()


FILES: dict[str, tuple[Any, type[CloverError], str]] = {
    "a huge file": (
        flood(ENDLESS, b" " * 65536),
        NotFoundError,
        "^a body of more than 1 MiB; TAP_CLOVER_",
    ),
    "a bomb": (
        reply(BOMB, "Content-Encoding: gzip"),
        NotFoundError,
        "^a body of more than 1 MiB; TAP_CL",
    ),
    "a file whose end drips": (
        drip(CHUNKED, b"2\r\n{}\r\n0\r\n", b"A: b\r\n"),
        TransientError,
        "no answer in time",
    ),
    "a redirect with credentials": (
        redirect("https://user:word@10.0.0.1/"),
        NotFoundError,
        "is not https",
    ),
    "a redirect into the system": (
        redirect("gopher://127.0.0.1:25/x"),
        NotFoundError,
        "is not https",
    ),
    "a file that drips": (drip(ENDLESS, b" "), TransientError, "a body that took more than 0.4"),
    "a short file": ([ENDLESS, b"{}"], TransientError, "the connection failed"),
    "a head that drips": (
        drip(b"HTTP/1.1 200 OK\r\nA: ", b"b"),
        TransientError,
        "no answer in time",
    ),
    "redirect to a file": (redirect("file:///etc/passwd"), NotFoundError, "is not https"),
    "redirect to a private address": (redirect("https://10.0.0.1/"), NotFoundError, "is not https"),
    "redirect to the cloud's own": (
        redirect("https://169.254.169.254/"),
        NotFoundError,
        "is not https",
    ),
    "redirect to plain http": (redirect("http://files.example/"), NotFoundError, "is not https"),
    "redirect without end": (redirect("?again"), NotFoundError, "redirects without end"),
    "redirect to no address": (redirect("http://[::1"), TransientError, "the request failed"),
    "forbidden": (reply(status="403 X"), NotFoundError, "the download link answered 403"),
    "a part": (reply(status="206 Partial Content"), TransientError, "206 Partial Content"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file(client: Client, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A file is bounded in size and time, its redirects in number and place."""
    answer, kind, words = FILES[name]
    short_timeouts.bound(monkeypatch, words)
    sink = Sink()
    with Peer(answer) as peer:
        begin = time.monotonic()
        with pytest.raises(kind, match=words):
            client.download(merchant(peer.url), f"{peer.url}/1.json?Signature=x", sink)
        assert time.monotonic() - begin < short_timeouts.PATIENCE
        assert sink.length <= 1 << 20
        assert all(b"authorization" not in head.lower() for head in peer.heads)


def test_a_file_of_many_members(client: Client) -> None:
    """A body that is many gzip files in one arrives once; they are as long as buffers are."""
    sink = Sink()
    body = gzip.compress(bytes(1 << 16)) * 15
    with Peer(reply(body, "Content-Encoding: gzip")) as peer:
        client.download(merchant(peer.url), f"{peer.url}/1.json", sink)
    assert sink.length == 15 << 16


PUBLIC, LOCAL, INNER = "https://api.clover.com", "http://127.0.0.1:8000", "https://10.1.2.3"


@pytest.mark.parametrize(
    ("url", "api", "may"),
    [
        ("https://files.example/1?s=x", PUBLIC, True),
        ("https://files.example/1", LOCAL, True),
        ("https://93.184.216.34/1", PUBLIC, True),
        ("http://files.example/1", PUBLIC, False),
        ("http://files.example/1", LOCAL, False),
        ("http://127.0.0.1/1", LOCAL, True),
        ("http://[::1]/1", LOCAL, True),
        ("http://localhost/1", PUBLIC, False),
        ("https://localhost/1", LOCAL, True),
        ("https://10.0.0.1/1", INNER, True),
        ("https://127.0.0.1/1", INNER, False),
        ("https://10.0.0.1/1", LOCAL, False),
        *(
            (f"https://{host}/1", PUBLIC, False)
            for host in (
                *("localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.1", "2130706433"),
                *("0x7f.1", "0177.0.0.1", "0.0.0.0", "10.0.0.1", "192.168.1.1", "172.16.0.1"),
                *("169.254.169.254", "100.64.0.1", "224.0.0.1", "[::1]", "[::]", "[fe80::1]"),
                *("[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[2002:7f00:1::]"),
                *("①②⑦.0.0.1", "user:word@127.0.0.1", "evil.example@10.0.0.1"),
            )
        ),
        ("file:///etc/passwd", LOCAL, False),
        ("ftp://127.0.0.1/1", LOCAL, False),
        ("data:,{}", LOCAL, False),
        ("https://", PUBLIC, False),
        ("https://[::1", PUBLIC, False),
        ("https://a:99999999/", PUBLIC, False),
        ("", PUBLIC, False),
        ("/1.json", PUBLIC, False),
        ("javascript:alert(1)", PUBLIC, False),
    ],
)
def test_where_files_may_come_from(url: str, api: str, may: bool) -> None:
    """The public net over https; this machine and private addresses where the API is there too."""
    assert origins.may_fetch(url, api) is may


ODD_PARTS = st.sampled_from(
    [
        *(
            "https://",
            "http://",
            "//",
            "@",
            ":",
            "[",
            "]",
            "%",
            "\\",
            "/",
            "?",
            "#",
            "a:b@",
            ":443",
        ),
        *("127.0.0.1", "0x7f.1", "2130706433", "[::1]", "[fe80::1%25lo]", "①②⑦.0.0.1", "localhost"),
        *("files.example", "%31", "。", "é", "\0", "\r\n", "\t", " ", "\ud800", "\u200d", ".", "-"),
    ]
)


@given(st.lists(ODD_PARTS, max_size=8))
@example(["https://", "files.example", "\\", "@", "127.0.0.1"])
@example(["https://", "127.0.0.1", "\\", "@", "files.example"])
def test_a_link_is_judged_as_it_is_asked_for(parts: list[str]) -> None:
    """However a link is written, where it is judged to lead is where the request would go."""
    url = "https://" + "".join(parts)
    if origins.may_fetch(url, PUBLIC):
        asked = urllib3.util.parse_url(origins.address(url))
        assert asked.scheme == "https"
        assert network_zone((asked.host or "").strip("[]")) == "public"


def test_redirects_within_the_api_are_followed(client: Client) -> None:
    """Within its own origin the API may redirect, a POST only by 307 and 308."""

    def answer(head: bytes) -> bytes:
        if b"/exports/ " in head or b"/EXPORT1/ " in head:
            return export()
        path = head.split()[1].decode()
        return redirect(f"{path}/", "308 X" if head.startswith(b"POST") else "301 X")

    window = Window(times.from_seconds(TUESDAY_NOON - 60), times.from_seconds(TUESDAY_NOON))
    with Peer(answer) as peer:
        assert client.poll(merchant(peer.url), "EXPORT1").id == "EXPORT1"
        assert client.create(merchant(peer.url), "ORDERS", window).id == "EXPORT1"
        assert [head.split()[0] for head in peer.heads] == [b"GET", b"GET", b"POST", b"POST"]
        peer.answer = redirect("?x", "302 Found")
        with pytest.raises(TransientError, match=NOT_FOLLOWED):
            client.create(merchant(peer.url), "ORDERS", window)


@pytest.mark.parametrize("status", ["301 X", "302 X", "303 X", "307 X", "308 X"])
def test_the_token_never_leaves_its_origin(client: Client, status: str) -> None:
    """No redirect, of the API or of a file, takes the token to another port or scheme."""
    with Peer(export()) as stranger, Peer(redirect(f"{stranger.url}/x", status)) as peer:
        with pytest.raises(TransientError, match="not followed"):
            client.poll(merchant(peer.url), "EXPORT1")
        assert stranger.heads == []
        assert client.download(merchant(peer.url), f"{peer.url}/1", Sink())
        assert b"Authorization" in peer.heads[0]
        assert b"Authorization" not in stranger.heads[0] + peer.heads[1]


def test_cookies_are_forgotten(client: Client) -> None:
    """No cookie that a peer sets comes back to it."""
    with Peer(reply(json.dumps(EXPORT).encode(), "Set-Cookie: a=b; Path=/")) as peer:
        for _ in range(2):
            client.poll(merchant(peer.url), "EXPORT1")
            client.download(merchant(peer.url), f"{peer.url}/1", Sink())
        assert len(peer.heads) == 4
        assert all(b"cookie" not in head.lower() for head in peer.heads)


@pytest.mark.parametrize(
    ("value", "said_at"),
    [
        ("Wed, 21 Oct 2015 07:28:00 GMT", dt.datetime(2015, 10, 21, 7, 28, tzinfo=dt.UTC)),
        ("", None),
    ],
)
def test_a_503_tells_clovers_clock(client: Client, value: str, said_at: dt.datetime | None) -> None:
    """By its Date, where that is one."""
    with (
        Peer(reply(b"", f"Date: {value}", status="503 X")) as peer,
        pytest.raises(ServiceUnavailableError) as unavailable,
    ):
        client.poll(merchant(peer.url), "EXPORT1")
    assert unavailable.value.said_at == said_at


@pytest.mark.parametrize(
    "value",
    ["nan", "inf", "-5", "1e999", "1e12", "soon", "9" * 400, "Wed, 21 Oct 2015 07:28:00 GMT"],
)
def test_an_odd_retry_after(client: Client, value: str) -> None:
    """A Retry-After that is no time to wait is none; a day is the longest."""
    with Peer(reply(b"", f"Retry-After: {value}", status="429 X")) as peer:
        with pytest.raises(RateLimitedError) as many:
            client.poll(merchant(peer.url), "EXPORT1")
        peer.answer = reply(b"", f"Retry-After: {value}", status="503 X")
        with pytest.raises(ServiceUnavailableError) as unavailable:
            client.poll(merchant(peer.url), "EXPORT1")
    for pause in (many.value.retry_after, unavailable.value.retry_after):
        assert pause is None or 0 <= pause <= 86_400


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"urls": None}),
        ({"exportUrls": None}, {"urls": None}),
        ({"exportUrls": {"elements": []}}, {"urls": ()}),
        ({"exportUrls": []}, {"urls": ()}),
        ({"exportUrls": {"elements": {"url": "a"}}}, {"urls": ("a",)}),
        ({"exportUrls": {"elements": [{"url": "a"}, {"url": "a"}]}}, {"urls": ("a",)}),
        ({"createdTime": "1772539200000"}, {"created": times.from_seconds(TUESDAY_NOON)}),
        ({"createdTime": int("9" * 4000)}, {"created": None}),
        ({"createdTime": [[]]}, {"created": None}),
        ({"createdTime": 1e3}, {"created": None}),
        ({"startTime": "x", "endTime": None}, {"start": None, "end": None}),
        ({"startTime": "5", "endTime": 6}, {"start": 5, "end": 6}),
        ({"type": {}, "status": " done "}, {"type": None, "status": "DONE"}),
        ({"type": "ORDERS"}, {"type": "ORDERS"}),
    ],
)
def test_an_export_is_read(client: Client, fields: Any, expected: dict[str, Any]) -> None:
    """Numbers may be text, links a list or one; what can't be read is left out."""
    usual = ExportAnswer("EXPORT1", "DONE", times.from_seconds(TUESDAY_NOON))
    with Peer(export(**fields)) as peer:
        answer = client.poll(merchant(peer.url), "EXPORT1")
    for name in ("created", "urls", "type", "start", "end", "status"):
        assert getattr(answer, name) == expected.get(name, getattr(usual, name))


def test_a_portal_is_no_clover(client: Client) -> None:
    """A 200 that is not Clover's own is not taken for an accepted token; a 404 is."""
    with Peer(reply(b"<html>Log in</html>")) as peer:
        with pytest.raises(TransientError):
            client.check(merchant(peer.url))
        for peer.answer in (reply(), reply(b"Not Found", status="404 X")):
            client.check(merchant(peer.url))


def test_a_run_against_a_hostile_peer() -> None:
    """A whole run ends with a sentence, whichever side of Clover is hostile."""
    with clover(days=2, orders_per_day=4) as simulator, Peer(reply(b"[" * 100_000)) as peer:
        outcome = sync(simulator, api_url=peer.url)
        assert outcome.code == 1
        assert "Clover could not be reached for 20 minutes (an answer that is" in outcome.sentence
        simulator.faults.add("download:redirect=https://169.254.169.254/latest/meta-data")
        outcome = sync(simulator)
        assert "a file of an export could not be had 6 times (a download link" in outcome.sentence


def test_a_proxy_that_is_not_there(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that can't be reached, or refuses, is named, without its password."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://user:passw0rd@127.0.0.1:1")
    with pytest.raises(TransientError, match=r"^the proxy could not be reached or refused$"):
        client.poll(merchant("https://api.example"), "EXPORT1")


def test_urllib3_logs_no_signature(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """What urllib3 logs of a request ends before the query; what a peer sent is not repeated."""
    caplog.set_level(logging.DEBUG)
    odd = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno header s3cr3t\r\n\r\n{}"
    with Peer([odd]) as peer:
        client.download(merchant(peer.url), f"{peer.url}/1.json?Signature=abc", Sink())
    assert '"GET /1.json HTTP/1.1" 200' in caplog.text
    assert "Failed to parse headers" in caplog.text
    assert "abc" not in caplog.text
    assert "s3cr3t" not in caplog.text
