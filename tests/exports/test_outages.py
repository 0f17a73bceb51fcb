"""How long faults may come in a row, and what breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_clover_export.clover.responses import ExportAnswer
from tap_clover_export.errors import TransientError
from tap_clover_export.exports.backoff import OUTAGE_ATTEMPTS, OUTAGE_SECONDS
from tap_clover_export.exports.export import Export, Stage
from tap_clover_export.exports.exporter import Exporter
from tap_clover_export.exports.outcomes import Failed, Finished, Moved
from tests.support.plans import work

if TYPE_CHECKING:
    from tap_clover_export.exports.outcomes import Outcome


class Clover:
    """Answers polls, or fails them; no file can be had."""

    time = 0.0
    fails = False

    def now(self) -> float:
        """The time."""
        return self.time

    monotonic = now

    def poll(self, *_: object) -> ExportAnswer:
        """Name a file, if it answers."""
        if self.fails:
            raise TransientError("502 Bad Gateway")
        return ExportAnswer("E", "DONE", urls=("https://files/1",))

    def download(self, *_: object) -> int:
        """Fail."""
        raise TransientError("502 Bad Gateway")


class Attempts:
    """An export whose files were named, tried again and again."""

    def __init__(self) -> None:
        self.clover = Clover()
        self.exporter = Exporter(self.clover, self.clover, poll_interval=1, timeout=1e9)  # type: ignore[arg-type]
        plan = work(behind=1)
        planned = next(plan.exports())
        self.export = Export(plan.partition, planned.window, planned.priority, Stage.POLL, id="E")
        self.poll()

    def poll(self, *, fails: bool = False) -> Outcome:
        """Poll once."""
        self.clover.fails, self.export.stage = fails, Stage.POLL
        outcome = self.exporter.advance(self.export)
        if isinstance(outcome, Finished):
            self.export.link(outcome.urls, self.clover.time)
        return outcome

    def fetch(self) -> Outcome:
        """Fetch once."""
        self.export.stage = Stage.DOWNLOAD
        outcome = self.exporter.advance(self.export)
        self.export.discard()
        return outcome


@pytest.mark.parametrize("answered", [True, False])
def test_a_poll_that_is_answered_ends_a_row_of_polls(*, answered: bool) -> None:
    """Also where files were named before: Clover can be reached."""
    tries, outcomes = Attempts(), []
    for _ in range(OUTAGE_ATTEMPTS):
        outcomes.append(tries.poll(fails=True))
        tries.clover.time += OUTAGE_SECONDS / (OUTAGE_ATTEMPTS - 2)
        if answered:
            assert isinstance(tries.poll(), Finished)
    assert isinstance(outcomes[-1], Moved if answered else Failed)


def test_a_poll_that_is_answered_ends_no_row_of_files() -> None:
    """A host whose files can't be had is an outage, however well Clover tells of them."""
    tries, outcomes = Attempts(), []
    for _ in range(OUTAGE_ATTEMPTS):
        outcomes.append(tries.fetch())
        tries.clover.time += OUTAGE_SECONDS / (OUTAGE_ATTEMPTS - 2)
        assert isinstance(tries.poll(), Finished)
    assert isinstance(outcomes[-2], Moved)
    assert isinstance(outcomes[-1], Failed)
