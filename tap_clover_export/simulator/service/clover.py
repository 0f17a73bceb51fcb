"""Clover's rules, without the wire."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_clover_export.simulator.records.store import TYPES, Span, Store
from tap_clover_export.simulator.service import login_page, opening_hours
from tap_clover_export.simulator.service.descriptions import describe, path
from tap_clover_export.simulator.service.exports import Export, divide
from tap_clover_export.simulator.service.rate_limits import RateLimiter
from tap_clover_export.simulator.service.responses import (
    Answer,
    decode,
    refuse_file,
    retry_after,
    say,
)
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
        self.limiter = RateLimiter()
        self._start = self.now()
        self._by_id: dict[str, Export] = {}
        self._gatherer = ThreadPoolExecutor(1, "gather")

    def now(self) -> int:
        """Tell Clover's own time in ms."""
        return int((self.clock.now() + self.options.clock_skew_seconds) * 1000)

    def seconds(self) -> float:
        """Tell Clover's own time in seconds."""
        return self.now() / 1000

    def merchants(self) -> list[str]:
        """List the merchants."""
        return list({**self.options.merchants, **self.options.refresh_tokens})

    def find(self, export_id: str | None) -> Export | None:
        """Find an export."""
        return self._by_id.get(export_id or "")

    def authorize(self, merchant: str, token: str | None, needed: frozenset[str]) -> Answer | None:
        """Refuse a wrong token, a missing permission, and everything while all is closed."""
        if self.options.closed_refuses_all and self.closed():
            return self.closed_response()
        missing = self.options.missing_permissions.get(merchant, ())
        fixed = self.options.merchants.get(merchant)
        known = token and (token == fixed or self.tokens.accept(token, merchant, self.seconds()))
        if known and needed.isdisjoint(missing):
            return None
        status = HTTPStatus(self.options.refused_status)
        return say(status, self.options.refused_words or f"{status} {status.phrase}")

    def closed(self) -> bool:
        """Tell whether the export service is closed."""
        table = opening_hours.timetable(self.options)
        return table is not None and not opening_hours.opens(table, self.seconds())

    def busy(self) -> bool:
        """Tell whether all places are taken."""
        running = sum(export.runs(self.now()) for export in self.exports)
        return running + self._foreign() >= self.options.max_concurrent

    def introduce(self, merchant: str) -> Answer:
        """Tell about a merchant."""
        return Answer.of(HTTPStatus.OK, {"id": merchant, "name": f"Shop {merchant[:4].title()}"})

    def answer_oauth(self, kind: str, query: Mapping[str, str], body: bytes) -> Answer:
        """Let a merchant log in, or give a pair for a code, a refresh or a recovery token."""
        if kind == "authorize":
            return self._log_in(query, body)
        kinds = {
            "refresh": self.tokens.rotate,
            "recovery": self.tokens.recover,
            "token": self.tokens.redeem,
        }
        pair = kinds[kind](decode(body), self.seconds())
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
        words = "Too many concurrent exports, wait for one to finish"
        if self.options.hours_words is None:
            words = "503 Service Unavailable"
        answer = say(HTTPStatus.SERVICE_UNAVAILABLE, words)
        return self._later(answer, self.options.busy_retry_after)

    def closed_response(self) -> Answer:
        """Answer as a closed service does."""
        answer = opening_hours.closed_response(self.options)
        return self._later(answer, self.options.closed_retry_after)

    def poll(self, export: Export) -> Answer:
        """Tell how far an export is."""
        now = self.now()
        gone = now >= export.until and self.options.gone_as == "404"
        if export.fate == "vanished" or gone or now < export.visible:
            return say(HTTPStatus.NOT_FOUND, "Not Found")
        export.polls += 1
        return Answer.of(HTTPStatus.OK, self._describe(export))

    def download(self, export: Export, number: int, query: Mapping[str, str]) -> Answer:
        """Give a file to whom its link was given."""
        if self.options.closed_refuses_all and self.closed():
            return self.closed_response()
        expires = self.links.check(path(export, number), query)
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

    def _log_in(self, query: Mapping[str, str], form: bytes) -> Answer:
        """Show the page on which a merchant agrees to the app; with its form, send it back."""
        client_id, back = query.get("client_id", ""), query.get("redirect_uri", "")
        if not self.tokens.knows(client_id):
            return login_page.refuse("There is no such app.")
        if not login_page.may_redirect(back):
            return login_page.refuse("The redirect_uri is not one of the app's.")
        merchant = login_page.read(form).get("merchant_id")
        if merchant not in self.merchants():
            return login_page.show(self.merchants(), client_id)
        fields = {"merchant_id": merchant, "employee_id": "DFLTEMPLOYEE", "client_id": client_id}
        fields["code"] = self.tokens.grant(merchant, self.seconds())
        if "state" in query:
            fields["state"] = query["state"]
        return login_page.redirect(back, fields)

    def _refuse(self, start: int, end: int) -> Answer | None:
        widest = self.options.max_window_days * DAY
        if start < 0 or end <= start:
            return say(HTTPStatus.BAD_REQUEST, "endTime must be after startTime")
        if end - start > widest or (self.options.refuse_exactly_max and end - start == widest):
            days = f"{self.options.max_window_days:g} days"
            return say(HTTPStatus.BAD_REQUEST, f"The max time range is {days}")
        if self.closed():
            return self.closed_response()
        if self.busy():
            return self.busy_response()
        heavy = self.options.heavy_window_days
        if heavy is not None and end - start > heavy * DAY:
            return say(HTTPStatus.BAD_REQUEST, "Internal Error")
        return None

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
            visible=now + int(self.options.visible_after_seconds * 1000),
            files=self._gatherer.submit(divide, entries, size),
        )
        self.exports.append(export)
        self._by_id[export.id] = export
        return export

    def _describe(self, export: Export) -> dict[str, object]:
        return describe(export, self.options, self.links, self.now())

    def _foreign(self) -> int:
        """Count the places that others take; they may come and go."""
        period = self.options.foreign_period_seconds * 1000
        away = period and (self.now() - self._start) % period >= period / 2
        return 0 if away else self.options.foreign_exports

    def _later(self, answer: Answer, seconds: float | None) -> Answer:
        if seconds is None:
            return answer
        told = retry_after(seconds, self.seconds(), self.options.retry_after_form)
        return replace(answer, headers={**answer.headers, **told})
