"""Clover's Export API over HTTP: one attempt a call, and one class an outcome.

Source: https://docs.clover.com/docs/exporting-merchant-data
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from tap_clover_export import times
from tap_clover_export.clover.transport import (
    BODY_SECONDS,
    Bearer,
    Nobody,
    address,
    attempt,
    chunks,
    open_session,
    raise_for,
    whole,
)
from tap_clover_export.errors import BodyTooLargeError, NotFoundError, TransientError
from tap_clover_export.settings.hosts import network_zone
from tap_clover_export.settings.settings import FILE_BYTES, FILE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests
    from pendulum import DateTime

    from tap_clover_export.clover.auth import Auth
    from tap_clover_export.planning.windows import Window
    from tap_clover_export.settings.merchants import Merchant
    from tap_clover_export.settings.secret import Secret

ExportType = Literal["ORDERS", "PAYMENTS"]

FILE_SECONDS = BODY_SECONDS
LINKS = 10_000
REDIRECTS = 5
_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_LONGEST_NUMBER = 40


@dataclasses.dataclass(frozen=True)
class ExportAnswer:
    """What Clover says of an export.

    Attributes:
        id: Its id.
        status: Its status, in capitals.
        created: When it was created, by Clover's clock, if it says so.
        urls: Links to its files; None where the answer has no word of them.
        type: ORDERS or PAYMENTS, if it says so.
        start: The window's start, milliseconds since the epoch, if it says so.
        end: The window's end, likewise.
    """

    id: str
    status: str
    created: DateTime | None = None
    urls: tuple[str, ...] | None = dataclasses.field(default=None, repr=False)
    type: str | None = None
    start: int | None = None
    end: int | None = None


class Sink(Protocol):
    """Where a downloaded file goes."""

    def write(self, data: bytes, /) -> int:
        """Take the next bytes."""
        ...


class Client:
    """Speaks to Clover; safe to share between threads."""

    def __init__(self, auth: Auth, *, file_bytes: int = FILE_BYTES) -> None:
        """Open a client.

        Args:
            auth: Gives the tokens.
            file_bytes: The largest file that is downloaded.
        """
        self._auth = auth
        self._file_bytes = file_bytes
        self._session = open_session()

    def close(self) -> None:
        """Close the idle connections, those to refresh tokens too."""
        self._session.close()
        self._auth.close()

    def create(self, merchant: Merchant, kind: ExportType, window: Window) -> ExportAnswer:
        """Ask for an export of a window."""
        body = {
            "type": kind,
            "startTime": times.to_ms(window.start),
            "endTime": times.to_ms(window.end),
        }
        return _answer(self._call("POST", merchant, "/exports", body))

    def poll(self, merchant: Merchant, export_id: str) -> ExportAnswer:
        """Ask how an export is."""
        return _answer(self._call("GET", merchant, f"/exports/{export_id}"))

    def check(self, merchant: Merchant) -> None:
        """Ask whether the token is accepted, with a request that changes nothing."""
        with contextlib.suppress(NotFoundError):
            _decode(self._call("GET", merchant, ""), _objects)

    def download(self, merchant: Merchant, url: str, into: Sink) -> int:
        """Fetch a file, without credentials, to where `into` stands; answers its length.

        Raises:
            Gone: The link is no longer good, or leads to no file, or to one that is too large.
            Transient: The file did not arrive whole.
        """
        for _ in range(REDIRECTS):
            if not _may_fetch(url, merchant.api_url):
                raise NotFoundError("a download link that is not https")
            with attempt(self._session, "GET", url, Nobody()) as response:
                if response.is_redirect:
                    url = urljoin(url, response.headers["Location"])
                    continue
                if response.status_code in (400, 401, 403, 404, 410):
                    raise NotFoundError(f"the download link answered {response.status_code}")
                raise_for(response)
                length = 0
                try:
                    for chunk in chunks(response, self._file_bytes, FILE_SECONDS):
                        into.write(chunk)
                        length += len(chunk)
                except BodyTooLargeError as error:
                    raise NotFoundError(
                        f"{error}; {FILE_LIMIT} in the environment allows more"
                    ) from None
                return length
        raise NotFoundError("a download link that redirects for ever")

    def _call(
        self, method: str, merchant: Merchant, path: str, body: dict[str, Any] | None = None
    ) -> bytes:
        url = f"{merchant.api_url}/v3/merchants/{merchant.id}{path}"
        token = self._auth.token(merchant)
        with self._ask(method, url, token, body) as response:
            if response.status_code != 401:  # noqa: PLR2004
                return _read(response, token)
        token = self._auth.renewed(merchant, token)
        with self._ask(method, url, token, body) as response:
            return _read(response, token)

    @contextlib.contextmanager
    def _ask(
        self, method: str, url: str, token: Secret, body: dict[str, Any] | None
    ) -> Iterator[requests.Response]:
        """Ask the API, and follow it within its own origin."""
        for _ in range(REDIRECTS):
            with attempt(self._session, method, url, Bearer(token), body) as response:
                onward = _onward(response, method)
                if onward is None:
                    yield response
                    return
                url = onward
        raise TransientError("an answer that redirects for ever")


def _onward(response: requests.Response, method: str) -> str | None:
    """Where a redirect of the API leads to, if the token may go there with the same request."""
    if not response.is_redirect or (method != "GET" and response.status_code not in (307, 308)):
        return None
    url = address(urljoin(response.url, response.headers["Location"]))
    return url if _origin(url) == _origin(response.url) else None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _may_fetch(url: str, api_url: str) -> bool:
    """Files come over https from the public net; from elsewhere only where the API is too."""
    try:
        file, api = urlsplit(address(url)), urlsplit(api_url)
    except ValueError:
        return False
    if file.scheme == "http":
        return network_zone(file.hostname) == network_zone(api.hostname) == "loopback"
    zone = network_zone(file.hostname)
    return file.scheme == "https" and zone in ("public", network_zone(api.hostname))


def _read(response: requests.Response, token: Secret) -> bytes:
    """The body of an API answer, or the outcome that its status stands for."""
    content = whole(response)
    words = " ".join(content[:4000].decode("utf-8", "replace").split())
    words = "".join(letter for letter in words if letter.isprintable())
    if token.reveal() in words:
        words = ""
    raise_for(response, words)
    return content


class _Object(msgspec.Struct):
    """Any JSON object."""


class _Link(msgspec.Struct):
    url: str


class _Links(msgspec.Struct):
    """Until 2016 Clover sent a single object instead of a list."""

    elements: list[_Link] | _Link | None = None


class _Export(msgspec.Struct, rename="camel"):
    """What of an export's description is looked at; nothing else takes memory."""

    id: str
    status: str
    type: msgspec.Raw = msgspec.Raw()
    created_time: msgspec.Raw = msgspec.Raw()
    start_time: msgspec.Raw = msgspec.Raw()
    end_time: msgspec.Raw = msgspec.Raw()
    export_urls: _Links | list[_Link] | None = None


# Made here, in one thread: msgspec crashes where several are the first to use a type.
_objects = msgspec.json.Decoder(_Object)
_exports = msgspec.json.Decoder(_Export)

_T = TypeVar("_T")


def _decode(content: bytes, decoder: msgspec.json.Decoder[_T]) -> _T:
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise TransientError("an answer that is no export") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError("an answer that is not JSON") from error


def _answer(content: bytes) -> ExportAnswer:
    """Read an export; numbers may be text, as the vendor's samples send them."""
    export = _decode(content, _exports)
    if not _ID.fullmatch(export.id):
        raise TransientError("an answer that is no export")
    created, kind = _integer(export.created_time), _plain(export.type)
    return ExportAnswer(
        id=export.id,
        status=export.status.strip().upper(),
        created=None if created is None else times.from_ms(created),
        urls=_urls(export.export_urls),
        type=kind if isinstance(kind, str) else None,
        start=_integer(export.start_time),
        end=_integer(export.end_time),
    )


def _plain(raw: msgspec.Raw) -> object:
    """A short value; None where it is anything else."""
    content = bytes(raw)
    return json.loads(content) if 0 < len(content) <= _LONGEST_NUMBER else None


def _integer(raw: msgspec.Raw) -> int | None:
    value = _plain(raw)
    try:
        number = int(value) if isinstance(value, (int, str)) else None
    except ValueError:
        return None
    inside = number is not None and times.YEAR_1 <= number <= times.YEAR_9999
    return number if inside else None


def _urls(links: _Links | list[_Link] | None) -> tuple[str, ...] | None:
    """The links, each once."""
    elements = links.elements if isinstance(links, _Links) else links
    if elements is None:
        return None
    if isinstance(elements, _Link):
        elements = [elements]
    if len(elements) > LINKS:
        raise TransientError(f"an export of more than {LINKS} files")
    return tuple(dict.fromkeys(link.url for link in elements))
