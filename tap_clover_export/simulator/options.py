"""What can be set on the simulator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Timetable = tuple[tuple[int, int], ...]
"""Opening and closing minute of each UTC day, Monday first."""


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
        refused_status: What a wrong token answers.
        gzip: Whether files are compressed for clients that accept it.
        empty_without_key: Whether an empty export has no exportUrls at all.
        clock_skew_seconds: How far Clover's own clock is ahead.
        refresh_tokens: The first refresh token of each merchant.
        client_id: The app that the refresh tokens belong to.
        token_seconds: How long an access token from a refresh works.
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
    refused_status: int = 401
    gzip: bool = False
    empty_without_key: bool = False
    clock_skew_seconds: float = 0
    refresh_tokens: Mapping[str, str] = field(default_factory=dict)
    client_id: str = "CLIENT"
    token_seconds: float = 1800
    odd: bool = False
    unknown_fields: bool = True
    old_wire: bool = False
