"""What a person, or a demo, may ask and do: ``/_simulator/…``."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tap_clover_export.simulator.service.responses import decode

if TYPE_CHECKING:
    from tap_clover_export.simulator.api.routes import Request
    from tap_clover_export.simulator.clock import Clock
    from tap_clover_export.simulator.faults.injector import FaultInjector
    from tap_clover_export.simulator.service.exports import Export
    from tap_clover_export.simulator.service.ledger import Ledger


class Admin:
    """Answers the simulator's own requests.

    Args:
        clock: The clock that may be moved.
        faults: The faults that may be added and cleared.
        ledger: What Clover holds.
        requests: Every request that was received.
        exports: Every export that was accepted.
    """

    def __init__(
        self,
        clock: Clock,
        faults: FaultInjector,
        ledger: Ledger,
        requests: list[Request],
        exports: list[Export],
    ) -> None:
        self.clock = clock
        self.faults = faults
        self.ledger = ledger
        self.requests = requests
        self.exports = exports

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one."""
        name = request.path.removeprefix("/_simulator/").strip("/")
        work = getattr(self, f"_{request.method.lower()}_{name}", None)
        if work is None:
            return web.json_response({"message": "Not Found"}, status=404)
        body = await request.read()
        try:
            result = await asyncio.to_thread(work, body)
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"message": str(error)}, status=400)
        return web.json_response(result)

    def _get_clock(self, _: bytes) -> dict[str, Any]:
        now = self.clock.now()
        moment = dt.datetime.fromtimestamp(now, dt.UTC)
        return {"now": now, "iso": moment.isoformat()}

    def _post_clock(self, body: bytes) -> dict[str, Any]:
        content = decode(body)
        if "set" in content:
            self.clock.set(float(content["set"]))
        self.clock.advance(float(content.get("advance_seconds", 0)))
        return self._get_clock(body)

    def _get_books(self, _: bytes) -> dict[str, Any]:
        return self.ledger.balance()

    def _get_shops(self, _: bytes) -> list[dict[str, str]]:
        return self.ledger.books().merchants()

    def _post_sales(self, body: bytes) -> list[dict[str, Any]]:
        content = decode(body)
        as_of = content.get("as_of", self.ledger.clover.seconds())
        return self.ledger.books().report(content["report"], int(float(as_of) * 1000))

    def _get_requests(self, _: bytes) -> dict[str, Any]:
        counts: dict[str, Counter[str]] = {}
        for request in self.requests:
            counts.setdefault(request.merchant or "", Counter())[request.kind] += 1
        return {
            "kinds": Counter(request.kind for request in self.requests),
            "merchants": counts,
            "exports": [
                {
                    "id": export.id,
                    "merchant": export.merchant,
                    "type": export.type,
                    "start": export.start,
                    "end": export.end,
                    "created": export.created,
                    "downloads": sum(export.downloads.values()),
                }
                for export in self.exports
            ],
        }

    def _post_faults(self, body: bytes) -> dict[str, Any]:
        specs = json.loads(body)
        for spec in specs:
            self.faults.add(spec)
        return {"added": len(specs)}

    def _delete_faults(self, _: bytes) -> dict[str, Any]:
        self.faults.clear()
        return {}

    def _post_touch(self, body: bytes) -> dict[str, Any]:
        content = decode(body)
        merchant = content.pop("merchant")
        kind = content.pop("type", "ORDERS")
        record_id = content.pop("id", None)
        if record_id and content:
            return self.ledger.touch(merchant, kind, record_id, content)
        return self.ledger.refund(merchant, record_id)
