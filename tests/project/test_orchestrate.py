"""What the Airflow DAG is made of: chunks, hours, the environment, the tap's words, Meltano."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clover_chunks import merchants, words
from clover_chunks.hours import ANYTIME_HOURS, REGIONS, share
from clover_chunks.meltano import Meltano, MeltanoError, own_folder, prepare
from clover_chunks.merchants import MerchantsFileError, chunk_of, divide, read
from clover_chunks.setup import Setup, SetupError
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export.planning.hours import TABLE
from tap_clover_export.settings.hosts import BASE_URLS

if TYPE_CHECKING:
    from clover_chunks.words import Failure

DAGS = Path(merchants.__file__).parents[1]
NAMES = [f"SHOP{number:09}" for number in range(3000)]


def setup(path: Path, **environment: str) -> Setup:
    """The setup of a project in a folder."""
    return Setup.read({"CLOVER_EXPORT_PROJECT": str(path), **environment}, path)


def write(path: Path, text: str) -> Path:
    """Write the merchants file."""
    file = path / "merchants.csv"
    file.write_text(text, encoding="utf-8")
    return file


# Chunks


def test_chunks_are_about_equal() -> None:
    """Three thousand merchants in sixteen chunks: none holds half as many again."""
    sizes = [0] * 16
    for name in NAMES:
        sizes[chunk_of(name, 16)] += 1
    assert max(sizes) < 1.5 * 3000 / 16
    assert min(sizes) > 0.5 * 3000 / 16


@given(st.text(), st.integers(1, 500))
def test_twice_as_many_chunks_split_each_in_two(name: str, chunks: int) -> None:
    """A merchant's old state is that of its new chunk, or of the one by the old number on."""
    assert chunk_of(name, 2 * chunks) in (chunk_of(name, chunks), chunk_of(name, chunks) + chunks)


def test_a_merchant_keeps_its_chunk_for_ever() -> None:
    """The assignment is part of what is kept: another one would begin every merchant again."""
    assert [chunk_of(name, 16) for name in NAMES[:8]] == [10, 5, 15, 5, 8, 2, 3, 14]


def test_merchants_of_a_region_stay_in_their_chunks_as_others_come_and_go(tmp_path: Path) -> None:
    """Only who comes and who goes is another."""
    before = json.dumps([{"merchant_id": name, "access_token": "t"} for name in NAMES[:100]])
    after = json.dumps([{"merchant_id": name, "access_token": "t"} for name in NAMES[50:150]])
    chunks = []
    for text in (before, after):
        write(tmp_path, text)
        chunks.append(
            {
                merchant["merchant_id"]: number
                for number, held in divide(setup(tmp_path), "us").items()
                for merchant in held
            }
        )
    for name in NAMES[50:100]:
        assert chunks[0][name] == chunks[1][name]


def test_a_region_has_its_own_merchants(tmp_path: Path) -> None:
    """Who names no region is in the setting's."""
    write(tmp_path, "merchant_id,access_token,region\nA,ta,\nB,tb,eu\nC,tc,us\n")
    at = setup(tmp_path, CLOVER_EXPORT_CHUNKS="1")
    assert [merchant["merchant_id"] for merchant in divide(at, "us")[0]] == ["A", "C"]
    assert [merchant["merchant_id"] for merchant in divide(at, "eu")[0]] == ["B"]


def test_a_merchant_that_no_dag_would_export_is_an_error(tmp_path: Path) -> None:
    """A region without a DAG is named, and so is the merchant."""
    write(tmp_path, "merchant_id,access_token,region\nA,ta,la\n")
    with pytest.raises(MerchantsFileError, match="Merchant A is in region la, which has no DAG"):
        divide(setup(tmp_path), "us")


@pytest.mark.parametrize(
    "text",
    [
        '\ufeffmerchant_id, access_token\nA, "ta"\n',
        'merchant_id,access_token\r\n"A",ta\r\n\r\n',
        '[{"merchant_id": " A ", "access_token": "ta"}]',
    ],
)
def test_csv_and_json_are_read(tmp_path: Path, text: str) -> None:
    """Both forms that the tap takes."""
    assert read(write(tmp_path, text)) == [{"merchant_id": "A", "access_token": "ta"}]


@pytest.mark.parametrize("text", ["id,token\nA,ta\n", "[1]", "[{}]", "[", 'merchant_id\n"A'])
def test_another_shape_is_told_in_a_sentence(tmp_path: Path, text: str) -> None:
    """No traceback, and no content of the file."""
    with pytest.raises(MerchantsFileError, match="Merchant 1 of the merchants file has no"):
        read(write(tmp_path, text))


def test_a_file_that_is_not_there_is_told_in_a_sentence(tmp_path: Path) -> None:
    """The setting is named."""
    with pytest.raises(MerchantsFileError, match=r"can't be read \(No such file.*_MERCHANTS_FILE"):
        read(tmp_path / "nowhere.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff")
    with pytest.raises(MerchantsFileError, match="not UTF-8"):
        read(tmp_path / "bytes.csv")


# Hours


def test_hours_are_those_that_the_tap_knows() -> None:
    """The table of the DAG and the tap's own say the same, hour by hour."""
    assert REGIONS.keys() == BASE_URLS.keys()
    for region, hours in TABLE.items():
        week = [((begin * 60, end * 60),) for begin, end in REGIONS[region].week]
        assert list(hours.week) == week


@pytest.mark.parametrize(
    ("region", "now", "left"),
    [
        ("us", "2026-11-24T09:59:59", 0),
        ("us", "2026-11-24T10:00:00", 5),
        ("us", "2026-11-24T14:30:00", 0.5),
        ("us", "2026-11-24T15:00:00", 0),
        ("eu", "2026-11-28T01:30:00", 0),
        ("eu", "2026-11-29T05:00:00", 1),
        ("sandbox", "2026-11-24T20:00:00", ANYTIME_HOURS),
        ("la", "2026-11-24T20:00:00", ANYTIME_HOURS),
    ],
)
def test_hours_left(region: str, now: str, left: float) -> None:
    """Until closing; none while closed; a fixed span where no hours are known."""
    assert REGIONS[region].left(dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)) == left


@pytest.mark.parametrize(
    ("left", "at_once", "chunks", "hours"), [(4.5, 3, 16, 0.84375), (4.5, 3, 2, 4.5), (4, 1, 1, 4)]
)
def test_every_chunk_gets_its_share(left: float, at_once: int, chunks: int, hours: float) -> None:
    """Chunks that follow each other share what is left."""
    assert share(left, at_once, chunks) == hours


# The environment


def test_the_project_is_found_around_the_dag(tmp_path: Path) -> None:
    """A DAG that lies in a Meltano project needs no setting but the merchants'."""
    here = Setup.read({}, DAGS)
    assert here.project == DAGS.parents[2]
    assert here.merchants_file == DAGS.parents[2] / "merchants.csv"
    assert here.run == ("tap-clover-export", "target-postgres")
    assert Setup.read({}, tmp_path).project == tmp_path


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("CLOVER_EXPORT_CHUNKS", "0", "CHUNKS is not usable; give a whole number from 1 on"),
        ("CLOVER_EXPORT_PLACES", "3.5", "PLACES is not usable; give a whole number from 1 on"),
        ("CLOVER_EXPORT_RETRIES", "-1", "RETRIES is not usable; give a whole number from 0 on"),
        ("CLOVER_EXPORT_REGIONS", "us,uk", "REGIONS has uk; known are us, eu, la, sandbox"),
        ("TAP_CLOVER_EXPORT_MAX_CONCURRENT_EXPORTS", "4", "no chunk would ever start"),
    ],
)
def test_what_can_not_be_used_is_told_by_name(name: str, value: str, reason: str) -> None:
    """The variable, and what to give."""
    with pytest.raises(SetupError, match=reason):
        Setup.read({name: value}, DAGS)


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


def test_an_alert_names_each_merchant_once() -> None:
    """With its streams and the first reason."""
    failures = [FAILURE, {**FAILURE, "stream": "payments"}, {**FAILURE, "merchant_id": "SHOPC"}]
    text = words.missing("us", 3, failures)
    assert "region us, chunk 3: 2 merchants are not whole" in text
    assert "- SHOPB (orders, payments): Clover refused the token" in text
    assert "- SHOPC (orders): " in text


def test_an_alert_stays_short() -> None:
    """Fifty merchants stand in it, the others are counted."""
    text = words.cut_off("us", 3, "Meltano ended with exit code 1.", NAMES[:60])
    assert NAMES[49] in text
    assert NAMES[50] not in text
    assert "60 merchants are not whole" in text
    assert "and 10 more" in text


# Meltano


def fake(tmp_path: Path, body: str) -> Setup:
    """A setup whose Meltano is a script."""
    script = tmp_path / "meltano.py"
    script.write_text(f"import os, sys, time\n{body}\n")
    return setup(tmp_path, CLOVER_EXPORT_MELTANO=f"{sys.executable} {script}")


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


def test_chunks_do_not_share_the_files_of_a_run(tmp_path: Path) -> None:
    """State and catalog of a run are the chunk's; plugins and database are the project's."""
    (tmp_path / ".meltano/extractors").mkdir(parents=True)
    (tmp_path / ".meltano/run").mkdir()
    at = setup(tmp_path)
    for _ in range(2):
        one, two = own_folder(at, "us-1"), own_folder(at, "us-2")
        assert one != two
        for folder in (one, two):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert (folder / "extractors").samefile(tmp_path / ".meltano/extractors")
            assert (folder / "meltano.db").readlink() == tmp_path / ".meltano/meltano.db"
            assert not (folder / "run").exists()


def test_a_meltano_that_can_not_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    """Before a chunk begins."""
    with pytest.raises(MeltanoError, match="let CLOVER_EXPORT_MELTANO name the command"):
        prepare(setup(tmp_path, CLOVER_EXPORT_MELTANO=str(tmp_path / "nowhere")))
    with pytest.raises(MeltanoError, match="ended with exit code 3; run it as this user"):
        prepare(fake(tmp_path, "sys.exit(3)"))
    prepare(fake(tmp_path, "assert sys.argv[1:] == ['state', 'list']"))


def test_a_chunks_file_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    """The tap reads it, nobody else; it lies on no disk."""
    at = fake(
        tmp_path,
        "path = os.environ['TAP_CLOVER_EXPORT_MERCHANTS_FILE']\n"
        "print(path, oct(os.stat(path).st_mode & 0o777), open(path).read())",
    )
    said: list[str] = []
    held = [{"merchant_id": "A", "access_token": "ta"}]
    assert Meltano(at, "us-3", held, {}).finish(said.append) == (0, [])
    path, mode, content = said[0].split(" ", 2)
    assert (mode, json.loads(content)) == ("0o600", held)
    assert not Path(path).exists()


def test_a_run_that_is_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither Meltano nor what it started."""
    at = fake(
        tmp_path,
        "import subprocess\n"
        "child = subprocess.Popen(['sleep', '600'], stdout=-3, stderr=-3)\n"
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


def test_the_tap_is_asked_to_end_first(tmp_path: Path) -> None:
    """Meltano then sees the loader to its end, and saves the state."""
    tap = tmp_path / "extractors/tap.py"
    tap.parent.mkdir()
    tap.write_text("import time\nprint('at work', flush=True)\ntime.sleep(600)\n")
    at = fake(
        tmp_path,
        "import subprocess\n"
        f"print('the tap ended with', subprocess.run([sys.executable, {str(tap)!r}]).returncode)\n"
        "sys.exit(7)",
    )
    meltano = Meltano(at, "us-3", [], {})
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        meltano.stop()

    assert meltano.finish(say) == (7, [])
    assert said == ["at work", f"the tap ended with {-signal.SIGTERM}"]


def test_a_run_ends_with_the_task_that_is_killed(tmp_path: Path) -> None:
    """Also with SIGKILL, which leaves the task no time."""
    at = fake(tmp_path, "print(os.getpid(), flush=True)\ntime.sleep(600)")
    code = (
        "import os, sys; from pathlib import Path; from clover_chunks.setup import Setup\n"
        "from clover_chunks.meltano import Meltano\n"
        "Meltano(Setup.read(os.environ, Path()), 'us-3', [], {})"
        ".finish(lambda line: print(line, flush=True))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(DAGS),
        "CLOVER_EXPORT_PROJECT": str(tmp_path),
        "CLOVER_EXPORT_MELTANO": " ".join(at.command),
    }
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
    ) as task:
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
