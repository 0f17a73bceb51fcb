"""A Meltano project as an image has it: made beforehand, and not this user's to write in."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_clover_export.demo.clover import local_clover

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
BIN = Path(sys.executable).parent

PROJECT = f"""
default_environment: dev
send_anonymous_usage_stats: false
environments: [{{name: dev}}]
plugins:
  extractors:
  - name: tap-clover-export
    namespace: tap_clover_export
    executable: {BIN / "tap-clover-export"}
    capabilities: [catalog, state, discover]
    settings:
    - {{name: merchants_file, kind: file}}
    - {{name: start_date}}
    - {{name: api_url}}
  loaders:
  - name: target-nowhere
    namespace: target_nowhere
    executable: ./target
"""

TARGET = f"""#!{sys.executable}
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "STATE":
        print(json.dumps(message["value"]), flush=True)
"""

RUN = """
import sys, threading, time
import requests
from tap_clover_export.airflow.chunks import divide
from tap_clover_export.airflow.meltano import Meltano, states
from tap_clover_export.airflow.setup import Setup

setup = Setup(sys.argv[1], run="tap-clover-export target-nowhere", meltano=sys.argv[2], chunks=1)
assert states(setup) == []
run = Meltano(setup, "us-0", divide(setup, "us").merchants[0], {})

def stop():
    while not requests.get(sys.argv[3] + "/_simulator/requests").json()["exports"]:
        time.sleep(0.1)
    run.stop()

threading.Thread(target=stop).start()
code, _ = run.finish(print)
assert code, "it was not stopped"
print(states(setup))
"""


def no_more_than_modes_allow() -> None:
    """Let root write only where others could."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.fixture
def image() -> Iterator[Path]:
    """A project that belongs to another user, where that can be made, and a place to write."""
    around = Path(tempfile.mkdtemp())
    around.chmod(0o755)
    project = around / "project"
    project.mkdir()
    (project / "meltano.yml").write_text(PROJECT)
    (project / "target").write_text(TARGET)
    (project / "merchants.csv").write_text("merchant_id,access_token\nSHOP1,token-of-shop-1\n")
    (project / "target").chmod(0o755)
    project.chmod(0o555)
    (around / "own").mkdir()
    (around / "own").chmod(0o777)
    yield around
    project.chmod(0o755)
    shutil.rmtree(around)


def test_the_tap_of_an_image_is_asked_to_end(image: Path) -> None:
    """Its state is saved, and nothing is written into the project."""
    project, own = image / "project", image / "own"
    before = sorted(project.rglob("*"))
    start = datetime.now(UTC) - timedelta(days=3)
    with local_clover(
        {"SHOP1": "token-of-shop-1"}, start + timedelta(days=2), days=3, export_seconds=120
    ) as clover:
        done = subprocess.run(
            [sys.executable, "-c", RUN, project, BIN / "meltano", clover.url],
            check=False,
            cwd=own,
            preexec_fn=no_more_than_modes_allow,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(own),
                "TMPDIR": str(own),
                "MELTANO_DATABASE_URI": f"sqlite:///{own / 'meltano.db'}",
                "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
                "NO_PROXY": "127.0.0.1",
                "TAP_CLOVER_EXPORT_START_DATE": start.isoformat(),
                "TAP_CLOVER_EXPORT_API_URL": clover.url,
            },
            capture_output=True,
            text=True,
            timeout=200,
        )
    assert not done.returncode, done.stdout + done.stderr
    assert "dev:tap-clover-export-to-target-nowhere:us-0" in done.stdout
    with contextlib.closing(sqlite3.connect(own / "meltano.db")) as database:
        assert "pending_exports" in "\n".join(database.iterdump())
    assert sorted(project.rglob("*")) == before
    assert (project / "meltano.yml").read_text() == PROJECT
