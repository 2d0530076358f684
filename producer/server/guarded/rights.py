"""What the one who asks may do, and the trail of what was done."""

from __future__ import annotations

from broker_config.accounts.rights import Action, Principal
from broker_config.errors import NotFound
from broker_config.queues import DEFAULT_ENTITY
from broker_config.store.audit import Asker, AuditTrail


class Rights:
    """What the principal may do, and the trail of what was done."""

    def __init__(self, principal: Principal, asker: Asker, trail: AuditTrail) -> None:
        self.principal = principal
        self._asker = asker
        self._trail = trail

    def may_see(self, queue: str) -> bool:
        """Whether a queue, by its full name, may be seen, with its runs."""
        return self.principal.may(Action.SEE, entity_of(queue), queue)

    def may_see_jobs(self, entity: str) -> bool:
        """Whether the named jobs of an entity may be seen; a key for some queues launches the jobs of their owners."""
        of_entity = (queue for queue in self.principal.queues if entity_of(queue) == entity)
        return self.principal.may(Action.SEE, entity, next(of_entity, None))

    def expect(self, action: Action, queue: str) -> None:
        """Go on only with a right on a queue.

        Raises:
            NotFound: when it may not even be seen.
            NotPermitted: when it may be seen, and not that.
        """
        if not self.may_see(queue) and self.principal.role_in(entity_of(queue)) is None:
            raise NotFound(f"queue {queue!r} does not exist")
        self.principal.expect(action, entity_of(queue), queue)

    def expect_a_launcher(self) -> None:
        """Go on only for somebody who may launch somewhere: code belongs to no queue before a launch names it.

        Raises:
            NotPermitted: when there is no such place.
        """
        principal = self.principal
        if any(principal.may(Action.LAUNCH, entity_of(queue), queue) for queue in principal.queues):
            return
        if not any(principal.may(Action.LAUNCH, entity) for entity in (principal.name, *principal.roles)):
            principal.expect(Action.LAUNCH)

    def did(self, action: str, subject: str, details: str = "") -> None:
        """Write down what was done."""
        self._trail.add(self._asker, action, subject, details)


def entity_of(queue: str) -> str:
    """Who owns the queue of that full name."""
    return queue.rpartition("/")[0] or DEFAULT_ENTITY
