"""As much of Airflow's own as the example uses, where Airflow is not installed: it has over a hundred dependencies."""

from __future__ import annotations

import logging
from typing import Any


class DAG:
    """Takes what the real one does, and knows the operators that are made inside of it."""

    current: DAG | None = None

    def __init__(self, dag_id: str, **_: Any) -> None:
        self.dag_id = dag_id
        self.tasks: list[BaseOperator] = []

    def __enter__(self) -> DAG:
        DAG.current = self
        return self

    def __exit__(self, *_: object) -> None:
        DAG.current = None


class BaseOperator:
    """An operator whose templates are rendered by the test."""

    def __init__(self, *, task_id: str, retries: int = 0, **_: Any) -> None:
        self.task_id = task_id
        self.retries = retries
        self.log = logging.getLogger(task_id)
        if DAG.current is not None:
            DAG.current.tasks.append(self)
