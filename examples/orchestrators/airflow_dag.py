"""A DAG of Apache Airflow that launches a training and waits for its end; a second try of its task launches nothing.

Airflow tries a task again after a lost worker, a broker that was away or a time limit. The key is the same in each try
of the same DAG run, so the next try finds the run and goes on waiting. A run that did not succeed ends the task for
good: Launchyard has then retried it as the queue says, and another try would only find the same failed run. A task that
is killed leaves its run alone, as Airflow kills tasks for reasons of its own too: `launchyard cancel RUN` ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from producer import Client, RunUnsuccessful


class LaunchyardOperator(BaseOperator):
    """Launches a job, waits for its end, and gives the run's id to the tasks behind it."""

    template_fields = ("launch", "idempotency_key")

    def __init__(
        self,
        *,
        launch: Mapping[str, Any],
        idempotency_key: str = "airflow/{{ dag.dag_id }}/{{ run_id }}/{{ task.task_id }}/{{ ti.map_index }}",
        **fields: Any,
    ) -> None:
        """`launch` holds the fields of `Client.launch`; another `idempotency_key` launches anew."""
        super().__init__(**fields)
        self.launch = launch
        self.idempotency_key = idempotency_key

    def execute(self, context: Any) -> str:
        with Client() as client:
            run = client.launch(**self.launch, idempotency_key=self.idempotency_key)
            self.log.info("run %s; see: launchyard explain %s", run.id, run.id)
            try:
                run.wait(raise_on_failure=True)
            except RunUnsuccessful as error:
                raise AirflowFailException(str(error)) from error
            return run.id


with DAG("nightly_training", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule="@daily", catchup=False):
    LaunchyardOperator(
        task_id="train",
        retries=3,
        retry_delay=timedelta(minutes=1),
        launch={
            "queue": "gpu-queue",
            "source": "https://git.example.com/team/training.git@main",
            "entry_point": ["python", "train.py"],
            "args": ["--day", "{{ ds }}"],
            "labels": {"from": "airflow"},
        },
    )
