"""What can be set on the simulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Timetable = tuple[tuple[int, int], ...]
"""Opening and closing minute of each UTC day, Monday first."""

CLOVERS_LIMITS: Mapping[str, int] = {
    "token": 16,
    "app": 50,
    "token-concurrent": 5,
    "app-concurrent": 10,
}
"""Clover's documented limits: requests a second, and at a time."""


@dataclass(frozen=True)
class Options:
    """A local Clover's merchants, data, rules and manners.

    Attributes:
        merchants: Access token of each merchant.
        days: How far back the data goes from the start.
        orders_per_day: Orders of a merchant on an average day.
        seed: The same seed gives the same data.
        export_seconds: How long an export takes; with 0 the first poll says DONE.
        max_concurrent: How many exports run at a time, over all merchants.
        foreign_exports: How many of those places other clients take.
        foreign_period_seconds: They come and go, there for half of it; 0 for always there.
        visible_after_seconds: How long a new export is answered 404.
        heavy_window_days: Wider spans are a 400 "Internal Error", too much work.
        now: Epoch seconds at the start; the real time when left out.
        region: us, eu, la or sandbox.
        hours: Whether the region's opening hours are kept.
        timetable: Hours other than the region's documented ones.
        closed_refuses_all: Whether polls and downloads are refused too while closed.
        hours_words: How a refusal names the hours: vendor, json, plain or none.
        window_field: The field that an export's span is held against.
        bounds: half-open, closed or open-closed.
        max_window_days: The widest span.
        refuse_exactly_max: Whether the widest span itself is too wide.
        objects_per_file: Records in a file.
        file_hours: How long a finished export is kept.
        url_seconds: How long a signed URL works; as long as its file when left out.
        gone_status: What a deleted file answers.
        gone_as: What a poll answers when the files are deleted: 404, no-links or empty-list.
        refused_status: What a wrong token answers.
        refused_words: Its message, such as "Merchant account is closed".
        missing_permissions: Which of read-merchant, read-orders, read-payments, exports each lacks.
        gzip: Whether files are compressed for clients that accept it.
        empty_without_key: Whether an empty export has no exportUrls at all.
        clock_skew_seconds: How far Clover's own clock is ahead.
        created_time: createdTime in ms, seconds, true, year-2100, digits, text or missing.
        limits: Requests a second of token and app, at a time of token-concurrent, app-concurrent.
        concurrent_wait_seconds: How long who has too many requests at a time is to wait.
        closed_retry_after: Seconds in a Retry-After while closed.
        busy_retry_after: Seconds in a Retry-After while busy.
        retry_after_form: Whether they are told as seconds or as a date.
        shops: What each merchant's shop is like: cafe, bar, vat, yen or rounding.
        refresh_tokens: The first refresh token of each merchant.
        client_id: The app that the refresh tokens belong to.
        client_secret: Its secret, for logins and recoveries.
        token_seconds: How long an access token from a refresh works.
        recovery_days: How long a pair that was never used can be recovered.
        odd: Whether a few records hold what no warehouse takes.
        unknown_fields: Whether now and then a record has an undocumented field.
        old_wire: Whether the words are those of 2016.
    """

    merchants: Mapping[str, str]
    days: float = 75
    orders_per_day: int = 20
    seed: str = "clover"
    export_seconds: float = 0.0
    max_concurrent: int = 3
    foreign_exports: int = 0
    foreign_period_seconds: float = 0
    visible_after_seconds: float = 0
    heavy_window_days: float | None = None
    now: float | None = None
    region: str = "sandbox"
    hours: bool = False
    timetable: Timetable | None = None
    closed_refuses_all: bool = False
    hours_words: str | None = "vendor"
    window_field: str = "modifiedTime"
    bounds: str = "half-open"
    max_window_days: float = 30
    refuse_exactly_max: bool = False
    objects_per_file: int = 1000
    file_hours: float = 24
    url_seconds: float | None = None
    gone_status: int = 404
    gone_as: str = "404"
    refused_status: int = 401
    refused_words: str | None = None
    missing_permissions: Mapping[str, Collection[str]] = field(default_factory=dict)
    gzip: bool = False
    empty_without_key: bool = False
    clock_skew_seconds: float = 0
    created_time: str = "ms"
    limits: Mapping[str, int] = field(default_factory=dict)
    concurrent_wait_seconds: float = 21
    closed_retry_after: float | None = None
    busy_retry_after: float | None = None
    retry_after_form: str = "seconds"
    shops: Mapping[str, str] = field(default_factory=dict)
    refresh_tokens: Mapping[str, str] = field(default_factory=dict)
    client_id: str = "CLIENT"
    client_secret: str = "SECRET"  # noqa: S105
    token_seconds: float = 1800
    recovery_days: float = 14
    odd: bool = False
    unknown_fields: bool = True
    old_wire: bool = False
