"""Which permissions a request needs; Clover answers 401 where one is missing."""

from __future__ import annotations

EXPORTS = {
    "ORDERS": frozenset({"exports", "read-orders"}),
    "PAYMENTS": frozenset({"exports", "read-payments"}),
}
PERMISSIONS = frozenset({"read-merchant"}).union(*EXPORTS.values())


def needed(request: str, kind: str | None) -> frozenset[str]:
    """Tell what a merchant's request needs.

    Args:
        request: create, poll, merchant or other.
        kind: The type of export, none where it is not known.
    """
    if request == "merchant":
        return frozenset({"read-merchant"})
    if request == "create":
        return EXPORTS.get(kind or "", frozenset({"exports"}))
    if request == "poll":
        return EXPORTS.get(kind or "", frozenset().union(*EXPORTS.values()))
    return frozenset()
