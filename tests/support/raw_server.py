"""A peer that answers whatever a test wants, byte by byte, which no proper server would."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Self

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Answer = bytes | Iterable[bytes] | Callable[[bytes], bytes | Iterable[bytes]]

PATIENCE = 60.0


def reply(body: bytes = b"{}", *headers: str, status: str = "200 OK") -> bytes:
    """An answer that is well formed unless its parts are not."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback; many containers have none."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


class Listener:
    """Listens on a port and serves each connection in a thread; use it as a context manager.

    Args:
        host: Where it listens.

    Attributes:
        port: The port.
        place: Host and port, as in an address.
    """

    def __init__(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port = self._listener.getsockname()[1]
        self.place = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for connection in self._sockets:
            connection.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(PATIENCE)
                self._sockets.append(connection)
                thread = threading.Thread(target=self._serve, args=[connection], daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        raise NotImplementedError


class Peer(Listener):
    """Gives everybody the same answer.

    Args:
        answer: The bytes, or many, or what makes them of a request's head.
        host: Where it listens.
        pem: Certificate and key, for TLS.

    Attributes:
        heads: The heads of all requests.
        bodies: Their bodies.
        sent: How many bytes of answers went out.
    """

    def __init__(self, answer: Answer, host: str = "127.0.0.1", pem: Path | None = None) -> None:
        super().__init__(host)
        self.answer = answer
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.sent = 0
        self._context = None
        if pem:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(pem)
        self.url = f"{'https' if pem else 'http'}://{self.place}"

    @override
    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._sockets.append(connection)
            for head in _heads(connection, self.bodies):
                self.heads.append(head)
                answer = self.answer(head) if callable(self.answer) else self.answer
                for part in [answer] if isinstance(answer, bytes) else answer:
                    connection.sendall(part)
                    self.sent += len(part)
                if not isinstance(answer, bytes) or b"connection: close" in head.lower():
                    break
            connection.shutdown(socket.SHUT_RDWR)


def _heads(connection: socket.socket, bodies: list[bytes]) -> Iterator[bytes]:
    """The heads of the requests on a connection; their bodies are put aside."""
    stream = connection.makefile("rb")
    with stream:
        while line := stream.readline():
            head = line
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                head += line
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            bodies.append(stream.read(length))
            yield head
