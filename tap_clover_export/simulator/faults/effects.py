"""What faults do to answers and exports."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_clover_export.simulator.faults.fault import FATES, LISTS
from tap_clover_export.simulator.service import opening_hours
from tap_clover_export.simulator.service.clover import refuse_file
from tap_clover_export.simulator.service.responses import Answer, decode, encode, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_clover_export.simulator.faults.fault import Fault
    from tap_clover_export.simulator.service.clover import Clover
    from tap_clover_export.simulator.service.exports import Export

HTML = {"Content-Type": "text/html"}
PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n"
GATEWAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)


def answer_instead(fault: Fault, clover: Clover) -> Answer | None:
    """Give the answer that comes instead of Clover's, if the fault has one."""
    if fault.kind.isdigit():
        return _answer_status(fault)
    make = INSTEAD.get(fault.kind)
    return make(fault, clover) if make else None


def set_fate(fault: Fault, export: Export) -> None:
    """Give an export its fate, if the fault is one."""
    if fault.kind not in FATES:
        return
    named = {"stay-pending": "pending", "vanish": "vanished", "status": fault.arg}
    export.fate = named[fault.kind].removesuffix("-lowercase")


def alter(fault: Fault, answer: Answer) -> Answer:
    """Change what is in an answer."""
    if answer.status != HTTPStatus.OK:
        return answer
    if fault.kind == "no-elements":
        return replace(answer, body=encode({"items": []}))
    if fault.kind == "cut":
        return replace(answer, body=answer.body[: len(answer.body) * 2 // 3])
    if fault.kind not in LISTS:
        return answer
    content = decode(answer.body)
    links = content.pop("exportUrls", {}).get("elements", [])
    if fault.kind == "empty-urls":
        content["exportUrls"] = {"elements": []}
    if fault.kind == "same-file-twice":
        content["exportUrls"] = {"elements": [*links, *links[:1]]}
    return replace(answer, body=encode(content))


def _answer_status(fault: Fault) -> Answer:
    status = int(fault.kind)
    phrase = f"{status} {HTTPStatus(status).phrase}"
    if status in GATEWAY:
        answer = Answer(status, PAGE.format(phrase).encode(), HTML)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer = Answer(status, headers={})
    else:
        answer = say(status, phrase)
    headers = dict(answer.headers)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["X-RateLimit-tokenLimit"] = "16"
    name, given, value = fault.arg.partition("=")
    if given:
        headers[name.title()] = value
    return replace(answer, headers=headers)


INSTEAD: Mapping[str, Callable[[Fault, Clover], Answer]] = {
    "503-hours": lambda _, clover: opening_hours.closed_response(clover.options),
    "busy": lambda _, clover: clover.busy_response(),
    "html": lambda *_: Answer(HTTPStatus.OK, PAGE.format("Scheduled maintenance").encode(), HTML),
    "garbage": lambda *_: Answer(HTTPStatus.OK, b'{"id": "\xff\xfe\x00'),
    "empty": lambda *_: Answer(HTTPStatus.OK),
    "redirect": lambda fault, _: Answer(HTTPStatus.FOUND, headers={"Location": fault.arg}),
    "expired": lambda *_: refuse_file(HTTPStatus.FORBIDDEN, "AccessDenied", "Request has expired"),
    "gone": lambda fault, clover: refuse_file(
        int(fault.arg or clover.options.gone_status), "NoSuchKey"
    ),
}
