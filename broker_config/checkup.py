"""Whether a broker can be trusted with runs: pure, from one reading of what it says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from broker_config.looks import Look, Status
from broker_config.settings import Settings
from broker_config.store.finished import Keeping
from broker_config.store.vitals import Vitals

OLDEST_REDIS = (7, 0)
NEARLY_FULL = 0.8
SKEW = timedelta(seconds=2)
"""Leases go by the broker's clock, but times that people read go by each machine's own."""

FETCHED = timedelta(hours=1)
"""An agent acknowledges a message within seconds; kombu gives one back after an hour (its `visibility_timeout`)."""


def look_at(vitals: Vitals, settings: Settings, now: datetime) -> Iterator[Look]:
    """Every line of the checkup."""
    yield Look(Status.OK, "broker", f"answers: {vitals.kind} {vitals.version}")
    yield _version(vitals)
    yield _eviction(vitals)
    yield _persistence(vitals)
    yield _memory(vitals)
    yield _clients(vitals)
    yield _replicas(vitals, settings)
    yield _clock(vitals)
    yield _messages(vitals, now)
    yield _transport(settings)


def _version(vitals: Vitals) -> Look:
    found = tuple(int(part) for part in re.findall(r"\d+", vitals.version)[:2])
    if vitals.kind == "Redis" and found < OLDEST_REDIS:
        return Look(Status.FAILED, "version", f"Redis {vitals.version} is too old; use Redis 7 or newer, or Valkey")
    return Look(Status.OK, "version", "has what is needed")


def _eviction(vitals: Vitals) -> Look:
    if vitals.eviction_policy == "noeviction":
        return Look(Status.OK, "eviction", "a full broker refuses new runs, and forgets none")
    return Look(
        Status.FAILED,
        "eviction",
        f"maxmemory-policy is {vitals.eviction_policy}: a full broker deletes runs and leases; set it to noeviction",
    )


def _persistence(vitals: Vitals) -> Look:
    if vitals.has_failed_to_write:
        return Look(
            Status.FAILED,
            "persistence",
            f"the broker could not write {vitals.has_failed_to_write} the last time; see its log, and its disk",
        )
    if not vitals.writes_log:
        return Look(
            Status.FAILED, "persistence", "appendonly is off: a restart forgets queues and runs; set appendonly yes"
        )
    return Look(Status.OK, "persistence", "what it is given is written to disk")


def _memory(vitals: Vitals) -> Look:
    used = _mib(vitals.used_bytes)
    if not vitals.most_bytes:
        text = f"{used} used, and maxmemory is not set: the system may end the broker when memory is short; set it"
        return Look(Status.WARNING, "memory", text)
    told = f"{used} of {_mib(vitals.most_bytes)} used"
    if vitals.used_bytes > NEARLY_FULL * vitals.most_bytes:
        cure = "raise maxmemory, or shorten LAUNCHYARD_RETENTION_SECONDS"
        return Look(Status.WARNING, "memory", f"{told}; a full broker takes no launches: {cure}")
    return Look(Status.OK, "memory", told)


def look_at_history(keeping: Keeping | None, overdue: int, settings: Settings) -> Look:
    """Whether finished runs get to where they are kept; `overdue` of them should have been there for an hour."""
    if keeping is None:
        if settings.history:
            text = "LAUNCHYARD_HISTORY is set here, and no agent has it: set it for agents, who write"
            return Look(Status.WARNING, "history", text)
        return Look(Status.OK, "history", "there is none: finished runs are dropped when their time has come")
    if keeping.failing_since:
        return Look(
            Status.FAILED,
            "history",
            f"agents cannot write to {keeping.url} since {keeping.failing_since:%Y-%m-%d %H:%M} UTC, and finished runs "
            f"fill the broker: {keeping.error}",
        )
    if overdue:
        return Look(
            Status.FAILED,
            "history",
            f"{overdue} finished runs should have gone to {keeping.url} an hour ago, and no agent writes: run an agent "
            "with LAUNCHYARD_HISTORY, or give the history up: launchyard history stop",
        )
    return Look(Status.OK, "history", f"finished runs go to {keeping.url}, the last time at {keeping.at:%H:%M} UTC")


def _mib(count: int) -> str:
    return f"{count / 1024**2:,.0f} MiB"


def _clients(vitals: Vitals) -> Look:
    told = f"{vitals.clients:,} of {vitals.most_clients:,} connections"
    if vitals.clients > NEARLY_FULL * vitals.most_clients:
        return Look(Status.WARNING, "connections", f"{told}; raise maxclients, and the system's limit of open files")
    return Look(Status.OK, "connections", told)


def _replicas(vitals: Vitals, settings: Settings) -> Look:
    if not vitals.is_primary:
        return Look(Status.FAILED, "replication", "this server is a replica, which takes no writes; name the primary")
    if vitals.replicas < settings.min_replicas:
        return Look(
            Status.FAILED,
            "replication",
            f"it has {vitals.replicas} replicas, and LAUNCHYARD_MIN_REPLICAS asks for {settings.min_replicas}: "
            "launches end with not-replicated; bring the replicas back, or ask for fewer",
        )
    return Look(Status.OK, "replication", f"a primary with {vitals.replicas} replicas")


def _clock(vitals: Vitals) -> Look:
    ahead = timedelta(seconds=vitals.clock_ahead_seconds)
    if abs(ahead) > SKEW:
        side = "ahead of" if ahead > timedelta() else "behind"
        text = f"the broker's clock is {abs(ahead).total_seconds():.1f} s {side} this machine's; set both by NTP"
        return Look(Status.WARNING, "clock", text)
    return Look(Status.OK, "clock", f"the broker's and this machine's differ by {abs(ahead).total_seconds():.2f} s")


def _messages(vitals: Vitals, now: datetime) -> Look:
    if vitals.fetched is None:
        return Look(Status.WARNING, "messages", "this user may not look at those that agents have fetched")
    if vitals.oldest_fetched and now - vitals.oldest_fetched > FETCHED:
        return Look(
            Status.WARNING,
            "messages",
            f"{vitals.fetched} were fetched and not acknowledged, the oldest at {vitals.oldest_fetched:%Y-%m-%d %H:%M} "
            "UTC: agents died with them; the next agent of their queues finds those runs by their records",
        )
    return Look(Status.OK, "messages", f"{vitals.fetched} in the hands of agents just now")


def _transport(settings: Settings) -> Look:
    url = urlsplit(settings.broker_url or "")
    if url.scheme in {"", "redis+socket", "rediss", "sentinels"} or _is_here(url.hostname):
        return Look(Status.OK, "transport", "nobody between here and the broker can read along")
    return Look(
        Status.WARNING,
        "transport",
        f"{url.scheme}:// to {url.hostname} is not encrypted: passwords and jobs can be read on the way; use TLS",
    )


def _is_here(host: str | None) -> bool:
    if host in {None, "localhost"}:
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
