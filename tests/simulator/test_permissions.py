"""What a token may do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from .client import SHOP, Client

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTIONS = ("merchant", "orders", "payments", "poll orders", "poll payments", "unknown")


def ask(client: Client) -> dict[str, int]:
    """Ask one question of each kind; the exports polled were made before."""
    shop = f"/v3/merchants/{client.merchant}"
    made = {export.type: export.id for export in client.simulator.exports}
    answers = (
        client.ask("GET", shop),
        client.create("ORDERS"),
        client.create("PAYMENTS"),
        client.poll(made["ORDERS"]),
        client.poll(made["PAYMENTS"]),
        client.poll("nothing"),
    )
    refused = [answer for answer in answers if answer.status_code == 401]
    assert all(answer.json() == {"message": "401 Unauthorized"} for answer in refused)
    statuses = [answer.status_code for answer in answers]
    return dict(zip(QUESTIONS, statuses, strict=True))


@pytest.mark.parametrize(
    ("missing", "refused"),
    [
        ((), ()),
        (("read-merchant",), ("merchant",)),
        (("read-orders",), ("orders", "poll orders", "unknown")),
        (("read-payments",), ("payments", "poll payments", "unknown")),
        (("exports",), ("orders", "payments", "poll orders", "poll payments", "unknown")),
        (("read-merchant", "read-orders"), ("merchant", "orders", "poll orders", "unknown")),
    ],
)
def test_a_missing_permission_is_401(
    client: Client, missing: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    """Each permission is asked for by itself; what needs it is refused, the rest answered."""
    client.create("ORDERS")
    client.create("PAYMENTS")
    client.simulator.options = replace(
        client.simulator.options, missing_permissions={SHOP: missing}
    )
    expected = {name: 401 if name in refused else 200 for name in QUESTIONS}
    if "unknown" not in refused:
        expected["unknown"] = 404
    assert ask(client) == expected


def test_a_refusal_may_have_other_words(serve: Callable[..., Client]) -> None:
    """A 401 may say why."""
    client = serve(merchants={}, refused_words="Merchant account is closed")
    refused = client.create()
    assert refused.status_code == 401
    assert refused.json() == {"message": "Merchant account is closed"}
