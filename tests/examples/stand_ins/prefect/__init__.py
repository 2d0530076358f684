"""As much of Prefect's own as the example uses, where Prefect is not installed, tries of a task among it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

runtime = SimpleNamespace(flow_run=SimpleNamespace(id="flow-run-1"))


class State:
    """How a try ended."""

    def __init__(self, error: Exception | None, value: Any = None) -> None:
        self._error, self._value = error, value

    def result(self) -> Any:
        if self._error:
            raise self._error
        return self._value


class _Task:
    def __init__(self, function: Callable[..., Any], retries: int, condition: Callable[..., bool]) -> None:
        self._function, self._retries, self._condition = function, retries, condition

    def submit(self, *args: Any, **kwargs: Any) -> State:
        for left in reversed(range(self._retries + 1)):
            try:
                return State(None, self._function(*args, **kwargs))
            except Exception as error:
                state = State(error)
            if not left or not self._condition(self, None, state):
                break
        return state

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.submit(*args, **kwargs).result()


def task(*, retries: int, retry_delay_seconds: float, retry_condition_fn: Callable[..., bool]) -> Callable[..., _Task]:
    return lambda function: _Task(function, retries, retry_condition_fn)


def flow(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def get_run_logger() -> logging.Logger:
    return logging.getLogger("prefect")
