"""The local Clover, served over HTTP from a thread of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

from tap_clover_export.simulator.api.admin import Admin
from tap_clover_export.simulator.api.routes import Request, Routes
from tap_clover_export.simulator.api.server import Server
from tap_clover_export.simulator.clock import Clock
from tap_clover_export.simulator.faults.injector import FaultInjector
from tap_clover_export.simulator.records import edge_cases
from tap_clover_export.simulator.records.store import ManualRecord
from tap_clover_export.simulator.service.clover import Clover
from tap_clover_export.simulator.service.ledger import Ledger
from tap_clover_export.simulator.service.responses import decode

if TYPE_CHECKING:
    from types import TracebackType

    from aiohttp import web

    from tap_clover_export.simulator.options import Options
    from tap_clover_export.simulator.service.exports import Export

Type = Literal["ORDERS", "PAYMENTS"]


class Simulator:
    """A local Clover; use it as a context manager, or start and stop it.

    Args:
        options: Its merchants, data, rules and manners.
        host: Where it listens.
        port: The API's port; 0 for any that is free.
        clock: Its clock; one that runs on from `options.now` when left out.
    """

    def __init__(
        self,
        options: Options,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock(options.now)
        self.faults = FaultInjector()
        self._clover = Clover(options, self.clock)
        self._ledger = Ledger(self._clover)
        if options.odd:
            self._put_edge_cases()
        self._routes = Routes(self._clover, self.faults)
        self._admin = Admin(
            self.clock, self.faults, self._ledger, self._routes.requests, self._clover.exports
        )
        self._server = Server(host, port, self._answer, self._routes.answer_files)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    @property
    def url(self) -> str:
        """The API's origin."""
        return self._server.url

    @property
    def files_url(self) -> str:
        """The origin of the files."""
        return self._server.files_url

    @property
    def options(self) -> Options:
        """Its options; others may be set while it runs."""
        return self._clover.options

    @options.setter
    def options(self, options: Options) -> None:
        self._clover.options = options

    @property
    def foreign_exports(self) -> int:
        """How many places other clients take."""
        return self.options.foreign_exports

    @foreign_exports.setter
    def foreign_exports(self, number: int) -> None:
        self.options = replace(self.options, foreign_exports=number)

    @property
    def max_concurrent(self) -> int:
        """How many exports run at a time."""
        return self.options.max_concurrent

    @max_concurrent.setter
    def max_concurrent(self, number: int) -> None:
        self.options = replace(self.options, max_concurrent=number)

    @property
    def requests(self) -> list[Request]:
        """Every request that was received."""
        return self._routes.requests

    @property
    def too_early(self) -> list[Request]:
        """Requests that came before a wait was over that Clover had told."""
        return self._routes.too_early

    @property
    def exports(self) -> list[Export]:
        """Every export that was accepted."""
        return self._clover.exports

    @property
    def spent_twice(self) -> list[str]:
        """Refresh tokens that came again."""
        return self._clover.tokens.spent_twice

    def records(
        self,
        merchant: str,
        type: Type,  # noqa: A002
        start: int | None = None,
        end: int | None = None,
    ) -> list[dict[str, Any]]:
        """Tell what Clover holds now, the window field in ``[start, end)`` ms."""
        return list(self._ledger.records(merchant, type, start, end))

    def books(self) -> dict[str, dict[str, int]]:
        """Count and sum up each merchant's records, money in minor units."""
        return self._ledger.balance()

    def sales(self, report: str, as_of: float | None = None) -> list[dict[str, Any]]:
        """Tell sales by Clover's definitions, from what was rung up.

        Args:
            report: Its name, such as ``sales_overview``.
            as_of: Epoch seconds; what came later has not happened yet. Now when left out.
        """
        now = self._clover.seconds() if as_of is None else as_of
        return self._ledger.books().report(report, int(now * 1000))

    def shops(self) -> list[dict[str, str]]:
        """Tell each merchant's time zone and the hour that its day starts at."""
        return self._ledger.books().merchants()

    def put(self, merchant: str, type: Type, record: dict[str, Any]) -> None:  # noqa: A002
        """Add a record, or replace the one of that id."""
        self._ledger.put(merchant, type, record)

    def put_raw(
        self,
        merchant: str,
        type: Type,  # noqa: A002
        created_ms: int,
        modified_ms: int,
        raw_json: bytes,
    ) -> None:
        """Add a record as it is to stand in a file, valid JSON or not."""
        name = str(decode(raw_json).get("id", raw_json[:80]))
        record = ManualRecord(name, created_ms, modified_ms, raw_json)
        self._clover.store.put(merchant, type, record)

    def touch(
        self,
        merchant: str,
        type: Type,  # noqa: A002
        id: str,  # noqa: A002
        **changes: Any,  # noqa: ANN401
    ) -> dict[str, Any]:
        """Change a record late; it is modified now, unless `modifiedTime` is given.

        What it was to become by itself is forgotten.
        """
        return self._ledger.touch(merchant, type, id, changes)

    def refund(self, merchant: str, order: str | None = None) -> dict[str, Any]:
        """Refund an order, an old one when none is named, and tell what was done."""
        return self._ledger.refund(merchant, order)

    def start(self) -> None:
        """Start to listen.

        Raises:
            OSError: When the port is taken.
        """
        self._server.start()
        self._clover.links.origin = self._server.files_url

    def stop(self) -> None:
        """Stop listening; what it holds and has seen can still be read."""
        self._server.stop()
        self._clover.close()

    def _put_edge_cases(self) -> None:
        """Put records that no warehouse takes among each merchant's, some days ago."""
        for merchant in self._clover.merchants():
            time = self._clover.now() - edge_cases.AGE
            for kind, record in edge_cases.collect(merchant, time):
                self._ledger.put(merchant, kind, record)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/_simulator/"):
            return await self._admin.answer(request)
        return await self._routes.answer_api(request)
