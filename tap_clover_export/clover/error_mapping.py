"""What became of an attempt, as one class of error each."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import math
import re
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

import requests
import urllib3

from tap_clover_export.errors import (
    BadRequestError,
    CloverError,
    NotFoundError,
    RateLimitedError,
    ServiceUnavailableError,
    TransientError,
    UnauthorizedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_RETRY_AFTER = 86_400.0
"""The longest time that an answer may ask to wait, in seconds."""

WORDS = 300
"""How much of what Clover says is repeated to the user."""

_LIKE_A_TOKEN = re.compile(r"[\w+/=.%&?~-]{25,}")
_REQUEST_ID = re.compile(r"[\w-]{1,64}")


_CAUGHT = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    zlib.error,  # of Python 3.14 at a body's end; urllib3 lets it through
    ValueError,
    OSError,
)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what requests raises into a TransientError that holds no address.

    The SDK's structured log shows the context of an error even where it is suppressed, so what
    stays of the first error there is its type alone.
    """
    try:
        yield
    except _CAUGHT as error:
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
        (requests.exceptions.ContentDecodingError, urllib3.exceptions.DecodeError, zlib.error),
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


def raise_for(response: requests.Response, words: str = "") -> None:
    """Raise the error that an answer's status stands for, unless it is a success.

    Args:
        response: The answer.
        words: What its body says, without secrets.
    """
    if response.status_code in (200, 201, 202):
        return
    error = _error(response, words)
    error.request_id = request_id(response)
    raise error


def _error(response: requests.Response, words: str) -> CloverError:
    status = response.status_code
    said = title = _title(status)
    if words:
        said += f": {_LIKE_A_TOKEN.sub('…', words[:WORDS])}"
    if status == 503:  # noqa: PLR2004
        said_at = _date(response.headers.get("Date", ""))
        return ServiceUnavailableError(words, _retry_after(response), said_at)
    if status == 429:  # noqa: PLR2004
        return RateLimitedError(_retry_after(response), _limited(response))
    if 300 <= status < 400:  # noqa: PLR2004
        title += ", a redirect that is not followed"
    # Rule 6: what follows is decided by the class: a refusal is not tried again, a fault is.
    kinds = {401: UnauthorizedError, 403: UnauthorizedError, 404: NotFoundError, 410: NotFoundError}
    if 400 <= status < 500 and status not in (408, 425):  # noqa: PLR2004
        return kinds.get(status, BadRequestError)(said)
    return TransientError(title)


def request_id(response: requests.Response) -> str | None:
    """Clover's own name for a request, which its support asks for."""
    given = response.headers.get("X-Clover-Request-Id", "").strip()
    return given if _REQUEST_ID.fullmatch(given) else None


def _limited(response: requests.Response) -> Literal["token", "app"]:
    """Whose limit a 429 is of, by its header; without one, everybody's.

    Source: https://docs.clover.com/docs/api-usage-rate-limits
    """
    names = [name.lower() for name in response.headers if name.lower().startswith("x-ratelimit-")]
    own = [name for name in names if name.startswith("x-ratelimit-token")]
    return "token" if own and len(own) == len(names) else "app"


def _title(status: int) -> str:
    """A status by its own name, whatever the server calls it."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _retry_after(response: requests.Response) -> float | None:
    """The seconds that an answer asks to wait: as such, or up to a date by the server's clock."""
    given = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(given)
    except ValueError:
        until, now = _date(given), _date(response.headers.get("Date", ""))
        if until is None:
            return None
        seconds = (until - (now or dt.datetime.now(dt.UTC))).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if math.isfinite(seconds) else None


def _date(given: str) -> dt.datetime | None:
    try:
        date = email.utils.parsedate_to_datetime(given)
    except (TypeError, ValueError, OverflowError):
        return None
    return date.replace(tzinfo=dt.UTC) if date.tzinfo is None else date
