"""Whose clock the opening hours go by."""

from __future__ import annotations

import dataclasses

import pytest

from tap_clover_export import times
from tap_clover_export.errors import ServiceUnavailableError
from tap_clover_export.exports.export import Export, Stage
from tap_clover_export.exports.exporter import Exporter
from tap_clover_export.exports.outcomes import Refused
from tests.support.plans import NOW, work

HOURS = "MON-SUN 10:00-15:00"


@dataclasses.dataclass
class Unavailable:
    """A Clover that answers 503 to everything, nine hours ahead of this machine."""

    time: float = NOW.add(hours=6).timestamp()

    def now(self) -> float:
        """The time of this machine."""
        return self.time

    monotonic = now

    def create(self, *_: object) -> None:
        """Refuse without a date."""
        raise ServiceUnavailableError(HOURS, None)

    def poll(self, *_: object) -> None:
        """Refuse with one."""
        raise ServiceUnavailableError("", None, times.from_seconds(self.time + 9 * 3600))

    download = poll


@pytest.mark.parametrize(("stage", "minutes"), [(Stage.POLL, 30), (Stage.DOWNLOAD, 16 * 60)])
def test_the_file_hosts_clock_is_its_own(stage: Stage, minutes: int) -> None:
    """Only the API tells Clover's time; where that differs, Clover is asked again soon."""
    clover = Unavailable()
    exporter = Exporter(clover, clover, poll_interval=1, timeout=1e9)  # type: ignore[arg-type]
    plan = work(behind=1)
    planned = next(plan.exports())
    export = Export(plan.partition, planned.window, planned.priority, stage, id="E")
    export.urls = ("https://files/1",)
    export.linked = clover.time
    exporter.advance(export)
    export.forget()
    outcome = exporter.advance(export)
    assert isinstance(outcome, Refused)
    assert outcome.pause == minutes * 60
