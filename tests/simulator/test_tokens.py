"""Who may ask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

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
