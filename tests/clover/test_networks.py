"""Networks as users have them: IPv6, proxies and private certificate authorities, also at once."""

from __future__ import annotations

import contextlib
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tap_clover_export import times
from tap_clover_export.clover import transport
from tap_clover_export.clover.auth import Auth
from tap_clover_export.clover.client import Client
from tap_clover_export.errors import TransientError
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret
from tap_clover_export.tokens.store import open_store
from tests.clover.test_transport import EXPORT, Sink, export
from tests.support.harness import ONE, TUESDAY_NOON, assert_whole, clover, sync
from tests.support.proxy import Proxy
from tests.support.raw_server import Peer, has_ipv6, reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCESS, REFRESH = "access-t0k3n-0815", "refresh-t0k3n-4711"
PAIR = b'{"access_token":"%b","refresh_token":"next"}' % ACCESS.encode()
SIX = pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="needs IPv6"))
NAMES = {"api.example": "127.0.0.1", "files.example": "127.0.0.1"}
"""Names that only a proxy knows: no proxy is asked for what is on loopback."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no authority but the test's own."""
    for name in (*PROXIES, *map(str.lower, PROXIES), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A client whose merchants have refresh tokens."""
    client = Client(Auth("CLIENT", open_store(tmp_path / "tokens.json"), time.time))
    yield client
    client.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody knows."""
    return trustme.CA()


@pytest.fixture(scope="session")
def pem(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its certificate for this machine and two names, with the key."""
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    names = ("localhost", "127.0.0.1", "::1", "api.example", "files.example")
    authority.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(file))
    return file


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The authority, named in REQUESTS_CA_BUNDLE."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    return authority


def api(head: bytes) -> bytes:
    """An API: a new pair to a refresh, an export to all else."""
    return reply(PAIR) if b"/oauth/v2/refresh " in head else export()


def merchant(url: str) -> Merchant:
    """A merchant whose token rotates."""
    start = times.from_seconds(TUESDAY_NOON)
    return Merchant(ONE, "sandbox", url, start, refresh_token=Secret(REFRESH))


def everything(client: Client, api_url: str, files_url: str) -> None:
    """A refresh, a poll and a download."""
    shop = merchant(api_url)
    assert client.poll(shop, "EXPORT1").id == EXPORT["id"]
    assert client.download(shop, f"{files_url}/1.json?Signature=abc", Sink())


def assert_no_credentials_but_the_tokens(api_heads: list[bytes], file_heads: list[bytes]) -> None:
    """The refresh carries none, the API its bearer token, the files none."""
    refresh, *others = api_heads
    assert b"\r\nauthorization:" not in refresh.lower()
    assert all(f"Authorization: Bearer {ACCESS}\r\n".encode() in head for head in others)
    assert others
    assert file_heads
    assert not any(b"authorization" in head.lower() for head in file_heads)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("host", ["127.0.0.1", SIX])
@pytest.mark.parametrize("proxied", [False, True])
def test_every_network(
    client: Client,
    pem: Path,
    trusted: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    tls: bool,
    host: str,
    proxied: bool,
) -> None:
    """API, refreshes and files over IPv4 or IPv6, plain or TLS; loopback needs no proxy."""
    del trusted
    own: Any = pem if tls else None
    with (
        Peer(api, host, own) as shop,
        Peer(export(), host, own) as files,
        Proxy() as proxy,
    ):
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "all_proxy") if proxied else ():
            monkeypatch.setenv(name, f"http://{proxy.place}")
        everything(client, shop.url, files.url)
        assert_no_credentials_but_the_tokens(shop.heads, files.heads)
        assert proxy.heads == []


def _named(shop: Peer, files: Peer) -> tuple[str, str]:
    return f"https://api.example:{shop.port}", f"https://files.example:{files.port}"


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
def test_proxies_of_every_kind(
    client: Client,
    pem: Path,
    trusted: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    """An HTTP proxy, one behind TLS and SOCKS reach names that this machine does not know."""
    del trusted
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    with (
        Peer(api, "127.0.0.1", pem) as shop,
        Peer(export(), "127.0.0.1", pem) as files,
        Proxy(context=context if scheme == "https" else None, names=NAMES) as proxy,
    ):
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://{proxy.place}")
        places = [f"api.example:{shop.port}", f"files.example:{files.port}"]
        everything(client, *(f"https://{place}" for place in places))
        assert {asked.split(" ")[1] for asked in proxy.asked} == set(places)
        said = b"".join(proxy.heads)
        assert ACCESS.encode() not in said
        assert b"Signature" not in said
        assert_no_credentials_but_the_tokens(shop.heads, files.heads)


def test_what_comes_through_any_proxy_is_bounded(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head that drips through SOCKS ends in time like any other."""

    def dripping(_: bytes) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nA: "
        while True:
            time.sleep(0.02)
            yield b"b"

    monkeypatch.setattr(transport, "HEAD_SECONDS", 0.3)
    with Peer(dripping) as shop, Proxy(names={"api.example": "127.0.0.1"}) as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5h://{proxy.place}")
        with pytest.raises(TransientError, match=r"^no answer in time$"):
            client.poll(merchant(f"http://api.example:{shop.port}"), "EXPORT1")
        assert proxy.asked == [f"SOCKS5 api.example:{shop.port}"]


def test_the_credentials_of_a_proxy(
    client: Client,
    pem: Path,
    trusted: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They go to the proxy alone; where they are missing, that is said without them."""
    del trusted
    caplog.set_level("DEBUG")
    with (
        Peer(api, pem=pem) as shop,
        Peer(export(), pem=pem) as files,
        Proxy(credentials="dXNlcjpwYXNz", names=NAMES) as proxy,
    ):
        places = _named(shop, files)
        for wrong in ("", "other:w0rd@"):
            monkeypatch.setenv("HTTPS_PROXY", f"http://{wrong}{proxy.place}")
            with pytest.raises(TransientError, match=r"^the proxy could not be reached or refused"):
                everything(client, *places)
        assert shop.heads == files.heads == []
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:pass@{proxy.place}")
        everything(client, *places)
        assert "w0rd" not in caplog.text
        assert "user:pass" not in caplog.text


@pytest.mark.parametrize(
    ("names", "through"), [(".example", False), ("*", False), ("10.0.0.0/8,a.example", True)]
)
def test_no_proxy(
    client: Client,
    pem: Path,
    trusted: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
    names: str,
    through: bool,
) -> None:
    """NO_PROXY is honoured, for refreshes, the API and files alike."""
    del trusted
    with (
        Peer(api, pem=pem) as shop,
        Peer(export(), pem=pem) as files,
        Proxy(names=NAMES) as proxy,
    ):
        monkeypatch.setenv("ALL_PROXY", f"http://{proxy.place}")
        monkeypatch.setenv("NO_PROXY", names)
        unknown = contextlib.nullcontext() if through else pytest.raises(TransientError)
        with unknown:
            everything(client, *_named(shop, files))
        assert bool(proxy.asked) is through


@pytest.mark.parametrize("proxied", [False, True])
def test_a_certificate_of_nobodys(
    client: Client, pem: Path, monkeypatch: pytest.MonkeyPatch, proxied: bool
) -> None:
    """Without the authority nothing is said to a server, be it through a tunnel."""
    with Peer(api, pem=pem) as shop, Proxy(names=NAMES) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.place}")
        url = f"https://api.example:{shop.port}" if proxied else shop.url
        with pytest.raises(TransientError, match=r"^the TLS certificate was not accepted"):
            client.poll(merchant(url), "EXPORT1")
        with pytest.raises(TransientError, match=r"^the TLS certificate was not accepted"):
            client.download(merchant(url), f"{url}/1", Sink())
        assert bool(proxy.asked) is proxied
        assert shop.heads == []


def test_a_certificate_of_another_name(
    client: Client, authority: trustme.CA, trusted: trustme.CA, tmp_path: Path
) -> None:
    """A known authority is not enough: a name that leads to this machine gets nothing said."""
    del trusted
    other = tmp_path / "other.pem"
    authority.issue_cert("other.example").private_key_and_cert_chain_pem.write_to_path(str(other))
    with Peer(api, pem=other) as shop:
        with pytest.raises(TransientError, match=r"^the TLS certificate was not accepted"):
            client.poll(merchant(shop.url.replace("127.0.0.1", "localhost")), "EXPORT1")
        assert shop.heads == []


def test_a_bundle_that_is_not_there(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """REQUESTS_CA_BUNDLE is named where its file can't be read."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(TransientError, match="that REQUESTS_CA_BUNDLE names can't be read"):
        client.poll(merchant("https://127.0.0.1:1"), "EXPORT1")


@pytest.mark.parametrize("proxy", ["http://", "socks9://127.0.0.1:1", "ftp://x:1", "http://[::1"])
def test_a_proxy_that_is_none(client: Client, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A proxy that can't be one is a sentence."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(TransientError, match=r"(proxy in the environment is not usable|failed)"):
        client.poll(merchant("https://api.example:1"), "EXPORT1")


def test_netrc_is_never_used(
    client: Client,
    pem: Path,
    trusted: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A `.netrc` gives nothing to refreshes, the API, files nor the proxy."""
    del trusted
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password passw0rd\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with (
        Peer(api, pem=pem) as shop,
        Peer(export(), pem=pem) as files,
        Proxy(names=NAMES) as proxy,
    ):
        everything(client, shop.url, files.url)
        assert_no_credentials_but_the_tokens(shop.heads, files.heads)
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.place}")
        everything(client, *_named(shop, files))
        assert proxy.heads
        assert not any(b"Basic" in head for head in proxy.heads)


def test_a_whole_run_beside_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run from a local Clover asks none, without a word in NO_PROXY."""
    with clover(days=3) as simulator, Proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.place}")
        outcome = sync(simulator)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert proxy.heads == []
