"""How much may be asked, and who comes too early."""

from __future__ import annotations

import time
from dataclasses import replace
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from tap_clover_export.simulator import Fault
from tap_clover_export.simulator.options import CLOVERS_LIMITS

from .client import MERCHANTS, OTHER, OTHER_TOKEN, PATIENCE, SHOP, Client

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests


def glance(client: Client) -> requests.Response:
    """Ask about the merchant."""
    return client.ask("GET", f"/v3/merchants/{client.merchant}")


def other(client: Client) -> Client:
    """Another merchant's client."""
    return Client(client.simulator, client.session, OTHER, OTHER_TOKEN)


def seconds(answer: requests.Response) -> float:
    """Tell how long a date in Retry-After is away by the answer's own date."""
    date, until = answer.headers["Date"], answer.headers["Retry-After"]
    return (parsedate_to_datetime(until) - parsedate_to_datetime(date)).total_seconds()


def test_a_token_may_ask_sixteen_times_a_second(serve: Callable[..., Client]) -> None:
    """The seventeenth request of a second is refused, another token's is not."""
    client = serve(limits=CLOVERS_LIMITS)
    assert [glance(client).status_code for _ in range(17)] == [200] * 16 + [429]
    refused = glance(client)
    assert refused.headers["X-RateLimit-tokenLimit"] == "16"
    assert "Retry-After" not in refused.headers
    assert glance(other(client)).status_code == 200
    client.simulator.clock.advance(1)
    assert glance(client).status_code == 200
    assert client.simulator.too_early == []


def test_an_app_may_ask_fifty_times_a_second(serve: Callable[..., Client]) -> None:
    """All tokens together have a limit as well."""
    merchants = {f"SHOP{number}": f"token-{number}" for number in range(4)}
    client = serve(merchants=merchants, limits=CLOVERS_LIMITS)
    shops = [Client(client.simulator, client.session, *shop) for shop in merchants.items()]
    told = [glance(shop) for _ in range(13) for shop in shops]
    assert [answer.status_code for answer in told] == [200] * 50 + [429] * 2
    assert told[-1].headers["X-RateLimit-crossTokenLimit"] == "50"


@pytest.mark.parametrize(
    ("limit", "header", "everybody"),
    [
        ("token-concurrent", "X-RateLimit-tokenConcurrentLimit", False),
        ("app-concurrent", "X-RateLimit-crossTokenConcurrentLimit", True),
    ],
)
def test_who_asks_too_much_at_a_time_waits(
    serve: Callable[..., Client], limit: str, header: str, everybody: bool
) -> None:
    """Beside a request that runs, another is refused; its token or the app then waits."""
    client = serve(limits={limit: 1})
    client.simulator.faults.add("merchant:hang*1")
    running = HTTPConnection(client.simulator.url.removeprefix("http://"), timeout=PATIENCE)
    running.request("GET", f"/v3/merchants/{SHOP}?access_token={client.token}")
    while not client.simulator.requests:
        time.sleep(0.01)
    refused = glance(client)
    running.close()
    client.simulator.options = replace(client.simulator.options, limits={})
    assert (refused.status_code, refused.headers[header]) == (429, "1")
    assert refused.headers["Retry-After"] == "21"
    assert glance(other(client)).status_code == (429 if everybody else 200)
    client.simulator.clock.advance(42 if everybody else 21)
    assert glance(client).status_code == 200
    assert len(client.simulator.too_early) == everybody


@pytest.mark.parametrize(("scope", "others"), [("token", 200), ("app", 429)])
def test_a_fault_holds_up_a_scope(client: Client, scope: str, others: int) -> None:
    """Until the wait is over all requests of a token or of the app are refused and noted."""
    client.simulator.faults.add(f"create:429:scope={scope};retry-after=30*1")
    export = client.create()
    assert (export.status_code, export.headers["Retry-After"]) == (429, "30")
    header = "X-RateLimit-tokenLimit" if scope == "token" else "X-RateLimit-crossTokenLimit"
    assert export.headers[header] == str(CLOVERS_LIMITS[scope])
    client.simulator.clock.advance(29)
    assert glance(other(client)).status_code == others
    early = client.poll("whatever")
    assert (early.status_code, header in early.headers) == (429, True)
    noted = [(request.kind, request.status) for request in client.simulator.too_early]
    assert noted == ([("merchant", 429)] if scope == "app" else []) + [("poll", 429)]


def test_asking_early_makes_a_wait_longer(client: Client) -> None:
    """Each request that comes too early doubles the wait, which then ends."""
    client.simulator.faults.add("create:429:scope=app-concurrent;retry-after=10*1")
    told = [client.create().headers["Retry-After"] for _ in range(3)]
    assert told == ["10", "20", "40"]
    client.simulator.clock.advance(39.9)
    assert client.create().headers["Retry-After"] == "80"
    assert len(client.simulator.too_early) == 3
    client.simulator.clock.advance(80)
    assert client.create().status_code == 200
    assert len(client.simulator.too_early) == 3


def test_a_wait_may_be_a_date(client: Client) -> None:
    """Retry-After may be a date by Clover's clock, in a longer wait as well."""
    client.simulator.faults.add("create:429:scope=token;retry-after=30;form=date*1")
    assert [seconds(client.create()) for _ in range(2)] == [30, 60]
    client.simulator.clock.advance(60)
    assert client.create().status_code == 200


def test_refreshes_and_files_are_not_counted(serve: Callable[..., Client]) -> None:
    """A refresh and a file are asked of others than the API, whatever waits there."""
    client = serve(refresh_tokens=MERCHANTS, limits={"app": 2})
    (link,) = client.links()
    client.simulator.clock.advance(1)
    client.simulator.faults.add("merchant:429:scope=app;retry-after=30*1")
    assert glance(client).status_code == 429
    body = {"client_id": "CLIENT", "refresh_token": client.token}
    assert client.ask("POST", "/oauth/v2/refresh", json=body).status_code == 200
    assert [client.fetch(link).status_code for _ in range(3)] == [200] * 3
    assert client.simulator.too_early == []


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("state", ["closed", "busy"])
def test_a_503_may_tell_when_to_come_again(
    serve: Callable[..., Client], state: str, form: str
) -> None:
    """Closed or busy, an option or a fault adds a Retry-After, as seconds or as a date."""
    client = serve(region="us", hours=True, retry_after_form=form, closed_retry_after=1800)
    client.simulator.options = replace(client.simulator.options, busy_retry_after=60)
    expected = {"closed": 1800, "busy": 60}[state]
    if state == "busy":
        client.simulator.foreign_exports = 3
    else:
        client.simulator.clock.advance(3 * 3600)
    by_option = client.create()
    fault = {"closed": "503-hours", "busy": "busy"}[state]
    client.simulator.faults.add(f"poll:{fault}:retry-after=7;form={form}*1")
    by_fault = client.poll("whatever")
    for answer, wait in ((by_option, expected), (by_fault, 7)):
        assert answer.status_code == 503
        told = seconds(answer) if form == "date" else float(answer.headers["Retry-After"])
        assert told == wait


def test_a_scope_that_does_not_exist_is_refused() -> None:
    """Only Clover's four limits have a scope."""
    with pytest.raises(ValueError, match="no such form of the fault 429: scope=shop"):
        Fault.parse("create:429:scope=shop;retry-after=7")
