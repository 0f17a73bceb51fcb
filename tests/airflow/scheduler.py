"""A real Airflow: scheduler, LocalExecutor, DAG processor and API, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from tap_clover_export.demo.processes import process

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping

PREAMBLE = """
import datetime as dt, os, pathlib
import pendulum
from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier
from tap_clover_export.airflow import hours
from tap_clover_export.airflow.dags import clover_export

ALERT = SlackWebhookNotifier(slack_webhook_conn_id="alerts", text="{{ alert }}")
"""
"""What DAG files of tests begin with."""

BIN = Path(os.environ.get("AIRFLOW_BIN") or Path(sys.prefix, "airflow/bin"))
"""Where `make test-airflow` installs Airflow."""

OLDEST_BIN = BIN.parents[1] / "airflow-oldest/bin"
"""And the oldest one that the DAGs are for."""

PATIENCE = 300.0
GLANCE = 0.2


class Airflow:
    """Airflow's API, as a person would use it.

    Args:
        home: Its folder.
        url: Where it listens.
    """

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self._url = f"{url}/api/v2"
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """Send a request and tell the answer."""
        answer = self._session.request(method, f"{self._url}/{path}", json=content, timeout=60)
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json()

    def refused(self, method: str, path: str, content: Mapping[str, Any]) -> str:
        """Send a request that is refused; tells the reason."""
        answer = self._session.request(method, f"{self._url}/{path}", json=content, timeout=60)
        assert answer.status_code in (400, 409, 422), (answer.status_code, answer.text)
        return answer.text

    def add(self, name: str, body: str) -> None:
        """Add a DAG file, without the second in which it is half written."""
        whole = self.home / f"{name}.txt"
        whole.write_text(PREAMBLE + body, encoding="utf-8")
        whole.rename(self.home / f"dags/{name}.py")

    def ready(self) -> bool:
        """Whether scheduler and DAG processor are at work."""
        try:
            health = self.ask("GET", "monitor/health")
        except (requests.ConnectionError, AssertionError):
            return False
        parts = ("scheduler", "dag_processor")
        return all(health[part]["status"] == "healthy" for part in parts)

    def knows(self, dag: str) -> bool:
        """Whether a DAG was parsed; what can't be imported fails here."""
        errors = self.ask("GET", "importErrors")["import_errors"]
        assert not errors, errors
        return dag in {item["dag_id"] for item in self.ask("GET", "dags")["dags"]}

    def trigger(self, dag: str) -> str:
        """Start a run of a DAG; tells its id."""
        self.ask("PATCH", f"dags/{dag}", {"is_paused": False})
        run = self.ask("POST", f"dags/{dag}/dagRuns", {"logical_date": None})
        return str(run["dag_run_id"])

    def state(self, dag: str, run: str) -> str:
        """Tell the state of a run."""
        return str(self.ask("GET", f"dags/{dag}/dagRuns/{run}")["state"])

    def finish(self, dag: str, run: str) -> str:
        """Wait until a run is over; tells its state."""
        until(lambda: self.state(dag, run) in ("success", "failed"))
        return self.state(dag, run)

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """Tell the run's tasks."""
        path = f"dags/{dag}/dagRuns/{run}/taskInstances?limit=100"
        tasks: list[dict[str, Any]] = self.ask("GET", path)["task_instances"]
        return tasks

    def chunks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """Tell the run's exporting tasks."""
        return [task for task in self.tasks(dag, run) if task["task_id"] == "export"]

    def log(self, dag: str, run: str, place: int, attempt: int) -> str:
        """Tell the log of an exporting task."""
        folder = f"logs/dag_id={dag}/run_id={run}/task_id=export/map_index={place}"
        return (self.home / folder / f"attempt={attempt}.log").read_text(encoding="utf-8")

    def updates(self, asset: str) -> int:
        """Tell how often an asset was updated."""
        events = self.ask("GET", "assets/events?limit=100")["asset_events"]
        return [event["name"] for event in events].count(asset)

    def set_variable(self, name: str, value: str) -> None:
        """Set a variable that is there."""
        self.ask("PATCH", f"variables/{name}", {"key": name, "value": value})

    def written(self) -> Iterator[tuple[Path, bytes]]:
        """Everything that Airflow keeps: logs, database, settings."""
        for path in self.home.rglob("*"):
            if path.is_file():
                yield path, path.read_bytes()


@contextlib.contextmanager
def airflow(home: Path, settings: Mapping[str, str]) -> Iterator[Airflow]:
    """Run Airflow while the block lasts.

    Args:
        home: Its folder.
        settings: Environment variables for all of its processes.
    """
    (home / "dags").mkdir()
    api = f"http://127.0.0.1:{_free_port()}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        **settings,
        **_settings(home, api),
    }
    log = home / "standalone.log"
    with log.open("wb") as out:
        try:
            with process(
                [str(BIN / "airflow"), "standalone"], env=environment, stdout=out, stderr=out
            ) as running:
                started = Airflow(home, api)
                until(started.ready, running)
                yield started
        finally:
            _end_all(home)


def until(condition: Callable[[], object], running: subprocess.Popen[str] | None = None) -> None:
    """Wait until something is so; fails after minutes, or where Airflow is over."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        assert running is None or running.poll() is None, "Airflow ended"
        time.sleep(GLANCE)


def processes_of(home: Path) -> Iterator[int]:
    """The processes that were started by the Airflow of a folder, by its name among their own."""
    mark = b"\0AIRFLOW_HOME=%s\0" % os.fsencode(home)
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in b"\0" + (entry / "environ").read_bytes() + b"\0":
                yield int(entry.name)


def parent_of(pid: int) -> int:
    """The process that started another."""
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent > 1
    return parent


def _end_all(home: Path) -> None:
    """End what left the process group, as Airflow's tasks do."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes_of(home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        end = time.monotonic() + 10
        while list(processes_of(home)) and time.monotonic() < end:
            time.sleep(GLANCE)


def _settings(home: Path, api: str) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": api.rpartition(":")[2],
        "AIRFLOW__API__BASE_URL": api,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "false",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
