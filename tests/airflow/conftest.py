"""Forty merchants, a local Clover, PostgreSQL, Meltano and Airflow."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_clover_export.demo.clover import LocalClover, local_clover
from tap_clover_export.demo.project import LOADER, TAP, Project
from tests.airflow.scheduler import BIN, Airflow, airflow, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.demo.postgres import Database

MERCHANTS = {f"SHOP{number:09}": f"token-of-shop-{number}" for number in range(1, 41)}
DAG = "clover_export_sandbox"
CHUNKS = 8
PLACES = 4
SLOTS = 2
EXPORT_SECONDS = 1.5

SECOND = datetime.now(UTC).replace(hour=9, minute=30, second=0, microsecond=0) - timedelta(days=1)
FIRST = SECOND - timedelta(days=1)
"""The made-up shops are asleep in these hours, so that the books stand still during a run."""

START = FIRST - timedelta(days=6)


@dataclass
class World:
    """What the tests look at.

    Attributes:
        alerts: What was told to the address for alerts.
    """

    airflow: Airflow
    clover: LocalClover
    database: Database
    project: Project
    merchants_file: Path
    alerts: list[str] = field(default_factory=list)

    def hand_over(self, tokens: dict[str, str]) -> None:
        """Write the merchants file."""
        rows = [f"{name},{token},sandbox" for name, token in tokens.items()]
        text = "\n".join(["merchant_id,access_token,region", *rows])
        self.merchants_file.write_text(f"{text}\n", encoding="utf-8")
        self.merchants_file.chmod(0o600)

    def run(self) -> str:
        """Trigger the DAG; tells the run's id."""
        return self.airflow.trigger(DAG)

    def finish(self, run: str) -> str:
        """Wait until a run is over; tells its state."""
        until(lambda: self.airflow.state(DAG, run) in ("success", "failed"))
        return self.airflow.state(DAG, run)

    def loaded(self) -> dict[str, dict[str, int]]:
        """What PostgreSQL holds, as Clover's books tell it; every row has another id."""
        rows = self.database.query(
            """
            select merchant_id, count(distinct id) as orders, 0 as payments, sum(total) as total,
                0 as amount, 0 as tip from clover.orders group by 1
            union all
            select merchant_id, 0, count(distinct id), 0, sum(amount), sum("tipAmount")
            from clover.payments group by 1
            """
        )
        books: dict[str, dict[str, int]] = {}
        for row in rows:
            sums = books.setdefault(row.merchant_id, {})
            for name, value in row._asdict().items():
                if name != "merchant_id":
                    sums[name] = sums.get(name, 0) + int(value or 0)
        return books

    def books(self) -> dict[str, dict[str, int]]:
        """What Clover holds; refunds stand inside the records and are left out."""
        books = self.clover.books()
        return {
            merchant: {name: value for name, value in sums.items() if name != "refunded"}
            for merchant, sums in books.items()
        }


@pytest.fixture(scope="session")
def alerts() -> Iterator[tuple[str, list[str]]]:
    """An address that takes alerts, and what it took."""
    taken: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(json.loads(body)["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", taken
        server.shutdown()


@pytest.fixture(scope="session")
def world(
    database: Database,
    alerts: tuple[str, list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """Everything that takes part, up and running."""
    folder = tmp_path_factory.mktemp("airflow")
    home = folder / "home"
    home.mkdir()
    merchants_file = folder / "merchants.csv"
    with local_clover(
        MERCHANTS,
        FIRST,
        days=5,
        orders_per_day=8,
        export_seconds=EXPORT_SECONDS,
        max_concurrent=1000,  # nobody but the pool holds the limit
    ) as clover:
        project = Project(
            folder,
            {
                "TAP_CLOVER_EXPORT_API_URL": clover.url,
                "TAP_CLOVER_EXPORT_START_DATE": START.isoformat(),
                "TAP_CLOVER_EXPORT_POLL_INTERVAL_SECONDS": "0.5",
                "TAP_CLOVER_EXPORT_MAX_CONCURRENT_EXPORTS": str(SLOTS),
                "TAP_CLOVER_EXPORT_MERCHANTS_FILE": str(merchants_file),
                "TARGET_POSTGRES_SQLALCHEMY_URL": database.sqlalchemy_url,
            },
            BIN.parent.parent / "airflow-meltano",
        )
        project.install(TAP, LOADER)
        settings = {
            **project.environment,
            "CLOVER_EXPORT_PROJECT": str(project.folder),
            "CLOVER_EXPORT_MELTANO": str(Path(sys.executable).with_name("meltano")),
            "CLOVER_EXPORT_REGIONS": "us,eu,sandbox",
            "CLOVER_EXPORT_CHUNKS": str(CHUNKS),
            "CLOVER_EXPORT_PLACES": str(PLACES),
            "CLOVER_EXPORT_RETRY_SECONDS": "20",
            "AIRFLOW_VAR_CLOVER_EXPORT_ALERT_URL": alerts[0],
        }
        with airflow(home, settings) as running:
            pool = {"name": "clover_export", "slots": PLACES, "include_deferred": False}
            running.ask("POST", "pools", pool)
            until(lambda: running.knows(DAG))
            yield World(running, clover, database, project, merchants_file, alerts[1])
