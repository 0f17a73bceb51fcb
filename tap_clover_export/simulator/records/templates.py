"""The templates that orders and payments are written from."""

from __future__ import annotations

import json

from tap_clover_export.simulator.shops.json_template import entry, template

ORDER = template(
    {
        "href": "https://api.clover.com/v3/merchants/<merchant>/orders/<id>",
        "id": "<id>",
        "currency": "<currency>",
        "employee": {"id": "<employee>"},
        "total": "{total}",
        "unpaidBalance": "{unpaid}",
        "orderType": {"id": "<type>", "label": "Dine In", "labelKey": None},
        "taxRemoved": "{tax_removed}",
        "isVat": "{vat}",
        "manualTransaction": False,
        "groupLineItems": True,
        "testMode": "{test}",
        "createdTime": "{time}",
        "clientCreatedTime": "{client_time}",
        "modifiedTime": "{modified}",
        "lineItems": "{lines}",
        "device": {"id": "<device>"},
        "merchant": {"id": "<merchant>"},
        "{more}": None,
    }
)

_BEFORE = {
    "id": "<id>",
    "order": {"id": "<order>"},
    "device": {"id": "<device>"},
    "tender": "{tender}",
    "amount": "{amount}",
    "taxAmount": "{tax}",
    "employee": {"id": "<employee>"},
    "createdTime": "{time}",
    "clientCreatedTime": "{client_time}",
}
_AFTER = {"offline": "{offline}", "result": "<result>", "{more}": None}

BEFORE_PAYMENT = template(_BEFORE)[:-1]
WITHIN_PAYMENT = (
    ","
    + template(
        {
            "gatewayProcessingTime": "{gateway_time}",
            "modifiedTime": "{modified}",
            "cashbackAmount": 0,
            "merchant": {"id": "<merchant>"},
            "taxRates": {
                "elements": [
                    {
                        "id": "<tax_rate>",
                        "name": "<tax_name>",
                        "rate": "{rate}",
                        "isDefault": True,
                        "isVat": "{vat}",
                        "taxableAmount": "{taxable}",
                        "taxAmount": "{tax}",
                    }
                ]
            },
        }
    )[1:-1]
)
AFTER_PAYMENT = "," + template(_AFTER)[1:]
"""A payment stands in its order without what is within."""

CARD = template(
    {
        "cardType": "<brand>",
        "entryType": "<how>",
        "first6": "<first>",
        "last4": "<last>",
        "type": "AUTH",
        "authCode": "<code>",
        "referenceId": "<reference>",
        "transactionNo": "<number>",
        "state": "<state>",
        "cardholderName": "CLOVER/CARDHOLDER",
        "extra": {
            "common": json.dumps(
                {"applicationIdentifier": "A0000000031010", "cvmResult": "NO_CVM"}
            ),
            "card": json.dumps({"applicationLabel": "<brand> CREDIT"}),
        },
        "avsResult": "NOT_CHECKED",
        "gatewayTxState": "ACKNOWLEDGED",
        "currency": "<currency>",
        "captured": True,
    }
)

REFUND = template(
    {
        "id": "<id>",
        "orderRef": {"id": "<order>"},
        "payment": {"id": "<payment>"},
        "amount": "{amount}",
        "taxAmount": "{tax}",
        "createdTime": "{time}",
        "clientCreatedTime": "{time}",
        "employee": {"id": "<employee>"},
        "voided": "{voided}",
        "status": "SUCCESS",
        "reason": "{reason}",
        "{more}": None,
    }
)

CREDIT = template(
    {
        "id": "<id>",
        "orderRef": {"id": "<order>"},
        "device": {"id": "<device>"},
        "tender": "{tender}",
        "employee": {"id": "<employee>"},
        "amount": "{amount}",
        "taxAmount": "{tax}",
        "createdTime": "{time}",
        "clientCreatedTime": "{time}",
        "voided": "{voided}",
        "result": "SUCCESS",
        "reason": "{reason}",
    }
)

TENDER = template(
    {
        "id": "<id>",
        "editable": False,
        "labelKey": "{key}",
        "label": "<label>",
        "opensCashDrawer": "{cash}",
        "supportsTipping": "{card}",
        "enabled": True,
        "visible": True,
    }
)

STATES = (
    *(entry("state", "locked"),) * 12,
    *(entry("state", "open"),) * 4,
    *(entry("state", text) for text in ("OPEN", "paid", "PAID")),
    "",
)
"""Clover's state is free text, seen in all of these forms, and absent."""

RARE = (
    entry("externalPaymentId", None),
    entry("externalPaymentId", "PAY-20 15/7"),
    entry("note", 'Split with "the other half"\nthanks'),
    entry("attributes", None),
    entry("attributes", {"com.example.loyalty": "gold ⭐"}),
    entry("signatureDisclaimer", {"disclaimerText": "Ich stimme zu."}),
    entry("transactionSettings", {"disableCashBack": True, "tipMode": "ON_PAPER"}),
    entry("appTracking", {"developerAppId": "DEVAPP", "applicationVersion": "4.1"}),
    entry("dccInfo", {"dccApplied": False, "exchangeRate": 1.0825}),
    entry("transactionInfo", {"entryType": "EMV_CONTACT", "isTokenBasedTx": False}),
)
