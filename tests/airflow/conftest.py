"""Forty merchants, a local Clover, PostgreSQL, Meltano and Airflow."""

from __future__ import annotations

import json
import os
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
AT_ONCE = 2
SLOTS = 2
EXPORT_SECONDS = 1.5

SECOND = datetime.now(UTC).replace(hour=9, minute=30, second=0, microsecond=0) - timedelta(days=1)
FIRST = SECOND - timedelta(days=1)
"""The made-up shops are asleep in these hours, so that the books stand still during a run."""

START = FIRST - timedelta(days=6)

OPENS = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=8)
"""Far from now, so that no run starts by its schedule."""

CLOSES = OPENS + timedelta(hours=5)
NIGHT = f"MON-SUN {OPENS:%H:%M}-{CLOSES:%H:%M}"


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


@dataclass
class Night:
    """DAGs in front of a Meltano that does what a test says, at a time that a test says.

    Attributes:
        folder: Its project.
        alerts: What was told to the address for alerts.
    """

    airflow: Airflow
    folder: Path
    alerts: list[str]

    def prepare(self, merchants: str, run: str) -> None:
        """Say who is exported and what `meltano run` does; the region is open."""
        self.alerts.clear()
        (self.folder / "merchants.csv").write_text(f"merchant_id,access_token,region\n{merchants}")
        (self.folder / "run.py").write_text(run)
        (self.folder / "now").write_text((OPENS + timedelta(minutes=10)).isoformat())

    def alert(self) -> str:
        """Wait for the one alert of a run."""
        until(lambda: self.alerts)
        (alert,) = self.alerts
        return alert

    def states(self, dag: str, run: str) -> dict[str, str]:
        """Tell the state of each task, those of chunks by the words of Airflow's page."""
        self.airflow.finish(dag, run)
        return {
            task["rendered_map_index"] or task["task_id"]: task["state"]
            for task in self.airflow.tasks(dag, run)
        }


@pytest.fixture(scope="session")
def alerts() -> Iterator[tuple[str, list[str]]]:
    """An address that takes alerts, and what it took."""
    taken: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(json.loads(body)["text"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", taken
        server.shutdown()


@pytest.fixture(scope="session")
def running(
    alerts: tuple[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    """An Airflow whose folder of DAGs fills as tests need it."""
    home = tmp_path_factory.mktemp("airflow")
    hook = {"conn_type": "slackwebhook", "host": alerts[0], "password": "hook"}
    settings = {
        "AIRFLOW_CONN_ALERTS": json.dumps(hook),
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        "UV_SYSTEM_CERTS": "1",
    }
    with airflow(home, settings) as started:
        yield started


@pytest.fixture(scope="session")
def world(
    running: Airflow,
    database: Database,
    alerts: tuple[str, list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """Forty merchants, a Clover and a Meltano, behind the DAG of a region."""
    folder = tmp_path_factory.mktemp("world")
    merchants_file = folder / "merchants.csv"
    with local_clover(
        MERCHANTS,
        FIRST,
        days=5,
        orders_per_day=8,
        export_seconds=EXPORT_SECONDS,
        max_concurrent=1000,  # nobody but the DAG holds the limit
    ) as clover:
        project = Project(
            folder,
            {
                "TAP_CLOVER_EXPORT_API_URL": clover.url,
                "TAP_CLOVER_EXPORT_START_DATE": START.isoformat(),
                "TAP_CLOVER_EXPORT_POLL_INTERVAL_SECONDS": "0.5",
                "TARGET_POSTGRES_SQLALCHEMY_URL": database.sqlalchemy_url,
            },
            BIN.parent.parent / "airflow-meltano",
        )
        project.install(TAP, LOADER)
        environment = dict(project.environment.items() - os.environ.items())
        running.add(
            "world",
            f"""
os.environ.update({environment!r})
clover_export(
    {str(project.folder)!r},
    meltano={str(Path(sys.executable).with_name("meltano"))!r},
    merchants={str(merchants_file)!r},
    regions=["sandbox"],
    chunks={CHUNKS},
    at_once={AT_ONCE},
    exports_each={SLOTS},
    retry_seconds=60,
    grace_seconds=60,
    alert=ALERT,
)
""",
        )
        until(lambda: running.knows(DAG))
        yield World(running, clover, database, project, merchants_file, alerts[1])


@pytest.fixture(scope="session")
def night(
    running: Airflow, alerts: tuple[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> Night:
    """Two regions: of the second one's pool nobody has heard."""
    folder = tmp_path_factory.mktemp("night")
    (folder / "meltano.py").write_text(
        "import os, pathlib, sys\n"
        "if sys.argv[1] == 'run':\n"
        "    exec(pathlib.Path('run.py').read_text())\n"
    )
    running.add(
        "night",
        f"""
hours.now = lambda: pendulum.parse(pathlib.Path({str(folder / "now")!r}).read_text())
options = {{
    "project": {str(folder)!r},
    "meltano": {f"{sys.executable} meltano.py"!r},
    "folder": {str(folder)!r},
    "opening_hours": {{"la": {NIGHT!r}, "eu": {NIGHT!r}}},
    "chunks": 2,
    "at_once": 1,
    "retries": 1,
    "retry_seconds": 1,
    "grace_seconds": 1,
    "alert": ALERT,
}}
clover_export(**options, regions=["la"])
(dag,) = clover_export(**options, regions=["eu"], pool="nowhere")
dag.dagrun_timeout = dt.timedelta(seconds=20)
""",
    )
    until(lambda: running.knows("clover_export_la") and running.knows("clover_export_eu"))
    return Night(running, folder, alerts[1])
