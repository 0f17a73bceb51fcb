"""The settings stand in tap.py, meltano.yml, .env.example, documents and for the hub, in step."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tap_clover_export.progress.trace import TRACE
from tap_clover_export.settings import settings
from tap_clover_export.settings.hosts import BASE_URLS
from tap_clover_export.settings.settings import FILE_LIMIT
from tap_clover_export.singer.cli import read_environment
from tap_clover_export.tap import OWN_SETTINGS, TapCloverExport
from tests.support import hub

ROOT = Path(__file__).parents[2]
PREFIX = "TAP_CLOVER_EXPORT_"
PROPERTIES: dict[str, dict[str, Any]] = {
    name: field
    for name, field in TapCloverExport.config_jsonschema["properties"].items()
    if name in OWN_SETTINGS
}
DEFAULTS = {
    name: field["default"] for name, field in PROPERTIES.items() if field.get("default") is not None
}
MELTANO = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
EXTRACTOR = MELTANO["plugins"]["extractors"][0]
SETTINGS: dict[str, dict[str, Any]] = {field["name"]: field for field in EXTRACTOR["settings"]}
DEFINITION = yaml.safe_load(hub.FILE.read_text(encoding="utf-8"))
HUB = {"domain_url", "keywords", "maintenance_status", "prereq", "quality", "settings_preamble"}
"""Keys that only Meltano's hub knows; no package has its schema, which was looked at by hand."""
NO_USE = {"faker_config"}
"""Settings of the SDK that need a package which the tap does not install."""
BUILTIN: dict[str, Any] = {"properties": {}}
TapCloverExport.append_builtin_config(BUILTIN)
KINDS = {
    name: field["type"][0] for name, field in BUILTIN["properties"].items() if name not in NO_USE
}
"""The SDK's own settings, of the kind that they have there."""
SAMPLES = dict(
    re.findall(
        rf"^(?:# )?{PREFIX}(\w+)=(.*)$",
        (ROOT / ".env.example").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)
ROW = re.compile(r"^\| `(\w+)` \|(.*)$", re.MULTILINE)
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
ROWS = dict(ROW.findall(PAGE))
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVERYDAY = dict(ROW.findall(README.partition("## Settings\n")[2].partition("\n## ")[0]))


def test_every_setting_stands_in_meltano_yml() -> None:
    """Meltano knows the tap's settings and then the SDK's, in their order, and no others."""
    assert list(SETTINGS) == [*PROPERTIES, *KINDS]
    assert {name: SETTINGS[name]["kind"] for name in KINDS} == KINDS


def test_every_setting_stands_in_the_sample_environment() -> None:
    """.env.example has every setting, the tap's and then the SDK's, and no others."""
    assert list(SAMPLES) == [name.upper() for name in (*PROPERTIES, *KINDS)]


@pytest.mark.parametrize("name", KINDS)
def test_samples_of_the_sdk_s_settings_can_be_used(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is of its type, read as the tap reads it."""
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", SAMPLES[name.upper()])
    found = read_environment(BUILTIN["properties"], PREFIX)
    kind = {"type": BUILTIN["properties"][name]["type"]}
    jsonschema.validate(found, {"required": [name], "properties": {name: kind}})


def test_every_setting_stands_in_the_documents() -> None:
    """The page has every setting of the tap's, in its order, and names the SDK's."""
    assert list(ROWS) == list(PROPERTIES)
    assert set(re.findall(r"`(\w+)`", PAGE)) >= KINDS.keys()
    named = set(re.findall(rf"{PREFIX}([A-Z]+(?:_[A-Z]+)*)", PAGE))
    assert named - {one.removeprefix(PREFIX) for one in (FILE_LIMIT, TRACE)} <= SAMPLES.keys()


def test_everyday_settings_stand_in_the_readme() -> None:
    """The README has a few of them, with the page's defaults, or that they are required."""
    assert len(EVERYDAY.keys() & PROPERTIES.keys()) == len(EVERYDAY) == 6
    required = set(TapCloverExport.config_jsonschema["required"])
    for name, row in EVERYDAY.items():
        default = row.split("|")[0].strip(" `")
        assert default == ("required" if name in required else str(DEFAULTS.get(name, "")))


def test_the_sample_of_a_config_can_be_used() -> None:
    """It is read as it stands, and names two merchants."""
    (sample,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    read = settings.read(json.loads(sample), TapCloverExport.config_jsonschema["properties"])
    assert [merchant.region for merchant in read.merchants] == ["us", "eu"]


@pytest.mark.parametrize("name", PROPERTIES)
def test_meltano_says_what_the_tap_says(name: str) -> None:
    """Label, description, default and secrecy are the tap's."""
    ours, theirs = PROPERTIES[name], SETTINGS[name]
    assert theirs["label"] == ours["title"]
    assert theirs["description"] == ours["description"]
    assert theirs.get("value") == DEFAULTS.get(name)
    assert theirs.get("sensitive", False) == ours.get("secret", False)


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_said_everywhere(name: str) -> None:
    """The sample and the page's row name the default."""
    assert SAMPLES[name.upper()] == str(DEFAULTS[name])
    assert re.search(rf"(?<![\w.]){re.escape(str(DEFAULTS[name]))}(?![\w.])", ROWS.get(name, ""))


def test_no_number_of_the_tap_s_is_other_than_text() -> None:
    """Meltano 4 can't hand over a decimal from the environment, nor an empty integer."""
    numbers = [name for name, field in PROPERTIES.items() if "number" in field["type"]]
    assert {SETTINGS[name]["kind"] for name in numbers} == {"string"}


def test_meltano_knows_the_regions_and_capabilities() -> None:
    """Regions and capabilities are the tap's."""
    regions = [option["value"] for option in SETTINGS["region"]["options"]]
    assert regions == list(BASE_URLS)
    ours = {str(capability.value) for capability in TapCloverExport.capabilities}
    assert set(EXTRACTOR["capabilities"]) == ours


def test_the_definition_is_meltano_yml_s_entry_in_the_form_of_the_hub() -> None:
    """Where it is not, `python -m tests.support.hub` writes it."""
    assert hub.FILE.read_text(encoding="utf-8") == hub.text(DEFINITION, EXTRACTOR)
    assert DEFINITION["pip_url"] == "tap-clover-export"
    assert {"label", "name", "namespace", "variant"} <= DEFINITION.keys()
    values = [setting["value"] for setting in DEFINITION["settings"] if "value" in setting]
    assert values
    assert all(isinstance(value, (str, int)) for value in values)


def test_the_definition_is_of_the_form_of_meltano() -> None:
    """Meltano's own schema takes it, and this project's meltano.yml, whole."""
    schema = json.loads(
        resources.files("meltano.schemas").joinpath("meltano.schema.json").read_text()
    )
    entry = {name: value for name, value in DEFINITION.items() if name not in HUB}
    jsonschema.validate({"plugins": {"extractors": [entry]}}, schema)
    jsonschema.validate(MELTANO, schema)


def test_every_scheduled_job_exists_and_runs_in_the_us_hours() -> None:
    """Schedules start while Clover's export service is open in the US, 10:00 to 15:00 UTC."""
    jobs = {job["name"] for job in MELTANO["jobs"]}
    for schedule in MELTANO["schedules"]:
        _, hour, *_ = schedule["interval"].split()
        assert schedule["job"] in jobs
        assert 10 <= int(hour) < 15
