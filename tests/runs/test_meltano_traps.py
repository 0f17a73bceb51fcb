"""The traps of docs/meltano.md: every snippet as it stands, in one project, and what it is for."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tap_clover_export.demo.project import SOURCE, TAP
from tests.support.harness import clover, iso
from tests.support.meltano_project import LOADER, TapProject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_clover_export.simulator import Simulator

pytestmark = pytest.mark.timeout(300)

ONE, TWO = "ABCDEFGHJKMNP", "QRSTVWXYZ2345"
EU = f"{TAP}--eu"
PAGE = (SOURCE / "docs" / "meltano.md").read_text(encoding="utf-8")
TRAPS = PAGE.partition("## Meltano's traps")[2]
SNIPPETS = [
    yaml.safe_load(text)["plugins"]["extractors"][0]
    for text in re.findall(r"^```yaml\n(.*?)^```$", TRAPS, re.MULTILINE | re.DOTALL)
]
(COMMAND,) = re.findall(r"^```sh\n(.*?)^```$", TRAPS, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A local Clover of the page's two merchants."""
    with clover(days=3, now=None, merchants=(ONE, TWO)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def project(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> TapProject:
    """A project that has all snippets at once."""
    project = TapProject(
        tmp_path_factory.mktemp("traps"),
        TAP_CLOVER_EXPORT_API_URL=simulator.url,
        TAP_CLOVER_EXPORT_START_DATE=iso(simulator.clock.now() - 4 * 86_400),
        TAP_CLOVER_EXPORT_POLL_INTERVAL_SECONDS="0.2",
    )
    ours: dict[str, Any] = {}
    others = []
    for snippet in SNIPPETS:
        if snippet.pop("name") == EU:
            others.append({"name": EU} | snippet)
            continue
        config = ours.get("config", {}) | snippet.get("config", {})
        ours |= snippet | {"config": config}
    project.write(ours, *others)
    (project.folder / ".env").write_text("HARBOR_TOKEN=token\nBERLIN_TOKEN=token\n")
    return project


@pytest.fixture(scope="module")
def messages(project: TapProject) -> list[dict[str, Any]]:
    """What a run of two merchants brings."""
    return project.load(TAP_CLOVER_EXPORT_MERCHANTS=json.dumps([shop(ONE), shop(TWO)]))


def shop(merchant: str) -> dict[str, str]:
    """A merchant of the local Clover."""
    return {"merchant_id": merchant, "access_token": "token"}


def records(messages: list[dict[str, Any]], stream: str) -> list[dict[str, Any]]:
    """The records of a stream."""
    return [m["record"] for m in messages if m["type"] == "RECORD" and m["stream"] == stream]


def test_all_snippets_are_tried() -> None:
    """None was added without a place here."""
    assert len(SNIPPETS) == 5


def test_a_field_goes(messages: list[dict[str, Any]]) -> None:
    """By `"__NULL__"` in `stream_maps`."""
    assert records(messages, "orders")
    assert not any("note" in record for record in records(messages, "orders"))
    (schema,) = (m for m in messages if m["type"] == "SCHEMA" and m["stream"] == "orders")
    assert "note" not in schema["schema"]["properties"]


def test_a_nested_field_goes(messages: list[dict[str, Any]], simulator: Simulator) -> None:
    """The cardholder's name does, all else of the card is there."""
    name = "cardholderName"
    for held in simulator.records(ONE, "PAYMENTS"):
        (record,) = (r for r in records(messages, "payments") if r["id"] == held["id"])
        card = held.get("cardTransaction")
        expected = card and {key: value for key, value in card.items() if key != name}
        assert record["cardTransaction"] == expected
    assert name in json.dumps(simulator.records(ONE, "PAYMENTS"))


def test_times_and_tokens_and_copies(project: TapProject) -> None:
    """The time keeps its offset, the token comes out of `.env`, the copy has what it inherits."""
    config = json.loads(project.meltano("invoke", "--dump=config", EU))
    assert config["end_date"] == "2099-01-01T00:00:00-05:00"
    assert config["merchants"] == [shop(TWO)]
    assert config["region"] == "eu"
    assert config["stream_maps"]["orders"] == {"note": "__NULL__"}


def test_copies_have_states_of_their_own(
    project: TapProject, messages: list[dict[str, Any]]
) -> None:
    """A run of one leaves the other's bookmarks."""
    assert records(messages, "orders")
    project.meltano("run", EU, LOADER)
    assert _merchants(project, f"dev:{TAP}-to-{LOADER}") == {ONE, TWO}
    assert _merchants(project, f"dev:{EU}-to-{LOADER}") == {TWO}


def test_one_shop_again(project: TapProject, messages: list[dict[str, Any]]) -> None:
    """The page's command exports it whole and leaves the others' state; a full refresh does not.

    Another loader's name and this merchant's token stand in for the page's.
    """
    cut = COMMAND.splitlines()[0]
    run = re.search(rf"MERCHANTS_FILE=(.*) meltano run (.*) {TAP} target-postgres", COMMAND)
    assert run
    one = {"TAP_CLOVER_EXPORT_MERCHANTS": "[]", "TAP_CLOVER_EXPORT_MERCHANTS_FILE": run[1]}
    rows = "merchant_id,access_token", f"{ONE},token", f"{TWO},token"
    (project.folder / "merchants.csv").write_text("\n".join(rows))
    subprocess.run(["bash", "-c", cut], cwd=project.folder, check=True)
    usual = f"dev:{TAP}-to-{LOADER}"
    came = project.load(*run[2].split(), **one)
    whole = [r for r in records(messages, "orders") if r["merchant_id"] == ONE]
    assert records(came, "orders") == whole
    assert _merchants(project, usual) == {ONE, TWO}
    assert _merchants(project, f"{usual}:again") == {ONE}
    project.load("--full-refresh", **one)
    kept = json.loads(project.meltano("state", "get", usual))
    assert _named(kept) == {ONE}


def _merchants(project: TapProject, state_id: str) -> set[str]:
    """The merchants that have bookmarks in a state of Meltano's database."""
    with contextlib.closing(sqlite3.connect(project.folder / "meltano.db")) as database:
        (row,) = database.execute(
            "select completed_state from state where state_id = ?", [state_id]
        ).fetchall()
    return _named(json.loads(row[0]))


def _named(state: dict[str, Any]) -> set[str]:
    return {
        partition["context"]["merchant_id"]
        for stream in state["singer_state"]["bookmarks"].values()
        for partition in stream["partitions"]
        if "replication_key_value" in partition
    }
