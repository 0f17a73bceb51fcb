"""The tap added to a fresh Meltano project by the README's lines, its settings, a test.

Every setting goes the way that a scheduler has for it, through its environment variable, and
every snippet of docs/meltano.md into the project's meltano.yml; those of its traps are tried in
`test_meltano_traps`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tap_clover_export.demo.project import CONSTRAINTS, SOURCE, TAP, Project
from tap_clover_export.settings import settings
from tap_clover_export.tap import OWN_SETTINGS, TapCloverExport
from tests.support.harness import clover
from tests.support.meltano import ForkedProject

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)

STEPS = re.findall(
    r"^meltano (.+)$",
    (SOURCE / "README.md").read_text(encoding="utf-8").partition("meltano install\n")[0],
    re.MULTILINE,
)
"""What the README does before it installs, without `meltano`."""

DEFINITION = SOURCE / "plugins" / "extractors" / f"{TAP}.yml"
ONE = {"merchant_id": "SHOPONE1", "access_token": "token-one", "region": "eu"}

GIVEN: dict[str, tuple[str, Any]] = {
    "merchants": (json.dumps([ONE]), [ONE]),
    "merchants_file": ("merchants.csv", "merchants.csv"),
    "merchant_id": ("SHOPTWO2", "SHOPTWO2"),
    "access_token": ("token-two", "token-two"),
    "refresh_token": ("token-three", "token-three"),
    "client_id": ("0123456", "0123456"),
    "client_secret": ("secret", "secret"),
    "token_store": ("/tokens/store.json", "/tokens/store.json"),
    "token_key": ("A" * 43 + "=", "A" * 43 + "="),
    "region": ("sandbox", "sandbox"),
    "api_url": ("http://127.0.0.1:1", "http://127.0.0.1:1"),
    "start_date": ("2026-01-01", "2026-01-01"),
    "end_date": ("2026-02-01T09:00:00Z", "2026-02-01T09:00:00Z"),
    "lookback_days": ("0.5", "0.5"),
    "late_changes_days": ("60.5", "60.5"),
    "late_changes_every_days": ("14", "14"),
    "window_days": ("7.25", "7.25"),
    "max_concurrent_exports": ("2", "2"),
    "poll_interval_seconds": ("0.25", "0.25"),
    "export_timeout_minutes": ("90", "90"),
    "max_run_hours": ("1.5", "1.5"),
    "max_wait_hours": ("0", "0"),
    "stream_maps": ('{"orders": {"note": "__NULL__"}}', {"orders": {"note": "__NULL__"}}),
    "stream_map_config": ('{"seed": "x"}', {"seed": "x"}),
    "flattening_enabled": ("true", True),
    "flattening_max_depth": ("2", 2),
    "flattening_max_key_length": ("60", 60),
    "flattening_separator": (".", "."),
}
"""What stands in each setting's environment variable, and what Meltano has to hand over."""

SNIPPETS = re.findall(
    r"^```yaml\n(.*?)^```$",
    (SOURCE / "docs" / "meltano.md").read_text(encoding="utf-8").partition("## Meltano's traps")[0],
    re.MULTILINE | re.DOTALL,
)
CSV = re.search(
    r"^```csv\n(.*?)^```$",
    (SOURCE / "docs" / "meltano.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A fresh project, made as the README says with this checkout beside it, without a loader."""
    folder = tmp_path_factory.mktemp("added") / "my-project"
    folder.mkdir()
    folder.with_name(TAP).symlink_to(SOURCE)
    project = ForkedProject(folder, {"MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false"}, folder)
    assert [step.split()[0] for step in STEPS] == ["init", "add", "add", "config"]
    for step in STEPS:
        project.meltano(*shlex.split(step.replace("init my-project", "init .")))
    project.lock()
    project.meltano("install", TAP, UV_CONSTRAINT=CONSTRAINTS)
    (folder / "merchants.csv").write_text(CSV[1] if CSV else "")
    return project


@pytest.fixture(scope="module")
def handed(project: Project) -> dict[str, Any]:
    """The settings as Meltano hands them over, each from its environment variable."""
    given = {f"TAP_CLOVER_EXPORT_{name.upper()}": text for name, (text, _) in GIVEN.items()}
    config: dict[str, Any] = json.loads(project.meltano("invoke", "--dump=config", TAP, **given))
    return config


def test_every_setting_is_given() -> None:
    """Nothing that the definition has is left out here."""
    definition = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
    assert sorted(GIVEN) == [field["name"] for field in definition["settings"]]


@pytest.mark.parametrize("name", GIVEN)
def test_every_setting_comes_through_its_environment_variable(
    handed: dict[str, Any], name: str
) -> None:
    """Meltano hands it over, lists as lists, whole numbers as numbers, fractions as they stand."""
    assert handed[name] == GIVEN[name][1]
    assert type(handed[name]) is type(GIVEN[name][1])


def test_the_tap_reads_what_meltano_hands_over(handed: dict[str, Any], project: Project) -> None:
    """Numbers are numbers, times are times, and each merchant keeps its region."""
    config = {name: handed[name] for name in OWN_SETTINGS - {"refresh_token"}}
    config["merchants_file"] = str(project.folder / "merchants.csv")
    read = settings.read(config, TapCloverExport.config_jsonschema["properties"])
    merchants = {merchant.id: merchant for merchant in read.merchants}
    assert set(merchants) == {"SHOPONE1", "SHOPTWO2", "ABCDEFGHJKMNP", "QRSTVWXYZ2345"}
    assert merchants["SHOPONE1"].region == "eu"
    assert merchants["SHOPTWO2"].region == "sandbox"
    assert read.client_id == "0123456"
    assert read.token_store == Path("/tokens/store.json")
    assert read.end == datetime(2026, 2, 1, 9, tzinfo=UTC)
    assert read.lookback == timedelta(days=0.5)
    assert read.late_changes == timedelta(days=60.5)
    assert read.late_changes_every == timedelta(days=14)
    assert read.window == timedelta(days=7.25)
    assert read.max_concurrent_exports == 2
    assert read.poll_interval == 0.25
    assert read.export_timeout == 90 * 60
    assert read.max_run == 1.5 * 3600
    assert read.max_wait == 0


@pytest.fixture
def restored(project: Project) -> Iterator[Path]:
    """The project's meltano.yml, which is put back afterwards."""
    file = project.folder / "meltano.yml"
    before = file.read_bytes()
    yield file
    file.write_bytes(before)


@pytest.mark.parametrize(
    ("number", "merchants", "region"),
    [
        (0, {"ABCDEFGHJKMNP"}, "us"),
        (1, {"ABCDEFGHJKMNP", "QRSTVWXYZ2345"}, "us"),
        (2, {"ABCDEFGHJKMNP"}, "sandbox"),
        (3, {"ABCDEFGHJKMNP"}, "eu"),
    ],
    ids=["one", "many", "sandbox", "eu"],
)
def test_the_snippets_work(
    project: Project, restored: Path, number: int, merchants: set[str], region: str
) -> None:
    """Put into the project, with the token in the environment, each is a plan of its merchants."""
    assert len(SNIPPETS) == 5
    snippet = yaml.safe_load(SNIPPETS[number])
    (ours,) = snippet.pop("plugins")["extractors"]
    content = yaml.safe_load(restored.read_text(encoding="utf-8"))
    content["plugins"]["extractors"][0] |= ours
    content |= {"jobs": [{"name": "clover-to-postgres", "tasks": [TAP]}]} | snippet
    restored.write_text(yaml.safe_dump(content), encoding="utf-8")
    token = {} if number == 1 else {"TAP_CLOVER_EXPORT_ACCESS_TOKEN": "token"}
    plan = json.loads(project.meltano("invoke", TAP, "--plan=json", **token))
    assert {stream["merchant_id"] for stream in plan["streams"]} == merchants
    assert {stream["region"] for stream in plan["streams"]} == {region}
    if "schedules" in snippet:
        assert "clover-to-postgres" in project.meltano("schedule", "list")


def test_card_data_stays_out(project: Project, restored: Path) -> None:
    """With the last snippet no column that holds a card is selected, and all others are."""
    (ours,) = yaml.safe_load(SNIPPETS[4])["plugins"]["extractors"]
    content = yaml.safe_load(restored.read_text(encoding="utf-8"))
    content["plugins"]["extractors"][0] |= ours
    restored.write_text(yaml.safe_dump(content), encoding="utf-8")
    streams = json.loads(project.meltano("invoke", "--dump=catalog", TAP))["streams"]
    left_out = {
        f"{stream['tap_stream_id']}.{entry['breadcrumb'][1]}"
        for stream in streams
        for entry in stream["metadata"]
        if len(entry["breadcrumb"]) == 2 and not entry["metadata"]["selected"]
    }
    assert left_out == {rule.removeprefix("!") for rule in ours["select"] if rule[0] == "!"}


def test_meltano_tests_the_settings(project: Project) -> None:
    """`meltano config test` gets a record from the local Clover."""
    with clover(now=None) as simulator:
        ((merchant, token),) = simulator.options.merchants.items()
        said = project.meltano(
            "config",
            "test",
            TAP,
            TAP_CLOVER_EXPORT_MERCHANT_ID=merchant,
            TAP_CLOVER_EXPORT_ACCESS_TOKEN=token,
            TAP_CLOVER_EXPORT_API_URL=simulator.url,
            TAP_CLOVER_EXPORT_START_DATE=(datetime.now(UTC) - timedelta(days=5)).isoformat(),
            TAP_CLOVER_EXPORT_POLL_INTERVAL_SECONDS="0.2",
        )
        assert simulator.exports
    assert "is valid" in said


def test_the_definition_is_about_this_tap(project: Project) -> None:
    """What was installed is this tap, with the streams that the documents promise."""
    about = json.loads(project.meltano("invoke", TAP, "--about", "--format=json"))
    assert about["name"] == TAP
    catalog = json.loads(project.meltano("invoke", TAP, "--discover"))
    assert {stream["tap_stream_id"] for stream in catalog["streams"]} == {
        "orders",
        "payments",
        "exports",
    }
    assert os.fspath(SOURCE) not in json.dumps(about)
