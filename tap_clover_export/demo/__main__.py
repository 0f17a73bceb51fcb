"""From nothing to two shops' orders and payments in PostgreSQL, twice."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import requests

from . import marts, page, report
from .clover import LocalClover, local_clover
from .postgres import Database, postgres
from .project import LOADER, MODELS, TAP, MeltanoError, Project

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import LiteralString

MERCHANTS = {"HARBORCAFE001": "harbor-token", "MILLSTREET002": "mill-token"}
DAYS = 75
ORDERS_PER_DAY = 60
REPORT = Path(sys.prefix, "sales.html")
QUIET_HOUR = 10
"""In UTC: both shops are closed and Clover's export service opens in the US."""

LOADED: LiteralString = """
with order_sums as (
    select merchant_id, count(*) as orders, sum(total) as total from clover.orders group by 1
), payment_sums as (
    select merchant_id, count(*) as payments, sum(amount) as amount, sum("tipAmount") as tip,
        sum((
            select sum((refund ->> 'amount')::bigint)
            from jsonb_path_query(refunds, '$.elements[*]') as refund
        )) as refunded
    from clover.payments group by 1
)
select * from order_sums join payment_sums using (merchant_id)
"""
SALES: LiteralString = """\
select date("createdTime" at time zone 'UTC' at time zone 'America/Chicago') as day,
       sum(amount) / 100.0 as dollars
from clover.payments
where result = 'SUCCESS'
group by day
order by day"""
REFUND: LiteralString = """
select id, total, refunds #>> '{elements,0,reason}' as reason, _sdc_extracted_at as arrived
from clover.orders where id = %s and refunds #>> '{elements,0,amount}' is not null
"""
ARRIVED: LiteralString = """
select count(*) from (
    select _sdc_extracted_at from clover.orders union all
    select _sdc_extracted_at from clover.payments
) as records where _sdc_extracted_at >= %s
"""
OVERVIEW: LiteralString = """
select merchant_id, currency, business_day::text, fully_paid_orders, partly_paid_orders,
    gross_sales_cents, discounts_cents, refunds_cents, net_sales_cents, taxes_cents,
    included_taxes_cents, tips_cents, service_charges_cents, surcharges_cents, non_revenue_cents,
    unpaid_cents, amount_collected_cents, average_sale_cents
from analytics.clover__sales_overview order by merchant_id, business_day
"""
COMPLETE: LiteralString = """
select merchant_id, min(complete_to) as complete_to from analytics.clover__coverage group by 1
"""


class Demo:
    """The demo's story.

    Args:
        clover: The local Clover.
        database: Where everything arrives.
        project: What runs the tap and the loader.
    """

    def __init__(self, clover: LocalClover, database: Database, project: Project) -> None:
        self.clover = clover
        self.database = database
        self.project = project
        self.asked = 0
        self.rows = 0

    def load(self, until: datetime) -> datetime:
        """Run Meltano, tell what it did and when it began."""
        say(f"$ meltano run {TAP} {LOADER}")
        began, watch = datetime.now(UTC), time.monotonic()
        self.project.run(TAP_CLOVER_EXPORT_END_DATE=until.isoformat())
        seconds = time.monotonic() - watch
        exports = len(self.clover.exports())
        rows = sum(sums["orders"] + sums["payments"] for sums in self.loaded().values())
        (arrived,) = self.database.query(ARRIVED, began.replace(tzinfo=None))
        say(
            f"  {exports - self.asked} exports asked for, {arrived.count:,} records loaded, "
            f"{rows - self.rows:,} of them new, in {seconds:.0f} s"
        )
        self.asked, self.rows = exports, rows
        return began

    def loaded(self) -> report.Books:
        """Count and sum up what arrived."""
        return {
            row.merchant_id: {name: int(getattr(row, name) or 0) for name in report.WORDS}
            for row in self.database.query(LOADED)
        }

    def compare(self) -> bool:
        """Tell whether what arrived is what Clover holds."""
        loaded, books = self.loaded(), self.clover.books()
        say()
        show(report.comparison(loaded, books))
        return loaded == books

    def show_refund(self, refund: dict[str, Any], began: datetime) -> bool:
        """Tell whether the late refund came with the run that began then."""
        rows = self.database.query(REFUND, refund["order"])
        found = bool(rows) and rows[0].arrived >= began.replace(tzinfo=None)
        day = datetime.fromtimestamp(refund["createdTime"] / 1000, UTC)
        say(
            f"  The refund of {report.dollars(refund['amount'])} on order {refund['order']} of "
            f"{day:%-d %B} {'came with the second run ✓' if found else 'did not come ✗'}"
        )
        return found

    def show_sales(self) -> None:
        """Draw the daily sales."""
        sales: dict[date, int] = {
            row.day: int(row.dollars * 100) for row in self.database.query(SALES)
        }
        say("\nSales a day, both shops")
        show(report.chart(sales))

    def show_models(self) -> bool:
        """Build the models, draw the report, and tell whether all of it is what Clover says."""
        REPORT.unlink(missing_ok=True)
        if sys.version_info >= (3, 14):
            say("\nThe models need Python 3.11 to 3.13, on which dbt 1.11 runs.")
            return True
        say(f"\nWhat did we sell? $ meltano run {MODELS}:build")
        watch = time.monotonic()
        self.project.install_models(self.clover.shops())
        installed = time.monotonic()
        self.project.build_models()
        say(
            f"  Built in {time.monotonic() - installed:.0f} s, "
            f"dbt installed in {installed - watch:.0f} s"
        )
        ours = [row._asdict() for row in self.database.query(OVERVIEW)]
        theirs = self.clover.sales_overview()
        complete = {row.merchant_id: row.complete_to for row in self.database.query(COMPLETE)}
        show(report.overview(ours, theirs, complete))
        html = page.to_html(marts.read(self.database), datetime.now(UTC))
        REPORT.write_text(html, encoding="utf-8")
        return report.same(ours, theirs)

    def show_state(self) -> None:
        """Tell how far each merchant's streams have come."""
        say(f"\n$ meltano state get dev:{TAP}-to-{LOADER}")
        for stream, bookmark in self.project.state()["singer_state"]["bookmarks"].items():
            for partition in bookmark["partitions"]:
                merchant = partition["context"]["merchant_id"]
                say(f"  {stream:9} {merchant:15} {partition['replication_key_value']}")


def say(line: str = "") -> None:
    """Tell a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def show(lines: Iterable[str]) -> None:
    """Tell lines."""
    for line in lines:
        say(line)


def show_report() -> None:
    """Tell where the report lies, if it was drawn."""
    if REPORT.exists():
        say(f"\nThe sales report, to open in a browser: {REPORT}")


def morning() -> datetime:
    """Tell the last quiet hour that is over."""
    now = datetime.now(UTC)
    today = now.replace(hour=QUIET_HOUR, minute=0, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)


@contextmanager
def stage(today: datetime, port: int) -> Iterator[Demo]:
    """Set up everything, with Clover's clock on the day before."""
    yesterday = today - timedelta(days=1)
    with ExitStack() as stack:
        data = Path(stack.enter_context(TemporaryDirectory(prefix="clover-demo-")))
        shops = local_clover(
            MERCHANTS,
            yesterday,
            port=port,
            days=DAYS,
            orders_per_day=ORDERS_PER_DAY,
            export_seconds=1,
        )
        clover = stack.enter_context(shops)
        say(f"A local Clover listens on {clover.url}: {len(MERCHANTS)} shops, {DAYS} days of sales")
        database = stack.enter_context(postgres())
        (row,) = database.query("select current_setting('server_version') as version")
        say(f"PostgreSQL {row.version} listens in {database.folder}")
        merchants = [
            {"merchant_id": name, "access_token": token} for name, token in MERCHANTS.items()
        ]
        settings = {
            "TAP_CLOVER_EXPORT_MERCHANTS": json.dumps(merchants),
            "TAP_CLOVER_EXPORT_API_URL": clover.url,
            "TAP_CLOVER_EXPORT_START_DATE": (yesterday - timedelta(days=DAYS)).isoformat(),
            "TARGET_POSTGRES_SQLALCHEMY_URL": database.sqlalchemy_url,
            "DBT_POSTGRES_HOST": str(database.folder),
        }
        project = Project(data, settings)
        say(f"\n$ meltano install {TAP} {LOADER}")
        project.install(TAP, LOADER)
        yield Demo(clover, database, project)


def play(*, keep: bool, port: int) -> bool:
    """Play the demo and tell whether all that Clover holds arrived."""
    today = morning()
    yesterday = today - timedelta(days=1)
    with stage(today, port) as demo:
        say(f"\nThe first run, as of {yesterday:%A %-d %B %Y, %H:%M} UTC: everything")
        demo.load(yesterday)
        good = demo.compare()

        demo.clover.move_to(today - timedelta(minutes=10))
        refund = demo.clover.refund(next(iter(MERCHANTS)))
        demo.clover.move_to(today)
        say("\nA day passes in Clover: new orders, and a late refund on an old one")
        say("The second run: only what is new, and the last week again for late changes")
        began = demo.load(today)
        good = demo.compare() and good
        say()
        good = demo.show_refund(refund, began) and good

        demo.show_sales()
        demo.show_state()
        good = demo.show_models() and good
        say("\nThe query behind the chart:")
        show(f"  {line}" for line in SALES.splitlines())
        if keep:
            show_report()
            say("\nAll is still there. Ask it in another terminal:")
            say(f'  psql "{demo.database.conninfo}"')
            say(f"  curl {demo.clover.url}/_simulator/books")
            sys.stdout.write("Enter ends it. ")
            sys.stdout.flush()
            sys.stdin.readline()
        else:
            say("\nTo look further: `make demo KEEP=1` leaves everything running until Enter")
    say("\nEqual to the cent ✓" if good else "\nWhat arrived is not what Clover holds ✗")
    show_report()
    return good


def main() -> int:
    """Play the demo."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave it running until Enter")
    parser.add_argument("--port", type=int, default=0, help="Clover's; 0 for any that is free")
    asked = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    try:
        return 0 if play(keep=asked.keep, port=asked.port) else 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (MeltanoError, OSError, requests.RequestException) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
