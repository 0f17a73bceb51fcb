"""Clover's rules, without the wire."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_clover_export.simulator.records.store import TYPES, Span, Store
from tap_clover_export.simulator.service import opening_hours
from tap_clover_export.simulator.service.exports import Export, divide
from tap_clover_export.simulator.service.responses import Answer, decode, say
from tap_clover_export.simulator.service.signed_urls import Links
from tap_clover_export.simulator.service.tokens import Tokens
from tap_clover_export.simulator.shops import ids
from tap_clover_export.simulator.shops.sales import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_clover_export.simulator.clock import Clock
    from tap_clover_export.simulator.options import Options


class Clover:
    """One region's Clover.

    Args:
        options: What it holds and how it behaves; may be replaced at any time.
        clock: The time, from which Clover's own may be skewed.
    """

    def __init__(self, options: Options, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self.tokens = Tokens(options)
        self.store = Store(options, self.now())
        self.exports: list[Export] = []
        self.links = Links()
        self._by_id: dict[str, Export] = {}
        self._gatherer = ThreadPoolExecutor(1, "gather")

    def now(self) -> int:
        """Tell Clover's own time in ms."""
        return int((self.clock.now() + self.options.clock_skew_seconds) * 1000)

    def merchants(self) -> list[str]:
        """List the merchants."""
        return list({**self.options.merchants, **self.options.refresh_tokens})

    def find(self, export_id: str | None) -> Export | None:
        """Find an export."""
        return self._by_id.get(export_id or "")

    def authorize(self, merchant: str, token: str | None) -> Answer | None:
        """Refuse a wrong token, and everything while all is closed."""
        if self.options.closed_refuses_all and self.closed():
            return opening_hours.closed_response(self.options)
        fixed = self.options.merchants.get(merchant)
        if token and (token == fixed or self.tokens.accept(token, merchant, self.now() / 1000)):
            return None
        status = HTTPStatus(self.options.refused_status)
        return say(status, f"{status} {status.phrase}")

    def closed(self) -> bool:
        """Tell whether the export service is closed."""
        table = opening_hours.timetable(self.options)
        return table is not None and not opening_hours.opens(table, self.now() / 1000)

    def busy(self) -> bool:
        """Tell whether all places are taken."""
        running = sum(export.runs(self.now()) for export in self.exports)
        return running + self.options.foreign_exports >= self.options.max_concurrent

    def introduce(self, merchant: str) -> Answer:
        """Tell about a merchant."""
        return Answer.of(HTTPStatus.OK, {"id": merchant, "name": f"Shop {merchant[:4].title()}"})

    def refresh(self, body: bytes) -> Answer:
        """Give a new pair of tokens for a refresh token."""
        content = decode(body)
        pair = self.tokens.rotate(
            content.get("client_id"), content.get("refresh_token"), self.now() / 1000
        )
        return (
            Answer.of(HTTPStatus.OK, pair)
            if pair
            else say(HTTPStatus.UNAUTHORIZED, "401 Unauthorized")
        )

    def create(self, merchant: str, body: bytes) -> Answer:
        """Take an order for an export."""
        content = decode(body)
        kind = content.get("type")
        try:
            start, end = int(content["startTime"]), int(content["endTime"])
        except (KeyError, TypeError, ValueError):
            return say(HTTPStatus.BAD_REQUEST, "startTime and endTime must be milliseconds")
        if kind not in TYPES:
            return say(HTTPStatus.BAD_REQUEST, "type must be ORDERS or PAYMENTS")
        refusal = self._refuse(start, end)
        if refusal:
            return refusal
        export = self._accept(merchant, str(kind), start, end)
        return Answer.of(HTTPStatus.OK, self._describe(export))

    def busy_response(self) -> Answer:
        """Answer as a busy server does."""
        if self.options.hours_words is None:
            return say(HTTPStatus.SERVICE_UNAVAILABLE, "503 Service Unavailable")
        return say(
            HTTPStatus.SERVICE_UNAVAILABLE, "Too many concurrent exports, wait for one to finish"
        )

    def poll(self, export: Export) -> Answer:
        """Tell how far an export is."""
        if export.fate == "vanished" or self.now() >= export.until:
            return say(HTTPStatus.NOT_FOUND, "Not Found")
        export.polls += 1
        return Answer.of(HTTPStatus.OK, self._describe(export))

    def download(self, export: Export, number: int, query: Mapping[str, str]) -> Answer:
        """Give a file to whom its link was given."""
        if self.options.closed_refuses_all and self.closed():
            return opening_hours.closed_response(self.options)
        expires = self.links.check(_path(export, number), query)
        if expires is None:
            return refuse_file(HTTPStatus.FORBIDDEN, "SignatureDoesNotMatch")
        if self.now() >= export.until or export.fate == "vanished":
            return refuse_file(self.options.gone_status, "NoSuchKey")
        if self.now() >= expires * 1000:
            return refuse_file(HTTPStatus.FORBIDDEN, "AccessDenied", "Request has expired")
        return Answer(HTTPStatus.OK, export.files.result()[number].render(self.store))

    def close(self) -> None:
        """Stop gathering."""
        self._gatherer.shutdown(cancel_futures=True)

    def _refuse(self, start: int, end: int) -> Answer | None:
        widest = self.options.max_window_days * DAY
        if start < 0 or end <= start:
            return say(HTTPStatus.BAD_REQUEST, "endTime must be after startTime")
        if end - start > widest or (self.options.refuse_exactly_max and end - start == widest):
            days = f"{self.options.max_window_days:g} days"
            return say(HTTPStatus.BAD_REQUEST, f"The max time range is {days}")
        if self.closed():
            return opening_hours.closed_response(self.options)
        return self.busy_response() if self.busy() else None

    def _accept(self, merchant: str, kind: str, start: int, end: int) -> Export:
        now = self.now()
        done = now + int(self.options.export_seconds * 1000)
        span = Span(start, end, self.options.window_field, self.options.bounds)
        by_hand = self.store.by_hand(merchant, kind)
        size = None if self.options.old_wire else self.options.objects_per_file
        entries = self.store.select(merchant, kind, now, span, by_hand)
        export = Export(
            id=ids.draw(),
            merchant=merchant,
            type=kind,
            start=start,
            end=end,
            created=now,
            done=done,
            until=done + int(self.options.file_hours * HOUR),
            files=self._gatherer.submit(divide, entries, size),
        )
        self.exports.append(export)
        self._by_id[export.id] = export
        return export

    def _describe(self, export: Export) -> dict[str, object]:
        status, percent = export.status(self.now())
        finished = status.upper() in ("DONE", "COMPLETE")
        if status == "DONE" and self.options.old_wire:
            status = "COMPLETE"
        content: dict[str, object] = {
            "id": export.id,
            "type": export.type,
            "status": status,
            "percentComplete": percent,
        }
        if finished:
            content["availableUntil"] = export.until
        content |= {
            "startTime": export.start,
            "endTime": export.end,
            "createdTime": export.created,
            "modifiedTime": export.done if finished else export.created,
        }
        if finished:
            links = self._link(export)
            if links or not self.options.empty_without_key:
                one = self.options.old_wire and links
                content["exportUrls"] = {"elements": links[0] if one else links}
        return {**content, "merchantRef": {"id": export.merchant}}

    def _link(self, export: Export) -> list[dict[str, object]]:
        until = export.until + HOUR
        if self.options.url_seconds is not None:
            until = min(until, self.now() + int(self.options.url_seconds * 1000))
        return [
            {
                "url": self.links.make(_path(export, number), until // 1000),
                "export": {"id": export.id},
            }
            for number in range(len(export.files.result()))
        ]


def _path(export: Export, number: int) -> str:
    return f"/{export.merchant}/{export.id}/{number}.json"


def refuse_file(status: int, code: str, message: str = "") -> Answer:
    """Answer as the store of files does."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message or code}</Message></Error>"
    )
    return Answer(status, text.encode(), {"Content-Type": "application/xml"})
