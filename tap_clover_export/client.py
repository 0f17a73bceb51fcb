"""Clover's Export API over HTTP: one attempt a call, and one class an outcome.

Source: https://docs.clover.com/docs/exporting-merchant-data
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urljoin, urlsplit

from tap_clover_export import times, wire
from tap_clover_export.wire import (
    Bearer,
    Gone,
    Nobody,
    Transient,
    chunks,
    is_loopback,
    open_session,
    raise_for,
    tried,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests
    from pendulum import DateTime

    from tap_clover_export.auth import Auth
    from tap_clover_export.merchants import Merchant
    from tap_clover_export.secret import Secret
    from tap_clover_export.windows import Window

ExportType = Literal["ORDERS", "PAYMENTS"]

ANSWER_SECONDS = 120.0
ANSWER_BYTES = 32 << 20
FILE_SECONDS = 900.0
FILE_BYTES = 1 << 30
REDIRECTS = 5


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
        """Close the idle connections."""
        self._session.close()

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
        with contextlib.suppress(Gone):
            self._call("GET", merchant, "", parse=False)

    def download(self, merchant: Merchant, url: str, into: Sink) -> int:
        """Fetch a file, without credentials, to where `into` stands; answers its length.

        Raises:
            Gone: The link is no longer good, or leads where no file of Clover's is.
            Transient: The file did not arrive whole.
        """
        for _ in range(REDIRECTS):
            if not _may_fetch(url, merchant.api_url):
                raise Gone("a download link that is not https")
            with self._send("GET", url, auth=Nobody()) as response:
                if response.is_redirect:
                    url = urljoin(url, response.headers["Location"])
                    continue
                if response.status_code in (400, 401, 403, 404, 410):
                    raise Gone(f"the download link answered {response.status_code}")
                raise_for(response)
                length = 0
                for chunk in chunks(response, self._file_bytes, FILE_SECONDS):
                    into.write(chunk)
                    length += len(chunk)
                return length
        raise Gone("a download link that redirects for ever")

    def _call(
        self,
        method: str,
        merchant: Merchant,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        parse: bool = True,
    ) -> dict[str, Any]:
        url = f"{merchant.api_url}/v3/merchants/{merchant.id}{path}"
        token = self._auth.token(merchant)
        with self._send(method, url, json=body, auth=Bearer(token)) as response:
            if response.status_code != 401:  # noqa: PLR2004
                return _read(response, token, parse=parse)
        token = self._auth.renewed(merchant, token)
        with self._send(method, url, json=body, auth=Bearer(token)) as response:
            return _read(response, token, parse=parse)

    @contextlib.contextmanager
    def _send(self, method: str, url: str, **options: Any) -> Iterator[requests.Response]:  # noqa: ANN401
        with (
            tried(),
            self._session.request(
                method, url, stream=True, allow_redirects=False, timeout=wire.TIMEOUT, **options
            ) as response,
        ):
            yield response


def _may_fetch(url: str, api_url: str) -> bool:
    """Files come over https; over http or from this machine only where the API is here too."""
    try:
        parts = urlsplit(url)
        here = is_loopback(parts.hostname)
    except ValueError:
        return False
    if here:
        return is_loopback(urlsplit(api_url).hostname) and parts.scheme in ("http", "https")
    return parts.scheme == "https" and bool(parts.hostname)


def _read(response: requests.Response, token: Secret, *, parse: bool) -> dict[str, Any]:
    """The JSON object of an API answer, or the outcome that its status stands for."""
    content = b"".join(chunks(response, ANSWER_BYTES, ANSWER_SECONDS))
    words = " ".join(content[:4000].decode("utf-8", "replace").split())
    words = "".join(letter for letter in words if letter.isprintable())
    if token.reveal() in words:
        words = ""
    raise_for(response, words)
    if not parse:
        return {}
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Transient("an answer that is not JSON") from error
    if not isinstance(answer, dict):
        raise Transient("an answer that is not a JSON object")
    return answer


def _answer(answer: dict[str, Any]) -> ExportAnswer:
    """Read an export; numbers may be text, as the vendor's samples send them."""
    identity, status = answer.get("id"), answer.get("status")
    if not (isinstance(identity, str) and identity.isalnum() and isinstance(status, str)):
        raise Transient("an answer that is no export")
    created = _integer(answer.get("createdTime"))
    kind = answer.get("type")
    return ExportAnswer(
        id=identity,
        status=status.strip().upper(),
        created=None if created is None else times.from_ms(created),
        urls=_urls(answer.get("exportUrls")),
        type=kind if isinstance(kind, str) else None,
        start=_integer(answer.get("startTime")),
        end=_integer(answer.get("endTime")),
    )


def _integer(value: object) -> int | None:
    try:
        number = int(value) if isinstance(value, (int, str)) else None
    except ValueError:
        return None
    inside = number is not None and times.YEAR_1 <= number <= times.YEAR_9999
    return number if inside else None


def _urls(value: object) -> tuple[str, ...] | None:
    """The links, each once; until 2016 Clover sent a single object instead of a list."""
    elements = value.get("elements") if isinstance(value, dict) else value
    if elements is None:
        return None
    if isinstance(elements, dict):
        elements = [elements]
    if not isinstance(elements, list):
        raise Transient("an export whose links can't be read")
    urls: dict[str, None] = {}
    for element in elements:
        url = element.get("url") if isinstance(element, dict) else None
        if not isinstance(url, str):
            raise Transient("an export whose links can't be read")
        urls[url] = None
    return tuple(urls)
