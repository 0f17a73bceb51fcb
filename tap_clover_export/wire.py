"""The wire to Clover: sessions without memory, bounded bodies, and one class an outcome."""

from __future__ import annotations

import contextlib
import http.cookiejar
import ipaddress
import time
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.secret import Secret

TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and without a byte."""

WORDS = 300
"""How much of what Clover says is repeated to the user."""


class CloverError(Exception):
    """An attempt that did not give what was asked for; its text says why, without secrets."""


class Transient(CloverError):
    """A fault that passes: a reset, a time-out, a 5xx, a body that is cut or no JSON."""


class Unavailable(CloverError):
    """503: closed or busy.

    Attributes:
        words: What the answer said.
        retry_after: The seconds it asked to wait, if it did.
    """

    def __init__(self, words: str, retry_after: float | None) -> None:
        super().__init__("503 Service Unavailable")
        self.words = words
        self.retry_after = retry_after


class TooMany(CloverError):
    """429: too many requests.

    Attributes:
        retry_after: The seconds it asked to wait, if it did.
    """

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("429 Too Many Requests")
        self.retry_after = retry_after


class Refused(CloverError):
    """401 or 403: this token may not do this."""


class Rejected(CloverError):
    """Another 4xx, with Clover's words."""


class Gone(CloverError):
    """404 or 410, or a link that is no longer good."""


def open_session() -> requests.Session:
    """A session that keeps no cookies and as many connections as there are threads."""
    session = requests.Session()
    session.headers["User-Agent"] = "tap-clover-export"
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=16, pool_maxsize=32))
    return session


@contextlib.contextmanager
def tried() -> Iterator[None]:
    """Turn what requests raises into a Transient that holds no address."""
    try:
        yield
    except requests.Timeout as error:
        raise Transient("no answer in time") from error
    except requests.exceptions.SSLError as error:
        raise Transient("the TLS certificate was not accepted") from error
    except requests.exceptions.ProxyError as error:
        raise Transient("the proxy could not be reached") from error
    except requests.exceptions.ContentDecodingError as error:
        raise Transient("a body that can't be decompressed") from error
    except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError) as error:
        raise Transient("the connection failed") from error
    except (requests.RequestException, ValueError, OSError) as error:
        raise Transient(f"the request failed ({type(error).__name__})") from error


class Bearer(AuthBase):
    """The token as a header; given explicitly, so that no `.netrc` is looked at."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


class Nobody(AuthBase):
    """No credentials at all, not even those of a `.netrc`."""

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Authorization", None)
        return request


def chunks(response: requests.Response, most: int, seconds: float) -> Iterator[bytes]:
    """The body, bounded in size (after decompression) and in time, and whole."""
    deadline = time.monotonic() + seconds
    length = 0
    for chunk in response.iter_content(1 << 17):
        length += len(chunk)
        if length > most:
            raise Transient(f"a body of more than {most >> 20} MiB")
        if time.monotonic() > deadline:
            raise Transient(f"a body that took more than {seconds:g} seconds")
        yield chunk


def raise_for(response: requests.Response, words: str = "") -> None:
    """Raise the outcome that an answer's status stands for, unless it is a success."""
    status = response.status_code
    if status in (200, 201, 202):
        return
    said = f"{status} {response.reason or ''}".strip()
    if words:
        said += f": {words[:WORDS]}"
    if status == 503:  # noqa: PLR2004
        raise Unavailable(words, _retry_after(response))
    if status == 429:  # noqa: PLR2004
        raise TooMany(_retry_after(response))
    if status in (401, 403):
        raise Refused(said)
    if status in (404, 410):
        raise Gone(said)
    if 400 <= status < 500 and status not in (408, 425):  # noqa: PLR2004
        raise Rejected(said)
    raise Transient(f"{status} {response.reason or ''}".strip())


def _retry_after(response: requests.Response) -> float | None:
    try:
        return min(max(float(response.headers["Retry-After"]), 0.0), 86_400.0)
    except (KeyError, ValueError):
        return None


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address is this machine itself."""
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
