"""A small real proxy: plain requests are passed on, CONNECT and SOCKS5 open tunnels."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
from urllib.parse import urlsplit

from typing_extensions import override

from tests.support.raw_server import PATIENCE, Listener


class Proxy(Listener):
    """Passes on what it is asked for.

    Args:
        host: Where it listens.
        credentials: What `Proxy-Authorization` must hold; None lets everybody in.
        context: For TLS to the proxy itself.
        names: Addresses of host names that this machine does not know.

    Attributes:
        asked: Scheme of the proxy's own protocol and the place that each tunnel or request led to.
        heads: What clients said to the proxy in the clear, without what went through tunnels.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        credentials: str | None = None,
        context: ssl.SSLContext | None = None,
        names: dict[str, str] | None = None,
    ) -> None:
        super().__init__(host)
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self._credentials = credentials
        self._context = context
        self._names = names or {}

    @override
    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if self._context:
                client = self._context.wrap_socket(client, server_side=True)
            stack.enter_context(client)
            self._sockets.append(client)
            begin = client.recv(1)
            if begin == b"\x05":
                self._socks(client, stack)
                return
            head = begin
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            self.heads.append(head)
            if self._credentials and self._credentials.encode() not in head:
                client.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
                return
            method, target, _ = head.split(b" ", 2)
            self.asked.append(f"{method.decode()} {target.decode()}")
            if method == b"CONNECT":
                server = stack.enter_context(self._open(f"//{target.decode()}"))
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                server = stack.enter_context(self._open(target.decode()))
                alone = head.replace(b"Connection: keep-alive", b"Connection: close")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                alone += client.recv(int(length[1]), socket.MSG_WAITALL) if length else b""
                server.sendall(alone.replace(b"\r\n", b"\r\nVia: 1.1 test\r\n", 1))
                answer = server.recv(1 << 16)
                client.sendall(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            _tunnel(client, server)

    def _socks(self, client: socket.socket, stack: contextlib.ExitStack) -> None:
        client.recv(client.recv(1)[0])
        client.sendall(b"\x05\x00")
        assert client.recv(4) == b"\x05\x01\x00\x03"
        name = client.recv(client.recv(1)[0]).decode()
        port = int.from_bytes(client.recv(2), "big")
        self.asked.append(f"SOCKS5 {name}:{port}")
        server = stack.enter_context(self._open(f"//{name}:{port}"))
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        _tunnel(client, server)

    def _open(self, url: str) -> socket.socket:
        parts = urlsplit(url)
        assert parts.hostname
        host = self._names.get(parts.hostname, parts.hostname)
        return socket.create_connection((host, parts.port or 80), PATIENCE)


def _tunnel(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side ends; in one thread, since TLS stands no two."""
    with contextlib.suppress(OSError):
        while True:
            held = isinstance(one, ssl.SSLSocket) and one.pending()
            ready = [one] if held else select.select([one, other], [], [], PATIENCE)[0]
            for source in ready:
                if not (data := source.recv(1 << 16)):
                    return
                (other if source is one else one).sendall(data)
            if not ready:
                return
