"""Messages in which a platform tells of its jobs, where an operator has had them sent: agents then look at once.

A message is never the truth. It becomes a hint to all agents of its place, as each message comes to one agent only,
and it is removed when they can hear that. Without messages, jobs are seen as late as the lists come round.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from broker_config.errors import LaunchyardError
from broker_config.platforms import Hint
from workers.targets.neighbours import Limits

logger = logging.getLogger(__name__)

RETRY_SECONDS = 15.0
"""Between two tries while no message can be had, or none can be passed on."""


class Message(NamedTuple):
    """One message, and by what it is removed."""

    text: str
    receipt: str


class Told(NamedTuple):
    """What a message says of a job."""

    place: str  # as all agents call it
    hint: Hint


class Subscription(Protocol):
    """Where a platform's messages come in."""

    def receive(self) -> Sequence[Message]:
        """Those that are there; waits some seconds for the first.

        Raises:
            LaunchyardError: when none can be had.
        """

    def remove(self, messages: Sequence[Message]) -> None:
        """Have messages not come again. Raises as `receive` does."""

    def read(self, text: str) -> Sequence[Told]:
        """What a message says; nothing where it is of jobs that are not ours.

        Raises:
            ValueError: when it is no message of the platform's.
        """


@runtime_checkable
class Notified(Protocol):
    """A target whose platform can send messages."""

    def notify(self, addresses: Sequence[str]) -> None:
        """Take the agent's `job_events`, those of other platforms too. Called before everything else but `locate`."""


class Push:
    """Passes the messages of one subscription on."""

    def __init__(self, name: str, subscription: Subscription, limits: Limits) -> None:
        self._name = name
        self._subscription = subscription
        self._limits = limits
        self._is_lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def follow(self) -> None:
        """Pass them on by a thread from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Pass on no more. The thread may wait for a message that stays where it is."""
        self._stop.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self._pass_on(self._subscription.receive())
            except LaunchyardError as error:
                if not self._is_lost:
                    logger.warning("push-lost %s: %s; jobs are seen by lists alone", self._name, error)
                self._is_lost = True
                self._stop.wait(RETRY_SECONDS)
            else:
                if self._is_lost:
                    logger.info("push-heard %s", self._name)
                self._is_lost = False

    def _pass_on(self, messages: Sequence[Message]) -> None:
        done = [message for message in messages if self._is_done(message)]
        if done:
            self._subscription.remove(done)
        if len(done) < len(messages):
            # They come again.
            self._stop.wait(RETRY_SECONDS)

    def _is_done(self, message: Message) -> bool:
        try:
            told = self._subscription.read(message.text)
        except ValueError as error:
            logger.warning("push-dropped %s: this is no event of a job: %.200s: %s", self._name, message.text, error)
            return True
        return all(self._limits.tell(one.place, [one.hint]) for one in told)
