"""No secret anywhere: every fault at debug level, and a search for each token and signature."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import logging
import pprint
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.logging import StructuredFormatter

from tap_clover_export.clover import transport
from tap_clover_export.clover.auth import Auth
from tap_clover_export.clover.client import Client
from tap_clover_export.errors import CloverError, TokenStoreError
from tap_clover_export.settings.secret import Secret
from tap_clover_export.settings.settings import read
from tap_clover_export.simulator.faults import fault as kinds_of
from tap_clover_export.simulator.service.signed_urls import Links
from tap_clover_export.tap import TapCloverExport
from tap_clover_export.tokens.store import open_store
from tests.runs.test_faults import LASTING, PASSING
from tests.support.harness import ONE, TOKENS, TWO, clover, command, config_for, sync
from tests.support.harness import write_config as write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_clover_export.demo.postgres import Database
    from tap_clover_export.simulator import Simulator
    from tests.support.harness import Outcome

FIRST = "first-token-of-one"
APP, KEY, PASSWORD = "s3cret-0f-the-app", "k3y-".ljust(43, "A") + "=", "pa55word-of-db"


class Search:
    """Knows the secrets of a simulator, and finds those that got out."""

    def __init__(self) -> None:
        self.signatures: set[str] = set()

    def found(self, simulator: Simulator, *texts: str | bytes) -> set[str]:
        """The secrets that stand in any of the texts."""
        tokens = simulator._clover.tokens
        options = simulator.options
        secrets = {*options.merchants.values(), *options.refresh_tokens.values(), *self.signatures}
        secrets |= {options.client_secret, *tokens._codes, KEY, PASSWORD}
        secrets |= {*tokens._access, *tokens._refresh, *tokens._spent, *tokens._void}
        assert len(secrets) > 1
        whole = "\n".join(t if isinstance(t, str) else t.decode() for t in texts)
        return {secret for secret in secrets if secret in whole or secret[:24] in whole}


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Search:
    """Sees every link that is signed."""
    search, make = Search(), Links.make

    def seen(links: Links, path: str, expires: int) -> str:
        link = make(links, path, expires)
        search.signatures.add(link.rpartition("=")[2])
        return link

    monkeypatch.setattr(Links, "make", seen)
    return search


def rotating(path: Path, simulator: Simulator, **more: Any) -> dict[str, Any]:
    """Settings of one merchant with a rotating token and one with a fixed one."""
    return config_for(
        simulator,
        merchants=[
            {"merchant_id": ONE, "refresh_token": FIRST},
            {"merchant_id": TWO, "access_token": TOKENS[TWO]},
        ],
        client_id="CLIENT",
        client_secret=APP,
        token_key=KEY,
        **{"token_store": str(path / "tokens.json")} | more,
    )


def shop(**options: Any) -> contextlib.AbstractContextManager[Simulator]:
    """A local Clover with tokens of both kinds."""
    usual = {"days": 40, "orders_per_day": 3, "objects_per_file": 20}
    tokens = {"merchants": (TWO,), "refresh_tokens": {ONE: FIRST}, "client_secret": APP}
    return clover(**usual | tokens | options)


def run(simulator: Simulator, path: Path, **settings: Any) -> Outcome:
    """Sync at debug level, urllib3's own log included."""
    return sync(simulator, level=logging.DEBUG, **rotating(path, simulator, **settings))


def everything(outcome: Outcome, path: Path) -> Iterator[str | bytes]:
    """What a run leaves to be seen; the store alone holds tokens."""
    yield from (outcome.output, outcome.log, json.dumps(outcome.states))
    yield from (str(file) for file in path.rglob("*"))
    files = (one for one in path.rglob("*") if one.is_file() and "tokens.json" not in str(one))
    yield from (file.read_text() for file in files)


@pytest.mark.parametrize("where", ["create", "poll", "download"])
def test_passing_faults(search: Search, tmp_path: Path, where: str) -> None:
    """All faults that pass, one after the other in one run, show no secret."""
    with shop() as simulator:
        kinds = [fault for fault in PASSING if fault.startswith(where)]
        boards = [simulator.faults.add(f"{fault}*1") for fault in kinds]
        for fault in ("500", "429", "html", "reset"):
            simulator.faults.add(f"refresh:{fault}*1")
        outcome = run(simulator, tmp_path, max_wait_hours=240)
        assert sum(board.fired for board in boards) > len(boards) / 2
        assert '"GET /' in outcome.log
        assert search.signatures
        assert search.found(simulator, *everything(outcome, tmp_path)) == set()


EVERY = [
    f"{where}:{kind}"
    for where in ("create", "poll", "download", "refresh")
    for kind in (
        *(status for status in kinds_of.STATUSES if int(status) > 299),
        *(answer for answer in kinds_of.ANSWERS if answer != "redirect"),
        *(f"redirect={url}" for url in ("https://stranger.example/?Signature=x", "file:///x")),
        *("reset", "reset-after", "reset-mid", "short", "drip", "hang=1", "hang-mid=1"),
        *(kinds_of.ONLY.get(where, ())),
    )
]
"""Every fault that the local Clover knows, wherever it can strike."""


def test_every_fault(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: bool
) -> None:
    """Each in a run of its own, in the plain log and in the SDK's structured one."""
    monkeypatch.setattr(transport, "TIMEOUT", (1.0, 0.2))
    monkeypatch.setattr(transport, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(transport, "BODY_SECONDS", 0.2)
    fired = 0
    for number, fault in enumerate(EVERY[:: 1 if long else 9]):
        path = tmp_path / str(number)
        with shop(days=1, orders_per_day=2) as simulator, structured_log() as log:
            board = simulator.faults.add(f"{fault}*2")
            outcome = run(simulator, path)
            fired += board.fired > 0
            seen = (*everything(outcome, path), log.getvalue())
            assert search.found(simulator, *seen) == set(), fault
    assert fired > number * 0.9


@contextlib.contextmanager
def structured_log() -> Iterator[io.StringIO]:
    """What the SDK's structured log holds of everything, down to debug."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(StructuredFormatter())
    logging.getLogger().addHandler(handler)
    try:
        yield log
    finally:
        logging.getLogger().removeHandler(handler)


def test_objects_amid_a_run(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever object of the package is shown while a file is fetched, no secret is."""
    shown: dict[str, str] = {}
    download = Client.download

    def look(client: Client, *arguments: Any) -> int:
        for thing in gc.get_objects():
            room = str(type(thing).__module__)
            if room.startswith("tap_clover_export.") and ".simulator." not in room:
                shown[type(thing).__qualname__] = f"{thing!r} {thing}"
        return download(client, *arguments)

    monkeypatch.setattr(Client, "download", look)
    with shop(days=2) as simulator:
        assert run(simulator, tmp_path).code == 0
        assert {"Auth", "Client", "Export", "Merchant", "Settings", "DiskStore"} <= set(shown)
        assert search.found(simulator, *shown.values()) == set()


def test_lasting_faults(search: Search, tmp_path: Path, long: bool) -> None:
    """Faults that stay, each in a run of its own, show no secret."""
    for fault in list(LASTING)[:: 1 if long else 4]:
        with shop(days=2, max_concurrent=100) as simulator:
            simulator.faults.add(fault)
            outcome = run(simulator, tmp_path / fault, poll_interval_seconds=600)
            assert outcome.code == 1
            assert search.found(simulator, *everything(outcome, tmp_path / fault)) == set()


@pytest.mark.parametrize("fault", ["401", "reset-after", "short"])
def test_a_lost_refresh(search: Search, tmp_path: Path, fault: str) -> None:
    """Neither a recovery nor the sentence that sends a person to log in again shows a secret."""
    with shop(days=2) as simulator:
        simulator.faults.add(f"refresh:{fault}*1")
        simulator.faults.add("recovery:500*1")
        simulator.faults.add("recovery:401*1")
        outcome = run(simulator, tmp_path)
        assert "log in to Clover again" in outcome.sentence
        for one in (outcome, run(simulator, tmp_path)):
            assert search.found(simulator, *everything(one, tmp_path)) == set()


def test_a_database(search: Search, tmp_path: Path, database: Database) -> None:
    """One that works and one that is not there show no secret, the password included."""
    works = database.sqlalchemy_url.replace("postgres:@", f"postgres:{PASSWORD}@")
    with shop(days=2) as simulator, structured_log() as log:
        outcome = run(simulator, tmp_path, token_store=works)
        assert outcome.code == 0, outcome.log
        rows = database.query("select content from tap_clover_export_tokens")
        assert rows[-1].content.startswith("gAAAAA")
        gone = run(
            simulator,
            tmp_path,
            token_store=f"postgresql://me:{PASSWORD}@127.0.0.1:9/db",
        )
        assert "token_store can't be used (" in gone.sentence
        seen = [text for one in (outcome, gone) for text in everything(one, tmp_path)]
        assert search.found(simulator, *seen, log.getvalue()) == set()


def test_storms(search: Search, tmp_path: Path, long: bool) -> None:
    """Storms of faults, with threads and short-lived tokens, show no secret."""
    for seed in range(20 if long else 2):
        with shop(token_seconds=60, url_seconds=30, export_seconds=20) as simulator:
            simulator.faults.storm(0.3, seed)
            path = tmp_path / str(seed)
            outcome = run(simulator, path, max_concurrent_exports=3)
            assert simulator.faults.storm_fired
            assert search.found(simulator, *everything(outcome, path)) == set()


def test_commands(search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--about`, `--plan`, `--test`, `--discover`, a sync and a bad setting show no secret."""
    monkeypatch.setenv("LOGLEVEL", "DEBUG")
    with shop(days=3) as simulator:
        config = write(tmp_path, rotating(tmp_path, simulator))
        (tmp_path / "bad").mkdir()
        bad = write(tmp_path / "bad", rotating(tmp_path, simulator, window_days="x", region=FIRST))
        commands = [
            ("--config", config, *more)
            for more in (
                ["--about", "--format=json"],
                ["--about"],
                ["--plan"],
                ["--plan=json"],
                ["--plan=html"],
                ["--test"],
                ["--discover"],
                [],
            )
        ]
        with ThreadPoolExecutor(2) as pool:
            done = list(pool.map(lambda words: command(*words), [*commands, ("--config", bad)]))
        assert [one.returncode for one in done] == [0] * 8 + [1]
        assert '"POST /oauth/v2/refresh HTTP/1.1" 200' in "".join(one.stderr for one in done)
        texts = [text for one in done for text in (one.stdout, one.stderr)]
        assert search.found(simulator, *texts) == set()


def test_exceptions_and_dumps(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tracebacks of every failed attempt, and dumps of what holds tokens, show no secret."""
    monkeypatch.setattr(transport, "TIMEOUT", (1.0, 0.2))
    kinds = ["404", "429", "500", "503", "reset", "short", "html", "hang=9", "403", "401"]
    with shop(days=2) as simulator:
        settings = read(
            rotating(tmp_path, simulator), TapCloverExport.config_jsonschema["properties"]
        )
        store = open_store(settings.token_store, settings.token_keys)
        auth = Auth("CLIENT", store, simulator.clock.now, settings.client_secret)
        client = Client(auth)
        client.check(settings.merchants[0])
        links = Links()
        links.origin = simulator.files_url
        url = links.make("/1.json", 9_999_999_999)
        texts = [pprint.pformat(thing) for thing in (settings, auth, vars(auth), client)]
        texts += [repr(vars(auth._store)), repr(settings.merchants)]
        raised = 0
        for fault in kinds:
            simulator.faults.clear()
            simulator.faults.add(f"any:{fault}")
            for merchant in settings.merchants:
                for ask in (client.check, lambda m: client.download(m, url, io.BytesIO())):
                    try:
                        ask(merchant)
                    except (CloverError, TokenStoreError) as error:
                        texts += [*traceback.format_exception(error), repr(error)]
                        texts += chain(error)
                        texts.append(StructuredFormatter().format(record_of(error)))
                        raised += 1
        assert raised > 3 * len(kinds)
        client.close()
        assert search.found(simulator, *texts) == set()


def chain(error: BaseException | None) -> Iterator[str]:
    """All that hangs on an error, suppressed or not."""
    while error:
        yield f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__


def record_of(error: Exception) -> logging.LogRecord:
    """A log record of an error."""
    exc_info = (type(error), error, error.__traceback__)
    return logging.LogRecord("x", logging.DEBUG, "", 1, "Unexpected.", (), exc_info)


@pytest.mark.parametrize("leak", ["token", "signature", "half a token", "rotated"])
def test_a_planted_leak_is_found(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leak: str
) -> None:
    """The search finds what a run does let out."""
    reveal = Secret.reveal

    def log(secret: Secret) -> str:
        text = reveal(secret)
        logging.getLogger("tap-clover-export").debug("%s", text[:28] if "half" in leak else text)
        return text

    if leak == "signature":
        monkeypatch.setattr(transport, "_redacted", lambda value: value)
    else:
        monkeypatch.setattr(Secret, "reveal", log)
    with shop(days=2) as simulator:
        outcome = run(simulator, tmp_path)
        found = search.found(simulator, *everything(outcome, tmp_path))
    if leak == "signature":
        assert found
        assert found <= search.signatures
    elif leak == "rotated":
        assert found & set(simulator._clover.tokens._access)
    else:
        assert found
