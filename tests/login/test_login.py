"""A login from the address that is printed to the setting that names it, over real HTTP."""

from __future__ import annotations

import io
import json
import re
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tap_clover_export.clock import SystemClock
from tap_clover_export.clover.oauth import OAuth
from tap_clover_export.errors import LoginFailedError
from tap_clover_export.login import login as login_module
from tap_clover_export.login import redirect
from tap_clover_export.login.login import Login
from tap_clover_export.settings.secret import Secret
from tap_clover_export.settings.settings import LoginSettings
from tap_clover_export.singer import cli
from tap_clover_export.tokens.chain import Chain
from tap_clover_export.tokens.store import open_store
from tests.support.harness import ONE, clover, command, config_for, sync, write_config
from tests.support.ports import quiet_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_clover_export.simulator import Simulator

SECONDS = 20
OTHER_REQUESTS = {
    "favicon.ico": 404,
    "": 400,
    f"?state=another&merchant_id={ONE}&code=c": 400,
}


@pytest.fixture
def shop() -> Iterator[Simulator]:
    """A local Clover with a merchant whose login is still to come."""
    with clover(days=2) as simulator:
        yield simulator


def settings(simulator: Simulator, path: Path, **changes: Any) -> LoginSettings:
    """What a login needs to know."""
    usual: dict[str, Any] = {
        "client_id": "CLIENT",
        "client_secret": Secret("SECRET"),
        "region": "sandbox",
        "api_url": simulator.url,
        "authorize_url": simulator.url,
        "token_store": path / "tokens",
        "token_keys": (),
    }
    return LoginSettings(**usual | changes)


def agree(page: str, merchant: str = ONE) -> str:
    """Press the merchant's button on Clover's page; answers where that leads."""
    assert "wants to read orders and payments" in requests.get(page, timeout=SECONDS).text
    form = {"merchant_id": merchant}
    answer = requests.post(page, data=form, allow_redirects=False, timeout=SECONDS)
    assert answer.status_code == 302
    return answer.headers["Location"]


def log_in(
    given: LoginSettings,
    browse: Callable[[str], bool],
    paste: Callable[[str], str] = lambda _: "",
    way: str = "browser",
) -> list[str]:
    """Log in; answers what was said."""
    said: list[str] = []
    store = open_store(given.token_store)
    oauth = OAuth(given.client_id, given.client_secret, lambda: 1_772_539_200.0)
    Login(given, oauth, store, say=said.append, ask=paste, browse=browse).run(way)
    oauth.close()
    return said


@pytest.fixture(autouse=True)
def _free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run side by side: each listens on a port of its own."""
    monkeypatch.setattr(login_module, "PORT", quiet_port())


def browse(page: str) -> bool:
    """A browser that is used at once, after requests that are no answer to this login."""
    back = parse_qs(urlsplit(page).query)["redirect_uri"][0]

    def use() -> None:
        with socket.create_connection(("127.0.0.1", urlsplit(back).port or 0)):
            for other, status in OTHER_REQUESTS.items():
                assert requests.get(back + other, timeout=SECONDS).status_code == status
            answer = requests.get(agree(page), timeout=SECONDS)
            assert "This window can be closed" in answer.text
            assert answer.headers["Referrer-Policy"] == "no-referrer"

    threading.Thread(target=use, daemon=True).start()
    return True


def test_a_login_exports(shop: Simulator, tmp_path: Path) -> None:
    """The pair is kept, its name is printed and no token; runs that are given the name export."""
    said = "\n".join(log_in(settings(shop, tmp_path), browse))
    assert f"Merchant {ONE} is logged in" in said
    (setting,) = re.findall(r"REFRESH_TOKEN=(stored:\w{32})", said)
    assert f'{{"merchant_id": "{ONE}", "refresh_token": "{setting}"}}' in said
    chain = Chain.of(ONE, Secret(setting))
    pair = open_store(tmp_path / "tokens").get(chain)
    assert pair
    tokens = shop._clover.tokens
    for secret in ("SECRET", *tokens._access, *tokens._refresh):
        assert secret not in said
    assert [one.name for one in (tmp_path / "tokens").glob("*.json")] == [f"{chain.name}.json"]
    merchants = [{"merchant_id": ONE, "refresh_token": setting}]
    for _ in range(3):
        outcome = sync(
            shop, merchants=merchants, client_id="CLIENT", token_store=str(tmp_path / "tokens")
        )
        assert outcome.code == 0, outcome.log
        shop.clock.advance(1800)
    assert shop.spent_twice == []
    outcome = sync(
        shop, merchants=merchants, client_id="CLIENT", token_store=str(tmp_path / "elsewhere")
    )
    assert f"token_store holds no login of merchant {ONE} as refresh_token" in outcome.sentence


@pytest.mark.parametrize("way", ["paste", "browser"])
def test_where_no_browser_is(shop: Simulator, tmp_path: Path, way: str) -> None:
    """The page's address is printed, and the one that a browser elsewhere shows is taken."""
    given = settings(shop, tmp_path)
    said: list[str] = []

    def paste(question: str) -> str:
        assert question.startswith("Then paste the address")
        return agree(said[0].splitlines()[-1])

    store = open_store(given.token_store)
    oauth = OAuth("CLIENT", Secret("SECRET"), lambda: 0.0)
    Login(given, oauth, store, say=said.append, ask=paste, browse=lambda _: False).run(way)
    oauth.close()
    assert "is logged in" in said[1]


@pytest.mark.parametrize("stdin", [None, io.StringIO()], ids=["closed", "empty"])
def test_nobody_can_paste(
    shop: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO | None
) -> None:
    """Without an input the login ends with a sentence that says where to run it."""
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(LoginFailedError, match=r"^The address .* log in again in a terminal"):
        cli.log_in(settings(shop, tmp_path), "paste", SystemClock())


BAD_ANSWERS = {
    "?state=STATE&merchant_id=M1": "names no merchant_id and code; agree",
    "?state=STATE&merchant_id=M/1&code=c": "names no merchant_id and code; agree",
    "?state=STATE&error=access_denied": "names no merchant_id and code; agree",
    "?state=other&merchant_id=M1&code=c": "belongs to another login",
    "?merchant_id=M1&code=c": "belongs to another login",
    "http://[": "belongs to another login",
    "?state=ключ&merchant_id=M1&code=c": "belongs to another login",
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_answers_that_are_none(answer: str) -> None:
    """What does not carry this login's state, or no code, is refused in a sentence."""
    with pytest.raises(LoginFailedError, match=BAD_ANSWERS[answer]):
        redirect.read(answer, "STATE")


@pytest.mark.parametrize(
    ("change", "fault", "sentence"),
    [
        ({"client_secret": Secret("x")}, None, r"^Clover refused the login's code \(401\); check"),
        ({}, "token:500", r"^Clover did not exchange the login's code \(500 Internal Server Error"),
        ({}, "token:garbage", r"^Clover did not exchange the login's code \(a token refresh whose"),
    ],
)
def test_a_code_that_is_not_exchanged(
    shop: Simulator, tmp_path: Path, change: dict[str, Any], fault: str | None, sentence: str
) -> None:
    """It ends with a sentence and keeps nothing."""
    if fault:
        shop.faults.add(fault)
    with pytest.raises(LoginFailedError, match=sentence):
        log_in(settings(shop, tmp_path, **change), browse)
    assert not list((tmp_path / "tokens").glob("*.json"))


def test_a_store_that_is_no_good_is_found_before_the_code_is_spent(
    shop: Simulator, tmp_path: Path
) -> None:
    """The code is not exchanged where its pair could not be kept."""
    (tmp_path / "tokens").write_text("a thesis")
    with pytest.raises(Exception, match="token_store holds something else than tokens"):
        log_in(settings(shop, tmp_path), browse)
    assert "token" not in {request.kind for request in shop.requests}


def test_nobody_agrees(shop: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five minutes the port is given back; one that is taken is told at once."""
    monkeypatch.setattr(login_module, "WAIT_SECONDS", 0.05)
    with pytest.raises(LoginFailedError, match=r"^Nobody agreed within .* minutes; log in again"):
        log_in(settings(shop, tmp_path), lambda _: True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(LoginFailedError, match=rf"^Port {port} can't be listened on \("):
            log_in(settings(shop, tmp_path), lambda _: True, way=port)


def test_the_command(shop: Simulator, tmp_path: Path) -> None:
    """`--login=paste` reads the settings, asks, and prints the name; wrong ones are sentences."""
    given = {"client_id": "CLIENT", "client_secret": "SECRET", "api_url": shop.url}
    given["token_store"] = str(tmp_path / "tokens")
    config = write_config(tmp_path, given)
    arguments = [sys.executable, "-m", "tap_clover_export", "--config", config, "--login=paste"]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("Agree to the app as the merchant")
        address = agree(process.stdout.readline().strip())
        output, log = process.communicate(f"{address}\n", timeout=60)
    assert process.returncode == 0, log
    assert f"TAP_CLOVER_EXPORT_MERCHANT_ID={ONE}" in output
    setting = output.rpartition("=")[2].strip()
    config = write_config(
        tmp_path,
        config_for(shop, merchants=[{"merchant_id": ONE, "refresh_token": setting}]) | given,
    )
    done = command("--config", config, "--test")
    assert done.stdout == f"{ONE} (sandbox): accepted.\n", done.stderr
    del given["client_secret"]
    done = command("--config", write_config(tmp_path, given), "--login")
    assert done.returncode == 1
    assert "client_id or client_secret is not set; a login needs both" in done.stderr
    for way in ("somewhere", "65536"):
        done = command("--config", config, f"--login={way}")
        assert done.returncode == 2
        assert "it is neither paste nor the number of a port." in done.stderr


def test_what_is_printed_is_json(shop: Simulator, tmp_path: Path) -> None:
    """The line for `merchants` can be copied as it stands."""
    said = log_in(settings(shop, tmp_path), browse)
    (line,) = [one.partition(": ")[2] for one in said if one.startswith("  merchants: ")]
    assert json.loads(line)[0]["merchant_id"] == ONE
