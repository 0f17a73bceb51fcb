"""What people do with Meltano: the tap in a project of theirs, through the real `meltano`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from tap_clover_export.demo.project import TAP, MeltanoError
from tests.support.harness import ONE, TOKENS, TWO, clover, iso
from tests.support.meltano_project import TapProject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_clover_export.simulator import Simulator

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A small local Clover."""
    with clover(days=3, now=None, refresh_tokens={TWO: "token-two"}) as simulator:
        yield simulator


@pytest.fixture
def project(simulator: Simulator, tmp_path: Path) -> TapProject:
    """A project of one merchant."""
    return TapProject(
        tmp_path / "project",
        TAP_CLOVER_EXPORT_API_URL=simulator.url,
        TAP_CLOVER_EXPORT_START_DATE=iso(simulator.clock.now() - 4 * 86_400),
        TAP_CLOVER_EXPORT_POLL_INTERVAL_SECONDS="0.2",
        TAP_CLOVER_EXPORT_MERCHANT_ID=ONE,
        TAP_CLOVER_EXPORT_ACCESS_TOKEN=TOKENS[ONE],
    )


def test_paths_begin_at_the_project(project: TapProject) -> None:
    """Wherever Meltano is called: the merchants' file and the token store are the project's.

    The token works once, so that the second call needs the store that the first one wrote.
    """
    (project.folder / "shops.csv").write_text(f"merchant_id,refresh_token\n{TWO},token-two\n")
    for root in (False, True):
        here = project.elsewhere(project.folder / "sub", root=root)
        here.environment |= {
            "TAP_CLOVER_EXPORT_MERCHANTS_FILE": "shops.csv",
            "TAP_CLOVER_EXPORT_TOKEN_STORE": "kept/tokens.json",
            "TAP_CLOVER_EXPORT_CLIENT_ID": "CLIENT",
        }
        assert here.meltano("invoke", TAP, "--test").splitlines() == [
            f"{ONE} (us): accepted.",
            f"{TWO} (us): accepted.",
        ]
        assert (project.folder / "kept" / "tokens.json").exists()
        assert list(here.folder.iterdir()) == []


def test_full_tables_and_streams_that_are_removed(
    project: TapProject, simulator: Simulator
) -> None:
    """What `metadata:` and `stream_maps` of meltano.yml ask for is done, and traced from `.env`."""
    (project.folder / ".env").write_text("TAP_CLOVER_EXPORT_TRACE=trace.log\n")
    project.write(
        {
            "metadata": {"orders": {"replication-method": "FULL_TABLE"}},
            "config": {"stream_maps": {"payments": "__NULL__"}},
        }
    )
    held = {record["id"] for record in simulator.records(ONE, "ORDERS")}
    for _ in range(2):
        messages = project.load(TAP_CLOVER_EXPORT_LOOKBACK_DAYS="0.1")
        records = [m for m in messages if m["type"] == "RECORD"]
        assert {m["stream"] for m in records} == {"orders", "exports"}
        assert {m["record"]["id"] for m in records if m["stream"] == "orders"} == held
    assert set(messages[-1]["value"]["bookmarks"]) == {"orders"}
    trace = (project.folder / "trace.log").read_text()
    assert trace.count(f" Emitted orders of merchant {ONE}") == 2
    assert " DEBUG " in trace
    assert not any(identity in trace for identity in held)


def test_a_merchant_id_that_yaml_takes_for_a_number(project: TapProject) -> None:
    """Without quotes digits are a number, with an E among them an infinite one."""
    del project.environment["TAP_CLOVER_EXPORT_MERCHANT_ID"]
    file = project.folder / "meltano.yml"
    project.write({"config": {"merchants": [{"merchant_id": "HERE", "access_token": "token"}]}})
    text = file.read_text()
    for written, sentence in (
        ("0123456789012", "The merchant_id of merchants[0] is not text; put it in quotes."),
        ("1234567890E12345", "merchant_id is a number beyond all bounds; put it in quotes."),
    ):
        file.write_text(text.replace("HERE", written))
        with pytest.raises(MeltanoError, match=re.escape(sentence)):
            project.meltano("invoke", TAP, "--plan")


def test_empty_variables_are_none(project: TapProject) -> None:
    """Of every setting that is text, numbers among them; Meltano itself refuses others."""
    plugins = yaml.safe_load((project.folder / "meltano.yml").read_text())["plugins"]
    text = {"string", "password", "file", "date_iso8601"}
    for field in plugins["extractors"][0]["settings"]:
        if field["kind"] in text:
            project.environment.setdefault(f"TAP_CLOVER_EXPORT_{field['name'].upper()}", "")
    project.environment["TAP_CLOVER_EXPORT_POLL_INTERVAL_SECONDS"] = ""
    assert project.environment["TAP_CLOVER_EXPORT_MAX_CONCURRENT_EXPORTS"] == ""
    assert json.loads(project.meltano("invoke", TAP, "--plan=json"))["exports"] == 2
