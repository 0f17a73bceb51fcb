"""The local Clover's command line."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import signal
import sys
import threading
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from tap_clover_export.simulator import Clock, Fault, Options, Simulator
from tap_clover_export.simulator.faults.fault import ANSWERS, FORMS, ONLY, WHERE, WIRE
from tap_clover_export.simulator.options import CLOVERS_LIMITS
from tap_clover_export.simulator.service.descriptions import TIME_FORMS
from tap_clover_export.simulator.service.permissions import PERMISSIONS
from tap_clover_export.simulator.shops.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MERCHANTS = {"HARBORCAFE001": "harbor-token", "MILLSTREET002": "mill-token"}
MOST_NAMED = 10
SPECIAL = (
    "merchants",
    "shops",
    "refresh_tokens",
    "missing_permissions",
    "limits",
    "now",
    "timetable",
)
TYPES = {"int": int, "float": float, "str": str}
CHOICES = {
    "region": ("us", "eu", "la", "sandbox"),
    "window_field": ("createdTime", "modifiedTime"),
    "bounds": ("half-open", "closed", "open-closed"),
    "hours_words": ("vendor", "json", "plain", "none"),
    "gone_as": ("404", "no-links", "empty-list"),
    "created_time": tuple(TIME_FORMS),
    "retry_after_form": ("seconds", "date"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes."""
    asked = vars(_parser().parse_args(arguments))
    host, port, clock = asked.pop("host"), asked.pop("port"), Clock(asked.pop("now"))
    faults, storm = asked.pop("fault"), asked.pop("storm")
    simulator = Simulator(_options(asked), host=host, port=port, clock=clock)
    for fault in faults:
        simulator.faults.add(fault)
    if storm:
        simulator.faults.storm(*storm)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        simulator.start()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        sys.stderr.write(f"Cannot listen on {host}:{port}: {reason}.\n")
        return 1
    sys.stdout.write(f"{simulator.url}\n{_shops(simulator.options)}")
    sys.stdout.flush()
    ended.wait()
    simulator.stop()
    return 0


def _shops(options: Options) -> str:
    """The first merchants with their tokens, a line each."""
    tokens = [(name, "access_token", token) for name, token in options.merchants.items()]
    tokens += [(name, "refresh_token", token) for name, token in options.refresh_tokens.items()]
    lines = [f"merchant_id {name}, {kind} {token}" for name, kind, token in tokens[:MOST_NAMED]]
    if more := len(tokens) - len(lines):
        lines.append(f"and {more:,} more")
    return "".join(f"{line}\n" for line in lines)


def _options(asked: dict[str, Any]) -> Options:
    refresh = dict(asked.pop("refresh_token"))
    merchants = dict(asked.pop("merchant")) or ({} if refresh else MERCHANTS)
    if asked["hours_words"] == "none":
        asked["hours_words"] = None
    missing: dict[str, set[str]] = {}
    for merchant, permission in asked.pop("missing_permission"):
        missing.setdefault(merchant, set()).add(permission)
    return Options(
        merchants=merchants,
        refresh_tokens=refresh,
        missing_permissions=missing,
        shops=dict(asked.pop("shop")),
        limits=dict(asked.pop("limit")),
        **asked,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tap_clover_export.simulator",
        description="A local Clover that exports made-up orders and payments.",
        epilog=(
            f"Faults are on {', '.join(WHERE)}: a status, {', '.join((*ANSWERS, *WIRE))}; "
            f"on create also {', '.join(ONLY['create'])}; "
            f"on poll also {', '.join(ONLY['poll'])}; "
            f"on download also {', '.join(ONLY['download'])}. "
            "Such as create:503*2, poll:429:retry-after=7, poll[ID/ORDERS]:status=FAILED, "
            "download:hang=30@5. A status, busy and 503-hours take headers, "
            "retry-after=30;form=date one with a date. 429:scope=app;retry-after=30 holds up "
            f"all requests of the app from then on; scopes are {', '.join(CLOVERS_LIMITS)}. "
            "With lag=5 an export is 404 for its first 5 seconds. "
            + "".join(f"{name} takes {_words(forms)}. " for name, forms in FORMS.items())
        ).rstrip(),
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="where to listen")
    add("--port", type=int, default=0, help="0 for any that is free")
    add("--now", type=_time, metavar="ISO", help="start of the clock, which then runs on")
    many: dict[str, Any] = {"type": _pair, "action": "append", "default": []}
    add("--merchant", metavar="ID:TOKEN", help="a merchant; made-up ones without", **many)
    many["type"] = _shop
    add("--shop", metavar="ID:KIND", help=f"is a {_words(KINDS)}", **many)
    many["type"] = _pair
    add("--refresh-token", metavar="ID:TOKEN", help="a merchant's first one", **many)
    many["type"] = _permission
    add(
        "--missing-permission",
        metavar="ID:NAME",
        help=f"lacks {_words(sorted(PERMISSIONS))}",
        **many,
    )
    many["type"] = _limit
    add("--limit", metavar="NAME:NUMBER", help="a limit, such as token:16", **many)
    add(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="SPEC",
        help="where[MERCHANT/TYPE]:what[:arg][*times][@after]",
    )
    add("--storm", type=_storm, metavar="RATE[:SEED]", help="passing faults of all kinds")
    words = dict(re.findall(r"^ +(\w+): (.+)$", Options.__doc__ or "", re.MULTILINE))
    for field in fields(Options):
        flag = "--" + field.name.replace("_", "-")
        help_ = words.get(field.name, field.name).rstrip(".")
        if field.name in SPECIAL:
            continue
        if field.type == "bool":
            action = argparse.BooleanOptionalAction
            add(flag, action=action, default=field.default, help=help_)
        else:
            kind = TYPES[str(field.type).split()[0]]
            choices = CHOICES.get(field.name)
            add(flag, type=kind, default=field.default, choices=choices, help=help_)
    return parser


def _words(names: Iterable[str]) -> str:
    return ", ".join(names)


def _pair(text: str) -> tuple[str, str]:
    name, _, token = text.partition(":")
    if not (name and token):
        message = f"not ID:TOKEN: {text}"
        raise argparse.ArgumentTypeError(message)
    return name, token


def _shop(text: str) -> tuple[str, str]:
    merchant, kind = _pair(text)
    if kind not in KINDS:
        message = f"no such shop: {kind}"
        raise argparse.ArgumentTypeError(message)
    return merchant, kind


def _permission(text: str) -> tuple[str, str]:
    merchant, name = _pair(text)
    if name not in PERMISSIONS:
        message = f"no such permission: {name}"
        raise argparse.ArgumentTypeError(message)
    return merchant, name


def _limit(text: str) -> tuple[str, int]:
    name, _, number = text.partition(":")
    if name not in CLOVERS_LIMITS or not number.isdecimal():
        message = f"not a limit: {text}"
        raise argparse.ArgumentTypeError(message)
    return name, int(number)


def _fault(text: str) -> Fault:
    try:
        return Fault.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _storm(text: str) -> tuple[float, str]:
    rate, _, seed = text.partition(":")
    return float(rate), seed or "1"


def _time(text: str) -> float:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.timestamp()


if __name__ == "__main__":
    sys.exit(main())
