"""What tells Airflow not to try a task again."""

from __future__ import annotations


class AirflowFailException(Exception):
    """Fails the task for good."""
