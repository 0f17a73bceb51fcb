"""Answers put on the wire, whole or in the ways that wires fail."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import struct
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from tap_clover_export.simulator.faults.fault import Fault
    from tap_clover_export.simulator.service.responses import Answer

PIECES = 20
FOREVER = 3600.0
GLANCE = 0.02


async def send(
    request: web.Request, answer: Answer, headers: dict[str, str], fault: Fault | None
) -> web.StreamResponse:
    """Send an answer, as far as the fault lets it through."""
    kind = fault.kind if fault else ""
    arg = fault.arg if fault else ""
    headers = {**answer.headers, **headers}
    if kind == "reset-after":
        return cut_off(request)
    if kind in ("reset-mid", "short", "hang-mid", "drip"):
        return await _send_badly(request, answer, headers, kind, arg)
    body = answer.body
    if headers.pop("Zip", ""):
        body = gzip.compress(body, 1)
        headers["Content-Encoding"] = "gzip"
    return web.Response(status=answer.status, body=body, headers=headers)


def cut_off(request: web.Request) -> web.StreamResponse:
    """Reset the connection."""
    transport = request.transport
    if transport:
        wire: socket.socket | None = transport.get_extra_info("socket")
        if wire:
            linger = struct.pack("ii", 1, 0)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response()


async def stall(request: web.Request, arg: str) -> None:
    """Say nothing for long, or until the client goes."""
    left = float(arg or FOREVER)
    while left > 0 and not gone(request):
        await asyncio.sleep(min(GLANCE, left))
        left -= GLANCE


def gone(request: web.Request) -> bool:
    """Tell whether the client has left."""
    return request.transport is None or request.transport.is_closing()


async def _send_badly(
    request: web.Request, answer: Answer, headers: dict[str, str], kind: str, arg: str
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=headers)
    body = answer.body
    response.content_length = len(body)
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        if kind == "drip":
            step = len(body) // PIECES + 1
            for start in range(0, len(body), step):
                await response.write(body[start : start + step])
                await asyncio.sleep(float(arg or 1) / PIECES)
            await response.write_eof()
            return response
        await response.write(body[: len(body) // 2])
        if kind == "hang-mid":
            await stall(request, arg)
        elif kind == "reset-mid":
            await asyncio.sleep(GLANCE)
            return cut_off(request)
    if request.transport:
        request.transport.close()
    return response
