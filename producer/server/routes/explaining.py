"""Why a run, a queue or an agent is as it is: `/explanation` below each."""

from __future__ import annotations

from fastapi import APIRouter

from broker_config.explaining.explanation import Explanation
from broker_config.queues import full_name
from broker_config.runs import RunId
from producer.server.asking import Asked

router = APIRouter(tags=["explanations"])


@router.get("/runs/{run_id}/explanation")
def explain_run(asked: Asked, run_id: RunId) -> Explanation:
    """Why a run is where it is."""
    return asked.explanations.run(run_id)


@router.get("/queues/{entity}/{name}/explanation")
def explain_queue(asked: Asked, entity: str, name: str) -> Explanation:
    """Why the runs of a queue wait."""
    return asked.explanations.queue(full_name(name, entity))


@router.get("/agents/{name}/explanation")
def explain_agent(asked: Asked, name: str) -> Explanation:
    """Why an agent takes runs, or does not."""
    return asked.explanations.agent(name)
