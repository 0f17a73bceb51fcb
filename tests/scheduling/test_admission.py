"""Admission: how many exports a region takes, when it takes any, and who may be asked when."""

from __future__ import annotations

import itertools
import logging
import math
from typing import TYPE_CHECKING, Literal

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export import times
from tap_clover_export.clover.unavailable import LOOK_AGAIN
from tap_clover_export.exports.backoff import LONGEST_BUSY, OUTAGE_SECONDS
from tap_clover_export.exports.export import Export, Stage
from tap_clover_export.exports.outcomes import (
    Accepted,
    Finished,
    Moved,
    RateLimited,
    Refused,
    Working,
)
from tap_clover_export.planning.hours import TABLE
from tap_clover_export.scheduling.admission import (
    APP_BUDGET,
    LIMITED_SECONDS,
    PROBE_SECONDS,
    REMIND_SECONDS,
    SHORT_SECONDS,
    TOKEN_BUDGET,
    Admission,
)
from tap_clover_export.scheduling.at_clover import PLACE_SECONDS
from tap_clover_export.scheduling.limits import Limits
from tap_clover_export.scheduling.scopes import UNANSWERED, Budget
from tests.support.plans import work

if TYPE_CHECKING:
    from tap_clover_export.exports.outcomes import Outcome
    from tap_clover_export.scheduling.scopes import Region

OPENING = pendulum.datetime(2026, 3, 3, 10)
NOW = times.to_ms(pendulum.datetime(2026, 3, 2, 16)) / 1000
CREATED = times.from_seconds(NOW)
UNTIL_OPENING = 18 * 3600.0
HOUR = 3600.0

WAITING = (
    "Waiting for region us until 2026-03-03T10:00:00.000Z: "
    "it accepts exports MON-SUN 10:00-15:00 UTC."
)
ACCEPTED = Accepted("E1", CREATED)
BUSY = Refused(closed=False)
DONE = Finished(("https://files/1",), CREATED)


def _closed(pause: float | None = UNTIL_OPENING) -> Refused:
    return Refused(closed=True, pause=pause, hours=TABLE["us"])


class Clock:
    """A clock that is moved by hand; the wall's begins at `NOW`."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return NOW + self.time

    def monotonic(self) -> float:
        """Seconds since the test began."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Move."""
        self.time += seconds


class Desk:
    """An admission and what is asked of it."""

    def __init__(self, slots: int = 5, max_wait: float = math.inf) -> None:
        self.clock = Clock()
        self.admission = Admission(self.clock, Limits(slots=slots, max_wait=max_wait))
        self.us = self.region("us")

    def export(self, merchant: str = "M1", region: str = "us") -> Export:
        """A window of a merchant's orders."""
        plan = work(merchant, region=region, behind=1)
        planned = next(plan.exports())
        return Export(plan.partition, planned.window, planned.priority)

    def region(self, name: str) -> Region:
        """A region."""
        return self.admission.region(self.export(region=name))

    def request(self, outcome: Outcome, export: Export | None = None) -> Export:
        """Ask for an export and be answered at once."""
        export = export or self.export()
        self.admission.start(export, creating=True)
        self.admission.answer(export, outcome, creating=True)
        return export

    def poll(self, export: Export, outcome: Outcome) -> None:
        """Poll an export and be answered at once."""
        export.stage = Stage.POLL
        self.admission.start(export, creating=False)
        self.admission.answer(export, outcome, creating=False)

    def free(self, region: Region | None = None) -> bool:
        """Whether a region may be asked for an export now."""
        return self.admission.slot_at(region or self.us) <= self.clock.time


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the log says."""
    caplog.set_level(logging.INFO, "tap-clover-export.exports")
    return caplog


# Slots


@pytest.mark.parametrize("slots", [1, 2, 7])
def test_slots_are_the_setting(slots: int) -> None:
    """As many exports run as the setting allows, no more, however long that is."""
    desk = Desk(slots)
    exports = []
    for _ in range(slots):
        assert desk.free()
        exports.append(desk.request(ACCEPTED))
    for desk.clock.time in (0.0, 1e9):
        for export in exports:
            desk.poll(export, Working(5.0))
        assert not desk.free()
    desk.poll(exports[0], DONE)
    assert desk.free()


def test_the_setting_counts_over_all_regions() -> None:
    """Exports of one region take the places of another's; their limits stay their own."""
    desk = Desk(2)
    desk.request(ACCEPTED)
    other = desk.request(ACCEPTED, desk.export(region="eu"))
    assert not desk.free()
    assert not desk.free(desk.region("eu"))
    desk.poll(other, DONE)
    assert desk.free()
    assert desk.admission.running == 1


def test_an_export_is_counted_once() -> None:
    """What is at Clover is a set: resumed, polled and refused again, it takes one place."""
    desk = Desk(2)
    export = desk.request(ACCEPTED)
    for outcome in (Working(1.0), Refused(closed=True, pause=1.0), RateLimited("app"), Working(1)):
        desk.us.at_clover.hold(export, desk.clock.time)
        desk.poll(export, outcome)
        assert desk.admission.running == 1
    for _ in range(3):
        desk.poll(export, Working(2.0, finished=True))
        assert desk.admission.running == 0


@pytest.mark.parametrize("outcome", [BUSY, _closed(), RateLimited("token"), Moved(Stage.CREATE)])
def test_a_request_that_is_not_accepted_takes_no_place(outcome: Outcome) -> None:
    """Only an accepted export is at Clover."""
    desk = Desk()
    desk.request(outcome)
    assert desk.admission.running == 0


@pytest.mark.parametrize(("slots", "taken"), [(5, 3), (5, 1), (5, 4), (2, 1)])
def test_refused_as_busy_lowers_the_limit(slots: int, taken: int) -> None:
    """What is in progress when Clover refuses is what it takes."""
    desk = Desk(slots)
    for _ in range(taken):
        desk.request(ACCEPTED)
    desk.request(BUSY)

    assert desk.us.limit == taken
    assert desk.admission.slot_at(desk.us) == PROBE_SECONDS


@pytest.mark.parametrize("slots", [1, 5])
def test_one_is_always_tried(slots: int) -> None:
    """Where nothing is in progress and Clover refuses, one export is tried again, soon."""
    desk = Desk(slots)
    desk.request(BUSY)

    assert desk.us.limit == 1
    assert 0 < desk.admission.slot_at(desk.us) <= 1


def test_the_limit_probes_up_slowly() -> None:
    """After a refusal the limit rises by one a minute, and only where it is reached."""
    desk = Desk(4)
    desk.clock.time = 100
    desk.request(ACCEPTED)
    desk.request(BUSY)
    assert desk.us.limit == 1
    for taken in (1, 2, 3):
        desk.clock.time += PROBE_SECONDS - 0.001
        assert not desk.free()
        desk.clock.time += 0.001
        assert desk.free()
        desk.request(ACCEPTED)
        assert desk.us.limit == taken + 1
    assert not desk.free()


def test_a_place_that_nobody_can_ask_after_is_given_back() -> None:
    """Minutes after it should have been polled an export takes no place any more."""
    desk = Desk(1)
    export = desk.request(ACCEPTED)
    desk.poll(export, Working(5.0))
    for _ in range(9):
        desk.clock.time += PLACE_SECONDS / 10
        desk.poll(export, RateLimited("token", 30.0))
        assert not desk.free()
    desk.clock.time = 2 * PLACE_SECONDS
    assert desk.free()
    desk.poll(export, Working(5.0))
    assert not desk.free()


def test_a_region_is_not_given_up_while_nobody_asks_it() -> None:
    """Time in which our own exports elsewhere took every place is no wait for Clover."""
    desk = Desk(max_wait=HOUR)
    desk.request(_closed(60.0))
    desk.clock.time = 10 * HOUR
    assert desk.admission.lost(desk.us) is None
    desk.request(_closed(60.0))
    assert desk.admission.lost(desk.us) is None
    for _ in range(60):
        desk.clock.time += 60
        desk.request(_closed(60.0))
    assert desk.admission.lost(desk.us)


def test_a_wait_begins_again_after_an_opening_that_nobody_used() -> None:
    """Held up by our own work for hours, a region may have been open; by a limit it was not."""
    desk = Desk(max_wait=26 * HOUR)
    desk.request(_closed(20 * HOUR))
    desk.clock.time = 20 * HOUR + LOOK_AGAIN.total_seconds()
    desk.request(_closed(60.0))
    assert desk.us.since == LOOK_AGAIN.total_seconds()
    desk.clock.time = 24 * HOUR
    desk.request(_closed(20 * HOUR))
    assert desk.us.since == 24 * HOUR
    desk.clock.time = 44 * HOUR
    export = desk.request(RateLimited("token", 2 * HOUR))
    desk.clock.time = 46 * HOUR
    desk.request(_closed(20 * HOUR), export)
    assert desk.us.since == 24 * HOUR
    assert desk.admission.lost(desk.us) is None
    desk.clock.time = 50 * HOUR
    assert desk.admission.lost(desk.us)


def test_no_wait_at_all_is_a_growing_one() -> None:
    """A Retry-After of 0 is no leave to ask again at once."""
    desk, pauses = Desk(), []
    for _ in range(8):
        desk.request(Refused(closed=False, pause=0.0))
        pauses.append(desk.us.not_before - desk.clock.time)
        desk.clock.time = desk.us.not_before
    assert pauses[0] > 0
    assert pauses[-1] > 30


def test_room_below_the_limit_needs_no_probe() -> None:
    """Where a place is free the limit stays as it is, however much time passed."""
    desk = Desk(4)
    export, _ = desk.request(ACCEPTED), desk.request(ACCEPTED)
    desk.request(BUSY)
    desk.poll(export, DONE)
    assert desk.free()
    desk.clock.time = 1e9
    desk.request(ACCEPTED)

    assert desk.us.limit == 2


def test_a_refused_probe_lowers_the_limit_again() -> None:
    """A probe that is refused costs another minute."""
    desk = Desk(4)
    desk.request(ACCEPTED)
    desk.request(BUSY)
    desk.clock.time = 60
    assert desk.free()
    desk.request(BUSY)

    assert desk.us.limit == 1
    assert desk.admission.slot_at(desk.us) == 120


def test_a_busy_region_lowers_no_other_s_limit() -> None:
    """A limit is a region's own: a busy EU leaves the US its places."""
    desk = Desk(4)
    desk.request(ACCEPTED)
    europe = desk.region("eu")
    desk.request(BUSY, desk.export(region="eu"))

    assert (europe.limit, desk.us.limit) == (1, 4)
    assert not desk.free(europe)
    assert desk.free()


@given(
    st.integers(1, 6),
    st.lists(st.sampled_from(["ask", "refuse", "end", "wait", "minute"]), max_size=40),
)
def test_slots_stay_inside_their_bounds(slots: int, steps: list[str]) -> None:
    """Whatever Clover does: at least one place, never more than the setting allows."""
    desk = Desk(slots)
    running: list[Export] = []
    for step in steps:
        if step in ("ask", "refuse") and desk.free():
            export = desk.request(ACCEPTED if step == "ask" else BUSY)
            running += [export] * (step == "ask")
        elif step == "end" and running:
            desk.poll(running.pop(), DONE)
        desk.clock.time += {"wait": 7.0, "minute": 61.0}.get(step, 0.0)
        for export in running:
            desk.poll(export, Working(5.0))
        assert 1 <= desk.us.limit <= slots
        assert desk.admission.running == len(running) <= slots


# Regions that refuse


def test_an_open_region_says_nothing(said: pytest.LogCaptureFixture) -> None:
    """A region that accepts is not spoken of."""
    desk = Desk()
    desk.request(ACCEPTED)
    desk.clock.time = 1e9
    desk.admission.remind(desk.us)

    assert (desk.us.not_before, desk.us.since) == (0.0, None)
    assert not said.records


def test_a_closed_region_says_until_when_and_why(said: pytest.LogCaptureFixture) -> None:
    """Said once when it closes: the region, until when, and its hours."""
    desk = Desk()
    for second in range(5):
        desk.clock.time = second
        desk.request(_closed(UNTIL_OPENING - second))

    assert said.messages == [WAITING]
    assert desk.us.not_before == UNTIL_OPENING
    assert desk.us.since == 0


def test_a_waiting_region_reminds_every_half_hour(said: pytest.LogCaptureFixture) -> None:
    """It says again every half hour that it still waits, not sooner."""
    desk = Desk()
    desk.request(_closed())
    for second in range(1, 2 * int(REMIND_SECONDS) + 1):
        desk.clock.time = second
        desk.admission.remind(desk.us)

    assert REMIND_SECONDS == 1800
    assert said.messages == [WAITING] * 3


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (_closed(), "it accepts exports MON-SUN 10:00-15:00 UTC"),
        (Refused(closed=True, pause=UNTIL_OPENING), "it is closed"),
        (Refused(closed=False, pause=600.0), "Clover is busy with other exports"),
        (
            Refused(closed=False, pause=600.0, hours=TABLE["us"]),
            "Clover is busy with other exports",
        ),
    ],
)
def test_why_a_region_refuses(refused: Refused, why: str, said: pytest.LogCaptureFixture) -> None:
    """Closed with hours, closed without, busy: each has its words."""
    desk = Desk()
    desk.request(refused, desk.export(region="eu"))

    assert desk.region("eu").why() == why
    until = "2026-03-03T10:00" if refused.closed else "2026-03-02T16:10"
    assert said.messages == [f"Waiting for region eu until {until}:00.000Z: {why}."]


def test_busy_and_closed_are_said_when_they_change(said: pytest.LogCaptureFixture) -> None:
    """A region that goes from busy to closed is said to, at once."""
    desk = Desk()
    busy = Refused(closed=False, pause=UNTIL_OPENING)
    for desk.clock.time, refused in enumerate((busy, _closed(), _closed(), busy)):
        desk.request(refused)

    assert len(said.messages) == 3
    assert ["busy" in message for message in said.messages] == [True, False, True]
    assert desk.us.since == 0


def test_since_is_the_first_refusal_since_the_last_accepted_export() -> None:
    """`max_wait_hours` counts from the first refusal; an accepted export ends the count."""
    desk = Desk(max_wait=1000)
    desk.request(_closed())
    desk.clock.time = 500
    desk.request(_closed())
    assert desk.us.since == 0
    assert desk.admission.lost(desk.us) is None
    desk.clock.time = 1000
    assert desk.admission.lost(desk.us) == (
        "region us did not accept an export within max_wait_hours (it accepts exports MON-SUN "
        "10:00-15:00 UTC); run again when it does, or raise max_wait_hours"
    )
    desk.request(ACCEPTED)
    assert desk.us.not_before == 0
    assert desk.admission.lost(desk.us) is None
    desk.clock.time = 1900
    desk.request(_closed())
    assert desk.us.since == 1900


def test_busy_while_our_own_exports_run_is_no_wait(said: pytest.LogCaptureFixture) -> None:
    """Not even with `max_wait_hours` 0: what Clover is busy with is ours."""
    desk = Desk(max_wait=0)
    export = desk.request(ACCEPTED)
    desk.request(BUSY)
    assert desk.us.since is None
    assert desk.admission.lost(desk.us) is None
    desk.poll(export, DONE)
    desk.request(BUSY)
    assert desk.us.since == 0
    assert desk.admission.lost(desk.us) is not None
    assert said.messages == []


def test_an_accepted_export_is_said_once(said: pytest.LogCaptureFixture) -> None:
    """After a wait the log says that it is over; then the next wait is said again."""
    desk = Desk()
    desk.request(_closed())
    desk.request(ACCEPTED)
    desk.request(ACCEPTED)
    desk.clock.time = 10 * REMIND_SECONDS
    desk.admission.remind(desk.us)
    desk.request(_closed(UNTIL_OPENING - desk.clock.time))

    assert said.messages == [WAITING, "Region us accepts exports again.", WAITING]


def test_hours_are_remembered() -> None:
    """Hours that Clover named once are still said after a refusal without words."""
    desk = Desk()
    desk.request(_closed())
    desk.request(Refused(closed=True, pause=UNTIL_OPENING))

    assert desk.us.hours == TABLE["us"]
    assert desk.us.why() == "it accepts exports MON-SUN 10:00-15:00 UTC"


def test_a_wait_is_not_shortened_by_another_answer() -> None:
    """A later refusal with an earlier time, or none, does not shorten the wait."""
    desk = Desk()
    for refused in (_closed(), _closed(5 * HOUR), BUSY):
        desk.request(refused)
        assert desk.us.not_before == UNTIL_OPENING
    desk.request(_closed(UNTIL_OPENING + HOUR))
    assert desk.us.not_before == UNTIL_OPENING + HOUR


def test_busy_pauses_grow_and_are_bounded() -> None:
    """Without a Retry-After Clover is asked ever less often, every five minutes at the least."""
    desk, pauses = Desk(), []
    for _ in range(20):
        desk.request(BUSY)
        pauses.append(desk.us.not_before - desk.clock.time)
        desk.clock.time = desk.us.not_before
    assert 0.5 <= pauses[0] <= 1
    assert pauses[0] < pauses[3] < pauses[7]
    assert all(LONGEST_BUSY / 2 <= pause <= LONGEST_BUSY for pause in pauses[10:])


@pytest.mark.parametrize("running", [0, 1])
def test_a_busy_region_s_retry_after_is_honoured(running: int) -> None:
    """Clover is not asked for an export before it is over, whether exports of ours run or not."""
    desk = Desk()
    exports = [desk.request(ACCEPTED) for _ in range(running)]
    desk.request(Refused(closed=False, pause=77.0))
    for export in exports:
        desk.poll(export, DONE)

    assert desk.admission.slot_at(desk.us) == 77


def test_a_short_busy_wait_is_no_line(said: pytest.LogCaptureFixture) -> None:
    """Busy for less than a minute is not said, nor its end; from a minute on both are."""
    desk = Desk()
    for _ in range(60):
        desk.request(BUSY)
        desk.clock.time += 30
        desk.admission.remind(desk.us)
        desk.poll(desk.request(ACCEPTED), DONE)
        desk.clock.time += 20
    assert said.messages == []

    desk.request(BUSY)
    desk.clock.time += SHORT_SECONDS
    desk.admission.remind(desk.us)
    desk.request(ACCEPTED)
    assert len(said.messages) == 2


def test_refused_polls_hold_up_polls_alone() -> None:
    """A 503 to a poll is no refusal of an export, and is looked at again within half an hour."""
    desk = Desk(max_wait=0)
    export = desk.request(ACCEPTED)
    desk.poll(export, _closed())

    assert desk.us.polls_not_before == LOOK_AGAIN.total_seconds()
    assert desk.us.since is None
    assert desk.free()


# Regions that do not answer


def _lose(desk: Desk, times: int, *, creating: bool = True) -> None:
    export = desk.export()
    for _ in range(times):
        desk.admission.start(export, creating=creating)
        moved = Moved(export.stage, 1.0, "the connection failed", unanswered=True)
        desk.admission.answer(export, moved, creating=creating)


def test_a_region_that_does_not_answer_is_spared() -> None:
    """After some requests in vain it is asked ever less often, whoever asks."""
    desk = Desk()
    _lose(desk, UNANSWERED)
    assert desk.free()
    _lose(desk, 1)
    assert not desk.free()
    assert desk.us.polls_not_before == desk.us.not_before
    desk.clock.time = desk.us.not_before
    assert desk.free()


def test_a_region_that_does_not_answer_is_given_up() -> None:
    """After twenty minutes without an answer; any answer ends the count."""
    desk = Desk()
    _lose(desk, UNANSWERED + 1)
    desk.clock.time = OUTAGE_SECONDS
    assert desk.admission.lost(desk.us) is None
    desk.clock.time += 1
    words = desk.admission.lost(desk.us)
    assert words
    assert words.startswith("Clover could not be reached for 20 minutes (the connection failed)")
    desk.request(BUSY)
    assert desk.admission.lost(desk.us) is None


def test_polls_in_vain_alone_give_no_region_up() -> None:
    """They may be of one export that holds the last place; a request for another one tells."""
    desk = Desk()
    _lose(desk, UNANSWERED + 1, creating=False)
    desk.clock.time = OUTAGE_SECONDS + 1
    assert desk.admission.lost(desk.us) is None
    _lose(desk, 1)
    assert desk.admission.lost(desk.us) is not None


# Budgets


@pytest.mark.parametrize("budget", [TOKEN_BUDGET, APP_BUDGET])
@given(st.lists(st.floats(0, 0.3), max_size=150))
def test_a_budget_keeps_well_below_clover_s_limits(
    budget: tuple[float, int], answers: list[float]
) -> None:
    """Asked as fast as it lets: in no second more than Clover's limit, nor at a time."""
    bucket, now = Budget(*budget), 0.0
    under_way: list[float] = []
    sent: list[float] = []
    for answer in answers:
        while bucket.free_at() > now:
            now = min(under_way) if bucket.free_at() == math.inf else bucket.free_at()
            for end in [end for end in under_way if end <= now]:
                under_way.remove(end)
                bucket.under_way -= 1
        bucket.start(now)
        under_way.append(now + answer)
        sent.append(now)
        assert bucket.under_way <= {TOKEN_BUDGET: 5, APP_BUDGET: 10}[budget] // 2
    limit = {TOKEN_BUDGET: 16, APP_BUDGET: 50}[budget]
    assert all(late - early > 1 for early, late in zip(sent, sent[limit:], strict=False))


def test_a_token_s_limit_holds_up_all_that_uses_it_and_no_other() -> None:
    """429 by the token: nothing of that merchant before Retry-After is over, polls included."""
    desk = Desk()
    orders, payments, other = desk.export(), desk.export(), desk.export("M2")
    desk.request(RateLimited("token", 47.0), orders)

    for export in (orders, payments):
        assert desk.admission.token_free_at(export) == 47
    assert desk.admission.token_free_at(other) <= 0
    assert desk.admission.app_free_at(other) <= 0


def test_an_app_s_limit_holds_up_all_merchants() -> None:
    """429 by the app: nothing at all before Retry-After is over."""
    desk = Desk()
    desk.poll(desk.request(ACCEPTED), RateLimited("app", 47.0))

    for merchant in ("M1", "M2"):
        assert desk.admission.app_free_at(desk.export(merchant)) == 47


@pytest.mark.parametrize("scope", ["token", "app"])
def test_a_limit_is_not_shortened_by_another_answer(scope: Literal["token", "app"]) -> None:
    """The longest wait that was told counts, whatever an answer says that was under way."""
    desk = Desk()
    first, second = desk.export(), desk.export()
    for export in (first, second):
        desk.admission.start(export, creating=True)
    desk.admission.answer(first, RateLimited(scope, 300.0), creating=True)
    desk.admission.answer(second, RateLimited(scope, 1.0), creating=True)
    free = {"token": desk.admission.token_free_at, "app": desk.admission.app_free_at}[scope]
    assert free(first) == 300
    desk.request(ACCEPTED)
    assert free(first) == 300


def test_a_limit_without_retry_after_grows() -> None:
    """Without a time to wait the pauses double up to five minutes; an answer ends that."""
    desk, pauses = Desk(), []
    export = desk.export()
    for _ in range(12):
        desk.request(RateLimited("token"), export)
        pauses.append(desk.admission.token_free_at(export) - desk.clock.time)
        desk.clock.time += pauses[-1]
    assert pauses[0] <= 1
    assert all(LONGEST_BUSY / 2 <= pause <= LONGEST_BUSY for pause in pauses[10:])
    assert all(late > early for early, late in itertools.pairwise(pauses[:9:2]))
    desk.request(ACCEPTED, export)
    desk.request(RateLimited("token"), export)
    assert desk.admission.token_free_at(export) - desk.clock.time <= 1


def test_a_limit_is_no_outage_and_no_refusal() -> None:
    """However many 429s come, the region is not waited for, spared or given up."""
    desk = Desk(max_wait=0)
    for _ in range(10 * UNANSWERED):
        desk.request(RateLimited("token", 60.0))
        desk.clock.time += 60
    assert desk.clock.time > OUTAGE_SECONDS
    assert desk.admission.lost(desk.us) is None
    assert desk.free()


@pytest.mark.parametrize("max_wait", [0, LIMITED_SECONDS, 5 * LIMITED_SECONDS])
def test_nothing_but_limits_ends_after_max_wait(max_wait: float) -> None:
    """Where nothing but 429 comes for `max_wait_hours`, an hour at the least, it is given up."""
    desk = Desk(max_wait=max_wait)
    export, enough = desk.export(), max(max_wait, LIMITED_SECONDS)
    desk.request(RateLimited("token", 60.0), export)
    desk.clock.time = enough - 61
    desk.request(RateLimited("token", 60.0), export)
    assert desk.admission.limited_for_long(export) is None
    desk.clock.time = enough
    desk.request(RateLimited("token", 60.0), export)
    reason = desk.admission.limited_for_long(export)
    assert reason
    assert reason.startswith(f"Clover answers 429 Too Many Requests alone for {enough // 3600:g}")
    assert desk.admission.limited_for_long(desk.export("M2")) is None
    desk.request(ACCEPTED, export)
    assert desk.admission.limited_for_long(export) is None
