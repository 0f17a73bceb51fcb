"""What faults do to answers and exports."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_clover_export.simulator.faults.fault import FATES, LISTS
from tap_clover_export.simulator.records.store import TYPES
from tap_clover_export.simulator.service.descriptions import date
from tap_clover_export.simulator.service.rate_limits import APP, Hold, too_many
from tap_clover_export.simulator.service.responses import (
    Answer,
    decode,
    encode,
    refuse_file,
    retry_after,
    say,
)
from tap_clover_export.simulator.shops.sales import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_clover_export.simulator.faults.fault import Call, Fault
    from tap_clover_export.simulator.service.clover import Clover
    from tap_clover_export.simulator.service.exports import Export

LAG = 5
"""For how many seconds a new export is not found where nothing else is said."""
HTML = {"Content-Type": "text/html"}
PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n"
GATEWAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)


def answer_instead(fault: Fault, call: Call, clover: Clover) -> Answer | None:
    """Give the answer that comes instead of Clover's, if the fault has one."""
    if fault.kind.isdigit():
        answer = _answer_status(fault, clover)
    elif fault.kind in INSTEAD:
        answer = INSTEAD[fault.kind](fault, clover)
    else:
        return None
    if fault.kind.isdigit() or fault.kind in UNAVAILABLE:
        return _add_headers(fault, call, answer, clover)
    return answer


def set_fate(fault: Fault, export: Export) -> None:
    """Give an export its fate, if the fault is one."""
    if fault.kind == "lag":
        export.visible = export.created + int(float(fault.arg or LAG) * 1000)
    elif fault.kind == "links-once":
        export.loses_links = fault.form
    elif fault.kind in FATES:
        named = {"stay-pending": "pending", "vanish": "vanished", "status": fault.arg}
        export.fate = named[fault.kind].removesuffix("-lowercase")


def narrow(fault: Fault, body: bytes) -> bytes:
    """Make less of what a create asks for, if the fault does so."""
    wanted = decode(body)
    if fault.kind != "narrowed" or not {"type", "startTime", "endTime"} <= wanted.keys():
        return body
    start, end = int(wanted["startTime"]), int(wanted["endTime"])
    if fault.form == "whole-seconds":
        wanted |= {"startTime": start - start % 1000, "endTime": end - end % 1000}
        return encode(wanted)
    less = min(DAY, (end - start) // 2)
    other = TYPES[wanted["type"] == TYPES[0]]
    changes = {"start": ("startTime", start + less), "end": ("endTime", end - less)}
    key, value = changes.get(fault.form, ("type", other))
    return encode({**wanted, key: value})


def alter(fault: Fault, answer: Answer) -> Answer:
    """Change what is in an answer."""
    if answer.status != HTTPStatus.OK:
        return answer
    if fault.kind == "no-elements":
        return replace(answer, body=encode({"items": []}))
    if fault.kind == "cut":
        return replace(answer, body=answer.body[: len(answer.body) * 2 // 3])
    content = decode(answer.body)
    if fault.kind == "created-time":
        return replace(answer, body=encode(date(content, fault.form)))
    if fault.kind not in LISTS:
        return answer
    links = content.pop("exportUrls", {}).get("elements", [])
    if fault.kind == "empty-urls":
        content["exportUrls"] = {"elements": []}
    if fault.kind == "same-file-twice":
        content["exportUrls"] = {"elements": [*links, *links[:1]]}
    return replace(answer, body=encode(content))


def _answer_status(fault: Fault, clover: Clover) -> Answer:
    status = int(fault.kind)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return too_many(fault.settings.get("scope", "token"), clover.options.limits)
    phrase = f"{status} {HTTPStatus(status).phrase}"
    if status in GATEWAY:
        return Answer(status, PAGE.format(phrase).encode(), HTML)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Answer(status, headers={})
    return say(status, phrase)


def _add_headers(fault: Fault, call: Call, answer: Answer, clover: Clover) -> Answer:
    """Add the fault's headers; a scope that is to wait is held up from now on."""
    headers = fault.settings
    scope, form = headers.pop("scope", ""), headers.pop("form", "seconds")
    wait = headers.get("retry-after", "")
    more = {name.title(): value for name, value in headers.items()}
    if wait.isdecimal():
        more |= retry_after(int(wait), clover.seconds(), form)
    if wait.isdecimal() and scope and call.token is not None:
        held = APP if scope.startswith("app") else call.token
        clover.limiter.hold(held, Hold(answer, int(wait), form), clover.seconds())
    return replace(answer, headers={**answer.headers, **more})


UNAVAILABLE = ("503-hours", "busy")
INSTEAD: Mapping[str, Callable[[Fault, Clover], Answer]] = {
    "503-hours": lambda _, clover: clover.closed_response(),
    "busy": lambda _, clover: clover.busy_response(),
    "400-internal": lambda *_: say(HTTPStatus.BAD_REQUEST, "Internal Error"),
    "html": lambda *_: Answer(HTTPStatus.OK, PAGE.format("Scheduled maintenance").encode(), HTML),
    "garbage": lambda *_: Answer(HTTPStatus.OK, b'{"id": "\xff\xfe\x00'),
    "empty": lambda *_: Answer(HTTPStatus.OK),
    "redirect": lambda fault, _: Answer(HTTPStatus.FOUND, headers={"Location": fault.arg}),
    "expired": lambda *_: refuse_file(HTTPStatus.FORBIDDEN, "AccessDenied", "Request has expired"),
    "gone": lambda fault, clover: refuse_file(
        int(fault.arg or clover.options.gone_status), "NoSuchKey"
    ),
}
