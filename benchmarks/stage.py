"""Where a whole run takes place: a local Clover, PostgreSQL, a Meltano project."""

from __future__ import annotations

import datetime as dt
import json
import resource
import shlex
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psutil
import psycopg

from benchmarks import measure
from benchmarks.jobs import STREAMS, Job, merchants, tokens
from benchmarks.measure import BenchError
from tap_clover_export.demo.clover import LocalClover
from tap_clover_export.demo.postgres import postgres
from tap_clover_export.demo.project import LOADER, TAP, Project

if TYPE_CHECKING:
    from contextlib import ExitStack
    from typing import LiteralString

DAYS, ORDERS_A_DAY = 10, 2000
QUIET_HOUR = 10
"""In UTC: the shop is closed, so Clover's books stand still while a run lasts."""
SCHEMA: LiteralString = "bench"
ADDRESS = ("sqlalchemy_url", "default_target_schema")
METER = Path(__file__).with_name("meter.py")
ARRIVED: LiteralString = """
select orders, total, payments, amount from
    (select count(*) as orders, coalesce(sum(total), 0) as total from bench.orders) as o,
    (select count(*) as payments, coalesce(sum(amount), 0) as amount from bench.payments) as p
"""
DIGEST: LiteralString = """
with rows as (
    select id, to_jsonb(orders) as content from bench.orders
    union all select id, to_jsonb(payments) from bench.payments
)
select md5(string_agg(md5((content - array[
    '_sdc_extracted_at', '_sdc_received_at', '_sdc_batched_at', '_sdc_deleted_at',
    '_sdc_sequence', '_sdc_table_version', '_sdc_sync_started_at'
])::text), '' order by id)) as digest from rows
"""
CONNECTED: LiteralString = "select from pg_stat_activity where backend_type = 'client backend'"


class Stage:
    """A local Clover, an empty PostgreSQL and a fresh Meltano project.

    Args:
        stack: What ends them.

    Attributes:
        records: How many the last load brought.
        digest: Of all rows, without the loader's own columns; the same for every load.

    Raises:
        OSError: Clover or PostgreSQL did not start.
        MeltanoError: The plugins could not be installed.
    """

    def __init__(self, stack: ExitStack) -> None:
        (self.shop,) = merchants(1)
        hour = dt.datetime.now(dt.UTC).replace(hour=QUIET_HOUR, minute=0, second=0, microsecond=0)
        self.now = hour - dt.timedelta(1)
        data = {"days": DAYS, "orders_per_day": ORDERS_A_DAY, "now": self.now.isoformat()}
        server = measure.clover_process(merchant=tokens([self.shop]), **data)
        url, clover = stack.enter_context(server)
        self.clover = LocalClover(url)
        self.database = stack.enter_context(postgres())
        postmaster = int((self.database.folder / "data/postmaster.pid").read_text().split()[0])
        self.servers = {"PostgreSQL": postmaster, "the local Clover": clover}
        self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="clover-bench-")))
        self.notes = self.folder / "notes"
        self.project = self._project(url)
        self.programs = self._programs()
        self.records = 0
        self.digest = ""

    def _project(self, url: str) -> Project:
        settings = Job(url, [self.shop], DAYS, STREAMS).settings()
        environment = {
            "TAP_CLOVER_EXPORT_MERCHANTS": json.dumps(settings["merchants"]),
            "TAP_CLOVER_EXPORT_API_URL": url,
            "TAP_CLOVER_EXPORT_START_DATE": (self.now - dt.timedelta(DAYS)).isoformat(),
            "TAP_CLOVER_EXPORT_END_DATE": self.now.isoformat(),
            "TARGET_POSTGRES_SQLALCHEMY_URL": self.database.sqlalchemy_url,
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": SCHEMA,
        }
        project = Project(self.folder, environment, self.folder / "project")
        project.install(TAP, LOADER)
        return project

    def _programs(self) -> dict[str, list[str]]:
        """Put the meter before the tap and the loader; tells the command of each way's part."""
        plugins = self.project.folder / ".meltano"
        tap = plugins / "extractors" / TAP / "venv/bin" / TAP
        loader = plugins / "loaders" / LOADER / "venv/bin" / LOADER
        given, shipped = (
            json.loads(self.project.meltano("invoke", "--dump=config", name))
            for name in (TAP, LOADER)
        )
        _meter(tap, "the tap", self.notes)
        _meter(loader, "the loader", self.notes)
        validated = {key: value for key, value in shipped.items() if key != "validate_records"}
        return {
            "tap": self._command(tap, "tap", given),
            "piped": self._command(loader, "piped", shipped),
            "validated": self._command(loader, "validated", validated),
            "default": self._command(loader, "default", {key: shipped[key] for key in ADDRESS}),
        }

    def _command(self, program: Path, name: str, config: dict[str, Any]) -> list[str]:
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(config))
        return [str(program), "--config", str(file)]

    def load(self, way: str) -> dict[str, float]:
        """Load all records one way; tells the seconds that each part took, and `wall`.

        Raises:
            BenchError: What arrived is not what Clover holds, or not what came the other ways.
            MeltanoError: Meltano failed.
        """
        with psycopg.connect(self.database.conninfo, autocommit=True) as connection:
            connection.execute(f"drop schema if exists {SCHEMA} cascade")
            connection.execute("checkpoint")
        self.clover.move_to(self.now)
        self.notes.write_text("")
        before = self._servers_cpu()
        children, begin = _children_cpu(), time.perf_counter()
        if way == "ours":
            self.project.run("--full-refresh")
        else:
            self._pipe(way)
        took = {"wall": time.perf_counter() - begin, "Meltano": _children_cpu() - children}
        after = self._servers_cpu()
        took |= {name: after[name] - before[name] for name in after}
        for name, seconds in map(json.loads, self.notes.read_text().splitlines()):
            took[name] = took.get(name, 0.0) + seconds
            took["Meltano"] -= seconds
        if way != "ours":
            del took["Meltano"]  # the meter alone, 0.02 s a program
        self._check(way)
        return took

    def _pipe(self, way: str) -> None:
        """Run the tap into the loader, as a shell does."""
        log, environment = self.folder / f"{way}.log", self.project.environment
        with (
            log.open("wb") as errors,
            subprocess.Popen(  # noqa: S603
                self.programs["tap"], stdout=subprocess.PIPE, stderr=errors, env=environment
            ) as tap,
            subprocess.Popen(  # noqa: S603
                self.programs[way],
                stdin=tap.stdout,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment,
            ) as loader,
        ):
            if tap.stdout:
                tap.stdout.close()
        if tap.returncode or loader.returncode:
            raise BenchError(f"the tap or the loader failed:\n{log.read_text()[-2000:]}")

    def _servers_cpu(self) -> dict[str, float]:
        """Seconds so far, once no loader is connected any more."""
        while len(self.database.query(CONNECTED)) > 1:  # ours
            time.sleep(0.05)
        time.sleep(0.1)  # a connection's process ends a little later
        return {name: _tree_cpu(number) for name, number in self.servers.items()}

    def _check(self, way: str) -> None:
        (row,) = self.database.query(ARRIVED)
        (books,) = self.clover.books().values()
        held = {name: books[name] for name in row._fields}
        arrived = {name: int(value) for name, value in row._asdict().items()}
        if arrived != held:
            raise BenchError(f"{way}: PostgreSQL holds {arrived}, Clover {held}")
        (row,) = self.database.query(DIGEST)
        self.digest = self.digest or row.digest
        if row.digest != self.digest:
            raise BenchError(f"{way}: the rows in PostgreSQL are not those of the ways before")
        self.records = arrived["orders"] + arrived["payments"]


def _meter(program: Path, name: str, notes: Path) -> None:
    """Put the meter in a program's place; it then notes what each of its runs took."""
    metered = program.with_name("metered")
    metered.mkdir()
    moved = program.rename(metered / program.name)
    command = shlex.join([sys.executable, "-I", "-S", str(METER), name, str(notes), str(moved)])
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)


def _children_cpu() -> float:
    """Seconds of all processes that we started and that have ended, with theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _tree_cpu(number: int) -> float:
    """Seconds of a process and its children, those that have ended too (Linux tells them)."""
    server = psutil.Process(number)
    seconds = []
    for child in server.children():
        with suppress(psutil.NoSuchProcess):  # it has ended, and its parent tells
            seconds += child.cpu_times()[:2]
    return float(sum([*seconds, *server.cpu_times()[:4]]))
