"""The page on which a merchant logs in and agrees to an app."""

from __future__ import annotations

import html
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from tap_clover_export.simulator.service.responses import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><link rel="icon" href="data:,"></head>
<body><h1>{title}</h1>{body}</body>
</html>
"""


def show(merchants: Iterable[str], app: str) -> Answer:
    """Ask which merchant agrees."""
    choices = "".join(
        f'<p><button name="merchant_id" value="{html.escape(one)}">{html.escape(one)}</button></p>'
        for one in merchants
    )
    body = (
        f"<p>The app {html.escape(app)} wants to read orders and payments. Accept as:</p>"
        f'<form method="post">{choices}</form>'
    )
    return Answer(HTTPStatus.OK, PAGE.format(title="Local Clover", body=body).encode(), HTML)


def refuse(why: str) -> Answer:
    """Say why nobody can agree."""
    body = f"<p>{html.escape(why)}</p>"
    page = PAGE.format(title="Local Clover", body=body).encode()
    return Answer(HTTPStatus.BAD_REQUEST, page, HTML)


def read(form: bytes) -> dict[str, str]:
    """Read what was agreed to."""
    return {name: values[0] for name, values in parse_qs(form.decode("ascii", "ignore")).items()}


def may_redirect(url: str) -> bool:
    """Tell whether a browser may be sent there."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query


def redirect(url: str, fields: Mapping[str, str]) -> Answer:
    """Send the browser back to the app."""
    return Answer(HTTPStatus.FOUND, headers={"Location": f"{url}?{urlencode(fields)}"})
