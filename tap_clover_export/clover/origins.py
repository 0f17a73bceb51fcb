"""Which addresses a token or a file may go to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import requests

from tap_clover_export.settings.hosts import network_zone

if TYPE_CHECKING:
    from collections.abc import Mapping


def address(url: str) -> str:
    """An address as it will be asked for, so that it is judged as it is sent.

    Raises:
        ValueError: It is none.
    """
    return requests.Request("GET", url).prepare().url or ""


def next_hop(response: requests.Response, method: str) -> str | None:
    """Where a redirect of the API leads to, if the token may go there with the same request."""
    if not response.is_redirect or (method != "GET" and response.status_code not in (307, 308)):
        return None
    url = address(urljoin(response.url, response.headers["Location"]))
    # Rule 4: the token goes to the API's own origin only.
    return url if origin(url) == origin(response.url) else None


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def may_fetch(url: str, api_url: str) -> bool:
    """Files come over https from the public net; from elsewhere only where the API is too."""
    try:
        file, api = urlsplit(address(url)), urlsplit(api_url)
    except ValueError:
        return False
    if file.scheme == "http":
        return {network_zone(file.hostname), network_zone(api.hostname)} == {"loopback"}
    where = network_zone(file.hostname)
    return file.scheme == "https" and where in ("public", network_zone(api.hostname))


def file_name(url: str) -> str:
    """A link without its signature: the file that it leads to."""
    return url.partition("?")[0]


_PORTS: Mapping[str, int] = {"http": 80, "https": 443}
