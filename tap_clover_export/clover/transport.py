"""The wire to Clover: sessions without memory, bounded bodies, and one class an outcome."""

from __future__ import annotations

import contextlib
import functools
import http.client
import http.cookiejar
import io
import logging
import math
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from typing_extensions import override

from tap_clover_export.errors import (
    BadRequestError,
    BodyTooLargeError,
    NotFoundError,
    RateLimitedError,
    ServiceUnavailableError,
    TransientError,
    UnauthorizedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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

LONGEST_PAUSE = 3600.0
"""The longest time that a 429 may ask to wait, in seconds; a 503 may ask for a day."""

WORDS = 300
"""How much of what Clover says is repeated to the user."""

CHUNK = 1 << 17
_LIKE_A_TOKEN = re.compile(r"[\w+/=.%&?~-]{25,}")


class _Timely(io.RawIOBase):
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
        self._timely = _Timely(self.fp.detach())
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


class _Discreet(logging.Filter):
    """Keeps what may hold a signature or a token out of urllib3's own log."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_discreet(value) for value in record.args)
        record.exc_info = None
        return True


def _discreet(value: object) -> object:
    if isinstance(value, str):
        return value.partition("?")[0]
    return value if value is None or isinstance(value, int) else type(value).__name__


_DISCREET = _Discreet()
_LOGGERS = ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager")


def open_session() -> requests.Session:
    """A session that keeps no cookies and as many connections as there are threads."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_DISCREET)
    session = requests.Session()
    session.headers["User-Agent"] = "tap-clover-export"
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(pool_connections=16, pool_maxsize=32))
    return session


@contextlib.contextmanager
def attempt(
    session: requests.Session, method: str, url: str, auth: AuthBase, body: object = None
) -> Iterator[requests.Response]:
    """Make one request; its answer's body is still to be read, its redirects to be followed."""
    with (
        tried(),
        session.request(
            method,
            url,
            json=body,
            auth=auth,
            stream=True,
            allow_redirects=False,
            timeout=TIMEOUT,
        ) as response,
    ):
        yield response


@contextlib.contextmanager
def tried() -> Iterator[None]:
    """Turn what requests raises into a Transient that holds no address, nor hangs on to one.

    The SDK's structured log shows the context of an error even where it is suppressed, so what
    stays of the first error there is its type alone.
    """
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        fault = _fault(error)
        error.args, error.__cause__, error.__context__, error.__traceback__ = (), None, None, None
        vars(error).clear()
        raise TransientError(fault) from None


_FAULTS: list[tuple[str, tuple[type[Exception], ...]]] = [
    (
        "the proxy in the environment is not usable",
        (requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidSchema),
    ),
    ("no answer in time", (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)),
    (
        "the TLS certificate was not accepted",
        (requests.exceptions.SSLError, urllib3.exceptions.SSLError),
    ),
    (
        "the proxy could not be reached or refused",
        (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError),
    ),
    (
        "a body that can't be decompressed",
        (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError),
    ),
    (
        "the connection failed",
        (
            requests.exceptions.ChunkedEncodingError,
            requests.ConnectionError,
            urllib3.exceptions.ProtocolError,
        ),
    ),
]


def _fault(error: Exception) -> str:
    if type(error) is OSError and error.errno is None:
        return "the certificates that REQUESTS_CA_BUNDLE names can't be read"
    for words, kinds in _FAULTS:
        if isinstance(error, kinds):
            return words
    return f"the request failed ({type(error).__name__})"


class Bearer(AuthBase):
    """The token as a header; given explicitly, so that no `.netrc` is looked at."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


class Spending(AuthBase):
    """A refresh token as the body of the one request that uses it up."""

    def __init__(self, client_id: str | None, token: Secret) -> None:
        self._client_id = client_id
        self._token = token

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = {"client_id": self._client_id, "refresh_token": self._token.reveal()}
        request.prepare_body(data=None, files=None, json=body)
        return request


class Nobody(AuthBase):
    """No credentials at all, not even those of a `.netrc`."""

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Authorization", None)
        return request


def chunks(response: requests.Response, most: int, seconds: float) -> Iterator[bytes]:
    """The body as it comes, bounded in size (after decompression) and in time, and whole."""
    deadline = time.monotonic() + seconds
    length = 0
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        length += len(chunk)
        if length > most:
            raise BodyTooLargeError(f"a body of more than {most >> 20} MiB")
        if time.monotonic() > deadline:
            raise TransientError(f"a body that took more than {seconds:g} seconds")
        yield chunk


def whole(response: requests.Response) -> bytes:
    """The body of an answer that is no file."""
    return b"".join(chunks(response, ANSWER_BYTES, ANSWER_SECONDS))


def raise_for(response: requests.Response, words: str = "") -> None:
    """Raise the outcome that an answer's status stands for, unless it is a success."""
    status = response.status_code
    if status in (200, 201, 202):
        return
    said = title = _title(status)
    if words:
        said += f": {_LIKE_A_TOKEN.sub('…', words[:WORDS])}"
    if status == 503:  # noqa: PLR2004
        raise ServiceUnavailableError(words, _retry_after(response, 86_400.0))
    if status == 429:  # noqa: PLR2004
        raise RateLimitedError(_retry_after(response, LONGEST_PAUSE))
    if status in (401, 403):
        raise UnauthorizedError(said)
    if status in (404, 410):
        raise NotFoundError(said)
    if 400 <= status < 500 and status not in (408, 425):  # noqa: PLR2004
        raise BadRequestError(said)
    if 300 <= status < 400:  # noqa: PLR2004
        raise TransientError(f"{title}, a redirect that is not followed")
    raise TransientError(title)


def _title(status: int) -> str:
    """A status by its own name, whatever the server calls it."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _retry_after(response: requests.Response, most: float) -> float | None:
    try:
        seconds = float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None
    return min(max(seconds, 0.0), most) if math.isfinite(seconds) else None


def address(url: str) -> str:
    """An address as it will be asked for, so that it is judged as it is sent.

    Raises:
        ValueError: It is none.
    """
    return requests.Request("GET", url).prepare().url or ""
