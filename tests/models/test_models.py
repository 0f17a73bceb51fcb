"""The models, built over what the tap wrote: every number is the one of the shops' books."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.demo import marts, page
from tests.models.books import compare
from tests.support.dbt_project import DuckDB, Models, PostgreSQL, columns
from tests.support.harness import TYPES, Outcome, clover, sync

if TYPE_CHECKING:
    from pathlib import Path

    from tap_clover_export.demo.postgres import Database
    from tap_clover_export.simulator import Simulator
    from tests.support.dbt_project import Engine, Row

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="dbt 1.11 does not run on Python 3.14"
)

STREAMS = (*TYPES, "exports")
KINDS_OF_COLUMNS = ("integer", "boolean", "object", "string")
KINDS = ("cafe", "bar", "vat", "yen", "rounding")
SHOPS = {f"{kind.upper():A<13}": kind for kind in KINDS}
APRIL_FIRST = 1_775_044_800.0
"""2026-04-01 12:00 UTC: the clocks went forward on 8 March in the US and on the 29th in Europe."""
LEFT_OUT = ("customers", "title", "externalPaymentId", "cashbackAmount", "cardTransaction")
EXACT = {"clover_sum_tolerance_cents": 0, "clover_rounding_tolerance_cents": 0}
NO_UNIT_TESTS = "--exclude-resource-type=unit_test"
MODELS_AND_SUMS = (
    "--indirect-selection=empty",
    "--select=resource_type:model resource_type:seed sales_overview_adds_up summaries_agree",
)
FAULTS = {
    "tax counted twice": (
        "models/intermediate/int_clover__order_totals.sql",
        "coalesce(lines.tax_cents, 0) as tax_cents",
        "2 * coalesce(lines.tax_cents, 0) as tax_cents",
    ),
    "refunds on the order's day": (
        "models/marts/clover__refunds.sql",
        "    dated.business_day,\n    dated.sold_on,",
        "    coalesce(dated.sold_on, dated.business_day) as business_day,\n    dated.sold_on,",
    ),
    "quantity ignored": (
        "models/intermediate/int_clover__priced_lines.sql",
        "when line_items.unit_qty is null then",
        "when true then",
    ),
    "voids counted": (
        "models/staging/stg_clover__payments.sql",
        "named.result = 'SUCCESS' and named.void_reason is null",
        "named.result = 'SUCCESS'",
    ),
    "days in UTC": (
        "macros/times.sql",
        "timezone({{ time_zone }}, timezone('UTC', {{ utc }}))",
        "{{ utc }}",
    ),
}

ANOTHER_PROJECT = {
    "dbt_project.yml": """
name: another
version: "1.0.0"
profile: clover
model-paths: [models]
seed-paths: [seeds]
seeds:
  clover:
    clover_merchants:
      +enabled: false
""",
    "packages.yml": "packages:\n  - local: PACKAGE\n",
    "models/own_days.sql": "select * from {{ ref('clover', 'clover__sales_overview') }}\n",
}


class Nights:
    """Shops of every kind, and what the tap has written of them so far.

    Args:
        simulator: The local Clover.
    """

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.rows: dict[str, dict[tuple[str, str], Row]] = {stream: {} for stream in STREAMS}
        self.last: Outcome | None = None

    def run(self) -> None:
        """Export what is new, as a loader that updates rows keeps it."""
        self.last = sync(self.simulator, state=self.last.state if self.last else None)
        assert self.last.code == 0, self.last.log
        for stream, rows in self.rows.items():
            for row in self.last.records(stream):
                rows[row["merchant_id"], row["id"]] = row

    def load(self, engine: Engine, *leave_out: str) -> None:
        """Load it all."""
        for stream, rows in self.rows.items():
            engine.load(stream, rows.values(), leave_out)


def shops(**options: Any) -> Any:
    """Shops of every kind until April."""
    merchants = tuple(SHOPS)
    return clover(merchants=merchants, shops=SHOPS, now=APRIL_FIRST, **options)


def test_the_models_say_what_the_books_say(tmp_path: Path) -> None:
    """In DuckDB, columns left out, with odd records and a refund of today on an old order."""
    with shops(days=26, orders_per_day=4, odd=True) as simulator:
        nights = Nights(simulator)
        simulator.refund(next(iter(SHOPS)))
        simulator.clock.advance(60)
        nights.run()
        engine = DuckDB(tmp_path / "warehouse")
        nights.load(engine, *LEFT_OUT)
        models = Models(tmp_path, engine, simulator.shops(), **EXACT)
        models.build(*MODELS_AND_SUMS)
        compared = compare(models, simulator)
    assert compared.differences == []
    assert compared.values > 10_000
    coverage = models.rows("clover__coverage")
    assert len(coverage) == 2 * len(SHOPS)
    for row in coverage:
        assert (row["complete_to"] - row["complete_from"]).days == 27
        assert (row["holes"], row["newest_export_at"] >= row["complete_to"]) == (0, True)


@pytest.fixture(params=["duckdb", "postgres"])
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, database: Database, *, long: bool
) -> Engine:
    """A warehouse of each kind."""
    if not long:
        pytest.skip("make test-models runs it")
    if request.param == "duckdb":
        return DuckDB(tmp_path / "warehouse")
    return PostgreSQL(database, "analytics")


def test_two_nights_with_a_late_refund(engine: Engine, tmp_path: Path) -> None:
    """After each night all is what the books say; the refund is on its own day, the sale on its."""
    with shops(days=60, orders_per_day=25) as simulator:
        nights = Nights(simulator)
        nights.run()
        nights.load(engine)
        models = Models(tmp_path, engine, simulator.shops(), **EXACT)
        models.build()
        compared = [compare(models, simulator)]
        before = {row["order_id"]: row for row in models.rows("int_clover__order_totals")}

        simulator.clock.advance(86_000)
        refund = simulator.refund(next(iter(SHOPS)))
        simulator.clock.advance(400)
        nights.run()
        nights.load(engine)
        models.build(NO_UNIT_TESTS)
        compared.append(compare(models, simulator))
    for comparison in compared:
        assert comparison.differences == []
        assert comparison.values > 100_000
    of_order = f"order_id = '{refund['order']}'"
    (row,) = models.rows("clover__refunds", f"{of_order} and business_day = date '2026-04-02'")
    (order,) = models.rows("int_clover__order_totals", of_order)
    assert row["amount_cents"] == refund["amount"]
    assert row["sold_on"] == before[refund["order"]]["business_day"] == order["business_day"]
    assert row["days_after"] == (row["business_day"] - row["sold_on"]).days > 0
    if isinstance(engine, PostgreSQL):
        hold_report(marts.read(engine.database), models)


def hold_report(read: marts.Marts, models: Models) -> None:
    """What the demo's report adds up is what the Sales Overview says."""
    days = models.rows("clover__sales_overview")
    last = max(row["business_day"] for row in days)
    days = [row for row in days if (last - row["business_day"]).days < marts.DAYS]
    for currency in {row["currency"] for row in days}:

        def total(rows: list[Row], *names: str, currency: str = currency) -> int:
            return sum(
                row[name] or 0 for row in rows if row["currency"] == currency for name in names
            )

        sales = total(days, "gross_sales_cents", "discounts_cents")
        assert total(read.overview, "gross_sales_cents", "discounts_cents") == sales > 0
        assert total(read.hours, "sales_cents") == sales
        assert {row["all_sales_cents"] for row in read.items if row["currency"] == currency} == {
            sales
        }
        collected = total(days, "amount_collected_cents")
        assert total(read.tenders, "amount_collected_cents") == collected
        orders = total(days, "fully_paid_orders", "partly_paid_orders")
        assert total(read.overview, "orders") == total(read.hours, "orders") == orders
    assert read.refunds[0]["days_after"] > 0
    assert "Sales in JPY" in page.to_html(read, datetime(2026, 4, 2, tzinfo=UTC))


def test_faults_in_the_models_are_noticed(tmp_path: Path, *, long: bool) -> None:
    """By the books, each, and by the unit tests of the project itself."""
    if not long:
        pytest.skip("make test-models runs it")
    with shops(days=30, orders_per_day=12) as simulator:
        nights = Nights(simulator)
        nights.run()
        engine = DuckDB(tmp_path / "warehouse")
        nights.load(engine)
        models = Models(tmp_path, engine, simulator.shops(), **EXACT)
        models.build(NO_UNIT_TESTS)
        assert compare(models, simulator).differences == []
        for name, (file, right, wrong) in FAULTS.items():
            path = models.folder / file
            text = path.read_text(encoding="utf-8")
            assert text.count(right) == 1, name
            path.write_text(text.replace(right, wrong), encoding="utf-8")
            tested = models.run("test", "--select=test_type:unit")
            assert tested.returncode == 1, name
            assert "FAIL" in tested.stdout, name
            models.run("run")
            assert compare(models, simulator).differences != [], name
            path.write_text(text, encoding="utf-8")


def test_what_is_not_loaded_is_survived(engine: Engine, tmp_path: Path) -> None:
    """Tables without any column but the keys, without rows, and no tables at all."""
    models = Models(tmp_path, engine, [])
    for stream in TYPES:
        everything = columns(stream, {kind: kind for kind in KINDS_OF_COLUMNS})
        rows: list[Row] = [{"merchant_id": "M", "id": "X"}]
        engine.load(stream, rows, [name for name in everything if name not in rows[0]])
    models.build(NO_UNIT_TESTS)
    (order,) = models.rows("clover__reconciliation", "payment_id is null")
    assert (order["status"], order["business_day"], order["currency"]) == ("paid", None, None)
    for stream in TYPES:
        engine.load(stream, [])
    models.build(NO_UNIT_TESTS)
    assert models.rows("clover__sales_overview") == []
    models.variables["clover_schema"] = "nowhere"
    models.build(NO_UNIT_TESTS)
    for model in ("sales_overview", "line_items", "coverage"):
        assert models.rows(f"clover__{model}") == []
    if isinstance(engine, PostgreSQL):
        assert marts.read(engine.database) == marts.Marts(*[[]] * 10)


def test_another_project_uses_the_models_as_a_package(tmp_path: Path, *, long: bool) -> None:
    """With shops, time zone and schema of its own, and a model on top."""
    if not long:
        pytest.skip("make test-models runs it")
    engine = DuckDB(tmp_path / "warehouse")
    paid = {"merchant_id": "M", "id": "P", "amount": 900, "result": "SUCCESS"}
    paid |= {"createdTime": "2026-03-02T12:00:00.000Z", "order": {"id": "O"}}
    engine.load("payments", [paid])
    engine.load("orders", [{"merchant_id": "M", "id": "O", "currency": "JPY", "total": 900}])
    shop = {"merchant_id": "M", "name": "", "time_zone": "Asia/Tokyo", "day_starts_at": "22:00"}
    models = Models(tmp_path, engine, [shop])
    package = models.folder.rename(tmp_path / "package")
    for name, text in ANOTHER_PROJECT.items():
        file = models.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("PACKAGE", str(package)), encoding="utf-8")
    (package / "seeds").rename(models.folder / "seeds")
    deps = models.run("deps")
    assert deps.returncode == 0, deps.stdout
    models.build()
    assert [str(row["business_day"]) for row in models.rows("own_days")] == ["2026-03-01"]
