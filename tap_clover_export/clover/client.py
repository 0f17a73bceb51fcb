"""Clover's Export API over HTTP: one attempt a call, and one class of error each.

Source: https://docs.clover.com/docs/exporting-merchant-data
"""

from __future__ import annotations

import contextlib
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin

from tap_clover_export import times
from tap_clover_export.clover.error_mapping import raise_for, request_id
from tap_clover_export.clover.origins import file_name, may_fetch, next_hop
from tap_clover_export.clover.responses import check_object, read_export
from tap_clover_export.clover.transport import (
    BODY_SECONDS,
    Bearer,
    NoAuth,
    iter_body,
    open_session,
    read_body,
    send,
)
from tap_clover_export.errors import (
    BodyTooLargeError,
    CloverError,
    NotFoundError,
    RateLimitedError,
    ServiceUnavailableError,
    TransientError,
    UnauthorizedError,
)
from tap_clover_export.settings.settings import FILE_BYTES, FILE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from tap_clover_export.clover.auth import Auth
    from tap_clover_export.clover.responses import ExportAnswer
    from tap_clover_export.planning.plan import ExportType
    from tap_clover_export.planning.windows import Window
    from tap_clover_export.settings.merchants import Merchant
    from tap_clover_export.settings.secret import Secret

logger = logging.getLogger("tap-clover-export.http")

FILE_SECONDS = BODY_SECONDS
REDIRECTS = 5

NO_EXPORT = "0TAP0CLOVER00"
"""The id of no export: asking for it needs the permissions that an export needs."""


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

    def close_to_refreshes(self) -> None:
        """Begin no refresh of a token from now on."""
        self._auth.close_to_refreshes()

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
        return read_export(self._call("POST", merchant, "/exports", body))

    def poll(self, merchant: Merchant, export_id: str) -> ExportAnswer:
        """Ask how an export is."""
        return read_export(self._call("GET", merchant, f"/exports/{export_id}"))

    def check(self, merchant: Merchant) -> None:
        """Ask whether the token may export; changes nothing.

        Raises:
            UnauthorizedError: It may not.
            CloverError: It can't be told just now.
        """
        # This request needs the permissions that an export needs, and no other.
        try:
            check_object(self._call("GET", merchant, f"/exports/{NO_EXPORT}"))
        except (UnauthorizedError, TransientError, ServiceUnavailableError, RateLimitedError):
            raise
        except CloverError:
            return

    def download(self, merchant: Merchant, url: str, into: Sink) -> int:
        """Fetch a file, without credentials, to where `into` stands; answers its length.

        Raises:
            NotFoundError: The link is no longer good, or leads to no file, or to one that is too
                large.
            ServiceUnavailableError: The files' host answers 503.
            TransientError: The file did not arrive whole.
        """
        for _ in range(REDIRECTS):
            if not may_fetch(url, merchant.api_url):
                raise NotFoundError("a download link that is not https")
            with send(self._session, "GET", url, NoAuth()) as response:
                logger.debug("GET %s answered %d.", file_name(url), response.status_code)
                if response.is_redirect:
                    url = urljoin(url, response.headers["Location"])
                    continue
                if response.status_code in (400, 401, 403, 404, 410):
                    raise NotFoundError(f"the download link answered {response.status_code}")
                raise_for(response)
                return self._receive(response, into)
        raise NotFoundError("a download link that redirects without end")

    def _receive(self, response: requests.Response, into: Sink) -> int:
        length = 0
        try:
            for chunk in iter_body(response, self._file_bytes, FILE_SECONDS):
                into.write(chunk)
                length += len(chunk)
        except BodyTooLargeError as error:
            raise NotFoundError(f"{error}; {FILE_LIMIT} in the environment allows more") from None
        return length

    def _call(
        self, method: str, merchant: Merchant, path: str, body: dict[str, Any] | None = None
    ) -> bytes:
        url = f"{merchant.api_url}/v3/merchants/{merchant.id}{path}"
        token = self._auth.token(merchant)
        try:
            return self._ask(method, url, token, body)
        except UnauthorizedError as error:
            # Not tried again, but for one refresh of a token that rotates.
            if merchant.access_token or error.status != HTTPStatus.UNAUTHORIZED:
                raise
        return self._ask(method, url, self._auth.renewed(merchant, token), body)

    def _ask(self, method: str, url: str, token: Secret, body: dict[str, Any] | None) -> bytes:
        """The body of an API answer, or the error that its status stands for."""
        with self._sent(method, url, token, body) as response:
            content = read_body(response)
            logger.debug(
                "%s %s answered %d, request id %s.",
                method,
                file_name(response.url),
                response.status_code,
                request_id(response),
            )
            words = " ".join(content[:4000].decode("utf-8", "replace").split())
            words = "".join(letter for letter in words if letter.isprintable())
            raise_for(response, "" if token.reveal() in words else words)
            return content

    @contextlib.contextmanager
    def _sent(
        self, method: str, url: str, token: Secret, body: dict[str, Any] | None
    ) -> Iterator[requests.Response]:
        """Ask the API, and follow it within its own origin."""
        for _ in range(REDIRECTS):
            with send(self._session, method, url, Bearer(token), body) as response:
                onward = next_hop(response, method)
                if onward is None:
                    yield response
                    return
                url = onward
        raise TransientError("an answer that redirects without end")
