"""Every message of a run, read by parsers of others: singer-python and singer-tools."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.loaders.books import LEDGER
from tests.loaders.environments import InstallError, program
from tests.support.harness import ONE, TWO, TYPES, clover, command, config_for, iso, write_config

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Run:
    """A run's messages in a file, the catalog in another, and how many records there should be."""

    messages: Path
    catalog: Path
    counts: Mapping[str, int]

    @property
    def state(self) -> dict[str, Any]:
        """The last state."""
        last: dict[str, Any] = json.loads(self.messages.read_bytes().splitlines()[-1])
        return dict(last["value"])


@pytest.fixture(scope="module", params=["whole", "failed"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with odd records and unknown fields, whole or with a stream that failed."""
    folder = tmp_path_factory.mktemp("run")
    merchants = (ONE, TWO)
    failed = (TWO, "PAYMENTS") if request.param == "failed" else None
    with clover(merchants=merchants, days=40, odd=True, unknown_fields=True) as simulator:
        if failed:
            simulator.faults.add(f"poll[{TWO}/PAYMENTS]:401")
        config = config_for(
            simulator, end_date=iso(simulator.clock.now()), max_concurrent_exports=3
        )
        done = command("--config", write_config(folder, config))
        assert done.returncode == bool(failed), done.stderr
        counts = dict.fromkeys(TYPES, 0)
        counts[LEDGER] = sum((e.merchant, e.type) != failed for e in simulator.exports)
        for stream, kind in TYPES.items():
            for merchant in merchants:
                if (merchant, kind) != failed:
                    counts[stream] += len(simulator.records(merchant, kind))  # type: ignore[arg-type]
    messages, catalog = folder / "messages", folder / "catalog.json"
    messages.write_text(done.stdout, encoding="utf-8")
    catalog.write_text(command("--discover").stdout, encoding="utf-8")
    return Run(messages, catalog, counts)


def installed(name: str, of: str) -> str:
    """A program, or a failed test."""
    try:
        return program(name, of)
    except InstallError as error:
        pytest.fail(str(error), pytrace=False)


def test_singer_python_reads_every_message(run: Run) -> None:
    """Every line parses and comes out the same again, every record is of its schema."""
    script = Path(__file__).with_name("parse.py")
    done = subprocess.run(
        [installed("singer-python", "python"), script, run.messages, run.catalog],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "counts": run.counts,
        "keys": {stream: ["merchant_id", "id"] for stream in run.counts},
        "catalog": {stream: ["merchant_id", "id"] for stream in run.counts},
        "state": run.state,
    }


def test_singer_check_tap_finds_it_valid(run: Run) -> None:
    """The checker of singer-tools counts every schema and every record."""
    with run.messages.open("rb") as messages:
        done = subprocess.run(
            [installed("singer-tools", "singer-check-tap")],
            stdin=messages,
            cwd=run.messages.parent,  # it leaves a folder behind
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The output is valid." in done.stdout
    for stream, records in run.counts.items():
        assert f"| {stream:<8} | {records:<7} | 1       |" in done.stdout
