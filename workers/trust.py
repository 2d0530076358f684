"""Whether a run is what somebody with a key wants: looked at before the claim, and again before anything is made of it.

What runs is what the record says, so it is the record's own text that has to be signed, and a message that says
something else is not taken. A run whose record is not genuine fails, so that its author is told. A message that is not
is dropped: whoever can write one must not be able to end the run of somebody else with it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import NoReturn

from broker_config.errors import ConfigError, NotFound
from broker_config.messages import Order
from broker_config.runs import Run, RunSpec, now
from broker_config.settings import Settings
from broker_config.signing import NotGenuine, Signed
from broker_config.states import FailureClass, Reason, State
from broker_config.store.changes import Change
from broker_config.store.runs import RunStore
from workers.config import AgentConfig
from workers.failures import RunFailed
from workers.requests import Dropped
from workers.seals import Seals

logger = logging.getLogger(__name__)


def seals_of(settings: Settings, config: AgentConfig) -> Seals:
    """What an agent with this config asks of signatures, and what it signs with.

    Raises:
        ConfigError: when it wants signatures, and has no key to tell them by.
    """
    keyring = settings.keyring
    if config.require_signature and keyring is None:
        raise ConfigError(
            "require_signature is true, and the agent has no key to tell signatures by; give it the keys of whoever "
            "launches, in LAUNCHYARD_SIGNING_KEYS"
        )
    return Seals(keyring, are_required=keyring is not None and config.require_signature is not False)


class Trust:
    """Looks at orders and runs, where signatures are required."""

    def __init__(self, runs: RunStore, seals: Seals, config: AgentConfig, agent: str) -> None:
        self._runs = runs
        self._seals = seals
        self._max_age = timedelta(seconds=config.signature_max_age)
        self._queues = frozenset(config.queues)
        self._agent = agent

    def look_at(self, order: Order) -> None:
        """Whether the run that an order is for may be claimed.

        Raises:
            Dropped: when it may not. If that is the record's fault, the run has failed.
            TemporaryError: when the broker does not answer.
        """
        if not self._seals.are_required:
            return
        run_id = order.spec.id
        try:
            spec, signature = self._signed_spec(run_id)
        except NotFound:
            _refuse(order, "there is no such run")
        except NotGenuine as error:
            self._fail(order, str(error))
        except ValueError:
            _refuse(order, "what is stored of its run cannot be read")
        if order.spec != spec or order.signature != signature:
            _refuse(order, "it says something else than the run's record")
        if spec.queue.full_name not in self._queues:
            _refuse(order, f"it came by another queue than its own, {spec.queue.full_name}")

    def genuine(self, run: Run) -> Run:
        """The run as it was signed, whatever its record says by now.

        Raises:
            RunFailed: when its record is not genuine.
            NotFound: when the broker has lost it.
        """
        if not self._seals.are_required:
            return run
        if not self._seals.is_signed(run, self._oldest):
            # Another version wrote it, or it was altered since it was read, if not before: its text will say.
            run = run.model_copy(update={"spec": self._spec_of(run)})
        self._seals.check(run)
        return run

    @property
    def _oldest(self) -> datetime:
        return now() - self._max_age

    def _spec_of(self, run: Run) -> RunSpec:
        try:
            return self._signed_spec(run.id)[0]
        except NotGenuine as error:
            raise RunFailed(FailureClass.CONFIG, Reason.UNSIGNED, self._refusal(str(error))) from error

    def _signed_spec(self, run_id: str) -> tuple[RunSpec, str]:
        found = self._runs.spec_text(run_id)
        if self._seals.keyring is None:
            raise AssertionError("signatures are required where there are keys")
        self._seals.keyring.verify(Signed.SPEC, found.text, found.signature, self._oldest)
        spec = RunSpec.model_validate_json(found.text)
        if spec.id != run_id:
            raise NotGenuine(f"it is signed as another run, {spec.id}: somebody copied that; launch it again")
        return spec, found.signature

    def _fail(self, order: Order, why: str) -> NoReturn:
        def decide(current: Run) -> Change | None:
            if current.state is not State.QUEUED:
                return None
            fields = {"failure": FailureClass.CONFIG}
            return Change(State.FAILED, Reason.UNSIGNED, self._refusal(why), self._agent, fields)

        try:
            run = self._runs.get(order.spec.id)
        except ValueError:
            _refuse(order, "what is stored of its run cannot be read")
        if run.id != order.spec.id:
            # What is written would be written about that one.
            _refuse(order, why)
        self._runs.change_until_written(run, decide)
        logger.warning("run-refused run=%s queue=%s: %s", order.spec.id, order.spec.queue.full_name, why)
        raise Dropped(why)

    def _refusal(self, why: str) -> str:
        return f"Agent {self._agent} takes signed runs only, and refuses this one: {why}."


def _refuse(order: Order, why: str) -> NoReturn:
    logger.warning("order-refused run=%s queue=%s: %s", order.spec.id, order.spec.queue.full_name, why)
    raise Dropped(why)
