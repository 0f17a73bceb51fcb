"""What the log says of a run: how much, how often, and that its numbers are true."""

from __future__ import annotations

import itertools
import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export import times
from tap_clover_export.planning.plan import Partition
from tap_clover_export.progress.log import ProgressLog
from tap_clover_export.progress.stats import RunStats
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.simulator import Clock, Options, Simulator
from tests.support.harness import (
    ONE,
    TUESDAY_NOON,
    TWO,
    TYPES,
    clover,
    command,
    config_for,
    started,
    sync,
)
from tests.support.harness import write_config as config_file

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[2] / "docs" / "logs.md"


@pytest.fixture
def many() -> Iterator[Simulator]:
    """120 merchants with two days of sales each."""
    merchants = {f"SHOP{number:09}": f"token-{number}" for number in range(120)}
    options = Options(
        merchants, days=2, orders_per_day=1, now=TUESDAY_NOON, max_concurrent=5, export_seconds=0
    )
    with Simulator(options, clock=Clock(TUESDAY_NOON, frozen=True)) as running:
        yield running


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the log says."""
    caplog.set_level(logging.INFO)
    return caplog


def lines(said: pytest.LogCaptureFixture, begin: str) -> list[Any]:
    """The records of the log that begin so."""
    return [record for record in said.records if record.getMessage().startswith(begin)]


def test_many_merchants_make_few_lines(many: Simulator) -> None:
    """A run of 120 merchants in which all goes well writes about a dozen lines.

    At LOGLEVEL=DEBUG each export's end is a line, too.
    """
    outcome = sync(many, level=logging.DEBUG)
    assert outcome.code == 0
    assert "Planned: 240 exports of 120 merchants (orders 120, payments 120)" in outcome.log
    assert "240 exports, " in outcome.sentence
    assert len(re.findall(r"(?m)^(?!DEBUG \| ).", outcome.log)) <= 15
    assert len(re.findall(r"(?m)^DEBUG \| Emitted \w+ of merchant", outcome.log)) == 240


def test_sums_come_now_and_then(said: pytest.LogCaptureFixture) -> None:
    """Once a minute, later once in a twentieth of the time; with a true estimate."""
    now = [0.0]
    stats = RunStats(lambda: now[0])
    told = ProgressLog(stats)
    merchants = [
        Merchant(f"SHOP{n}", "us", "http://127.0.0.1", times.from_seconds(0)) for n in range(600)
    ]
    for merchant in merchants:
        stats.planned(Partition(merchant, "orders"), 1)
    for merchant in merchants:
        for _ in range(30):
            now[0] += 1
            told.report_if_due()
        stats.emitted(Partition(merchant, "orders"))
        stats.finished(Partition(merchant, "orders"))
    reports = lines(said, "So far: ")
    assert 40 < len(reports) < 90
    for before, after in itertools.pairwise(reports):
        assert after.seconds - before.seconds >= max(60, 0.05 * after.seconds)
        assert after.exports_emitted > before.exports_emitted
        if after.exports_emitted > 30:
            assert after.seconds + after.seconds_left == pytest.approx(18_000, rel=0.05)


def test_where_nothing_moves_it_says_so_seldom(said: pytest.LogCaptureFixture) -> None:
    """An export of hours leaves a line every ten minutes, later fewer."""
    now = [0.0]
    stats = RunStats(lambda: now[0])
    told = ProgressLog(stats)
    for _ in range(6 * 360):
        now[0] += 10
        told.report_if_due()
    assert 15 < len(lines(said, "So far: ")) <= 36


def test_few_exports_are_told_one_by_one(said: pytest.LogCaptureFixture) -> None:
    """Each export's end says merchant, stream, span, records and seconds; their sum is all."""
    with clover(merchants=(ONE, TWO), days=40) as simulator:
        outcome = sync(simulator)
    ends = lines(said, "Emitted ")
    assert len(ends) == len(simulator.exports) == 8
    asked = {(TYPES[e.stream_name], e.merchant_id, e.export_start, e.export_end) for e in ends}
    assert len(asked) == 8
    for stream in TYPES:
        of_stream = [end for end in ends if end.stream_name == stream]
        assert sum(end.records for end in of_stream) == len(outcome.records(stream))
    assert all(end.seconds >= 0 for end in ends)
    assert lines(said, "Planned: ")[0].exports_planned == 8


def test_the_summary_is_true(said: pytest.LogCaptureFixture) -> None:
    """Exports, records, retries and what is missing are what the local Clover's books say."""
    with clover(merchants=(ONE, TWO), days=40) as simulator:
        simulator.faults.add("poll[/ORDERS]:500*3")
        simulator.faults.add("download[/PAYMENTS]:reset*2")
        simulator.faults.add(f"create[{TWO}/PAYMENTS]:403")
        outcome = sync(simulator)
        assert outcome.code == 1
        found = {record.stream_name: record for record in lines(said, "Summary of ")}
        for stream, kind in TYPES.items():
            row = found[stream]
            assert row.exports_asked == sum(e.type == kind for e in simulator.exports)
            assert row.records == len(outcome.records(stream))
        books = simulator.books()
        assert found["orders"].records == sum(book["orders"] for book in books.values())
        assert found["payments"].records == books[ONE]["payments"]
    assert [found[stream].retries for stream in TYPES] == [3, 2]
    assert [found[stream].exports_missing for stream in TYPES] == [0, 2]
    assert "missing: 2 exports (1 merchant failed)." in found["payments"].getMessage()
    (end,) = lines(said, "The run took ")
    assert (end.merchants_done, end.merchants_failed) == (1, 1)
    assert "1 attempt failed and will be retried: 500 Internal Server Error (1)." in outcome.log
    assert "4 attempts failed: 500 Internal Server Error (2); the connection" in outcome.log


def test_waits_are_counted(said: pytest.LogCaptureFixture) -> None:
    """From the first refusal to the first accepted export, for both streams."""
    evening = TUESDAY_NOON + 4 * 3600
    with clover(region="us", hours=True, now=evening) as simulator:
        assert sync(simulator).code == 0
    for record in lines(said, "Summary of "):
        assert record.waited_seconds == pytest.approx(18 * 3600, abs=5)
        assert "waited 18 h 0 min" in record.getMessage()


def test_an_outage_is_one_line_a_minute(many: Simulator, said: pytest.LogCaptureFixture) -> None:
    """Attempts that fail are told together, once a minute."""
    many.faults.add("create:500*20")
    assert sync(many).code == 0
    troubles: list[Any] = [r for r in said.records if re.search("attempts? failed", r.getMessage())]
    assert "failed and will be retried: " in troubles[0].getMessage()
    assert sum(record.attempts for record in troubles) == 20
    assert len(troubles) < 15


def test_metrics_stay_valid(tmp_path: Path) -> None:
    """Each METRIC line is JSON of the SDK's shape; the counts of a stream add up."""
    with clover(merchants=(ONE, TWO), days=5) as simulator:
        done = command("--config", config_file(tmp_path, config_for(simulator)))
        points = [
            json.loads(line.split("METRIC: ")[1])
            for line in done.stderr.splitlines()
            if "METRIC: " in line
        ]
        for stream in TYPES:
            held = sum(book[stream] for book in simulator.books().values())
            mine = [point for point in points if point["tags"]["stream"] == stream]
            counts = [point["value"] for point in mine if point["metric"] == "record_count"]
            (timer,) = [point for point in mine if point["metric"] == "sync_duration"]
            assert sum(counts) == held
            assert timer["tags"]["status"] == "succeeded"
            assert timer["value"] > 0
        made = len(simulator.exports)
    assert [point["value"] for point in points if point["tags"]["stream"] == "exports"] == [made]
    assert len(points) == 5


def test_every_line_is_json_on_demand(tmp_path: Path) -> None:
    """With the logging configuration of the documents each line is an object with its fields.

    A token that Clover refuses is said once for both streams, and what to do once, at the end.
    """
    yaml = DOCUMENT.read_text().split("```yaml\n")[1].split("```")[0]
    (tmp_path / "log.yml").write_text(yaml)
    with clover(days=5) as simulator:
        settings = config_for(simulator)
        settings["merchants"].append({"merchant_id": TWO, "access_token": "wrong"})
        done = started(
            *("--config", config_file(tmp_path, settings)),
            env={"SINGER_SDK_LOG_CONFIG": str(tmp_path / "log.yml")},
        )
        rows = [json.loads(line) for line in done.stderr.splitlines()]
        ends = [row for row in rows if row["message"].startswith("Emitted")]
        assert {(row["stream_name"], row["extra"]["merchant_id"]) for row in ends} == {
            ("orders", ONE),
            ("payments", ONE),
        }
    assert done.returncode == 1
    assert rows[-1]["message"].startswith("Missing: ")
    assert rows[-1]["level"] == "error"
    assert {row["message"] for row in rows if "metric_info" in row} == {"METRIC"}
    refused = [row["message"] for row in rows if "Clover refused the token" in row["message"]]
    assert [message.partition(":")[0] for message in refused] == [
        f"orders of merchant {TWO}",
        "INCOMPLETE",
        "INCOMPLETE",
        "Missing",
    ]
    assert [message.count("; check") for message in refused] == [0, 0, 0, 1]
    assert all(re.search("request [0-9]+", message) for message in refused)
