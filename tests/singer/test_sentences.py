"""Settings that the SDK reads: each that can't be used is named in a sentence, before the run."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fork_server import PATIENCE
from tests.support.harness import ONE, command, write_config

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {"merchant_id": ONE, "access_token": "s3cr3t-t0k3n", "start_date": "2026-01-01"}
FLAT = {"flattening_enabled": True, "flattening_max_depth": 1}
TRANSFORMS = "stream_maps can't be used "


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (FLAT | {"flattening_max_key_length": 5}, "Flattening can't be done (Duplicate column"),
        ({"flattening_enabled": True}, "flattening_max_depth is required"),
        ({"flattening_max_depth": "1"}, "flattening_max_depth has the wrong shape ("),
        ({"stream_maps": {"orders": {"note": ""}}}, f"{TRANSFORMS}(IndexError: "),
        ({"stream_maps": {"orders": {"note": "(("}}}, f"{TRANSFORMS}(Failed to parse"),
        ({"stream_maps": {"orders": 5}}, "stream_maps.orders has the wrong shape ("),
        ({"stream_maps": {"__else__": "x"}}, "stream_maps has the wrong shape (an __else__ that"),
    ],
    ids=str,
)
def test_what_the_sdk_can_t_use(settings: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    """Its setting stands in the last line."""
    done = command("--config", write_config(tmp_path, GOOD | settings), "--plan")
    assert done.returncode == 1
    assert last(done.stderr).startswith(sentence)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("MERCHANTS", '[{"access_token": "s3cr3t-t0k3n"', " is not JSON; correct it."),
        ("STREAM_MAPS", "{orders", " is not JSON; correct it."),
        ("FLATTENING_MAX_DEPTH", "x", " is not a whole number; correct it."),
    ],
)
def test_variables_that_can_t_be_read(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, sentence: str
) -> None:
    """The variable is named, not what it holds."""
    in_environment(monkeypatch, {name: text})
    done = command("--config", "ENV", "--plan")
    assert done.returncode == 1
    assert last(done.stderr) == f"TAP_CLOVER_EXPORT_{name}{sentence}"
    assert "s3cr3t" not in done.stderr


def test_empty_variables_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the type of the setting."""
    empty = ("MERCHANTS", "STREAM_MAPS", "FLATTENING_MAX_DEPTH", "WINDOW_DAYS", "REGION")
    in_environment(monkeypatch, dict.fromkeys(empty, ""))
    done = command("--config", "ENV", "--plan")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN"])
def test_a_number_that_yaml_made_infinite(value: str, tmp_path: Path) -> None:
    """No JSON has such a number; the setting is named."""
    file = tmp_path / "config.json"
    file.write_text(f'{{"start_date": "2026-01-01", "merchant_id": {value}}}')
    done = command("--config", str(file))
    assert done.returncode == 1
    assert last(done.stderr) == "merchant_id is a number beyond all bounds; put it in quotes."


def test_windows_is_told_so() -> None:
    """As it is imported, before anything that Windows has not is."""
    code = "import sys; sys.platform = 'win32'; import tap_clover_export.tap"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: tap-clover-export needs Linux or macOS, since Windows locks files in another "
        "way; use WSL there."
    )


def in_environment(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    """Put good settings, and these, into the environment."""
    for name, value in GOOD.items():
        monkeypatch.setenv(f"TAP_CLOVER_EXPORT_{name.upper()}", value)
    for name, value in settings.items():
        monkeypatch.setenv(f"TAP_CLOVER_EXPORT_{name}", value)


def last(text: str) -> str:
    """The last line, without what the logger puts before it."""
    return text.strip().splitlines()[-1].split(" | ")[-1].strip()
