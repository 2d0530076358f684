"""`celery -A tests.faults.broken_off worker`: an agent whose broker breaks off in the middle of its start, once."""

from __future__ import annotations

from broker_config.errors import BrokerUnavailable
from workers.agent import Agent
from workers.celery import app

_take_up = Agent._take_up


def _broken_off(agent: Agent) -> None:
    _take_up(agent)
    Agent._take_up = _take_up  # type: ignore[method-assign]
    raise BrokerUnavailable("the connection was cut by the test")


Agent._take_up = _broken_off  # type: ignore[method-assign]

__all__ = ["app"]
