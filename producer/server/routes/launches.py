"""Launches and plans: `/launches`, `/plans`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body

from broker_config.plans import Plan
from broker_config.runs import RunSpec
from producer.launches import NewRun
from producer.server.asking import Asked
from producer.wire import Launched, Ordered, PlanWanted

router = APIRouter(tags=["launches"])

Many = Annotated[list[Ordered], Body(min_length=1, max_length=1000)]


@router.post("/launches", status_code=201)
def launch(asked: Asked, runs: Many) -> Launched:
    """Put runs on their queues. All are checked before the first is written; sent again, none is made twice."""
    return Launched(ids=asked.launches.enqueue([_new(run) for run in runs]))


@router.post("/launches/check", status_code=204)
def check_launches(asked: Asked, runs: Many) -> None:
    """Whether their queues take these runs. Nothing is written."""
    asked.launches.check([_new(run) for run in runs])


@router.post("/launches/spec")
def get_spec(asked: Asked, run: Ordered) -> RunSpec:
    """What an agent would carry out."""
    return asked.launches.spec(_new(run))


@router.post("/plans")
def plan(asked: Asked, wanted: PlanWanted) -> Plan:
    """What the target would be sent for a launch, which is not made."""
    return asked.launches.plan(_new(wanted.run), asked.runs.get(wanted.diff).spec if wanted.diff else None)


@router.post("/plans/launch", status_code=201)
def launch_plan(asked: Asked, plan: Plan) -> Launched:
    """Make the launch that a plan shows, and no other one."""
    return Launched(ids=[asked.launches.enqueue_plan(plan)])


def _new(run: Ordered) -> NewRun:
    return NewRun(run.id, run.name, run.launch)
