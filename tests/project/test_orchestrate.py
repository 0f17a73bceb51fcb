"""What the Airflow DAGs are made of: chunks, hours, arguments, the tap's words, Meltano."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export.airflow import hours, words
from tap_clover_export.airflow.chunks import MerchantsFileError, chunk_of, divide, settings_of
from tap_clover_export.airflow.meltano import (
    Meltano,
    MeltanoError,
    check_chunks,
    own_folder,
    states,
)
from tap_clover_export.airflow.setup import Setup, SetupError
from tap_clover_export.planning.hours import TABLE
from tap_clover_export.planning.plan import Purpose
from tap_clover_export.planning.windows import Window
from tap_clover_export.progress.summary import leftover

if TYPE_CHECKING:
    from tap_clover_export.airflow.words import Failure
    from tap_clover_export.planning.hours import Hours

NAMES = [f"SHOP{number:09}" for number in range(3000)]


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of chunks go with the test."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))


def setup(path: Path, merchants: str = "", **arguments: object) -> Setup:
    """The setup of a project in a folder."""
    (path / "merchants.csv").write_text(merchants, encoding="utf-8")
    return Setup(str(path), **arguments)  # type: ignore[arg-type]


# Chunks


def test_chunks_are_about_equal_and_stay() -> None:
    """None holds half as many again; another assignment would begin every merchant again."""
    sizes = [0] * 16
    for name in NAMES:
        sizes[chunk_of(name, 16)] += 1
    assert max(sizes) < 1.5 * 3000 / 16
    assert min(sizes) > 0.5 * 3000 / 16
    assert [chunk_of(name, 16) for name in NAMES[:8]] == [10, 5, 15, 5, 8, 2, 3, 14]


@given(st.text(), st.integers(1, 500))
def test_twice_as_many_chunks_split_each_in_two(name: str, chunks: int) -> None:
    """A merchant's old state is that of its new chunk, or of the one by the old number on."""
    assert chunk_of(name, 2 * chunks) in (chunk_of(name, chunks), chunk_of(name, chunks) + chunks)


def test_a_region_has_its_own_merchants(tmp_path: Path) -> None:
    """Who names no region is in the first; tokens and starts are handed on as they are."""
    text = (
        "merchant_id,access_token,refresh_token,region,start_date\n"
        "A,ta,,,\nB,tb,,eu,\nC,,tc,us,2026-02-01\n"
    )
    at = setup(tmp_path, text, chunks=1)
    assert [settings_of(merchant) for merchant in divide(at, "us").merchants[0]] == [
        {"merchant_id": "A", "region": "us", "access_token": "ta"},
        {
            "merchant_id": "C",
            "region": "us",
            "refresh_token": "tc",
            "start_date": "2026-02-01T00:00:00.000Z",
        },
    ]
    assert [merchant.id for merchant in divide(at, "eu").merchants[0]] == ["B"]


def test_a_row_that_can_not_be_used_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    """Whatever the tap would refuse has a sentence with its name, without its token."""
    text = (
        "merchant_id,access_token,region\nA,ta,us\nB,secret,uk\nC,,us\nD,td,la\nA,tb,us\n?,t,us\n"
    )
    found = divide(setup(tmp_path, text, chunks=1), "us")
    assert [merchant.id for merchant in found.merchants[0]] == ["A"]
    told = "\n".join(found.left_out)
    for words_ in (
        "region of merchant B is not one of us, eu",
        "Merchant C has neither access_token",
        "Merchant D is in region la, which has no DAG",
        "Merchant A is given twice",
        "merchant 6 has no usable merchant_id",
    ):
        assert words_ in told
    assert len(found.left_out) == 5
    assert "secret" not in told


def test_a_file_that_can_not_be_read_is_told_in_a_sentence(tmp_path: Path) -> None:
    """As the tap tells it."""
    for text, told in (
        ("id,token\nA,ta\n", "neither a JSON array"),
        ("", "neither"),
        ("[]", "no m"),
    ):
        with pytest.raises(MerchantsFileError, match=told):
            divide(setup(tmp_path, text), "us")
    with pytest.raises(MerchantsFileError, match="can't be read"):
        divide(Setup(str(tmp_path), "nowhere.csv"), "us")


# Hours


@pytest.mark.parametrize(
    ("open_", "now", "left"),
    [
        (TABLE["us"], "2026-11-24T09:59:59", 0),
        (TABLE["us"], "2026-11-24T10:00:00", 5),
        (TABLE["us"], "2026-11-24T14:30:00", 0.5),
        (TABLE["us"], "2026-11-24T15:00:00", 0),
        (TABLE["eu"], "2026-11-28T01:30:00", 0),
        (TABLE["eu"], "2026-11-29T05:00:00", 1),
        (hours.read("MON 22:00-02:00"), "2026-11-23T23:30:00", 2.5),
        (hours.read("MON-SUN 00:00-24:00"), "2026-11-24T20:00:00", 24),
        (None, "2026-11-24T20:00:00", hours.ANYTIME_HOURS),
    ],
)
def test_hours_left(open_: Hours | None, now: str, left: float) -> None:
    """Until closing; none while closed; a fixed span where no hours are known."""
    time_ = pendulum.parse(now)
    assert isinstance(time_, pendulum.DateTime)
    assert hours.hours_left(open_, time_) == left


def test_a_run_without_hours_shares_one_span() -> None:
    """From its beginning on: what comes last would run beyond the run's end else."""
    began = pendulum.datetime(2026, 11, 24, 20)
    assert [
        hours.hours_left(None, began.add(minutes=gone), began) for gone in (0, 90, 240, 300)
    ] == [4, 2.5, 0, 0]


@pytest.mark.parametrize(
    ("text", "crons", "longest"),
    [
        ("MON-SUN 20:00-04:00", ["10 20 * * MON,TUE,WED,THU,FRI,SAT,SUN"], 8),
        ("MON-FRI 00:00-24:00", ["10 0 * * MON,TUE,WED,THU,FRI"], 24),
        ("FRI-SUN 23:55-04:00", ["5 0 * * SAT,SUN,MON"], 4 + 5 / 60),
    ],
)
def test_hours_may_run_past_midnight(text: str, crons: list[str], longest: float) -> None:
    """A run has the time for all of it, and starts each time."""
    read = hours.read(text)
    assert hours.crons(read) == crons
    assert hours.longest(read).total_seconds() / 3600 == pytest.approx(longest)


def test_hours_are_read_as_they_are_written() -> None:
    """The tap's own table comes back from its text; a DAG starts soon after each opening."""
    for table in TABLE.values():
        assert hours.read(str(table)) == table
    over = hours.read("FRI-MON 22:00-02:00")
    assert hours.crons(over) == ["10 22 * * MON,FRI,SAT,SUN"]
    assert hours.crons(TABLE["eu"]) == ["10 1 * * MON,TUE,WED,THU,FRI", "10 2 * * SAT,SUN"]
    assert hours.crons(None) == []
    assert [hours.longest(of).total_seconds() / 3600 for of in (TABLE["us"], None)] == [5, 4]


def test_no_chunk_is_starved() -> None:
    """Sixteen chunks, three at once, four minutes each for nothing: all get about the same.

    And the last one is another every night.
    """
    left, shares = 5.0 * 60, []
    for place in range(0, 16, 3):
        share = left / hours.rounds_left(place, 16, 3)
        shares.append(share)
        left -= share + 4
    assert shares[0] == 50
    assert min(shares) == shares[-1] > 35
    assert [hours.rounds_left(place, 16, 3) for place in (0, 2, 3, 15)] == [6, 6, 5, 1]
    assert hours.rounds_left(0, 2, 3) == 1
    assert {hours.turns(range(16), day)[-1] for day in range(100, 116)} == set(range(16))
    assert hours.turns([], 7) == []


# The DAG file


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"chunks": 0}, "chunks is not usable; give a whole number from 1 on"),
        ({"at_once": 3.5}, "at_once is not usable; give a whole number from 1 on"),
        ({"retries": -1}, "retries is not usable; give a whole number from 0 on"),
        ({"regions": ("us", "uk")}, "regions has uk; known are us, eu, la, sandbox"),
        ({"regions": "us"}, "regions is no list"),
        ({"grace_seconds": 0}, "grace_seconds is not usable; give a whole number from 1 on"),
        ({"retry_seconds": "300"}, "retry_seconds is not usable"),
        ({"opening_hours": {"LA": "MON 11:00-16:00"}}, "opening_hours has LA; known are us"),
        ({"opening_hours": {"la": "MON 10:00-24:30"}}, "is not written like MON-FRI"),
        ({"retry_seconds": 60}, r"retry_seconds is below grace_seconds \(120\)"),
        (
            {"opening_hours": {"la": "always"}},
            "'always' is not written like MON-FRI",
        ),
    ],
)
def test_what_can_not_be_used_is_told_by_name(arguments: dict[str, object], reason: str) -> None:
    """The argument, and what to give."""
    with pytest.raises(SetupError, match=reason):
        Setup("/", **arguments)  # type: ignore[arg-type]


def test_rows_that_can_not_be_used_are_told_by_a_run_that_starts_by_itself() -> None:
    """The first of them; where none does, by the first."""
    assert Setup("/", regions=("la", "eu", "us")).teller == "eu"
    assert Setup("/", regions=("sandbox", "la")).teller == "sandbox"


def test_the_page_names_every_argument() -> None:
    """With its default, where that is a number or a text."""
    page = (Path(__file__).parents[2] / "docs/many-merchants.md").read_text(encoding="utf-8")
    for field in dataclasses.fields(Setup):
        (line, *_) = [line for line in page.splitlines() if f"`{field.name}`" in line] or [""]
        assert line or field.name == "project", field.name
        if isinstance(field.default, (int, str)):
            assert str(field.default) in line


@pytest.mark.parametrize(
    ("last", "chunks", "ids", "refused"),
    [
        (None, 16, [], None),
        (16, 16, ["dev:a-to-b:us-3"], None),
        (16, 20, ["dev:a-to-b:us-3"], "chunks is 20, and was 16"),
        (16, 8, ["dev:a-to-b:us-3"], "Give 16, or 32 with the states copied"),
        (16, 32, ["dev:a-to-b:us-3"], "dev:a-to-b:us-19 is missing"),
        (16, 32, ["dev:a-to-b:us-3", "dev:a-to-b:us-19", "dev:a-to-b:eu-4"], None),
    ],
)
def test_merchants_do_not_begin_again_in_silence(
    last: int | None, chunks: int, ids: list[str], refused: str | None
) -> None:
    """Another number of chunks has to be twice the last one, with the states copied."""
    at = Setup("/", chunks=chunks)
    if not refused:
        check_chunks(at, "us", last, ids)
        return
    with pytest.raises(MeltanoError, match=refused):
        check_chunks(at, "us", last, ids)


# The tap's words

FAILURE: Failure = {
    "merchant_id": "SHOPB",
    "stream": "orders",
    "region": "us",
    "from": "2026-11-20T13:46:59.889Z",
    "reason": "Clover refused the token of merchant SHOPB in region us (401 Unauthorized)",
}
LINE = f"2026-11-24T13:47:20Z [error    ] tap-clover-export INCOMPLETE: {json.dumps(FAILURE)}"


def test_what_is_missing_is_read_from_the_log() -> None:
    """As Meltano prints it, also where more stands after it; other lines say nothing."""
    assert words.failure_in(LINE) == FAILURE
    assert words.failure_in(f"{LINE} name=tap-clover-export") == FAILURE
    for line in ("", "INCOMPLETE: ", "INCOMPLETE: {", "INCOMPLETE: 1", "Missing: orders"):
        assert words.failure_in(line) is None


def test_an_alert_names_whose_data_is_missing_and_why() -> None:
    """Each merchant once, with its streams and the first reason; of a cut off chunk, all."""
    failures = [FAILURE, {**FAILURE, "stream": "payments"}, {**FAILURE, "merchant_id": "SHOPC"}]
    chunks = [
        words.Chunk(3, NAMES[:9], "failed", words.missing(failures), named=True),
        words.Chunk(4, NAMES[:1], "success"),
        words.Chunk(5, NAMES[:60], "failed", words.KILLED),
        words.Chunk(6, NAMES[60:62], "skipped"),
    ]
    text = words.report(chunks, ["Merchant D is in region la."], None)
    three, shop_b, shop_c, five, left, head, shop_d = text.splitlines()
    assert three.startswith("Chunk 3: 2 merchants are not whole. The others of the chunk arrived")
    assert shop_b == f"- SHOPB (orders, payments): {FAILURE['reason']}."
    assert shop_c.startswith("- SHOPC (orders): ")
    assert five.startswith("Chunk 5: The task was killed, or took too long. The task's log says")
    assert "60 merchants are not whole, as far as is known: " in five
    assert five.endswith(f"{NAMES[49]}, and 10 more.")
    assert left.endswith(f"had no turn before the service closed: {NAMES[60]}, {NAMES[61]}.")
    assert (head[:24], shop_d) == ("Of the merchants file no", "- Merchant D is in region la.")
    ended = words.report(chunks[3:], [], None, ended=True)
    assert "look whether its pool exists" in ended
    assert f"had no turn or were cut off: {NAMES[60]}" in ended
    assert words.report([], [], "Why.") == "Nothing was exported. Why."
    assert words.report(chunks[1:2], [], None) == ""


# Meltano


def fake(tmp_path: Path, body: str) -> Setup:
    """A setup whose Meltano is a script."""
    script = tmp_path / "meltano.py"
    script.write_text(f"import os, sys, time\n{body}\n")
    text = "merchant_id,access_token\nA,ta\n"
    return setup(
        tmp_path, text, meltano=f"{sys.executable} {script}", grace_seconds=60, retry_seconds=60
    )


def impatient(at: Setup) -> Setup:
    """A setup whose guard waits for a second: there is a margin of ten."""
    short = dataclasses.replace(at)
    object.__setattr__(short, "grace_seconds", -9)
    return short


def test_a_run_hands_on_its_log_and_tells_what_is_missing(tmp_path: Path) -> None:
    """Where it is the tap alone that failed, and only there."""
    for last, told in (("Extractor failed", [FAILURE]), ("Extractor and loader failed", [])):
        lines = f"print({LINE!r}); print('[error] meltano {last}', file=sys.stderr); sys.exit(1)"
        said: list[str] = []
        at = fake(tmp_path, f"print(sys.argv[1:], os.environ['A'], flush=True)\n{lines}")
        assert Meltano(at, "us-3", [], {"A": "b"}).finish(said.append) == (1, told)
        assert said[0] == (
            "['run', '--force', '--state-id-suffix=us-3', 'tap-clover-export', 'target-postgres'] b"
        )


def test_the_log_can_be_read_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that wants JSON, or less, would have every merchant of the chunk called missing."""
    monkeypatch.setenv("MELTANO_CLI_LOG_FORMAT", "json")
    monkeypatch.setenv("MELTANO_CLI_LOG_LEVEL", "critical")
    at = fake(tmp_path, "print(*(os.environ[f'MELTANO_CLI_LOG_{n}'] for n in ('FORMAT', 'LEVEL')))")
    said: list[str] = []
    assert Meltano(at, "us-3", [], {}).finish(said.append) == (0, [])
    assert said == ["uncolored info"]


def test_new_days_that_had_no_turn_are_told(tmp_path: Path) -> None:
    """The tap ends well then, also in a night in which Clover accepted nothing."""
    window = Window(pendulum.datetime(2026, 11, 20), pendulum.datetime(2026, 11, 24))
    left = leftover([(Purpose.NEW, window)], 4, [("us", "it is busy")])
    history = leftover([(Purpose.HISTORY, window)], 4, [])
    assert left
    assert history
    at = fake(tmp_path, f"print('[info] tap-clover-export', {left!r})")
    run = Meltano(at, "us-3", [], {})
    assert run.finish(print) == (0, [])
    assert run.left == left
    assert words.left_in(history) is None
    told = words.report([words.Chunk(3, ["A"], "success", left=run.left)], [], None)
    assert told == f"Chunk 3: {left}"


def test_chunks_do_not_share_the_files_of_a_run(tmp_path: Path) -> None:
    """State and catalog of a run are the chunk's; plugins and database are the project's.

    None of it lies in the project, which a worker's user may only read.
    """
    project = tmp_path / "project"
    (project / ".meltano/extractors").mkdir(parents=True)
    (project / ".meltano/run").mkdir()
    at = setup(project)
    before = sorted(project.rglob("*"))
    for _ in range(2):
        one, two = own_folder(at, "us-1"), own_folder(at, "us-2")
        assert one != two
        for folder in (one, two):
            assert stat.S_IMODE(folder.parents[1].stat().st_mode) == 0o700
            assert (folder / "extractors").samefile(project / ".meltano/extractors")
            assert (folder / "meltano.db").readlink() == project / ".meltano/meltano.db"
            assert not (folder / "run").exists()
    assert sorted(project.rglob("*")) == before
    elsewhere = Setup(str(tmp_path), folder=str(tmp_path / "given"))
    assert (tmp_path / "given") in own_folder(elsewhere, "us-1").parents


def test_a_folder_that_can_not_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Another user's, or none at all."""
    (tmp_path / "file").touch()
    with pytest.raises(MeltanoError, match="let the DAG file's `folder` name a place"):
        own_folder(Setup(str(tmp_path), folder=str(tmp_path / "file")), "us-1")
    own = tmp_path / "temporary" / f"clover-export-{os.getuid()}"
    (tmp_path / "real").mkdir()
    own.symlink_to(tmp_path / "real")
    with pytest.raises(MeltanoError, match="not this user's own folder"):
        own_folder(Setup(str(tmp_path)), "us-1")


def test_a_meltano_that_can_not_be_used_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a chunk begins, with Meltano's own words, and in time."""
    with pytest.raises(MeltanoError, match="`meltano` name the command"):
        states(setup(tmp_path, meltano=str(tmp_path / "nowhere")))
    with pytest.raises(MeltanoError, match=r"ended with exit code 3:\nno database$"):
        states(fake(tmp_path, "print('no database', file=sys.stderr); sys.exit(3)"))
    assert states(fake(tmp_path, "assert sys.argv[1:] == ['state', 'list']; print('a\\nb')")) == [
        "a",
        "b",
    ]
    monkeypatch.setattr("tap_clover_export.airflow.meltano.PREPARE_SECONDS", 0.1)
    with pytest.raises(MeltanoError, match=r"took more than 0\.1 s"):
        states(fake(tmp_path, "time.sleep(60)"))


def test_a_chunks_file_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    """The tap reads it, nobody else; it lies on no disk."""
    at = fake(
        tmp_path,
        "path = os.environ['TAP_CLOVER_EXPORT_MERCHANTS_FILE']\n"
        "print(path, oct(os.stat(path).st_mode & 0o777), open(path).read())",
    )
    said: list[str] = []
    (held,) = divide(at, "us").merchants.values()
    assert Meltano(at, "us-3", held, {}).finish(said.append) == (0, [])
    path, mode, content = said[0].split(" ", 2)
    assert mode == "0o600"
    assert json.loads(content) == [{"merchant_id": "A", "region": "us", "access_token": "ta"}]
    assert not Path(path).exists()


def test_a_run_that_is_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither Meltano nor what it started, though it reads from a pipe as a loader does."""
    at = fake(
        tmp_path,
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '600'], stdin=-1, stdout=-3, stderr=-3)\n"
        "print(child.pid, flush=True)\ntime.sleep(600)",
    )
    meltano = Meltano(at, "us-3", [], {})
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        meltano.stop()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        meltano.finish(say)
    expect_gone(int(said[0]))


@pytest.mark.parametrize("around", ["", 'sh -c \'"$0" "$@"; exit $?\' '])
def test_the_tap_is_asked_to_end_first(tmp_path: Path, around: str) -> None:
    """Wherever it is installed; Meltano then sees the loader to its end, and saves the state.

    Also where something starts Meltano, as `uv run` does.
    """
    child = "import time; print('at work', flush=True); time.sleep(600)"
    at = fake(
        tmp_path,
        "import subprocess\n"
        f"tap = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "loader = subprocess.Popen(['cat'], stdin=-1)\n"
        "print('the tap ended with', tap.wait(), flush=True)\n"
        "loader.stdin.close()\n"
        "print('the loader ended with', loader.wait())\nsys.exit(7)",
    )
    at = dataclasses.replace(at, meltano=around + at.meltano)
    meltano = Meltano(at, "us-3", [], {})
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        meltano.stop()

    assert meltano.finish(say) == (7, [])
    assert said == [
        "at work",
        f"the tap ended with {-signal.SIGTERM}",
        "the loader ended with 0",
    ]


def test_a_chunk_runs_once_at_a_time(tmp_path: Path) -> None:
    """A second run waits until all of the first one is gone, and gives up in the end."""
    at = fake(tmp_path, "print('at work')")
    with (own_folder(at, "us-3") / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        short = impatient(at)
        with pytest.raises(MeltanoError, match="Another run of the same chunk is at work"):
            Meltano(short, "us-3", [], {}).finish(print)
        waiting = Meltano(at, "us-3", [], {})
        said: list[str] = []
        thread = threading.Thread(target=lambda: waiting.finish(said.append))
        thread.start()
        assert Meltano(at, "us-4", [], {}).finish(print) == (0, [])
        assert said == []
    thread.join()
    assert said == ["at work"]


def test_a_meltano_that_is_left_alone_keeps_its_chunk(tmp_path: Path) -> None:
    """What guards it can be killed and what it guards live on."""
    at = fake(tmp_path, "print(os.getppid(), flush=True)\ntime.sleep(600)")
    short = impatient(at)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        os.kill(int(line), signal.SIGKILL)
        with pytest.raises(MeltanoError, match="Another run of the same chunk is at work"):
            Meltano(short, "us-3", [], {}).finish(print)

    assert Meltano(at, "us-3", [], {}).finish(say) == (-signal.SIGKILL, [])
    expect_gone(int(said[0]))


def test_a_run_ends_with_the_task_that_is_killed(tmp_path: Path) -> None:
    """Also with SIGKILL, which leaves the task no time."""
    at = fake(tmp_path, "print(os.getpid(), flush=True)\ntime.sleep(600)")
    code = (
        "from tap_clover_export.airflow.setup import Setup\n"
        "from tap_clover_export.airflow.meltano import Meltano\n"
        f"setup = Setup({str(tmp_path)!r}, meltano={at.meltano!r}, folder={str(tmp_path)!r})\n"
        "Meltano(setup, 'us-3', [], {}).finish(lambda line: print(line, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as task:
        assert task.stdout
        pid = int(task.stdout.readline())
        task.send_signal(signal.SIGKILL)
    expect_gone(pid)


def expect_gone(pid: int) -> None:
    """A process ends; fails after a minute."""
    end = time.monotonic() + 60
    while (
        Path(f"/proc/{pid}").exists()
        and "(zombie)"
        not in Path(f"/proc/{pid}/status").read_text().partition("State:")[2].partition("\n")[0]
    ):
        assert time.monotonic() < end
        time.sleep(0.02)
