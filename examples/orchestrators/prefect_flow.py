"""A flow of Prefect that launches trainings and waits for their ends; a second try of a task launches nothing.

A flow run keeps its id when it, or one of its tasks, is tried again, so the key is the same and the next try finds the
run. A run that did not succeed is not tried again by Prefect: Launchyard has then retried it as the queue says, and
another try would only find the same failed run.
"""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger, runtime, task

from producer import Client, RunUnsuccessful


def worth_another_try(_task: Any, _run: Any, state: Any) -> bool:
    """Whether the wait broke off, and not the run."""
    try:
        state.result()
    except RunUnsuccessful:
        return False
    except Exception:
        return True
    return False


@task(retries=3, retry_delay_seconds=60, retry_condition_fn=worth_another_try)
def launch_and_wait(step: str, **fields: Any) -> str:
    """Launch a job and wait for its end; `step` tells this launch from the others of the flow. Returns the run's id."""
    with Client() as client:
        run = client.launch(**fields, idempotency_key=f"prefect/{runtime.flow_run.id}/{step}")
        get_run_logger().info("run %s; see: launchyard explain %s", run.id, run.id)
        return run.wait(raise_on_failure=True).id


@flow
def nightly_training(rates: tuple[float, ...] = (0.1, 0.01), queue: str = "gpu-queue") -> list[str]:
    """A sweep: all its runs wait and run at the same time."""
    launched = [
        launch_and_wait.submit(
            f"rate-{rate}",
            queue=queue,
            source="https://git.example.com/team/training.git@main",
            entry_point=["python", "train.py"],
            run_config={"learning_rate": rate},
        )
        for rate in rates
    ]
    return [one.result() for one in launched]


if __name__ == "__main__":
    nightly_training()
