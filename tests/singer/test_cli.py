"""The command line: what it prints, how it ends, and that it never ends with a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.harness import (
    ONE,
    TOKENS,
    TWO,
    clover,
    command,
    config_for,
    started,
    write_config,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = {"merchant_id": ONE, "access_token": "s3cr3t-t0k3n", "start_date": "2026-01-01"}


def last(text: str) -> str:
    """The last line, without what the logger puts before it."""
    return text.strip().splitlines()[-1].split(" | ")[-1].strip()


def test_discover_needs_nothing() -> None:
    """`--discover` needs neither settings nor network, and selects all streams."""
    done = command("--discover")
    assert done.returncode == 0
    streams = json.loads(done.stdout)["streams"]
    assert [stream["tap_stream_id"] for stream in streams] == ["exports", "orders", "payments"]
    for stream in streams:
        assert stream["key_properties"] == ["merchant_id", "id"]
        ledger = stream["tap_stream_id"] == "exports"
        assert stream.get("replication_key") == (None if ledger else "modifiedTime")
        properties = stream["schema"]["properties"]
        assert all(field["description"].endswith(".") for field in properties.values())
        if not ledger:
            assert {n for n, f in properties.items() if "null" not in f["type"]} == {
                "merchant_id",
                "id",
            }


@pytest.mark.parametrize("form", [[], ["--format", "json"], ["--format", "markdown"]])
def test_about(form: list[str]) -> None:
    """`--about` lists every setting, in all formats."""
    done = command("--about", *form)
    assert done.returncode == 0
    for name in ("merchants_file", "max_wait_hours", "lookback_days", "stream_maps"):
        assert name in done.stdout


def test_version_and_help() -> None:
    """`--version` and `--help` end with 0 and say what is there."""
    assert "tap-clover-export v" in command("--version").stdout
    said = started("--help").stdout
    assert "--plan" in said
    assert "--test [schema]" in said


BAD_SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "No merchant is set"),
    "no merchant": ({"start_date": "2026-01-01"}, "No merchant is set"),
    "token alone": ({"access_token": "s3cr3t-t0k3n", "start_date": "2026-01-01"}, "merchant_id"),
    "typo": (GOOD | {"lookback_day": 3}, "lookback_days"),
    "number": (GOOD | {"window_days": "many"}, "window_days"),
    "too wide": (GOOD | {"window_days": 31}, "window_days"),
    "region": (GOOD | {"region": "moon"}, "region"),
    "url": (GOOD | {"api_url": "http://example.com"}, "api_url"),
    "date": (GOOD | {"start_date": "soon"}, "start_date"),
    "upside down": (GOOD | {"end_date": "2025-01-01"}, "end_date"),
    "twice": (
        GOOD | {"merchants": [{"merchant_id": ONE, "access_token": "s3cr3t-t0k3n"}]},
        "twice",
    ),
    "both tokens": (GOOD | {"refresh_token": "s3cr3t-t0k3n"}, "both"),
    "file": (GOOD | {"merchants_file": "/no/such/file"}, "merchants_file"),
    "stream maps": (GOOD | {"stream_maps": 5}, "stream_maps"),
}


@pytest.mark.parametrize("arguments", [[], ["--test"], ["--config", "{}"]])
def test_no_setting_at_all(arguments: list[str], tmp_path: Path) -> None:
    """Each reason comes at once, the missing `--config ENV` first, and no line of the SDK's."""
    given = [write_config(tmp_path, {}) if word == "{}" else word for word in arguments]
    lines = [last(line) for line in command(*given).stderr.splitlines()]
    assert [line.split(";")[0] for line in lines] == [
        "No setting is given",
        "start_date is not set",
        "No merchant is set",
    ]
    assert lines[0].endswith("with --config ENV.")


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_settings(name: str, tmp_path: Path) -> None:
    """A bad setting ends with a sentence that names it and says what to do; no token in it."""
    settings, expected = BAD_SETTINGS[name]
    done = command("--config", write_config(tmp_path, settings))
    assert done.returncode == 1
    assert done.stdout == ""
    assert expected in last(done.stderr)
    assert last(done.stderr).endswith((".", "?"))
    assert "Traceback" not in done.stderr
    assert "s3cr3t" not in done.stderr


BAD_FILES: dict[str, Callable[[Path], list[str]]] = {
    "config is no JSON": lambda path: ["--config", write(path / "c", "{")],
    "config does not exist": lambda path: ["--config", str(path / "nowhere.json")],
    "config is nothing": lambda _: ["--config="],
    "config is null": lambda path: ["--config", write(path / "c", "null")],
    "state is null": lambda path: [
        *["--config", write_config(path, GOOD)],
        *["--state", write(path / "s", '{"bookmarks": null}')],
    ],
    "stream maps that can't be read": lambda path: [
        "--config",
        write_config(path, GOOD | {"stream_maps": {"orders": {"x": "((("}}}),
    ],
    "config is a list": lambda path: ["--config", write(path / "c", "[]")],
    "state is no JSON": lambda path: [
        *["--config", write_config(path, GOOD)],
        *["--state", write(path / "s", "{")],
    ],
    "state is a list": lambda path: [
        *["--config", write_config(path, GOOD)],
        *["--state", write(path / "s", "[1]")],
    ],
    "state of another tap": lambda path: [
        *["--config", write_config(path, GOOD)],
        *["--state", write(path / "s", '{"bookmarks": {"orders": 5}}')],
    ],
    "catalog is no JSON": lambda path: [
        *["--config", write_config(path, GOOD)],
        *["--catalog", write(path / "k", "nope")],
    ],
    "catalog that is empty": lambda path: [
        *["--config", write_config(path, GOOD)],
        *["--catalog", write(path / "k", '{"streams": []}')],
    ],
    "catalog without streams": lambda path: [
        *["--config", write_config(path, GOOD)],
        *["--catalog", write(path / "k", "{}")],
    ],
    "an unknown option": lambda _: ["--nonsense"],
}


BAD_FILES_SAID = {
    "config is no JSON": "is not JSON",
    "config does not exist": "nowhere.json' does not exist; give",
    "config is nothing": "The config '' does not exist; give the path of a file",
    "config is null": "holds no JSON object; correct it.",
    "state is null": "not of this tap's shape",
    "stream maps that can't be read": "stream_maps can't be used",
    "config is a list": "No merchant is set",
    "state is no JSON": "is not JSON",
    "state is a list": "not of this tap's shape",
    "state of another tap": "not of this tap's shape",
    "catalog is no JSON": "is not JSON",
    "catalog that is empty": "The catalog has no list of streams",
    "catalog without streams": "The catalog has no list of streams",
    "an unknown option": "No such option",
}


@pytest.mark.parametrize(
    "state", ["null", '{"type": "STATE", "value": null}', '{"bookmark": {"orders": {}}}']
)
def test_a_state_of_another_shape_does_not_begin_anew(state: str, tmp_path: Path) -> None:
    """It is refused, whatever the command is asked for."""
    config = ["--config", write_config(tmp_path, GOOD), "--state", write(tmp_path / "s", state)]
    done = command(*config, "--plan")
    assert done.returncode == 1
    assert last(done.stderr).startswith("The state is not of this tap's shape;")


@pytest.mark.parametrize("option", ["--config", "--state", "--catalog"])
@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00"])
def test_a_file_that_is_no_json_is_named(option: str, content: bytes, tmp_path: Path) -> None:
    """Which of the files it is, is said."""
    file = tmp_path / "this-one"
    file.write_bytes(content)
    arguments = [] if option == "--config" else ["--config", write_config(tmp_path, GOOD)]
    done = command(*arguments, option, str(file))
    assert done.returncode == 1
    assert last(done.stderr).startswith(f"The {option[2:]} {file} is not JSON (")
    assert last(done.stderr).endswith("; correct it.")


@pytest.mark.parametrize("option", ["--plan", "--plan=json", "--about", "--discover", None])
def test_output_that_takes_nothing(option: str | None, tmp_path: Path) -> None:
    """A full disk under stdout ends with 1 and a sentence, not with Python's own 120."""
    arguments = ["--config", write_config(tmp_path, GOOD), *filter(None, [option])]
    done = command(*arguments, stdout="/dev/full")
    assert done.returncode == 1
    sentence = "The output can't be written (No space left on device); look at where it goes."
    assert last(done.stderr) == sentence
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("stream", "name", "expression", "error"),
    [
        ("orders", "total", "1/0", "ZeroDivisionError"),
        ("payments", "__filter__", "nobody(amount)", "FunctionNotDefined"),
        ("orders", "note", "int('s3cr3t' + id)", "ValueError"),
    ],
)
def test_a_stream_map_that_fails(
    stream: str, name: str, expression: str, error: str, tmp_path: Path
) -> None:
    """The property and its expression are named, no value; the other stream is whole."""
    with clover(days=3) as simulator:
        settings = config_for(simulator, stream_maps={stream: {name: expression}})
        done = command("--config", write_config(tmp_path, settings))
        assert done.returncode == 1
        assert f"the stream map of {name} failed on a record with {error}" in last(done.stderr)
        assert f"correct its expression {expression!r} in stream_maps" in last(done.stderr)
        assert "unexpected" not in done.stderr
        other = {"orders": "PAYMENTS", "payments": "ORDERS"}[stream]
        came = [
            m["record"]["id"]
            for m in map(json.loads, done.stdout.splitlines())
            if "record" in m and m["stream"] != "exports"
        ]
        assert sorted(came) == sorted(r["id"] for r in simulator.records(ONE, other))  # type: ignore[arg-type]


def test_a_stream_map_that_needs_faker(tmp_path: Path) -> None:
    """The package that is missing is named before anything is exported."""
    with clover(days=3) as simulator:
        settings = config_for(simulator, stream_maps={"orders": {"note": "fake.name()"}})
        done = command("--config", write_config(tmp_path, settings))
        assert simulator.requests == []
    assert done.returncode == 1
    assert last(done.stderr) == (
        "stream_maps can't be used (fake needs the package faker, which is not installed here); "
        "correct them."
    )


def write(path: Path, text: str) -> str:
    """A file; answers its path."""
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(name: str, tmp_path: Path) -> None:
    """A bad file ends with a sentence about it, never with a traceback."""
    done = command(*BAD_FILES[name](tmp_path))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert BAD_FILES_SAID[name] in last(done.stderr)


LOADING = """
import os, runpy, signal
real = signal.signal
def said(*args):
    signal.signal = real
    real(*args)
    os.write(1, b"loading\\n")
signal.signal = said
runpy.run_module("tap_clover_export", run_name="__main__", alter_sys=True)
"""
"""The command, saying when it has made its first arrangement for signals and begins to load."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [0, 0.05, 0.15])
def test_interrupt_while_it_loads(number: signal.Signals, delay: float, tmp_path: Path) -> None:
    """A signal in the first moments ends the command without a traceback."""
    run = subprocess.Popen(
        [sys.executable, "-c", LOADING, "--config", write_config(tmp_path, GOOD)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout
    assert run.stdout.readline() == "loading\n"
    time.sleep(delay)
    run.send_signal(number)
    _, log = run.communicate(timeout=30)
    assert run.returncode in (-number, 128 + number)
    assert "Traceback" not in log


def test_a_future_that_is_a_mistake(tmp_path: Path) -> None:
    """A start or a bookmark in the future asks Clover nothing, and says so."""
    with clover(days=3) as simulator:
        settings = config_for(simulator, start_date="2999-01-01")
        done = command("--config", write_config(tmp_path, settings))
        assert done.returncode == 0
        assert f"The start_date of orders of merchant {ONE} lies in the future." in done.stderr
        entry = {
            "context": {"merchant_id": ONE},
            "replication_key": "modifiedTime",
            "replication_key_value": "2999-01-01T00:00:00.000Z",
        }
        state = write(
            tmp_path / "s", json.dumps({"bookmarks": {"orders": {"partitions": [entry]}}})
        )
        config = write_config(tmp_path, config_for(simulator))
        done = command("--config", config, "--state", state)
        assert f"The bookmark of orders of merchant {ONE} lies in the future" in done.stderr


def test_sync_as_a_command(tmp_path: Path) -> None:
    """The whole way as a process: messages on stdout, log on stderr, exit 0."""
    with clover(merchants=(ONE, TWO), days=5) as simulator:
        settings = config_for(simulator)
        done = started("--config", write_config(tmp_path, settings))
        assert done.returncode == 0, done.stderr
        messages = [json.loads(line) for line in done.stdout.splitlines()]
        assert messages[-1]["type"] == "STATE"
        for kind, stream in (("ORDERS", "orders"), ("PAYMENTS", "payments")):
            got = [
                m["record"]["id"] for m in messages if m.get("stream") == stream and "record" in m
            ]
            held = [r["id"] for m in (ONE, TWO) for r in simulator.records(m, kind)]  # type: ignore[arg-type]
            assert sorted(got) == sorted(held)


def test_config_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--config ENV` reads every setting, numbers and lists included, and tells a misspelt one."""
    with clover(days=3) as simulator:
        for name, value in config_for(simulator).items():
            text = value if isinstance(value, str) else json.dumps(value)
            monkeypatch.setenv(f"TAP_CLOVER_EXPORT_{name.upper()}", text)
        monkeypatch.setenv("TAP_CLOVER_EXPORT_LOOKBACK_DAYS", "0.5")
        monkeypatch.setenv("TAP_CLOVER_EXPORT_MAX_CONCURRENT_EXPORTS", "2")
        monkeypatch.setenv("TAP_CLOVER_EXPORT_REGIO", "us")
        done = command("--config", "ENV")
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("is no setting; did you mean TAP_CLOVER_EXPORT_REGION?") == 1
        assert '"type":"RECORD"' in done.stdout


def test_the_test_option(tmp_path: Path) -> None:
    """`--test` says a line a merchant and asks for no export."""
    with clover(merchants=(ONE, TWO), days=3) as simulator:
        settings = config_for(simulator)
        done = command("--config", write_config(tmp_path, settings), "--test")
        assert done.returncode == 0
        assert done.stdout.splitlines() == [
            f"{ONE} (sandbox): accepted.",
            f"{TWO} (sandbox): accepted.",
        ]
        settings["merchants"][1]["access_token"] = "wrong-token"
        done = command("--config", write_config(tmp_path, settings), "--test")
        assert done.returncode == 1
        assert done.stdout.splitlines()[0] == f"{ONE} (sandbox): accepted."
        assert done.stdout.splitlines()[1].startswith(f"{TWO} (sandbox): refused (")
        assert "wrong-token" not in done.stdout + done.stderr
        assert {request.kind for request in simulator.requests} == {"poll"}
    done = command("--config", write_config(tmp_path, settings), "--test")
    assert done.returncode == 1
    assert "not reachable" in done.stdout
    assert TOKENS[ONE] not in done.stdout + done.stderr


def test_schema_test(tmp_path: Path) -> None:
    """`--test=schema` stays the SDK's."""
    with clover(days=3) as simulator:
        config = write_config(tmp_path, config_for(simulator))
        done = command("--config", config, "--test=schema")
        assert done.returncode == 0
        assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == ["SCHEMA"] * 3
        assert simulator.requests == []


def test_plan(tmp_path: Path) -> None:
    """`--plan` tells people, `--plan=json` programs; neither asks Clover anything."""
    with clover(merchants=(ONE, TWO), days=70) as simulator:
        config = write_config(tmp_path, config_for(simulator, end_date="2026-03-03T12:00:00Z"))
        done = command("--config", config, "--plan")
        assert done.returncode == 0
        assert "Exports to ask Clover for: 12; pending ones to resume: 0." in done.stdout
        assert "Bookmarks: no --state is given, so everything from start_date on." in done.stdout
        done = command("--config", config, "--plan=json")
        plan = json.loads(done.stdout)
        assert plan["exports"] == 12
        assert [(row["merchant_id"], row["stream"]) for row in plan["streams"]] == [
            (ONE, "orders"),
            (ONE, "payments"),
            (TWO, "orders"),
            (TWO, "payments"),
        ]
        assert simulator.requests == []


def test_a_refused_token_fails_its_merchant_only(tmp_path: Path) -> None:
    """A refused token ends that merchant in seconds, in a sentence; the others are whole."""
    with clover(merchants=(ONE, TWO), days=3) as simulator:
        settings = config_for(simulator)
        settings["merchants"][0]["access_token"] = "wrong-token"
        done = command("--config", write_config(tmp_path, settings))
        assert done.returncode == 1
        assert last(done.stderr).startswith(f"Missing: orders of merchant {ONE} from ")
        assert "also missing: payments of merchant" in last(done.stderr)
        assert "wrong-token" not in done.stdout + done.stderr
        structured = [
            json.loads(line.split("INCOMPLETE: ")[1])
            for line in done.stderr.splitlines()
            if "INCOMPLETE: " in line
        ]
        assert [(row["merchant_id"], row["stream"]) for row in structured] == [
            (ONE, "orders"),
            (ONE, "payments"),
        ]
        got = {
            message["record"]["id"]
            for message in map(json.loads, done.stdout.splitlines())
            if message.get("stream") == "orders" and "record" in message
        }
        assert got == {record["id"] for record in simulator.records(TWO, "ORDERS")}


def test_of_a_state_of_many_lines_the_last_counts(tmp_path: Path) -> None:
    """A loader's whole output is a state, whatever form its lines have."""
    lines = [
        {"bookmarks": {"orders": {"partitions": [entry]}}}
        for entry in (
            {
                "context": {"merchant_id": ONE},
                "replication_key": "modifiedTime",
                "replication_key_value": f"2026-0{month}-01T00:00:00.000Z",
            }
            for month in (2, 3)
        )
    ]
    config = write_config(tmp_path, GOOD | {"merchant_id": ONE})
    for form in (lines, [{"type": "STATE", "value": line} for line in lines]):
        state = write(tmp_path / "s", "".join(f"{json.dumps(line)}\n" for line in form) + "\n")
        done = command("--config", config, "--state", state, "--plan=json")
        plan = json.loads(done.stdout)
        assert plan["streams"][0]["bookmark"] == "2026-03-01T00:00:00.000Z"
        assert plan["state"] == state


def test_a_state_whose_last_line_is_torn_is_refused(tmp_path: Path) -> None:
    """It is not taken for the one before."""
    state = write(tmp_path / "s", '{"bookmarks": {}}\n{"bookmarks": {"ord')
    done = command("--config", write_config(tmp_path, GOOD), "--state", state, "--plan")
    assert done.returncode == 1
    assert last(done.stderr).startswith(f"The state {state} is not JSON (Unterminated string")


def test_a_sentence_is_the_last_line_where_warnings_are_asked_for(tmp_path: Path) -> None:
    """Meltano asks for them; a state's file that was opened and is not used is worth none."""
    (tmp_path / "state.json").write_text("{}")
    config = write_config(tmp_path, {**GOOD, "start_date": "x"})
    arguments = ("--config", config, "--state", str(tmp_path / "state.json"), "--test")
    done = started(*arguments, env={**os.environ, "PYTHONWARNINGS": "once"})
    assert last(done.stderr).startswith("start_date is not a date")


def test_an_empty_state_begins_from_the_start(tmp_path: Path) -> None:
    """With a warning, as a shell may have emptied the file."""
    state = write(tmp_path / "s", "\n")
    done = command("--config", write_config(tmp_path, GOOD), "--state", state, "--plan")
    assert done.returncode == 0
    assert "The state is empty; everything is exported from start_date on." in done.stderr


def test_a_state_as_meltano_keeps_it(tmp_path: Path) -> None:
    """What `meltano state get` writes is the state that is in it, not an empty one."""
    bookmark = {"replication_key": "modifiedTime", "replication_key_value": "2026-02-01T00:00:00Z"}
    entry = {"context": {"merchant_id": ONE}} | bookmark
    inner = {"bookmarks": {"orders": {"partitions": [entry]}}}
    file = tmp_path / "state.json"
    config = write_config(tmp_path, GOOD | {"merchant_id": ONE})
    plans = []
    for state in (inner, {"singer_state": inner}, {"type": "STATE", "value": inner}):
        file.write_text(json.dumps(state))
        done = command("--config", config, "--state", str(file), "--plan=json")
        assert done.returncode == 0
        plans.append([row["bookmark"] for row in json.loads(done.stdout)["streams"]])
    assert plans[0] == plans[1]
    assert any(plans[0])
