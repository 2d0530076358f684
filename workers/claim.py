"""From an order to a run that is this agent's, or to nothing: the record decides, in one step."""

from __future__ import annotations

import logging
from collections.abc import Callable

from broker_config.errors import TemporaryError
from broker_config.messages import Order
from broker_config.runs import Run
from broker_config.states import State
from broker_config.store.claims import Claimed
from broker_config.store.runs import RunStore
from workers.requests import Dropped
from workers.session import Session
from workers.trust import Trust

logger = logging.getLogger(__name__)


class Claimer:
    """The stage between gate and prepare."""

    def __init__(self, runs: RunStore, trust: Trust, session: Session, cease: Callable[[str], None]) -> None:
        """`cease` is called with a queue from which nothing may be taken for the moment."""
        self._runs = runs
        self._trust = trust
        self._session = session
        self._cease = cease

    def claim(self, order: Order) -> Run:
        """Claim the run that an order is for.

        Raises:
            Dropped: when it cannot be had. The order of a run that waits is in its queue again.
        """
        spec = order.spec
        try:
            self._trust.look_at(order)
            outcome, run = self._runs.claim(spec, self._session.name, self._session.fence, self._session.token)
        except TemporaryError as error:
            # The run is queued still, or claimed by this session: either way it is found again.
            raise Dropped(str(error)) from error
        # A claim of this session that nobody carries on is an earlier try whose reply was lost.
        is_mine = run is not None and run.state is State.CLAIMED and run.fence == self._session.fence
        if run is not None and (outcome is Claimed.CLAIMED or is_mine):
            logger.info("run-claimed run=%s queue=%s", run.id, spec.queue.full_name)
            return run
        if outcome in {Claimed.PAUSED, Claimed.QUEUE_FULL, Claimed.LEASE_LOST}:
            self._cease(spec.queue.full_name)
            self._runs.send_again(order)
        logger.info("order-dropped run=%s: %s", spec.id, outcome)
        raise Dropped(outcome)
