"""Messages that are passed on to all agents, and what becomes of them where that cannot be."""

from __future__ import annotations

import queue
from collections.abc import Sequence

import pytest

from broker_config.errors import TemporaryError
from broker_config.platforms import Heard, Hint, Turn
from workers.targets import push as push_module
from workers.targets.contract.waiting import eventually
from workers.targets.push import Message, Push, Told


class Inbox:
    """A subscription in memory: a message that is not removed comes again."""

    def __init__(self, *texts: str) -> None:
        self.left = list(texts)
        self.is_dead = False
        self.asked: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def receive(self) -> Sequence[Message]:
        self.asked.put(self.is_dead)
        if self.is_dead:
            raise TemporaryError("the queue does not exist")
        return [Message(text, text) for text in self.left]

    def remove(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.left.remove(message.receipt)

    def read(self, text: str) -> Sequence[Told]:
        if text == "rubbish":
            raise ValueError("no event")
        return [Told("a place", Hint(text, "Completed"))] if text != "another's" else []


class Broker:
    """Limits in memory, which nobody may hear."""

    def __init__(self) -> None:
        self.is_silent = False
        self.told: list[str] = []

    def hear(self, place: str, after: str) -> Heard:
        return Heard(after, 0.0)

    def turn(self, place: str, period_seconds: float, spacing_seconds: float, *, alone: bool) -> Turn:
        return Turn(True, 0.0)

    def pause(self, place: str, seconds: float) -> None:
        pass

    def tell(self, place: str, hints: Sequence[Hint]) -> bool:
        if not self.is_silent:
            self.told += [hint.job for hint in hints]
        return not self.is_silent


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_module, "RETRY_SECONDS", 0.05)


def test_messages_are_removed_when_all_agents_can_hear_them_and_not_before(caplog: pytest.LogCaptureFixture) -> None:
    # Given a broker that does not answer
    inbox, broker = Inbox("rubbish", "job-1", "another's"), Broker()
    broker.is_silent = True
    push = Push("inbox", inbox, broker)
    push.follow()

    # Then only what is of no use goes
    eventually(lambda: inbox.left == ["job-1"])
    for _ in range(3):
        inbox.asked.get(timeout=5)
    assert inbox.left == ["job-1"]
    assert "push-dropped inbox" in caplog.text

    # When it answers again
    broker.is_silent = False

    # Then
    eventually(lambda: inbox.left == [])
    assert broker.told == ["job-1"]
    push.stop()


def test_a_dead_subscription_is_told_once_and_goes_on_when_it_lives(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    inbox, broker = Inbox(), Broker()
    inbox.is_dead = True
    push = Push("inbox", inbox, broker)

    # When it stays dead for some tries
    push.follow()
    for _ in range(4):
        assert inbox.asked.get(timeout=5)

    # Then
    assert caplog.text.count("push-lost inbox: the queue does not exist") == 1

    # When
    inbox.left.append("job-1")
    inbox.is_dead = False

    # Then
    eventually(lambda: broker.told == ["job-1"])
    eventually(lambda: caplog.text.count("push-heard inbox") == 1)
    push.stop()
