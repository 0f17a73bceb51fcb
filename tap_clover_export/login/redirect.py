"""How Clover's answer to a login comes back: to a port of this machine, or pasted."""

from __future__ import annotations

import hmac
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tap_clover_export.errors import LoginFailedError
from tap_clover_export.settings.secret import Secret

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

HOST = "127.0.0.1"
PORT = 8418
REQUEST_SECONDS = 10.0
_HEAD = b'<!doctype html><meta charset="utf-8"><title>tap-clover-export</title>'
_PAGES = {
    HTTPStatus.OK: _HEAD
    + b"<p>The tap has Clover's answer. This window can be closed; the terminal says the rest.</p>",
    HTTPStatus.BAD_REQUEST: _HEAD
    + b"<p>This answer belongs to another login; open the address that the terminal shows.</p>",
}
_ROOT = re.compile(r"/(?:\?|$)")
_MERCHANT_ID = re.compile(r"[A-Za-z0-9]+")


class Agreement(NamedTuple):
    """What a merchant's agreement gives."""

    merchant_id: str
    code: Secret


def read(address: str, state: str) -> Agreement:
    """Read the address to which Clover sent the browser.

    Raises:
        LoginFailedError: It is no answer to this login.
    """
    given = _given(address)
    if not _belongs(given, state):
        raise LoginFailedError(
            "Clover's answer belongs to another login (its state is another); log in again."
        )
    merchant_id, code = given.get("merchant_id", ""), given.get("code", "")
    if not _MERCHANT_ID.fullmatch(merchant_id) or not code:
        raise LoginFailedError(
            "Clover's answer names no merchant_id and code; agree to the app as the merchant, and "
            "look whether it is installed there."
        )
    return Agreement(merchant_id, Secret(code))


def _given(address: str) -> dict[str, str]:
    try:
        return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    except ValueError:
        return {}


def _belongs(given: dict[str, str], state: str) -> bool:
    """Whether an answer is one to this login."""
    return hmac.compare_digest(given.get("state", "").encode(), state.encode())


class Listener:
    """Takes the answer to a login on a loopback port; used as a context manager.

    Args:
        port: The port; 0 for any that is free.
        state: What the answer has to carry; other requests are refused, and it listens on.
    """

    def __init__(self, port: int, state: str) -> None:
        self.address = ""
        self._state = state
        self._came = threading.Event()
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as error:
            raise LoginFailedError(
                f"Port {port} can't be listened on ({error.strerror}); give another one that the "
                "app knows, as --login=PORT, or --login=paste."
            ) from None
        self._server.listener = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where Clover is to send the browser."""
        return f"http://{HOST}:{self._server.server_port}/"

    def wait(self, seconds: float) -> str:
        """The address that was asked for.

        Raises:
            LoginFailedError: None was in time.
        """
        if not self._came.wait(seconds):
            raise LoginFailedError(
                f"Nobody agreed within {seconds / 60:g} minutes; log in again, with --login=paste "
                "where the browser runs on another machine."
            )
        return self.address

    def take(self, address: str) -> HTTPStatus:
        """Take the first answer to the login; tells what to say to a request."""
        if not _ROOT.match(address) or self._came.is_set():
            return HTTPStatus.NOT_FOUND
        if not _belongs(_given(address), self._state):
            return HTTPStatus.BAD_REQUEST
        self.address = address
        self._came.set()
        return HTTPStatus.OK


class _Server(ThreadingHTTPServer):
    """Browsers open connections on which they ask nothing: each request has its own thread."""

    daemon_threads = True
    listener: Listener

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Take the redirect; other paths, such as an icon, are not found."""
        status = self.server.listener.take(self.path)
        body = _PAGES.get(status, b"")
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Its address holds a code."""
