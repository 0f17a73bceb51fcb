"""`--test`: whether each merchant's token may export, by one harmless request each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.singer import cli
from tests.support.harness import ONE, TWO, JumpingClock, Tap, clover, config_for

if TYPE_CHECKING:
    from tap_clover_export.simulator import Simulator


def check(simulator: Simulator) -> tuple[bool, list[str]]:
    """Whether all is accepted, and what is said."""
    clock = JumpingClock(simulator.clock)
    tap = Tap(clock, 0, config=config_for(simulator))
    said: list[str] = []
    accepted = cli.check(tap.run.client, tap.settings.merchants, clock, said.append)
    tap.run.client.close()
    return accepted, said


@pytest.mark.parametrize("missing", ["read-orders", "read-payments", "exports"])
def test_a_permission_that_an_export_needs(missing: str) -> None:
    """It is told by the answer to a request that needs what an export needs."""
    with clover(merchants=(ONE, TWO), missing_permissions={TWO: {missing}}) as simulator:
        accepted, said = check(simulator)
        assert not accepted
        assert said[0] == f"{ONE} (sandbox): accepted."
        assert said[1].startswith(f"{TWO} (sandbox): refused (401 Unauthorized: ")
        assert said[1].count(TWO) == said[1].count("refused") == 1
        request = next(r for r in simulator.requests if f"/{TWO}/" in r.path)
        assert f"request {request.request_id}" in said[1]
        for name in ("Read orders", "Read payments", "Export API", "installed again"):
            assert name in said[1]
        assert not simulator.exports


def test_a_permission_that_no_export_needs() -> None:
    """Reading the merchant's own data needs another permission, which is not asked for."""
    with clover(missing_permissions={ONE: {"read-merchant"}}) as simulator:
        assert check(simulator) == (True, [f"{ONE} (sandbox): accepted."])


@pytest.mark.parametrize(
    ("fault", "waits"),
    [("429:retry-after=30", True), ("503", True), ("busy:retry-after=5", True), ("503*99", False)],
)
def test_what_passes_is_waited_for(fault: str, *, waits: bool) -> None:
    """A 429 or a 503 says nothing of the token; one that stays is told as not reachable."""
    with clover() as simulator:
        simulator.faults.add(f"any:{fault}" + ("" if "*" in fault else "*2"))
        accepted, said = check(simulator)
        assert accepted is waits
        assert ("accepted" if waits else "not reachable: 503") in said[0]


def test_clovers_own_words_are_told() -> None:
    """Also with a fixed token, which can't be refreshed."""
    options: dict[str, Any] = {
        "missing_permissions": {ONE: {"exports"}},
        "refused_words": "Merchant account is closed",
    }
    with clover(**options) as simulator:
        accepted, said = check(simulator)
        assert not accepted
        assert "Merchant account is closed" in said[0]
