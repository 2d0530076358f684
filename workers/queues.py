"""Which queues an agent may serve."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from broker_config.errors import ConfigError, NotFound
from broker_config.queues import Queue
from broker_config.store.queues import QueueStore

logger = logging.getLogger(__name__)


def served_queues(queues: QueueStore, names: Iterable[str], entity: str | None) -> list[Queue]:
    """The queues of these names. Without an entity, one that is not there yet is served from its creation on.

    Raises:
        ConfigError: when one belongs to another entity than the agent's, or cannot be known to belong to it.
    """
    found = []
    for name in names:
        try:
            found.append(queue_of(queues, name, entity))
        except NotFound as error:
            if entity:
                raise ConfigError(f"{error}; an agent with an entity serves queues that exist") from error
            logger.warning("queue-missing %s: %s", name, error)
    return found


def queue_of(queues: QueueStore, name: str, entity: str | None) -> Queue:
    """The queue of that name, if an agent of that entity may serve it; one without an entity may serve any.

    Raises:
        NotFound: when there is none.
        ConfigError: when it belongs to another entity.
    """
    queue = queues.get(name).queue
    if entity and queue.entity != entity:
        raise ConfigError(
            f"queue {name!r} belongs to entity {queue.entity!r}, and this agent serves entity {entity!r}; set the "
            f"agent's entity to {queue.entity!r}, or take {name!r} off its queues"
        )
    return queue
