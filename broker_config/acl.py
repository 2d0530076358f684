"""ACL rules for the users of a shared broker: what a producer, a queue owner and an agent need, and nothing else.

They keep each user to the keys of this installation and of the named queues: each by its full name, or all queues of a
team as `team-a/*`, as rules are patterns and no name holds such marks. Within those, a user may run the commands
that the store's scripts run, because Redis checks a script's commands as its caller's own. So the rules say which keys
somebody may touch, and the scripts say how; who writes commands by hand can still write nonsense into those keys.

The syntax is that of `ACL SETUSER` (Redis 7 and Valkey, "ACL"). Tests run each role on a server with these rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from broker_config import results
from broker_config.priorities import Priority, list_key
from broker_config.store.keys import Keys

# redis-py does without CLIENT SETINFO, which Redis 7.0 does not know and so cannot be allowed there.
CONNECTION = ("hello", "info", "ping", "select", "wait")
SCRIPTS = ("evalsha", "script|load", "time")
READ = (
    *("exists", "get", "hget", "hgetall", "hmget", "scard", "smembers", "xread", "xrevrange"),
    *("zrange", "zrevrange", "zscan", "zscore"),
)
WRITE = (
    *("expire", "hdel", "hincrby", "hset", "lpush", "publish", "set", "setex"),
    *("sadd", "srem", "xadd", "zadd", "zrem"),
)
TRANSACTIONS = ("exec", "multi", "unwatch", "watch")

PRODUCER = (*CONNECTION, *SCRIPTS, *READ, *WRITE, "mget", "subscribe", "unsubscribe")  # the last: to wait for a result
OWNER = (*TRANSACTIONS, "del", "hkeys", "unlink", "zrangebyscore")
AGENT = (
    *(*CONNECTION, *SCRIPTS, *READ, *WRITE, *TRANSACTIONS),
    *("del", "incrby", "lindex", "rpop", "rpush", "unlink", "zrangebyscore"),
    # Celery's own.
    *("brpop", "llen", "psubscribe", "punsubscribe", "script|exists", "zrevrangebyscore"),
)


def producer(prefix: str, queues: Sequence[str]) -> str:
    """Rules of a user who enqueues on these queues, follows runs and cancels them, and waits for Celery results."""
    return _rules(_producer_keys(Keys(prefix), queues), _producer_reads(Keys(prefix)), [results.key("*")], PRODUCER)


def owner(prefix: str, queues: Sequence[str]) -> str:
    """Rules of a producer who also creates, edits, pauses and deletes these queues, and says what agents shall do."""
    keys = Keys(prefix)
    histories = [keys.queue_revisions(name) for name in queues]
    more = [
        *histories,
        keys.queues,
        keys.newest_revisions,
        keys.agent_wishes,
        keys.orphan_removals,
        keys.image_removals,
    ]
    return _rules(
        [*_producer_keys(keys, queues), *more], _producer_reads(keys), [results.key("*")], (*PRODUCER, *OWNER)
    )


def agent(prefix: str, queues: Sequence[str], database: int = 0) -> str:
    """Rules of an agent that serves these queues: its part of the store, and what a Celery worker needs."""
    keys = Keys(prefix)
    return _rules(
        [
            *_of_queues(keys, queues),
            *(keys.run("*"), keys.runs, keys.alarms, keys.ended, keys.wishes, keys.fences),
            *(keys.agents, keys.agent_wishes, keys.agent_runs("*"), keys.agent_lease("*")),
            *(keys.orphans, keys.orphan_removals, keys.image_removals),
            *(keys.build("*"), keys.images, keys.images_used),  # a build with its log
            keys.platform("*"),  # with its hints
            *_of_code(keys),
            results.key("*"),
            *("_kombu.binding*", "unacked*", "*.celery.pidbox*", "celeryev*"),
        ],
        [keys.queues],
        # A subscription to a pattern needs a rule with the very same pattern.
        [results.key("*"), *(f"/{database}.{name}" for name in ("celery.pidbox", "celeryev/*", "celeryev/worker.*"))],
        AGENT,
    )


def _producer_keys(keys: Keys, queues: Sequence[str]) -> list[str]:
    return [
        *_of_queues(keys, queues),
        *(keys.idempotency(name, "*") for name in queues),
        *(keys.run("*"), keys.runs, keys.alarms, keys.ended, keys.wishes, keys.agent_runs("*")),
        *_of_code(keys),
        *(keys.jobs, keys.job("*", "*")),  # its aliases too
        results.key("*"),
    ]


def _producer_reads(keys: Keys) -> list[str]:
    # Not to be written by a producer: without the lease of an agent's session, no run can be claimed.
    agents = [keys.agents, keys.agent_lease("*"), keys.orphans, keys.orphan_removals]
    return [keys.queues, keys.queue("*"), *agents, keys.images, keys.images_used, keys.image_removals]


def _of_code(keys: Keys) -> list[str]:
    return [keys.archives, keys.loose_locations, keys.archive_sweep, keys.archive("*"), keys.code("*")]


def _of_queues(keys: Keys, queues: Sequence[str]) -> list[str]:
    """What there is of each queue: the lists of its messages, its record, its counts and who waits in it."""
    return [
        pattern
        for name in queues
        for pattern in (
            *(list_key(name, priority) for priority in Priority),
            *(keys.queue(name), keys.queue_counts(name), keys.queue_waiting(name)),
            *(keys.queue_authors(name), keys.queue_held(name, "*")),
        )
    ]


def _rules(keys: Iterable[str], reads: Iterable[str], channels: Iterable[str], commands: Iterable[str]) -> str:
    return " ".join(
        [
            *("resetkeys", "resetchannels", "-@all"),
            *(f"~{pattern}" for pattern in keys),
            *(f"%R~{pattern}" for pattern in reads),
            *(f"&{pattern}" for pattern in channels),
            *(f"+{command}" for command in sorted(set(commands))),
        ]
    )
