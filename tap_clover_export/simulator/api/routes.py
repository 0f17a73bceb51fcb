"""The HTTP surface: requests in, answers out, faults between them."""

from __future__ import annotations

import asyncio
import re
from contextlib import nullcontext
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING

from aiohttp import web

from tap_clover_export.simulator.api import sending
from tap_clover_export.simulator.faults import effects
from tap_clover_export.simulator.faults.fault import Call
from tap_clover_export.simulator.service import permissions
from tap_clover_export.simulator.service.responses import Answer, decode, refuse_file, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_clover_export.simulator.faults.fault import Fault
    from tap_clover_export.simulator.faults.injector import FaultInjector
    from tap_clover_export.simulator.service.clover import Clover
    from tap_clover_export.simulator.service.exports import Export

API = re.compile(
    r"/v3/merchants/(?P<merchant>[^/]+)"
    r"(?:(?P<exports>/exports)(?:/(?P<export>[^/]+))?)?/?"
)
FILE = re.compile(r"/(?P<merchant>[^/]+)/(?P<export>[^/]+)/(?P<number>\d+)\.json")
OAUTH = {
    "refresh": {"POST"},
    "recovery": {"POST"},
    "token": {"POST"},
    "authorize": {"GET", "POST"},
}
PATIENCE = 5.0


@dataclass
class Request:
    """A request that was received; status 0 while it has no answer, or never gets one."""

    kind: str
    merchant: str | None
    method: str
    path: str
    headers: Mapping[str, str]
    time: float
    query_token: bool
    status: int = 0
    request_id: str = ""


class Routes:
    """Answers requests to both origins."""

    def __init__(self, clover: Clover, faults: FaultInjector) -> None:
        self.clover = clover
        self.faults = faults
        self.requests: list[Request] = []
        self.too_early: list[Request] = []
        self._numbers = count(1)

    async def answer_api(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to the API."""
        body = await request.read()
        kind, merchant, export_id = _route(request)
        export = self.clover.find(export_id) if kind == "poll" else None
        if export and export.merchant != merchant:
            export = None
        wanted = export.type if export else decode(body).get("type")
        call = Call(
            kind,
            merchant,
            wanted if isinstance(wanted, str) else None,
            fresh=export is not None and export.polls == 0,
            finished=export is not None and await self._finished(export),
            unnamed=export.unnamed if export else 0,
            token=None if kind in OAUTH else _token(request) or "none",
        )

        def act(fault: Fault | None) -> Answer:
            wanted = effects.narrow(fault, body) if fault else body
            return self._act(request, call, export, wanted)

        with self.clover.limiter.running(call.token) if call.token else nullcontext():
            return await self._pass(request, call, export, act)

    async def answer_files(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for a file."""
        match = FILE.fullmatch(request.path)
        export = self.clover.find(match["export"]) if match else None
        if export is None or match is None:
            call = Call("download" if match else "other")
            return await self._pass(
                request, call, None, lambda _: refuse_file(HTTPStatus.NOT_FOUND, "NoSuchKey")
            )
        number = int(match["number"])
        call = Call("download", export.merchant, export.type)
        return await self._pass(
            request, call, export, lambda _: self._fetch(request, export, number)
        )

    async def _finished(self, export: Export) -> bool:
        if export.fate is None and self.clover.now() >= export.done:
            await asyncio.wait([asyncio.wrap_future(export.files)], timeout=PATIENCE)
        return export.fate is None and self.clover.now() >= export.done and export.files.done()

    async def _pass(
        self,
        request: web.Request,
        call: Call,
        export: Export | None,
        act: Callable[[Fault | None], Answer],
    ) -> web.StreamResponse:
        log = Request(
            call.kind,
            call.merchant,
            request.method,
            request.path,
            dict(request.headers),
            self.clover.clock.now(),
            "access_token" in request.query,
        )
        headers = {}
        if call.kind != "download":
            log.request_id = f"{next(self._numbers):012X}"
            headers["X-Clover-Request-Id"] = log.request_id
            headers["Date"] = formatdate(self.clover.seconds(), usegmt=True)
        self.requests.append(log)
        refusal = self._limit(log, call.token) if call.token else None
        if refusal:
            log.status = int(refusal.status)
            return await sending.send(request, refusal, headers, None)
        fault = self.faults.strike(call)
        if fault and fault.kind == "reset":
            return sending.cut_off(request)
        if fault and fault.kind == "hang":
            await sending.stall(request, fault.arg)
            if sending.gone(request):
                return web.Response()
        answer = effects.answer_instead(fault, call, self.clover) if fault else None
        if fault and export and call.kind == "poll":
            effects.set_fate(fault, export)
            export.unnamed += fault.kind == "no-urls"
        if answer is None:
            answer = act(fault)
            answer = effects.alter(fault, answer) if fault else answer
        log.status = 0 if fault and fault.kind == "reset-after" else int(answer.status)
        return await sending.send(request, answer, headers, fault)

    def _limit(self, log: Request, token: str) -> Answer | None:
        now = self.clover.seconds()
        refusal = self.clover.limiter.refuse_early(token, now)
        if refusal:
            self.too_early.append(log)
            return refusal
        return self.clover.limiter.refuse(token, now, self.clover.options)

    def _act(self, request: web.Request, call: Call, export: Export | None, body: bytes) -> Answer:
        kind, merchant = call.kind, call.merchant or ""
        if kind in OAUTH:
            return self.clover.answer_oauth(kind, request.query, body)
        if kind == "other":
            return say(HTTPStatus.NOT_FOUND, "Not Found")
        refusal = self.clover.authorize(
            merchant, _token(request), permissions.needed(kind, call.type)
        )
        if refusal:
            return refusal
        if kind == "create":
            return self.clover.create(merchant, body)
        if kind == "merchant":
            return self.clover.introduce(merchant)
        return self.clover.poll(export) if export else say(HTTPStatus.NOT_FOUND, "Not Found")

    def _fetch(self, request: web.Request, export: Export, number: int) -> Answer:
        if "Authorization" in request.headers or "access_token" in request.query:
            return refuse_file(
                HTTPStatus.BAD_REQUEST, "InvalidArgument", "Only one auth mechanism allowed"
            )
        answer = self.clover.download(export, number, request.query)
        if answer.status == HTTPStatus.OK:
            export.downloads[number] += 1
            if self.clover.options.gzip and "gzip" in request.headers.get("Accept-Encoding", ""):
                return replace(answer, headers={**answer.headers, "Zip": "1"})
        return answer


def _route(request: web.Request) -> tuple[str, str | None, str | None]:
    kind = request.path.removeprefix("/oauth/v2/")
    if kind != request.path and kind in OAUTH and request.method in OAUTH[kind]:
        return kind, None, None
    match = API.fullmatch(request.path)
    if not match:
        return "other", None, None
    merchant, exports, export = match["merchant"], match["exports"], match["export"]
    if exports and not export and request.method == "POST":
        return "create", merchant, None
    if export and request.method == "GET":
        return "poll", merchant, export
    if not exports and request.method == "GET":
        return "merchant", merchant, None
    return "other", merchant, None


def _token(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.query.get("access_token")
