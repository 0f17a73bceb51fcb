"""The tap as Meltano runs it: into a real PostgreSQL, from the local Clover, twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from tap_clover_export.demo.project import LOADER, TAP, MeltanoError, Project
from tap_clover_export.simulator import Clock, Options, Simulator
from tests.runs.test_readme_sql import COLLECTED, COMPLETE, REFUNDS, SOLD
from tests.support.meltano import ForkedProject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_clover_export.demo.postgres import Database
    from tap_clover_export.simulator import Export

pytestmark = pytest.mark.timeout(300)

DAY = 86_400_000
MERCHANTS = {"SHOPONE1": "token-one", "SHOPTWO2": "token-two"}
NEXT = datetime.now(UTC).replace(microsecond=0)
FIRST = NEXT - timedelta(hours=20)
START = FIRST - timedelta(days=20)


@dataclass(frozen=True)
class Act:
    """What one run asked Clover for, what PostgreSQL then held and what Clover held."""

    exports: list[Export]
    loaded: dict[str, dict[str, int]]
    books: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Story:
    """What two runs a day apart left behind."""

    database: Database
    project: Project
    acts: list[Act]


@pytest.fixture(scope="module")
def clover() -> Iterator[Simulator]:
    """Serve a local Clover whose clock stands until it is moved."""
    options = Options(MERCHANTS, days=20, orders_per_day=20, odd=True, max_concurrent=3)
    clock = Clock(FIRST.timestamp(), frozen=True)
    with Simulator(options, clock=clock) as running:
        yield running


@pytest.fixture(scope="module")
def project(
    clover: Simulator, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """Install the project; its settings stand in the environment, as a scheduler has them."""
    merchants = [{"merchant_id": name, "access_token": token} for name, token in MERCHANTS.items()]
    settings = {
        "TAP_CLOVER_EXPORT_MERCHANTS": json.dumps(merchants),
        "TAP_CLOVER_EXPORT_API_URL": clover.url,
        "TAP_CLOVER_EXPORT_START_DATE": START.isoformat(),
        "TAP_CLOVER_EXPORT_LOOKBACK_DAYS": "0.5",
        "TAP_CLOVER_EXPORT_WINDOW_DAYS": "7",
        "TAP_CLOVER_EXPORT_MAX_CONCURRENT_EXPORTS": "2",
        "TAP_CLOVER_EXPORT_POLL_INTERVAL_SECONDS": "0.5",
        "TARGET_POSTGRES_SQLALCHEMY_URL": database.sqlalchemy_url,
    }
    project = ForkedProject(tmp_path_factory.mktemp("meltano"), settings)
    project.install(TAP, LOADER)
    return project


@pytest.fixture(scope="module")
def story(clover: Simulator, database: Database, project: Project) -> Story:
    """Run twice, a day apart."""
    acts = []
    for moment in (FIRST, NEXT):
        clover.clock.set(moment.timestamp())
        asked = len(clover.exports)
        project.run(TAP_CLOVER_EXPORT_END_DATE=moment.isoformat())
        acts.append(Act(clover.exports[asked:], counts(database), clover.books()))
    return Story(database, project, acts)


def counts(database: Database) -> dict[str, dict[str, int]]:
    """Count what is loaded and sum it up, each merchant as the books do."""
    rows = database.query(
        """
        select merchant_id, count(*) as orders, 0 as payments, sum(total) as total,
            0 as amount, 0 as tip, count(distinct id) as ids
        from clover.orders group by 1
        union all
        select merchant_id, 0, count(*), 0, sum(amount), sum("tipAmount"), count(distinct id)
        from clover.payments group by 1
        """
    )
    sums = {name: dict.fromkeys(rows[0]._fields[1:], 0) for name in MERCHANTS}
    for row in rows:
        for name, value in row._asdict().items():
            if name != "merchant_id":
                sums[row.merchant_id][name] += int(value or 0)
    return sums


@pytest.mark.parametrize("run", [0, 1])
def test_every_record_is_there_once_and_sums_equal_the_books(story: Story, run: int) -> None:
    """What Clover holds is what PostgreSQL holds, after each run."""
    for merchant, held in story.acts[run].books.items():
        loaded = story.acts[run].loaded[merchant]
        assert loaded["ids"] == loaded["orders"] + loaded["payments"]
        for name in ("orders", "payments", "total", "amount", "tip"):
            assert loaded[name] == held[name], (merchant, name)


def test_the_second_run_exports_only_what_is_missing(story: Story) -> None:
    """The second run asks for one export a stream and merchant, from the look-back on."""
    first, second = story.acts
    assert len(second.exports) == len(MERCHANTS) * 2
    start = (FIRST - timedelta(days=0.5)).timestamp() * 1000
    end = NEXT.timestamp() * 1000
    assert {(export.start, export.end) for export in second.exports} == {(start, end)}
    assert second.loaded["SHOPONE1"]["orders"] > first.loaded["SHOPONE1"]["orders"]


def test_numbers_come_through_the_environment(story: Story) -> None:
    """Window and look-back, given as text, are kept to."""
    exports = story.acts[0].exports
    assert len(exports) == 3 * len(MERCHANTS) * 2
    assert max(export.end - export.start for export in exports) == 7 * DAY


def test_odd_values_arrive(story: Story) -> None:
    """What no warehouse takes is mended or stands under additional_fields."""
    odd = {
        (row.total, json.dumps(row.kept, sort_keys=True))
        for row in story.database.query(
            "select total, additional_fields as kept from clover.orders "
            "where additional_fields is not null and merchant_id = 'SHOPONE1'"
        )
    }
    assert (None, '{"total": 12345678901234567890}') in odd
    assert (None, '{"total": "12"}') in odd
    (row,) = story.database.query(
        "select count(*) from clover.orders where note = %s and merchant_id = 'SHOPONE1'",
        "before\ufffdafter",
    )
    assert row.count == 1
    (row,) = story.database.query(
        "select max(total) as most from clover.orders where merchant_id = 'SHOPONE1'"
    )
    assert row.most == 9_007_199_254_740_993


@pytest.mark.parametrize("question", [COLLECTED, SOLD, REFUNDS, COMPLETE])
def test_the_documents_questions_have_answers(story: Story, question: str) -> None:
    """Of what the loader made of Clover's records, odd ones among them."""
    with psycopg.connect(story.database.conninfo) as connection:
        assert connection.execute(question.encode()).fetchall()


def test_meltano_holds_the_state(story: Story) -> None:
    """The state that Meltano keeps stands at the run's end."""
    bookmarks = story.project.state()["singer_state"]["bookmarks"]
    reached = {
        (stream, partition["context"]["merchant_id"]): partition["replication_key_value"]
        for stream, bookmark in bookmarks.items()
        for partition in bookmark["partitions"]
    }
    assert reached == {
        (stream, merchant): NEXT.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        for stream in ("orders", "payments")
        for merchant in MERCHANTS
    }


def test_a_deselected_field_stays_out_of_the_warehouse(story: Story) -> None:
    """Meltano's `select` keeps card data out."""
    story.project.run(
        "--state-id-suffix=select",
        TAP_CLOVER_EXPORT__SELECT='["payments.*", "!payments.cardTransaction"]',
        TAP_CLOVER_EXPORT_START_DATE=FIRST.isoformat(),
        TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA="selected",
    )
    columns = {
        (row.table_name, row.column_name)
        for row in story.database.query(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'selected'"
        )
    }
    assert ("payments", "amount") in columns
    assert ("payments", "cardTransaction") not in columns
    assert {table for table, _ in columns} == {"payments"}


def test_a_refused_token_fails_the_run_and_is_not_shown(story: Story) -> None:
    """A wrong token ends Meltano's run with a sentence that names the merchant."""
    token = "a-token-of-nobody"
    merchants = json.dumps([{"merchant_id": "SHOPONE1", "access_token": token}])
    with pytest.raises(MeltanoError, match="SHOPONE1") as failure:
        story.project.run("--state-id-suffix=refused", TAP_CLOVER_EXPORT_MERCHANTS=merchants)
    assert token not in str(failure.value)
    assert "is no setting" not in str(failure.value)  # of a variable that Meltano made


def test_json_lines(story: Story, tmp_path: Path) -> None:
    """Target-jsonl of the same project works too."""
    story.project.meltano(
        "run",
        TAP,
        "target-jsonl",
        TAP_CLOVER_EXPORT_START_DATE=FIRST.isoformat(),
        TARGET_JSONL_DESTINATION_PATH=str(tmp_path),
    )
    kept = {
        path.name.split("-")[0]: len(path.read_text().splitlines()) for path in tmp_path.iterdir()
    }
    assert set(kept) == {"orders", "payments", "exports"}
    assert min(kept.values()) > 0
