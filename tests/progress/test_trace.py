"""The trace: every attempt and what follows from it, to be attached to a report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.harness import (
    ONE,
    TOKENS,
    TUESDAY_NOON,
    clover,
    command,
    config_for,
    iso,
    write_config,
)

if TYPE_CHECKING:
    from pathlib import Path

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} [A-Z]+ tap-clover-export[a-z.]*: .+")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the trace goes: into the Meltano project."""
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    monkeypatch.setenv("TAP_CLOVER_EXPORT_TRACE", "trace.log")
    return tmp_path / "trace.log"


def test_what_follows_from_a_fault_is_told(file: Path, tmp_path: Path) -> None:
    """The file has every line and the log no more than without; no token, no record."""
    with clover(days=3) as simulator:
        simulator.faults.add("poll:500*2")
        config = write_config(tmp_path, config_for(simulator, end_date=iso(TUESDAY_NOON)))
        done = command("--config", config)
        assert done.returncode == 0
        records = simulator.records(ONE, "ORDERS") + simulator.records(ONE, "PAYMENTS")
    told = file.read_text()
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert all(LINE.fullmatch(line) for line in told.splitlines())
    assert told.count("An attempt failed and will be retried: 500 ") == 2
    assert told.count(" Emitted ") == 2
    assert "DEBUG" in told
    assert "DEBUG" not in done.stderr
    for message in re.findall(r"INFO tap-clover-export[a-z.]*: (.*)", told):
        assert message in done.stderr
    assert TOKENS[ONE] not in told
    assert not any(record["id"] in told for record in records)


def test_every_attempt_is_told(file: Path, tmp_path: Path) -> None:
    """Each request with its status; those to Clover with its request id, downloads unsigned."""
    with clover(days=3) as simulator:
        simulator.faults.add("poll:500*2")
        assert (
            command(
                "--config",
                write_config(tmp_path, config_for(simulator, end_date=iso(TUESDAY_NOON))),
            ).returncode
            == 0
        )
        requests = simulator.requests
    told = re.findall(r"tap-clover-export\.http: (\w+) (\S+) answered (\d+)(.*)", file.read_text())
    assert sorted(int(status) for _, _, status, _ in told) == sorted(r.status for r in requests)
    assert not any("?" in path for _, path, _, _ in told)
    assert sum("request id " in rest for *_, rest in told) == len(
        [request for request in requests if request.kind != "download"]
    )


def test_of_an_error_only_the_places_are_told(file: Path, tmp_path: Path) -> None:
    """A stream map that fails on a record may have the record in its words."""
    with clover(days=3) as simulator:
        maps = {"orders": {"note": "int('s3cr3t' + id)"}}
        config = write_config(
            tmp_path, config_for(simulator, stream_maps=maps, end_date=iso(TUESDAY_NOON))
        )
        assert command("--config", config).returncode == 1
        ids = [record["id"] for record in simulator.records(ONE, "ORDERS")]
    told = file.read_text()
    assert re.search(r"^    ValueError\n      /.*\.py:\d+ \w+$", told, re.MULTILINE)
    assert not any(identity in told for identity in ids)


def test_a_trace_that_can_t_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named before anything is done."""
    monkeypatch.setenv("TAP_CLOVER_EXPORT_TRACE", "/no/such/folder/trace.log")
    done = command("--discover")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].endswith(
        "TAP_CLOVER_EXPORT_TRACE can't be written (No such file or directory); give the path of a "
        "file."
    )


@pytest.mark.parametrize("name", ["LOGLEVEL", "TAP_CLOVER_EXPORT_LOGLEVEL"])
@pytest.mark.parametrize(
    ("level", "debugs"),
    [("", False), (" ", False), ("10", True), ("15", True), ("30", False), ("debug", True)],
)
def test_levels(monkeypatch: pytest.MonkeyPatch, name: str, level: str, debugs: bool) -> None:
    """An empty one is the usual one; numbers are Python's."""
    monkeypatch.setenv(name, level)
    monkeypatch.setenv("TAP_CLOVER_EXPORT_START_DATE", "2026-01-01")  # told at INFO
    done = command("--config", "ENV", "--plan")
    assert done.returncode == 1
    assert "is not usable" not in done.stderr
    assert "Traceback" not in done.stderr
    assert ("DEBUG" in done.stderr) == debugs
    assert ("INFO" in done.stderr) == (level != "30")


def test_a_level_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and the usual one taken."""
    monkeypatch.setenv("LOGLEVEL", "NOPE")
    monkeypatch.setenv("TAP_CLOVER_EXPORT_START_DATE", "2026-01-01")
    done = command("--config", "ENV", "--plan")
    assert done.stderr.splitlines()[0] == "LOGLEVEL is not usable; give a level such as DEBUG."
    assert "Traceback" not in done.stderr
    assert "INFO" in done.stderr
