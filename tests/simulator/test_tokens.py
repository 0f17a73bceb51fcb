"""Who may ask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from .client import MERCHANTS, OTHER, SHOP, TOKEN, Client

if TYPE_CHECKING:
    from collections.abc import Callable


def refresh(client: Client, token: str, client_id: str = "CLIENT") -> Any:
    """Trade a refresh token for a new pair; the answer's status without one."""
    body = {"client_id": client_id, "refresh_token": token}
    answer = client.ask("POST", "/oauth/v2/refresh", json=body)
    return answer.json() if answer.ok else answer.status_code


def test_a_wrong_token_is_refused(client: Client) -> None:
    """A wrong token, another merchant's and none are 401 in Clover's words."""
    for merchant, token in ((SHOP, "wrong"), (OTHER, TOKEN), (SHOP, ""), ("NOBODY", TOKEN)):
        asking = Client(client.simulator, client.session, merchant, token)
        for answer in (asking.create(), asking.ask("GET", f"/v3/merchants/{merchant}")):
            assert answer.status_code == 401
            assert answer.json() == {"message": "401 Unauthorized"}


def test_a_refusal_may_be_403(serve: Callable[..., Client]) -> None:
    """The status of a refusal is an option."""
    client = serve(refused_status=403)
    client.token = "wrong"
    assert client.create().json() == {"message": "403 Forbidden"}


def test_a_merchant_is_introduced(client: Client) -> None:
    """A good token tells the merchant's id and name."""
    answer = client.ask("GET", f"/v3/merchants/{SHOP}").json()
    assert answer["id"] == SHOP
    assert answer["name"]


def test_merchants_may_share_a_token_and_lose_it(serve: Callable[..., Client]) -> None:
    """Options can give several merchants one token, and take it away while it runs."""
    client = serve(merchants=dict.fromkeys(MERCHANTS, "same"))
    client.token = "same"
    assert client.create().status_code == 200
    client.simulator.options = replace(client.simulator.options, merchants={OTHER: "same"})
    assert client.create().status_code == 401


def test_a_refresh_token_works_once(serve: Callable[..., Client]) -> None:
    """A refresh gives a new pair with absolute times; the spent token is refused and noted."""
    client = serve(merchants={}, refresh_tokens={SHOP: "first"})
    now = int(client.simulator.clock.now())
    pair = refresh(client, "first")
    assert pair["access_token_expiration"] == now + 1800
    assert pair["refresh_token_expiration"] == now + 365 * 86_400
    assert refresh(client, "first") == 401
    assert client.simulator.spent_twice == ["first"]
    assert refresh(client, "never seen") == 401
    assert client.simulator.spent_twice == ["first"]
    assert refresh(client, pair["refresh_token"])["access_token"] != pair["access_token"]


def test_access_tokens_expire(serve: Callable[..., Client]) -> None:
    """An access token from a refresh works for its merchant until its time."""
    client = serve(merchants={OTHER: "x"}, refresh_tokens={SHOP: "first"}, token_seconds=60)
    client.token = refresh(client, "first")["access_token"]
    assert client.create().status_code == 200
    assert Client(client.simulator, client.session, OTHER, client.token).create().status_code == 401
    client.simulator.clock.advance(60)
    assert client.create().status_code == 401


def test_a_refresh_token_belongs_to_an_app(serve: Callable[..., Client]) -> None:
    """Another app's id is refused and does not spend the token."""
    client = serve(refresh_tokens={SHOP: "first"}, client_id="APP")
    assert refresh(client, "first") == 401
    assert "access_token" in refresh(client, "first", "APP")


def post(client: Client, kind: str, **body: str) -> Any:
    """Ask for a pair; the answer's status without one."""
    answer = client.session.post(
        f"{client.simulator.url}/oauth/v2/{kind}", json={"client_id": "CLIENT", **body}
    )
    return answer.json() if answer.status_code == 200 else answer.status_code


def test_a_pair_that_was_never_used_is_recovered(serve: Callable[..., Client]) -> None:
    """The token before it gives another pair, for two weeks, until the newer one is used."""
    client = serve(merchants={}, refresh_tokens={SHOP: "first"})
    lost = refresh(client, "first")
    app = {"client_secret": "SECRET", "recovery_token": "first"}
    assert post(client, "recovery", **app | {"client_secret": "x"}) == 401
    assert post(client, "recovery", **app | {"recovery_token": lost["refresh_token"]}) == 401
    pair = post(client, "recovery", **app)
    assert refresh(client, lost["refresh_token"]) == 401
    again = post(client, "recovery", **app)
    assert refresh(client, pair["refresh_token"]) == 401
    client.simulator.clock.advance(14 * 86_400 + 1)
    assert post(client, "recovery", **app) == 401
    newest = refresh(client, again["refresh_token"])
    assert post(client, "recovery", **app | {"recovery_token": "first"}) == 401
    assert refresh(client, newest["refresh_token"])["access_token"]
    assert client.simulator.spent_twice == []


def test_a_merchant_logs_in(serve: Callable[..., Client]) -> None:
    """The page names the app and sends the browser back with a code, which works once."""
    client = serve(merchants={SHOP: TOKEN, OTHER: "x"})
    page = f"{client.simulator.url}/oauth/v2/authorize"
    asked = {"client_id": "CLIENT", "redirect_uri": "http://127.0.0.1:1/", "state": "a&b"}
    shown = client.session.get(page, params=asked)
    assert shown.status_code == 200
    assert SHOP in shown.text
    assert OTHER in shown.text
    for wrong in ({"client_id": "<b>"}, {"redirect_uri": "javascript:x"}):
        refused = client.session.get(page, params=asked | wrong)
        assert refused.status_code == 400
        assert "<b>" not in refused.text
    sent = client.session.post(
        page, params=asked, data={"merchant_id": OTHER}, allow_redirects=False
    )
    assert sent.status_code == 302
    back, _, query = sent.headers["Location"].partition("?")
    answer = {name: values[0] for name, values in parse_qs(query).items()}
    assert back == "http://127.0.0.1:1/"
    assert (answer["merchant_id"], answer["state"]) == (OTHER, "a&b")
    app = {"client_secret": "SECRET", "code": answer["code"]}
    assert post(client, "token", **app | {"code": "other"}) == 401
    pair = post(client, "token", **app)
    assert post(client, "token", **app) == 401
    assert refresh(client, pair["refresh_token"])["access_token"]
