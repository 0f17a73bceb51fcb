"""Sessions without memory, and bodies within bounds of size and time."""

from __future__ import annotations

import contextlib
import functools
import http.client
import http.cookiejar
import io
import logging
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from typing_extensions import override

from tap_clover_export.clover.error_mapping import translate_errors
from tap_clover_export.errors import (
    BodyTooLargeError,
    TransientError,
)
from tap_clover_export.settings.hosts import network_zone

if TYPE_CHECKING:
    from collections.abc import Iterator

    import urllib3
    from urllib3.connectionpool import HTTPConnectionPool

    from tap_clover_export.settings.secret import Secret

TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and without a byte."""

HEAD_SECONDS = 90.0
"""How long the head of an answer may take as a whole."""

BODY_SECONDS = 900.0
"""How long what follows the head may take: the body with all that frames it."""

ANSWER_SECONDS = 120.0
ANSWER_BYTES = 16 << 20


CHUNK = (1 << 20) - 1
"""How much of a body is read at once.

Odd, since urllib3 2.8 takes what follows a gzip member more than once where the member ends with a
read, and members are of round sizes.
"""

_DIRECTLY = {"http": "", "https": "", "all": ""}
"""No proxy, whatever the environment says: another machine's loopback is not this one's."""


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket until a time, however slowly the bytes drip."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self.end = time.monotonic() + HEAD_SECONDS

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self.end:
            raise TimeoutError
        return self._raw.readinto(buffer)

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """Bounds the time that the head of an answer takes, and then that of the rest."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **options)
        self._timely = _DeadlineReader(self.fp.detach())
        self.fp = io.BufferedReader(self._timely)

    @override
    def begin(self) -> None:
        super().begin()
        self._timely.end = time.monotonic() + BODY_SECONDS


class _Adapter(HTTPAdapter):
    """Bounds the time that an answer may take, also behind a proxy of any kind."""

    @override
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _bound(self.poolmanager)

    @override
    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **options)
        _bound(manager)
        return manager


def _bound(manager: urllib3.PoolManager) -> None:
    manager.pool_classes_by_scheme = {
        scheme: _bounded(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
    }


@functools.cache
def _bounded(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """The same pool, whose connections read answers in bounds; SOCKS has pools of its own."""
    connection = pool.ConnectionCls
    if getattr(connection, "response_class", None) is _Response:
        return pool
    bounded = type(connection.__name__, (connection,), {"response_class": _Response})
    return type(pool.__name__, (pool,), {"ConnectionCls": bounded})


class _RedactingFilter(logging.Filter):
    """Keeps what may hold a signature or a token out of urllib3's own log."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_redacted(value) for value in record.args)
        record.exc_info = None
        return True


def _redacted(value: object) -> object:
    if isinstance(value, str):
        return value.partition("?")[0]
    return value if value is None or isinstance(value, int) else type(value).__name__


_REDACTING = _RedactingFilter()
_LOGGERS = ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager")


def open_session() -> requests.Session:
    """A session that keeps no cookies and as many connections as there are threads."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_REDACTING)
    session = requests.Session()
    session.headers["User-Agent"] = "tap-clover-export"
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(pool_connections=16, pool_maxsize=32))
    return session


@contextlib.contextmanager
def send(
    session: requests.Session, method: str, url: str, auth: AuthBase, body: object = None
) -> Iterator[requests.Response]:
    """Make one request; its answer's body is still to be read, its redirects to be followed."""
    with (
        translate_errors(),
        session.request(
            method,
            url,
            json=body,
            auth=auth,
            stream=True,
            allow_redirects=False,
            timeout=TIMEOUT,
            proxies=_DIRECTLY if network_zone(urlsplit(url).hostname) == "loopback" else None,
        ) as response,
    ):
        yield response


class Bearer(AuthBase):
    """The token as a header; given explicitly, so that no `.netrc` is looked at."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


class NoAuth(AuthBase):
    """No credentials at all, not even those of a `.netrc`."""

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Authorization", None)
        return request


def iter_body(response: requests.Response, most: int, seconds: float) -> Iterator[bytes]:
    """The body as it comes, bounded in size (after decompression) and in time, and whole."""
    deadline = time.monotonic() + seconds
    length = 0
    encoded = "Content-Encoding" in response.headers  # urllib3 copies the other bodies twice
    while chunk := response.raw.read1(CHUNK, decode_content=encoded):
        length += len(chunk)
        if length > most:
            raise BodyTooLargeError(f"a body of more than {most >> 20} MiB")
        if time.monotonic() > deadline:
            raise TransientError(f"a body that took more than {seconds:g} seconds")
        yield chunk


def read_body(response: requests.Response) -> bytes:
    """The body of an answer that is no file."""
    return b"".join(iter_body(response, ANSWER_BYTES, ANSWER_SECONDS))
