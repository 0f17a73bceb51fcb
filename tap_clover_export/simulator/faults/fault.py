"""Faults that can happen, each one line."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus

from tap_clover_export.simulator.options import CLOVERS_LIMITS
from tap_clover_export.simulator.service.descriptions import TIME_FORMS

WHERE = (
    "create",
    "poll",
    "download",
    "refresh",
    "recovery",
    "token",
    "authorize",
    "merchant",
    "any",
)
SPEC = re.compile(
    r"(?P<where>[a-z]+)(?:\[(?P<merchant>[^/\]]*)(?:/(?P<type>[A-Z]*))?\])?"
    r":(?P<kind>[\w-]+)(?:[:=](?P<arg>.*?))?(?:\*(?P<times>\d+))?(?:@(?P<after>\d+))?"
)
STATUSES = tuple(str(int(status)) for status in HTTPStatus if status >= HTTPStatus.OK)
ANSWERS = ("503-hours", "busy", "html", "garbage", "empty", "redirect")
WIRE = ("reset", "reset-after", "reset-mid", "short", "drip", "hang", "hang-mid")
FATES = ("stay-pending", "status", "vanish", "lag", "links-once")
LATE = 3
"""How often an export is told to be done without its links, where they come late."""
LISTS = ("no-urls", "empty-urls", "same-file-twice")
FILES = ("expired", "gone", "no-elements", "cut")
ONLY = {
    "create": ("400-internal", "created-time", "narrowed"),
    "poll": (*FATES, *LISTS, "400-internal", "created-time"),
    "download": FILES,
}
FORMS = {
    "created-time": tuple(form for form in TIME_FORMS if form != "ms"),
    "narrowed": ("end", "start", "type", "whole-seconds"),
    "links-once": ("no-links", "empty-list"),
}
"""The only arguments of some faults; the first is meant where none is given."""


@dataclass(frozen=True)
class Call:
    """A request, as far as faults look at it.

    Attributes:
        kind: create, poll, download, refresh, recovery, token, authorize, merchant or other.
        merchant: Whose data it is about.
        type: The type of export.
        fresh: Whether it is the first poll of an export.
        finished: Whether it polls an export that is done.
        unnamed: How often that one was told without its links.
        token: The access token, none where no limit counts it.
    """

    kind: str
    merchant: str | None = None
    type: str | None = None
    fresh: bool = False
    finished: bool = False
    unnamed: int = 0
    token: str | None = None


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with requests of one kind.

    Attributes:
        where: create, poll, download, refresh, recovery, token, authorize, merchant or any.
        kind: What goes wrong: a status, or one of the names above.
        arg: More about it, such as seconds, a status or headers.
        times: How often; always when left out.
        after: How many such requests pass first.
        merchant: The only merchant it strikes.
        type: The only type of export it strikes.
    """

    where: str
    kind: str
    arg: str = ""
    times: int | None = None
    after: int = 0
    merchant: str | None = None
    type: str | None = None
    counts: Counter[str] = field(default_factory=Counter, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what does not exist.

        Raises:
            ValueError: When the fault cannot happen there.
        """
        if self.where not in WHERE:
            message = f"no such place for a fault: {self.where}"
            raise ValueError(message)
        if self.kind not in (*STATUSES, *ANSWERS, *WIRE, *ONLY.get(self.where, ())):
            message = f"no such fault on {self.where}: {self.kind}"
            raise ValueError(message)
        scope = self.settings.get("scope", "token")
        if self.form not in FORMS.get(self.kind, (self.form,)) or (
            self.kind == "429" and scope not in CLOVERS_LIMITS
        ):
            message = f"no such form of the fault {self.kind}: {self.arg}"
            raise ValueError(message)

    @classmethod
    def parse(cls, spec: str) -> Fault:
        """Read ``where[merchant/type]:kind[:arg][*times][@after]``.

        Raises:
            ValueError: When it cannot be read.
        """
        match = SPEC.fullmatch(spec)
        if match is None:
            message = f"not a fault: {spec}"
            raise ValueError(message)
        part = match.groupdict()
        return cls(
            where=part["where"],
            kind=part["kind"],
            arg=part["arg"] or "",
            times=int(part["times"]) if part["times"] else None,
            after=int(part["after"] or 0),
            merchant=part["merchant"] or None,
            type=part["type"] or None,
        )

    @property
    def form(self) -> str:
        """Tell its argument, or the usual one."""
        return self.arg or FORMS.get(self.kind, ("",))[0]

    @property
    def settings(self) -> dict[str, str]:
        """Read the argument as ``name=value;name=value``."""
        pairs = (part.partition("=") for part in self.arg.split(";"))
        return {name: value for name, given, value in pairs if given}

    @property
    def fired(self) -> int:
        """How often it has struck."""
        return self.counts["fired"]

    def due(self, call: Call) -> bool:
        """Tell whether a request is to be struck, and count that it came by."""
        if not self.meets(call):
            return False
        self.counts["seen"] += 1
        if self.counts["seen"] <= self.after:
            return False
        return self.times is None or self.fired < self.times

    def meets(self, call: Call) -> bool:
        """Tell whether a request is of the kind that it strikes."""
        return (
            self.where in (call.kind, "any")
            and self.merchant in (call.merchant, None)
            and self.type in (call.type, None)
            and (self.kind not in FATES or call.fresh)
            and (self.kind not in LISTS or call.finished)
            # Links that come late do come in the end; those that never come are another fault.
            and (self.kind != "no-urls" or self.times is None or call.unnamed < LATE)
        )
