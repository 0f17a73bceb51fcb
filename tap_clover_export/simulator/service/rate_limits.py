"""How much a token and the app may ask, and how long they wait after too much."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_clover_export.simulator.options import CLOVERS_LIMITS
from tap_clover_export.simulator.service.responses import Answer, retry_after, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_clover_export.simulator.options import Options

HEADERS = {
    "token": "X-RateLimit-tokenLimit",
    "app": "X-RateLimit-crossTokenLimit",
    "token-concurrent": "X-RateLimit-tokenConcurrentLimit",
    "app-concurrent": "X-RateLimit-crossTokenConcurrentLimit",
}
APP = ""
"""The scope of all tokens together; a token's scope is the token."""


@dataclass(frozen=True)
class Hold:
    """A wait that was told: until it ends, all requests of its scope are too early.

    Attributes:
        answer: The 429 that told it, without its Retry-After.
        seconds: How long it is.
        form: seconds or date.
        until: When it ends.
    """

    answer: Answer
    seconds: float
    form: str
    until: float = 0


class RateLimiter:
    """Counts the API's requests; times are Clover's, in epoch seconds."""

    def __init__(self) -> None:
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)
        self._running: Counter[str] = Counter()
        self._holds: dict[str, Hold] = {}

    @contextmanager
    def running(self, token: str) -> Iterator[None]:
        """Count a request as running."""
        self._running.update((token, APP))
        try:
            yield
        finally:
            self._running.subtract((token, APP))

    def refuse_early(self, token: str, now: float) -> Answer | None:
        """Refuse a request that comes before a wait is over.

        Who calls earlier waits longer, Clover's staff say; here twice as long.
        """
        for scope in (token, APP):
            hold = self._holds.get(scope)
            if hold and now < hold.until:
                return self.hold(scope, replace(hold, seconds=2 * hold.seconds), now)
        return None

    def refuse(self, token: str, now: float, options: Options) -> Answer | None:
        """Refuse a request that is one too many."""
        scopes = ((token, "token"), (APP, "app"))
        for scope, _ in scopes:
            times = self._times[scope]
            times.append(now)
            while times[0] <= now - 1:
                times.popleft()
        for scope, limit in scopes:
            if len(self._times[scope]) > options.limits.get(limit, math.inf):
                return too_many(limit, options.limits)
        for scope, kind in scopes:
            limit = f"{kind}-concurrent"
            if self._running[scope] > options.limits.get(limit, math.inf):
                answer = too_many(limit, options.limits)
                wait = options.concurrent_wait_seconds
                return self.hold(scope, Hold(answer, wait, options.retry_after_form), now)
        return None

    def hold(self, scope: str, hold: Hold, now: float) -> Answer:
        """Let a scope wait, and tell how long."""
        self._holds[scope] = replace(hold, until=now + hold.seconds)
        headers = retry_after(hold.seconds, now, hold.form)
        return replace(hold.answer, headers={**hold.answer.headers, **headers})


def too_many(limit: str, limits: Mapping[str, int]) -> Answer:
    """Answer 429, with the header that names the limit."""
    answer = say(HTTPStatus.TOO_MANY_REQUESTS, "429 Too Many Requests")
    number = limits.get(limit, CLOVERS_LIMITS[limit])
    return replace(answer, headers={**answer.headers, HEADERS[limit]: str(number)})
