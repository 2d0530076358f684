"""ACL rules for the users of a shared broker: what each role needs, and nothing else.

They keep each user to the keys of this installation and of the named queues: each by its full name, all queues of a
team as `team-a/*`, as rules are patterns and no name holds such marks, or any queue as `*`. Within those, a user may
run the commands that the store's scripts run, because Redis checks a script's commands as its caller's own. So the
rules say which keys somebody may touch, and the scripts say how; who writes commands by hand can still write nonsense
into those keys.

The syntax is that of `ACL SETUSER` (Redis 7 and Valkey, "ACL"). Tests run each role on a server with these rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from broker_config import results
from broker_config.errors import InvalidRequest
from broker_config.priorities import Priority, list_key
from broker_config.queues import check_full_name, check_name
from broker_config.store.keys import Keys

# redis-py does without CLIENT SETINFO, which Redis 7.0 does not know and so cannot be allowed there.
CONNECTION = ("hello", "info", "ping", "select", "wait")
SCRIPTS = ("evalsha", "script|load", "time")
READ = (
    *("exists", "get", "hget", "hgetall", "hmget", "scard", "smembers", "xread", "xrevrange"),
    *("zcard", "zrange", "zrangebyscore", "zrevrange", "zrevrangebyscore", "zscan", "zscore"),
)
WRITE = (
    *("expire", "hdel", "hincrby", "hset", "lpush", "publish", "set", "setex"),
    *("sadd", "srem", "xadd", "zadd", "zrem"),
)
TRANSACTIONS = ("exec", "multi", "unwatch", "watch")

# The lists' are for another priority; the last two, to wait for a result.
PRODUCER = (
    *(*CONNECTION, *SCRIPTS, *READ, *WRITE, "mget"),
    *("lindex", "linsert", "llen", "lrem", "rpush", "subscribe", "unsubscribe"),
)
OWNER = (*TRANSACTIONS, "del", "hkeys", "unlink")
AGENT = (
    *(*CONNECTION, *SCRIPTS, *READ, *WRITE, *TRANSACTIONS),
    *("del", "incrby", "lindex", "persist", "rpop", "rpush", "unlink"),
    # Celery's own.
    *("brpop", "llen", "psubscribe", "punsubscribe", "script|exists"),
)
FLOWER = (
    *("hello", "ping", "select", *SCRIPTS, "script|exists", "exec", "multi"),
    *("brpop", "del", "exists", "get", "llen", "publish", "sadd", "set", "smembers", "srem"),
    *("zadd", "zrange", "zrangebyscore", "zrem"),
    *("psubscribe", "punsubscribe", "subscribe", "unsubscribe"),
)

ANY_QUEUE = "*"
_CELERY_KEYS = ("_kombu.binding*", "unacked*", "*.celery.pidbox*", "celeryev*")


class Role(StrEnum):
    """What somebody is for a broker."""

    PRODUCER = "producer"
    OWNER = "owner"
    AGENT = "agent"
    SERVER = "server"
    FLOWER = "flower"


def rules(role: Role, prefix: str, queues: Sequence[str], database: int = 0) -> str:
    """Rules of a role for these queues, or for any if there are none.

    Raises:
        InvalidRequest: when one is the name of no queue, and not `TEAM/*`; or when the role is one for all queues.
    """
    if queues and role in {Role.SERVER, Role.FLOWER}:
        raise InvalidRequest(f"the role {role} has to do with all queues; name none")
    try:
        # A rule ends with a space: what is no name could hold further rules.
        named = [queue if queue == ANY_QUEUE else _checked(queue) for queue in queues] or [ANY_QUEUE]
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
    match role:
        case Role.PRODUCER:
            return producer(prefix, named)
        case Role.OWNER:
            return owner(prefix, named)
        case Role.AGENT:
            return agent(prefix, named, database)
        case Role.SERVER:
            return server(prefix)
        case Role.FLOWER:
            return flower(prefix, database)


def producer(prefix: str, queues: Sequence[str]) -> str:
    """Rules of a user who enqueues on these queues, follows runs and cancels them, and waits for Celery results."""
    return _rules(_producer_keys(Keys(prefix), queues), _producer_reads(Keys(prefix)), [results.key("*")], PRODUCER)


def owner(prefix: str, queues: Sequence[str]) -> str:
    """Rules of a producer who also creates, edits, pauses and deletes these queues, and says what agents shall do."""
    keys = Keys(prefix)
    return _rules(
        [*_producer_keys(keys, queues), *_owner_keys(keys, queues)],
        _producer_reads(keys),
        [results.key("*")],
        (*PRODUCER, *OWNER),
    )


def agent(prefix: str, queues: Sequence[str], database: int = 0) -> str:
    """Rules of an agent that serves these queues: its part of the store, and what a Celery worker needs."""
    keys = Keys(prefix)
    return _rules(
        [
            *_of_queues(keys, queues),
            *(
                keys.run("*"),
                keys.runs,
                keys.alarms,
                keys.ended,
                keys.wishes,
                keys.history,
                keys.history_lease,
                keys.fences,
            ),
            *(keys.agents, keys.agent_wishes, keys.agent_runs("*"), keys.agent_lease("*")),
            *(keys.orphans, keys.orphan_removals, keys.image_removals),
            *(keys.build("*"), keys.images, keys.images_used),  # a build with its log
            keys.platform("*"),  # with its hints
            *_of_code(keys),
            results.key("*"),
            *_CELERY_KEYS,
        ],
        [keys.queues],
        [results.key("*"), *_celery_channels(database, "celeryev/*", "celeryev/worker.*")],
        AGENT,
    )


def server(prefix: str) -> str:
    """Rules of the server: what an owner may of any queue, and the accounts and their trail."""
    keys, queues = Keys(prefix), [ANY_QUEUE]
    return _rules(
        [*_producer_keys(keys, queues), *_owner_keys(keys, queues), f"{prefix}accounts:*", f"{prefix}audit"],
        _producer_reads(keys),
        [results.key("*")],
        (*PRODUCER, *OWNER, "hsetnx"),
    )


def flower(prefix: str, database: int = 0) -> str:
    """Rules of Flower: it hears what agents tell, asks them, wants runs to end, and counts the messages of queues."""
    return _rules(
        # It looks for messages that an agent died with, as all of Celery do. That agents find them is enough.
        ["_kombu.binding*", "*.reply.celery.pidbox*", "celeryev*", "unacked_mutex"],
        [results.key("*"), "unacked_index", *_lists(Keys(prefix), ANY_QUEUE)],
        [results.key("*"), *_celery_channels(database, "celeryev/*")],
        FLOWER,
    )


def _checked(queue: str) -> str:
    team, slash, name = queue.rpartition("/")
    return f"{check_name(team)}/*" if slash and name == "*" else check_full_name(queue)


def _celery_channels(database: int, *events: str) -> list[str]:
    # A subscription to a pattern needs a rule with the very same pattern.
    return [f"/{database}.{name}" for name in ("celery.pidbox", *events)]


def _owner_keys(keys: Keys, queues: Sequence[str]) -> list[str]:
    histories = [keys.queue_revisions(name) for name in queues]
    removals = [keys.orphan_removals, keys.image_removals]
    return [*histories, keys.queues, keys.newest_revisions, keys.agent_wishes, *removals]


def _producer_keys(keys: Keys, queues: Sequence[str]) -> list[str]:
    return [
        *_of_queues(keys, queues),
        *(keys.idempotency(name, "*") for name in queues),
        *(keys.run("*"), keys.runs, keys.alarms, keys.ended, keys.wishes, keys.history, keys.agent_runs("*")),
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
            *_lists(keys, name),
            *(keys.queue(name), keys.queue_counts(name), keys.queue_waiting(name)),
            *(keys.queue_authors(name), keys.queue_held(name, "*")),
        )
    ]


def _lists(keys: Keys, queue: str) -> list[str]:
    """The lists of a queue's messages. They alone have no prefix, so those of any queue are all keys but the others."""
    if queue == ANY_QUEUE:
        # One may have the prefix as its name.
        own_name = f"{keys.prefix}[1-3]"
        return [own_name, *_beginning_with_none_of([keys.prefix, results.key(""), "_", "unacked", "celeryev"])]
    return [list_key(queue, priority) for priority in Priority]


def _beginning_with_none_of(words: Sequence[str]) -> list[str]:
    """Patterns of all other keys: rules can only allow, and a pattern can only be turned round for one character."""
    beginnings = sorted({word[:length] for word in words for length in range(len(word))})
    patterns = [beginning for beginning in beginnings if beginning]
    for beginning in beginnings:
        after = sorted({word[len(beginning)] for word in words if word.startswith(beginning)})
        patterns.append(f"{beginning}[^{''.join(after)}]*")
    return patterns


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
