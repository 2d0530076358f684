"""A broker behind Sentinel: one URL that names the sentinels and the group that they watch.

`sentinel://[user:password@]host:port,host:port[/db]?master=NAME`, or `sentinels://` for TLS. User and password are the
servers'; what the sentinels themselves ask for is a setting of its own. kombu and Celery want one URL a sentinel and
the group's name beside them (kombu, "Redis transport: SentinelChannel"), redis-py wants pairs of host and port.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = ("sentinel", "sentinels")
DEFAULT_PORT = 26379

_URL = re.compile(r"(sentinels?)://([^/?#]*)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Whom to ask for the primary of a group, and how to log in there."""

    hosts: tuple[tuple[str, int], ...]
    master: str  # name of the group in the sentinels' config
    database: int
    userinfo: str  # as it stands in the URL, "@" included
    tls: bool

    @property
    def username(self) -> str | None:
        return unquote(self.userinfo.rstrip("@").partition(":")[0]) or None

    @property
    def password(self) -> str | None:
        return unquote(self.userinfo.rstrip("@").partition(":")[2]) or None

    @property
    def celery_url(self) -> str:
        """The same for kombu and Celery, which take the group's name as a transport option."""
        addresses = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return ";".join(f"sentinel://{self.userinfo}{address}/{self.database}" for address in addresses)


def read(url: str | None) -> Sentinels | None:
    """The sentinels that a broker URL names; None for a URL of another kind.

    Raises:
        ValueError: when a part is missing or wrong. The text repeats nothing of the URL, which may hold a password.
    """
    found = _URL.fullmatch(url or "")
    if found is None:
        return None
    # Newer Pythons refuse an IPv6 address among several hosts, so these are taken out before anything else is read.
    scheme, netloc, rest = found.groups()
    parts = urlsplit(f"//{rest}")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if set(query) != {"master"} or not query["master"] or parts.fragment:
        raise ValueError("a Sentinel URL ends with ?master=NAME, the group's name in sentinel.conf, and nothing more")
    database = parts.path.strip("/") or "0"
    if not database.isdigit():
        raise ValueError("a Sentinel URL has a database number, or nothing, between its hosts and ?master=NAME")
    userinfo, at, addresses = netloc.rpartition("@")
    hosts = tuple(_host(address) for address in addresses.split(","))
    return Sentinels(hosts, query["master"], int(database), userinfo + at, tls=scheme == "sentinels")


def _host(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise ValueError("a Sentinel URL lists host:port of each sentinel, with commas and no spaces between them")
    return host, port or DEFAULT_PORT
