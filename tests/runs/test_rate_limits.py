"""429: whoever is limited waits until the time is over, nobody else does, and nobody fails."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tap_clover_export.simulator import Options, Simulator
from tap_clover_export.simulator.options import CLOVERS_LIMITS
from tests.support.harness import ONE, TOKENS, TWO, assert_whole, clover, sync

if TYPE_CHECKING:
    from tap_clover_export.simulator.api.routes import Request

API = ("create", "poll")


def _after_the_refusal(simulator: Simulator) -> tuple[Request, list[Request]]:
    """The request that was answered 429, and those to the API that came after it."""
    asked = [request for request in simulator.requests if request.kind in API]
    at = next(place for place, request in enumerate(asked) if request.status == 429)
    return asked[at], asked[at + 1 :]


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("where", API)
@pytest.mark.parametrize("scope", list(CLOVERS_LIMITS))
def test_who_is_limited_waits(scope: str, where: str, form: str) -> None:
    """By the token a merchant's requests wait, of both streams; by the app everybody's."""
    with clover(merchants=(ONE, TWO), max_concurrent=4) as simulator:
        told = f"scope={scope};retry-after=47;form={form}"
        simulator.faults.add(f"{where}[{ONE}/ORDERS]:429:{told}*1")
        outcome = sync(simulator, max_concurrent_exports=4)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert simulator.too_early == []
        refused, later = _after_the_refusal(simulator)
        over = [request for request in later if request.time >= refused.time + 46]
        meanwhile = {request.merchant for request in later} - {r.merchant for r in over}
        assert all(r.merchant == TWO for r in later if r not in over)
        assert meanwhile == ({TWO} if scope.startswith("token") else set())
        assert min(r.time for r in over) <= refused.time + 49


@pytest.mark.parametrize("scope", ["token", "app"])
def test_limits_of_an_hour_are_no_outage(scope: str) -> None:
    """Six waits of ten minutes, one after the other, fail no merchant."""
    with clover(merchants=(ONE, TWO), max_concurrent=4) as simulator:
        simulator.faults.add(f"any[{ONE}]:429:scope={scope};retry-after=600*5")
        outcome = sync(simulator, max_concurrent_exports=2, max_wait_hours=0)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        assert simulator.too_early == []


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_busy_region_s_retry_after(form: str) -> None:
    """Its time is waited for by all that would ask for an export."""
    options = {"busy_retry_after": 77, "retry_after_form": form, "merchants": (ONE, TWO)}
    with clover(**options, max_concurrent=4, export_seconds=5) as simulator:
        simulator.faults.add(f"create[{TWO}/ORDERS]:busy*1")
        outcome = sync(simulator, max_concurrent_exports=4)
        assert outcome.code == 0, outcome.log
        assert_whole(outcome, simulator)
        asked = [request for request in simulator.requests if request.kind == "create"]
        at = next(place for place, request in enumerate(asked) if request.status == 503)
        assert 76 <= asked[at + 1].time - asked[at].time <= 79


def test_what_clover_allows_is_never_reached() -> None:
    """With ten exports at a time and real threads no request is one too many."""
    merchants = TOKENS | {f"M{number:012}": f"token-{number}" for number in range(3)}
    options = Options(
        merchants=merchants,
        days=60,
        orders_per_day=2,
        max_concurrent=10,
        limits=CLOVERS_LIMITS,
        unknown_fields=False,
    )
    with Simulator(options) as simulator:
        outcome = sync(
            simulator,
            clock=_Real(simulator),  # type: ignore[arg-type]
            workers=11,
            max_concurrent_exports=10,
        )
        assert outcome.code == 0, outcome.log
        assert not [request for request in simulator.requests if request.status == 429]
        times = [request.time for request in simulator.requests if request.kind in API]
        assert all(b - a > 1 for a, b in zip(times, times[50:], strict=False))
        assert any(b - a < 1 for a, b in itertools.pairwise(times))


class _Real:
    """The machine's own clock, which the local Clover goes by."""

    def __init__(self, simulator: Simulator) -> None:
        self.now = self.monotonic = simulator.clock.now
        self.sleep = lambda _: None
